"""Whose path is it: every documented path belongs to one dialect, and what belongs to none is left alone.

A dialect that is added appends its rows; `None` names paths near to ours that nobody may claim.
"""

from __future__ import annotations

import pytest
from llmcache import wire

V1 = "/v1/projects/p/locations/global/publishers/"
PATHS: list[tuple[str, str, str | None]] = [
    ("POST", "/v1/chat/completions", "openai-chat"),
    ("POST", "/v1/messages", "anthropic"),
    ("POST", "/anthropic/v1/messages", "anthropic"),
    ("POST", "/api/v1/messages", "anthropic"),
    ("POST", V1 + "anthropic/models/claude-sonnet-4-5%4020250929:rawPredict", "anthropic"),
    ("POST", V1 + "anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict", "anthropic"),
    ("POST", "/v1/messages/batches", "anthropic"),
    ("GET", "/v1/messages/batches/msgbatch_1/results", "anthropic"),
    ("POST", "/v1/messages/batches/msgbatch_1/cancel", "anthropic"),
    ("POST", "/v1/messages/count_tokens", "anthropic-count-tokens"),
    ("POST", "/anthropic/v1/messages/count_tokens", "anthropic-count-tokens"),
    ("POST", V1 + "anthropic/models/count-tokens:rawPredict", "anthropic-count-tokens"),
    ("POST", V1 + "mistralai/models/mistral-small-2503:rawPredict", None),
    ("GET", "/v1/messages", None),
    ("GET", "/v1/models", None),
    ("POST", "/v1/threads/t/messages", None),
    ("POST", "/v1/complete", None),
]


@pytest.mark.parametrize(("method", "path", "name"), PATHS, ids=str)
def test_a_path_belongs_to_one_dialect(method: str, path: str, name: str | None) -> None:
    """The dialect named claims the request line; if several would, the first of `DIALECTS` is the right one."""
    found = wire.find(method, path)
    assert name == (found.NAME if found else None)
    assert ([name] if name else []) == [each.NAME for each in wire.DIALECTS if each.matches(method, path)]
