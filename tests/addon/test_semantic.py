"""A real mitmdump with the bundled model: what was asked in other words is answered, and what is different is not."""

from __future__ import annotations

import json
from pathlib import Path

from support.asking import ask, post
from support.proxy import Mitmdump
from support.upstream import Upstream

SETTINGS = "scope: {secret: s}\nenableSemanticCache: true\ndeadlines: {store: 30s, embed: 30s}\n"
ASKED, NEAR, OTHER = (
    "What is the capital of France?",
    "What's the capital of France",
    "What is the capital of Finland?",
)


def proxy(folder: Path, upstream: Upstream, more: str = "") -> Mitmdump:
    """Return a proxy with semantic answers, its files in *folder*."""
    settings = folder / "c.yaml"
    settings.write_text(SETTINGS + more)
    store = f"sqlite:{folder / 'cache.db'}"
    options = ("--set", f"aicache_config={settings}", "--set", f"aicache_store={store}")
    return Mitmdump(folder, *options, modes=(f"reverse:{upstream.url}",))


def test_other_words_are_a_hit_and_other_questions_are_not(tmp_path: Path, upstream: Upstream) -> None:
    """As JSON and as a stream; a second process finds what the first has learned."""
    with proxy(tmp_path, upstream) as running:
        post(running, ask(ASKED, stream=True, stream_options={"include_usage": True}))
        running.wait_for("stored")
        assert post(running, ask(OTHER)).cache == "aicache; fwd=miss"
        running.wait_for("stored", 2)
    with proxy(tmp_path, upstream) as running:
        assert post(running, ask(NEAR)).cache.startswith("aicache; hit; detail=semantic; similarity=0.9")
        assert post(running, ask(NEAR, stream=True)).cache.startswith("aicache; hit; detail=semantic")
        assert len(upstream.calls) == 2
        assert post(running, ask(NEAR), x_aicache_control="exact").cache == "aicache; fwd=miss"
    assert len(upstream.calls) == 3


def test_a_report_evicts(tmp_path: Path, upstream: Upstream) -> None:
    """`x-aicache-feedback: wrong` sends the call upstream, and the wrong answer never comes again."""
    with proxy(tmp_path, upstream) as running:
        post(running, ask(ASKED))
        running.wait_for("stored")
        assert "semantic" in post(running, ask(NEAR)).cache
        assert post(running, ask(NEAR), x_aicache_feedback="wrong").cache == "aicache; fwd=miss"
        running.wait_for("stored", 2)
        assert post(running, ask(NEAR)).cache == "aicache; hit; detail=exact"
    assert "x-aicache-feedback" not in dict(upstream.calls[-1].headers)


def test_an_audit_asks_upstream_in_the_background(tmp_path: Path, upstream: Upstream) -> None:
    """The client has the hit; the provider, which repeats the question, is seen to differ; the log has no question."""
    journal = tmp_path / "near.jsonl"
    with proxy(tmp_path, upstream, f"policy: {{auditShare: 1, nearMissLog: {journal}}}\n") as running:
        post(running, ask(ASKED))
        running.wait_for("stored")
        assert "semantic" in post(running, ask(NEAR)).cache
        running.wait_for("miss confirm, stored")
    assert len(upstream.calls) == 2
    (line,) = journal.read_text().splitlines()
    assert {"decision": "serve", "equal": False}.items() <= json.loads(line).items()
    assert "France" not in line
