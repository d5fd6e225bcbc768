"""Endpoints of LLM providers that are passed through on purpose, so that a user sees why: files, batches, threads, ...

Most work on something that the provider keeps and that changes, so an old answer would be a wrong one; a few are what
came before the protocols that we know.
It goes by the path alone. Entry point: `reason`.
"""

from __future__ import annotations


def reason(path: str) -> str:
    """Return the word for an endpoint that is never cached, or nothing for any other path."""
    if path in LEGACY:
        return "legacy"
    return PASSED.get(path[4:].partition("/")[0], "") if path.startswith("/v1/") else ""


PASSED = {
    "files": "files",
    "uploads": "files",
    "batches": "batches",
    "fine_tuning": "fine-tuning",
    "assistants": "threads",
    "threads": "threads",
    "vector_stores": "vector-stores",
    "realtime": "realtime",
    "containers": "containers",
    "conversations": "conversation",
    "videos": "videos",
    "evals": "evals",
    "agents": "agents",
}
"""The path's part behind `/v1/`, and the word for it. Source: OpenAI, "API reference"; others follow it."""

LEGACY = frozenset({"/v1/complete"})
"""What came before Anthropic's Messages."""
