"""What the hooks of `aicache` do with mitmproxy: its flows, copies of them, its own addons. Nothing else knows it."""
