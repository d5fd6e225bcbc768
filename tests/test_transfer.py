"""Entries go from store to store with the scope, the secrets and the times of where they go."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from llmcache import config, fingerprint
from llmcache.build import open_seal, open_store
from llmcache.chat import SEALED, Entry, Form, Reply
from llmcache.config import Config
from llmcache.intake import TAKEN
from llmcache.jsontext import canonical
from llmcache.transfer import Transfer, obstacle

SECRET = "gh" + "p_" + "a1B2c3D4e5" * 4


def settings(folder: Path, text: str = "", store: str = "") -> Config:
    """Return the settings of *text* with *store*."""
    file = folder / "settings.yaml"
    file.write_text(text)
    return config.load(str(file), {"store": store or f"cassette:{folder}/recordings"})


def entry(question: str = "hi", scope: dict[str, str] | None = None, answer: str = "yes", **more: Any) -> Entry:
    """Return an entry of a cache that keeps credentials apart."""
    about = {"aicache": 1, "dialect": "openai-chat", "scope": {"credential": "c1"} if scope is None else scope}
    request = canonical({**about, "query": [["tag", "t"]], "body": {"messages": [{"content": question}]}})
    reply = Reply(200, (("content-type", "application/json"),), canonical({"answer": answer}))
    made = Entry(fingerprint.key(request), "openai-chat", "h", "m", Form("json"), reply, 1.7e9, request=request)
    return replace(made, question=question, **more)


async def moved(given: Config, *entries: Entry, write: bool = True, held: float | None = None) -> tuple[list[str], Any]:
    """Return what becomes of *entries*, and what is stored then."""
    store = open_store(given)

    async def holds(_: str) -> float | None:
        return held

    transfer = Transfer(store, given, holds, write=write)
    outcomes = [await transfer.put(each) for each in entries]
    found = [each async for each in store.scan()]
    await store.close()
    return outcomes, found


async def test_recordings_from_a_cache(tmp_path: Path):
    """They have no credential, their key follows from that, and they never expire."""
    outcomes, (found,) = await moved(settings(tmp_path), entry(expires=time.time() + 9, fresh=time.time() + 5))
    assert [TAKEN] == outcomes
    assert {} == json.loads(found.request)["scope"]
    assert fingerprint.key(found.request) == found.key
    assert (None, None) == (found.expires, found.fresh)


async def test_of_two_callers_the_newer_answer_is_kept(tmp_path: Path):
    """Without the credential they are one call; namespaces stay apart."""
    newer, older = entry(answer="new"), entry(scope={"credential": "c2"}, answer="old", created=1.6e9)
    apart = entry(scope={"credential": "c1", "namespace": "n"}, answer="apart")
    outcomes, found = await moved(settings(tmp_path), newer, older, apart)
    assert [TAKEN, "newer-is-there", TAKEN] == outcomes
    assert {b'{"answer":"new"}', b'{"answer":"apart"}'} == {each.reply.body for each in found}


async def test_what_stays_behind(tmp_path: Path):
    """Sealed entries, answers to near questions, records without a request, and secrets."""
    made = [
        replace(entry(), form=SEALED),
        entry(origin="k"),
        replace(entry(), request=b""),
        replace(entry(), request=b'{"scope": 7}'),
        entry(answer=SECRET),
        entry(truncated=True),
    ]
    outcomes, found = await moved(settings(tmp_path), *made)
    expected = ["sealed", "answer-to-a-near-question", "no-request", "no-request", "secret-found", "truncated"]
    assert (expected, []) == (outcomes, found)


async def test_half_an_answer_takes_no_whole_ones_place(tmp_path: Path):
    """However new it is; where it is all there is it is taken, if it is wanted, until an older whole one comes."""
    given = settings(tmp_path, "admit: {truncated: true}\n")
    half = entry(truncated=True)
    assert (["truncated"], []) == await moved(given, half, held=1.6e9)
    outcomes, (found,) = await moved(given, half, entry(scope={"credential": "c2"}, answer="old", created=1.6e9))
    assert ([TAKEN, TAKEN], False) == (outcomes, found.truncated)


async def test_a_newer_answer_stays(tmp_path: Path):
    """What the target holds from later is not replaced."""
    assert (["newer-is-stored"], []) == await moved(settings(tmp_path), entry(), held=1.8e9)


async def test_dry(tmp_path: Path):
    """A dry run says the same and writes nothing."""
    assert ([TAKEN], []) == await moved(settings(tmp_path), entry(), write=False)


async def test_declared_secrets_are_taken_out(tmp_path: Path):
    """Those that the target's settings name, before the key is made."""
    text = "secrets:\n  query: [tag]\n  paths: [messages]\n"
    _, (found,) = await moved(settings(tmp_path, text), entry("private"))
    assert b"private" not in found.request
    assert b"tag" not in found.request
    assert ("", fingerprint.key(found.request)) == (found.question, found.key)


async def test_a_warm_cache_from_recordings(tmp_path: Path):
    """A shared cache takes recordings; their life begins now, and several of a call, of lanes too, become one."""
    given = settings(tmp_path, "scope: shared\ncache:\n  cacheTTL: 100\n", f"sqlite:{tmp_path}/x.db")
    outcomes, (found,) = await moved(given, entry(scope={"lane": "test_one"}), entry(scope={}, sequence=1))
    assert [TAKEN, "newer-is-there"] == outcomes
    assert time.time() + 90 < found.expires < time.time() + 110
    assert entry(scope={}).key == found.key


async def test_a_sealed_target_seals(tmp_path: Path):
    """What goes into an encrypted store is opened by its own call only."""
    given = settings(tmp_path, "scope: shared\ncache:\n  encrypt: true\n", f"sqlite:{tmp_path}/x.db")
    _, (found,) = await moved(given, entry(scope={}))
    seal = open_seal(given)
    assert seal
    assert SEALED == found.form
    assert entry(scope={}).reply.body == seal.open(found, entry(scope={}).request).reply.body


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("", "cassette", ""),
        ("", "shared", ""),
        ("shared", "", "no key"),
        ("cassette", "", "no key"),
        ("secret-a", "secret-a", ""),
        ("secret-a", "secret-b", "same `scope.secret`"),
        ("higress", "cassette", "higress"),
    ],
)
def test_obstacles(tmp_path: Path, source: str, target: str, said: str):
    """Entries that nobody would ever find are not copied; the remedy is named."""
    texts = {
        "shared": "scope: shared\n",
        "higress": "compat: higress\ncache: {type: sqlite}\n",
        "secret-a": "scope: {secret: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}\n",
        "secret-b": "scope: {secret: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb}\n",
    }

    def made(word: str, name: str) -> Config:
        return settings(tmp_path, texts.get(word, ""), "" if word == "cassette" else f"sqlite:{tmp_path}/{name}/x.db")

    found = obstacle(made(source, "a"), made(target, "b"))
    assert said in found
    assert bool(said) is bool(found)


async def test_between_caches_with_one_secret_the_credential_stays(tmp_path: Path):
    """Who had an answer in the one has it in the other, and nobody else; what has no credential stays behind."""
    given = settings(tmp_path, "scope: {secret: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}\n", f"sqlite:{tmp_path}/x.db")
    outcomes, (found,) = await moved(given, entry(), entry(scope={}))
    assert [TAKEN, "no-credential"] == outcomes
    assert entry().key == found.key
