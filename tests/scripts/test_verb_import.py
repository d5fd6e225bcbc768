"""`aicache import` and `aicache export`, in this process: from files to recordings, to an archive, and back."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import verbs
from llmcache.chat import Entry, Form, Reply
from llmcache.fingerprint import key
from llmcache.jsontext import canonical
from llmcache.stores.sqlite import SqliteStore
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow, tutils
from support.saved import ANSWERED, ASKED, STREAM, archived, har, interaction, vcr
from test_samples import NAMED
from verbs._errors import Stop

SECRET = "gh" + "p_" + "a1B2c3D4e5" * 4

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run a verb; return its exit code, and what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = list(logging.root.handlers)

    def runs(verb: str, *args: str) -> tuple[int, str, str]:
        module = verbs.module_of(verb)
        code = module.main(verbs.parser_of(module, verb).parse_args(args))
        logging.root.handlers[:] = before
        return code, *capsys.readouterr()

    yield runs
    logging.root.handlers[:] = before


def files(folder: str) -> dict[str, bytes]:
    """Return what is in a folder."""
    root = Path(folder)
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def other(question: str) -> str:
    """Return a request with another question."""
    return ASKED.replace("Grüße?", question).replace("Gr\\u00fc\\u00dfe?", question)


def test_from_vcr_to_recordings_to_an_archive_and_back(run: Run):
    """Cassette, recordings, archive, recordings, archive: the same files, to the byte."""
    streamed = json.dumps(json.loads(ASKED) | {"stream": True, "stream_options": {"include_usage": True}, "seed": 1})
    stream = interaction({"string": STREAM}, asked=streamed, content_type="text/event-stream")
    again = interaction({"string": ANSWERED.replace("!", "?")})
    Path("in.yaml").write_text(vcr(interaction(), interaction(url="https://x.example/"), stream, again))
    code, out, _ = run("import", "in.yaml", "--into", "cassette:one")
    assert (0, "imported: 2, imported again: 1, skipped: 1\n") == (code, out.partition("  ")[0])
    assert "1 no-llm-call (no LLM call that aicache knows): in.yaml:" in out
    assert (0, "exported: 3, skipped: 0\n", "") == run("export", "--har", "a.har", "--from", "one")
    both = "imported: 2, imported again: 1, skipped: 0\n"
    assert (0, both, "") == run("import", "a.har", "--into", "cassette:two")
    assert (0, "exported: 3, skipped: 0\n", "") == run("export", "--har", "b.har", "--store", "cassette:two")
    assert files("one") == files("two")
    assert Path("a.har").read_bytes() == Path("b.har").read_bytes()
    assert Path("a.har").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(not NAMED, reason="the captured samples are not beside this checkout")
def test_captured_traffic_goes_round(run: Run):
    """Captured interactions of every provider: cassette, recordings, archive, recordings, cache, recordings."""
    made = []
    for path in [path for name, path in NAMED.items() if name.endswith(("-0", "-2"))]:
        sample = json.loads(path.read_text())
        asked, answered = sample["request"], sample["response"]
        kept = {name: [value] for name, value in answered["headers"] if name.lower() != "content-encoding"}
        body = {"base64_string": answered["base64"]} if "base64" in answered else {"string": answered["text"]}
        request = {"method": asked["method"], "uri": asked["url"], "body": json.dumps(asked["body"])}
        request |= {"headers": {name: [value] for name, value in asked["headers"]}}
        made.append({"request": request, "response": {"body": body, "headers": kept, "status": {"code": 200}}})
    Path("in.json").write_text(json.dumps({"version": 1, "interactions": made}, indent=1))
    code, out, _ = run("import", "in.json", "--into", "cassette:one")
    assert code == 0
    assert "skipped: 1\n  1 background: " in out
    (again,) = [path for path in Path("one").rglob("*.yaml") if "\nsequence: " in path.read_text()]
    again.unlink()  # a cache has one answer for a call
    count = len(list(Path("one").rglob("*.yaml")))
    Path("shared.yaml").write_text("scope: shared\n")
    for verb, *args in (
        ("export", "--har", "a.har", "--from", "one"),
        ("import", "a.har", "--into", "cassette:two"),
        ("import", "two", "--into", "sqlite:three.db", "--config", "shared.yaml"),
        ("export", "four", "--from", "sqlite:three.db", "--config", "shared.yaml"),
    ):
        assert (0, f"{verb}ed: {count}, skipped: 0\n", "") == run(verb, *args)
    assert files("one") == files("two") == files("four")


def test_dumps_of_mitmproxy(run: Run):
    """Flows of HTTP with their replies; what else is in a dump is passed over."""
    response = tutils.tresp(headers=((b"content-type", b"application/json"),), content=ANSWERED.encode())
    asked = {"method": b"POST", "host": "api.openai.com", "path": b"/v1/chat/completions", "content": ASKED.encode()}
    request = tutils.treq(**asked, headers=((b"content-type", b"application/json"),))
    with Path("d.mitm").open("wb") as file:
        for flow in (tflow.tflow(req=request, resp=response), tflow.tflow(), tflow.ttcpflow()):
            FlowWriter(file).add(flow)
    code, out, _ = run("import", "d.mitm", "--into", "cassette:one")
    assert (0, "imported: 1, skipped: 2\n") == (code, out.partition("  ")[0])
    assert "1 no-reply (nothing came back): d.mitm: flow 2" in out
    assert "1 no-llm-call (no LLM call that aicache knows): d.mitm: flow 3" in out
    assert ANSWERED[:20] not in out
    with Path("d.mitm").open("ab") as file:
        file.write(b"99:half")
    code, _, err = run("import", "d.mitm", "--into", "cassette:one")
    assert code == 1
    assert "d.mitm: behind flow 3: Invalid data format" in err


def test_a_folder_is_searched_and_broken_files_are_named(run: Run):
    """What can be read is taken in, what cannot is named with its line, and the exit code says so."""
    for name, text in {
        "a/x.yaml": vcr(interaction()),
        "a/b/y.har": har(archived(asked=other("two"))),
        "a/broken.yml": "interactions:\n- [\n",
        "a/broken.json": '{"log":\n\n',
        "a/evil.yaml": "interactions:\n- !!python/object/apply:os.system ['true']\n",
        "a/readme.md": "nothing",
        "a/binary.yaml": "",
    }.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)
    Path("a/binary.yaml").write_bytes(b"a:\n\xff")
    code, out, err = run("import", "a", "--into", "cassette:one")
    assert (1, "imported: 2, skipped: 0\nunreadable files: 4, see above\n") == (code, out)
    for said in (
        "a/binary.yaml:2: is neither text nor a dump",
        "a/broken.json:3: this is not JSON",
        "a/broken.yml:3: this is not plain YAML",
        "a/evil.yaml:2: `!!python/object/apply:os.system` stands for",
    ):
        assert f"aicache: {said}" in err


@pytest.mark.parametrize("store", ["cassette:one", "sqlite:one.db"])
def test_a_dry_run_writes_nothing(run: Run, store: str):
    """It says the same as the true one, secrets too, and leaves nothing behind."""
    Path("s.yaml").write_text("scope: shared\n")
    Path("in.yaml").write_text(vcr(interaction(), interaction(asked=other(SECRET))))
    code, out, err = run("import", "in.yaml", "--into", store, "--dry-run", "--config", "s.yaml")
    found = store.startswith("cassette")  # a cache keeps what a recording must not
    assert f"would be imported: {1 if found else 2}, skipped: {int(found)}" in out
    assert (int(found), found) == (code, "there is a secret in it: GitHub token at" in err)
    assert SECRET not in out + err
    assert sorted(["in.yaml", "s.yaml"]) == sorted(path.name for path in Path().iterdir())


def test_a_cache_that_keeps_keys_apart_takes_nothing(run: Run):
    """Recordings have no key, so nobody would find them: said with the remedy, and nothing is made."""
    Path("in.yaml").write_text(vcr(interaction()))
    with pytest.raises(Stop, match=r"nothing was taken in: .*`scope: shared`.*cassette:PATH"):
        run("import", "in.yaml", "--into", "sqlite:one.db")
    run("import", "in.yaml", "--into", "cassette:one")
    with pytest.raises(Stop, match=r"nothing was imported: .*`scope: shared`"):
        run("import", "one", "--into", "sqlite:one.db")
    assert not Path("one.db").exists()


def test_two_callers_become_one(run: Run):
    """Without their keys two calls are the same: the newer answer is written, into recordings and into an archive."""
    identity = {"aicache": 1, "dialect": "openai-chat", "method": "POST", "origin": "https://h", "query": []}
    identity |= {"path": "/v1/chat/completions", "headers": {}, "body": json.loads(ASKED)}

    async def fill() -> None:
        store = SqliteStore(Path("in.db"), 100, 10**9, "lru")
        for number in range(3):
            request = canonical(identity | {"scope": {"credential": str(number)}})
            reply = Reply(200, (("content-type", "application/json"),), ANSWERED.replace("!", str(number)).encode())
            about = {"created": 1.7e9 + number, "request": request, "path": "/v1/chat/completions"}
            await store.put(Entry(key(request), "openai-chat", "h", "gpt-4o", Form("json"), reply, **about))
        await store.close()

    asyncio.run(fill())
    said = "exported: 1, skipped: 2\n  2 newer-is-there"
    assert said in run("export", "one", "--from", "sqlite:in.db")[1]
    assert said in run("export", "--har", "a.har", "--from", "sqlite:in.db")[1]
    assert "imported: 1," in run("import", "a.har", "--into", "cassette:two")[1]
    for folder in ("one", "two"):
        (recording,) = Path(folder).rglob("*.yaml")
        assert "Grüße2" in recording.read_text()


def test_only_some_are_exported(run: Run):
    """By model and by host; a dry run writes no archive."""
    Path("in.yaml").write_text(vcr(interaction()))
    run("import", "in.yaml", "--into", "cassette:one")
    assert "exported: 0," in run("export", "two", "--from", "one", "--model", "other")[1]
    assert "would be exported: 1," in run("export", "two", "--from", "one", "--model", "gpt-4o", "--dry-run")[1]
    assert "would be exported: 1," in run("export", "--har", "x.har", "--from", "one", "--dry-run")[1]
    assert {"in.yaml", "one"} == {path.name for path in Path().iterdir()}


@pytest.mark.parametrize(
    ("verb", "args", "said"),
    [
        ("import", ["nothing.yaml", "--into", "cassette:x"], "there is no nothing.yaml"),
        ("import", ["empty", "--into", "cassette:x"], "empty holds no recordings"),
        ("import", ["in.yaml", "sqlite:x.db", "--into", "cassette:x"], "either files or a store"),
        ("import", ["sqlite:x.db", "sqlite:y.db"], "one store at a time"),
        ("import", ["in.yaml", "--into", "memory"], "ends with its proxy"),
        ("import", ["sqlite:x.db", "--into", "sqlite:x.db"], "the same one"),
        ("import", ["sqlite:x.db", "--into", "cassette:x"], "there is no store x.db"),
        ("export", [], "say where"),
        ("export", ["x", "--har", "y"], "say where"),
        ("export", ["--har", "y", "--from", "sqlite:x.db"], "there is no store x.db"),
    ],
)
def test_what_cannot_be(run: Run, verb: str, args: list[str], said: str):
    """A sentence, and nothing is made."""
    Path("in.yaml").write_text(vcr(interaction()))
    Path("empty").mkdir()
    with pytest.raises(Stop, match=said):
        run(verb, *args)
    assert {"in.yaml", "empty"} == {path.name for path in Path().iterdir()}


def test_a_recording_is_not_a_file(run: Run):
    """One file of a folder of ours is named as what it is."""
    Path("in.yaml").write_text(vcr(interaction()))
    run("import", "in.yaml", "--into", "cassette:one")
    recording = next(Path("one").rglob("*.yaml"))
    assert "name the folder that it lies in" in run("import", str(recording), "--into", "cassette:two")[2]
