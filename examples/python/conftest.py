"""Loads aicache's plugin, which gives tests marked with `aicache` recordings of their own."""

pytest_plugins = ["pytest_aicache"]
