"""The providers of embeddings: what they are sent, in how many requests, and what becomes of every bad answer."""

from __future__ import annotations

import asyncio
import json
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmcache.chat import BackendError
from llmcache.embed import TextError
from llmcache.embed.formats import FORMATS
from llmcache.embed.remote import RemoteEmbedder
from llmcache.embed.xfyun import sign
from llmcache.embedding import EMBEDDERS, Embedding
from support.embedding_providers import KEY, PROVIDERS, Fake, numbers
from support.redis_server import free_port
from support.upstream import Script

QUESTION = "what does my doctor say"
TEXTS = [QUESTION, "Größe „10 μm“?\n\t", "今天天气怎么样 😀", '"quoted\\" \x7f']

providers = pytest.mark.parametrize("kind", PROVIDERS)


def remote(kind, url, **more):
    """Return the embedder for a provider that is at *url*."""
    return RemoteEmbedder(Embedding(kind, **{**PROVIDERS[kind].settings, "url": url, **more}))


def unit_rows(texts):
    """Return what is expected: the numbers of the fake at unit length."""
    rows = np.array([numbers(text) for text in texts])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


async def fault(embedder, texts=(QUESTION,)):
    """Return the message of a request that fails; it never has the key or the text in it."""
    with pytest.raises(BackendError) as caught:
        await embedder.embed(texts)
    await embedder.close()
    message = str(caught.value)
    assert KEY not in message + repr(embedder)
    assert QUESTION not in message
    assert caught.value.__cause__ is None
    return message


def says(*scripts):
    """Answer with these in turn, then with the last."""
    waiting = list(scripts)
    return lambda _: waiting.pop(0) if len(waiting) > 1 else waiting[0]


def reply(vectors, **more):
    """Return an answer of OpenAI with *vectors*."""
    rows = [{"index": at, "embedding": vector} for at, vector in enumerate(vectors)]
    return Script(json.dumps({"data": rows}).encode(), **more)


# ---- what is sent


@providers
async def test_it_is_asked_as_documented(upstream, kind):
    """One text and several make requests as the provider's documentation has them, and come back in order."""
    upstream.answer = fake = Fake(PROVIDERS[kind])
    embedder = remote(kind, upstream.url)
    (single,) = await embedder.embed([QUESTION])
    several = await embedder.embed(TEXTS)
    await embedder.close()
    assert fake.faults == []
    assert np.allclose(unit_rows([QUESTION])[0], single, atol=1e-6)
    assert np.allclose(unit_rows(TEXTS), several, atol=1e-6)
    assert several.dtype == np.float32


@providers
async def test_many_texts_are_batches(upstream, kind):
    """More texts than a request may have are several requests, each within the documented limit, in order."""
    upstream.answer = fake = Fake(PROVIDERS[kind])
    batch = FORMATS[kind].batch(PROVIDERS[kind].settings.get("model", ""))
    texts = [f"question {number}" for number in range(2 * batch + 1)]
    embedder = remote(kind, upstream.url)
    vectors = await embedder.embed(texts)
    await embedder.close()
    assert fake.faults == []
    assert [batch, batch, 1] == [len(asked) for asked in fake.asked]
    assert np.allclose(unit_rows(texts), vectors, atol=1e-6)


async def test_azure_adds_the_texts_up(upstream):
    """Azure counts the tokens of a whole request, so long texts go in requests of their own."""
    upstream.answer = fake = Fake(PROVIDERS["azure"])
    embedder = remote("azure", upstream.url)
    await embedder.embed(["a" * 5000, "b" * 5000, "c", "d"])
    await embedder.close()
    assert [1, 3] == [len(asked) for asked in fake.asked]


def test_dashscope_takes_fewer_of_its_later_models():
    """Its first two models take 25 texts a request, the others 10."""
    batch = FORMATS["dashscope"].batch
    assert [25, 25, 10, 10] == [batch(f"text-embedding-v{version}") for version in (1, 2, 3, 4)]


async def test_no_text_is_no_request(upstream):
    """Nothing is asked for no texts, nor for a text without anything in it."""
    embedder = remote("openai", upstream.url)
    assert (await embedder.embed([])).shape == (0, 0)
    for text in ("", " \n", "\ud800"):
        with pytest.raises(TextError):
            await embedder.embed(["fine", text])
    await embedder.close()
    assert upstream.calls == []


async def test_a_server_of_one_s_own_needs_no_key(upstream):
    """Without a key, no header says that there is one."""
    upstream.answer = lambda asked: reply([[1, 2]])
    embedder = remote("openai", f"{upstream.url}/v1", api_key="")
    await embedder.embed([QUESTION])
    await embedder.close()
    assert "authorization" not in upstream.calls[0].headers
    assert upstream.calls[0].path == "/v1/embeddings"


async def test_the_environment_has_no_say(upstream, monkeypatch, tmp_path):
    """Neither a proxy of the environment, which may be ourselves, nor a password file changes what is sent."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    upstream.answer = fake = Fake(PROVIDERS["openai"])
    embedder = remote("openai", upstream.url)
    await embedder.embed([QUESTION])
    await embedder.close()
    assert (fake.faults, len(fake.asked)) == ([], 1)


async def test_a_proxy_can_be_named(upstream):
    """A proxy that is set carries the request."""
    upstream.answer = lambda asked: reply([[1, 2]])
    embedder = remote("ollama", "http://embedder.example:11434", proxy=upstream.url)
    upstream.answer = lambda asked: Script(b'{"embeddings": [[1, 2]]}')
    await embedder.embed([QUESTION])
    await embedder.close()
    assert upstream.calls[0].path == "http://embedder.example:11434/api/embed"


def test_the_signature_of_xfyun():
    """The address is signed as the reference says: checked against a value computed by hand with openssl."""
    embedding = Embedding("xfyun", api_key="key", api_secret="secret", app_id="app")
    signed = sign(embedding, "https://emb-cn-huabei-1.xf-yun.com/", 1_700_000_000)
    assert signed == SIGNED


# ---- where, and under which name


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"type": "openai"}, "https://api.openai.com/v1/embeddings"),
        ({"type": "openai", "url": "http://[::1]:8080"}, "http://[::1]:8080/v1/embeddings"),
        ({"type": "openai", "url": "http://box:1234/v1/"}, "http://box:1234/v1/embeddings"),
        ({"type": "openai", "url": "https://a.example/api/v3/embeddings"}, "https://a.example/api/v3/embeddings"),
        ({"type": "openai", "url": "https://a.example", "path": "/x"}, "https://a.example/x"),
        ({"type": "openai", "service_host": "localhost", "service_port": 8080}, "http://localhost:8080/v1/embeddings"),
        ({"type": "openai", "service_host": "10.0.0.7", "service_port": 80}, "http://10.0.0.7/v1/embeddings"),
        ({"type": "openai", "service_host": "a.example", "service_port": 8000}, "https://a.example:8000/v1/embeddings"),
        ({"type": "openai", "service_host": "box", "service_port": 8443}, "https://box:8443/v1/embeddings"),
        ({"type": "openai", "service_host": "a.example", "path": "/e"}, "https://a.example/e"),
        ({"type": "ollama"}, "http://localhost:11434/api/embed"),
        ({"type": "cohere"}, "https://api.cohere.com/v2/embed"),
        ({"type": "textin"}, "https://api.textin.com/ai/service/v1/acge_embedding"),
        ({"type": "xfyun"}, "https://emb-cn-huabei-1.xf-yun.com/"),
        (
            {"type": "huggingface", "model": "BAAI/bge-m3"},
            "https://router.huggingface.co/hf-inference/models/BAAI/bge-m3/pipeline/feature-extraction",
        ),
        (
            {"type": "huggingface", "service_host": "hf.example"},
            "https://hf.example/pipeline/feature-extraction/sentence-transformers/all-MiniLM-L6-v2",
        ),
    ],
)
def test_where_it_is_asked(settings, expected):
    """A URL, or host, port and path, or the provider's own place; without TLS only near by or where it is written."""
    known = EMBEDDERS[settings["type"]]
    defaults = {"service_host": known.host, "service_port": known.port, "model": known.model}
    assert expected == RemoteEmbedder(Embedding(**{**defaults, **settings}))._url


@pytest.mark.parametrize(
    ("settings", "name", "window"),
    [
        ({"type": "openai", "model": "text-embedding-3-small"}, "openai/text-embedding-3-small", 8000),
        ({"type": "openai", "model": "x", "url": "http://b:1/v1"}, "openai/x@b:1", 500),
        ({"type": "openai", "model": "x", "window": 77}, "openai/x", 77),
        ({"type": "huggingface", "model": "sentence-transformers/all-MiniLM-L6-v2"}, None, 250),
        ({"type": "textin", "textin_matryoshka_dim": 512}, "textin/acge:512", 500),
        ({"type": "azure", "model": "d", "service_host": "me.example"}, "azure/d@me.example", 8000),
        ({"type": "xfyun"}, "xfyun/default", 250),
        ({"type": "cohere", "model": "embed-english-v3.0"}, None, 500),
        ({"type": "ollama", "model": "llama3.2"}, "ollama/llama3.2", 2000),
        ({"type": "ollama", "model": "mxbai-embed-large"}, None, 500),
        ({"type": "ollama", "model": "all-minilm:33m"}, None, 250),
        ({"type": "openai", "model": "BAAI/bge-m3", "url": "http://localhost:11434/v1"}, None, 2000),
    ],
)
def test_name_and_window(settings, name, window):
    """The name tells models apart that must not be compared, and the window is what the model surely reads."""
    embedder = RemoteEmbedder(Embedding(**{"service_host": EMBEDDERS[settings["type"]].host, **settings}))
    assert window == embedder.window
    assert name is None or name == embedder.name


# ---- bad answers


@pytest.mark.parametrize(
    ("script", "parts"),
    [
        pytest.param(Script(b'{"data": [{"index": 0, "embedding": [NaN, 1]}]}'), ["no JSON"], id="nan"),
        pytest.param(Script(b'{"data": [{"index": 0, "embedding": [1e39, 1]}]}'), ["not finite"], id="too-large"),
        pytest.param(reply([[0, 0, 0]]), ["no length"], id="zero"),
        pytest.param(reply([]), ["shape"], id="empty-list"),
        pytest.param(reply([[]]), ["shape"], id="empty-vector"),
        pytest.param(reply([[1, 2], [3, 4]]), ["for 1 texts"], id="too-many"),
        pytest.param(reply([[[1, 2], [3, 4]]]), ["shape"], id="per-token"),
        pytest.param(reply(["base64=="]), ["numbers"], id="base64"),
        pytest.param(reply([[None, 1]]), ["not finite"], id="null"),
        pytest.param(Script(b"<html>It works!</html>"), ["no JSON"], id="html"),
        pytest.param(Script(b""), ["not understood"], id="nothing"),
        pytest.param(Script(b'{"data": [{"index": 7, "embedding": [1]}]}'), ["not understood"], id="wrong-index"),
        pytest.param(Script(b'{"error": {"message": "no"}}'), ["not understood"], id="error-with-200"),
        pytest.param(Script(b"[[[[[" * 9000), ["no JSON"], id="deep"),
        pytest.param(Script(b'{"error": "bad key sk-very-secret"}', 401), ["401", "`embedding.apiKey`"], id="401"),
        pytest.param(Script(b"{}", 403), ["403", "may not use"], id="403"),
        pytest.param(Script(b"{}", 404), ["404", "`embedding.url`", "`embedding.model`"], id="404"),
        pytest.param(Script(b"what does my doctor say", 400), ["400", "`embedding.window`"], id="400"),
        pytest.param(Script(b"{}", 413), ["413", "too long"], id="413"),
        pytest.param(Script(b"{}", 302, {"location": "http://a.example/"}), ["302", "final address"], id="302"),
        pytest.param(Script(b'{"data": [', cut="fin"), ["no JSON"], id="half-json"),
        pytest.param(reply([[1, 2]], framing="chunked", cut="rst"), ["broke off"], id="reset"),
        pytest.param(
            Script([b'{"data": [{"index": 0, "embedding": [1'], framing="chunked", cut="fin"),
            ["broke off"],
            id="half-a-body",
        ),
        pytest.param(Script(b"{}", 429, {"retry-after": "3600"}), ["429", "quota"], id="429-for-an-hour"),
    ],
)
async def test_a_bad_answer_is_one_error(upstream, script, parts):
    """Whatever a provider answers: one error of ours that names it and the remedy, and not the key or the text."""
    upstream.answer = says(script)
    message = await fault(remote("openai", upstream.url))
    assert [part for part in ("openai", *parts) if part not in message] == []
    assert len(upstream.calls) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
async def test_a_bad_moment_is_waited_out(upstream, status):
    """A busy or stumbling provider is asked again, and its good answer counts."""
    busy = Script(b"{}", status, {"retry-after": "0"})
    upstream.answer = says(busy, busy, busy, reply([[3, 4]]))
    embedder = remote("openai", upstream.url)
    assert np.allclose([[0.6, 0.8]], await embedder.embed([QUESTION]))
    upstream.calls.clear()
    upstream.answer = says(busy)
    assert str(status) in await fault(embedder)
    assert len(upstream.calls) == 4


async def test_a_slow_provider_is_given_up(upstream):
    """A provider that does not answer in time is an error, however it is slow."""
    gate = threading.Event()
    upstream.answer = says(Script([b"{", b"}"], gate=gate))
    assert "in time" in await fault(remote("openai", upstream.url, timeout=200))
    gate.set()


async def test_a_dead_provider_is_an_error():
    """Nobody listening is an error that says where."""
    port = free_port()
    message = await fault(remote("ollama", f"http://127.0.0.1:{port}", timeout=700))
    assert f"127.0.0.1:{port} cannot be reached" in message


async def test_another_dimension_is_refused(upstream):
    """A provider that changes its model behind our back cannot mix vectors of two models."""
    upstream.answer = says(reply([[1, 2]]), reply([[1, 2, 3]]))
    embedder = remote("openai", upstream.url)
    await embedder.embed([QUESTION])
    assert "vectors of 3 numbers, and 2 are expected" in await fault(embedder)


async def test_textin_says_what_went_wrong_with_200(upstream):
    """TextIn's own code in a 200 is an error with that code."""
    upstream.answer = says(Script(b'{"code": 40101, "message": "x-ti-app-id is empty"}'))
    assert "the code 40101" in await fault(remote("textin", upstream.url))


async def test_xfyun_says_what_went_wrong_with_200(upstream):
    """So is xfyun's."""
    upstream.answer = says(Script(b'{"header": {"code": 11200, "message": "auth no license"}}'))
    assert "the code 11200" in await fault(remote("xfyun", upstream.url))


NAMES = ("data", "embedding", "embeddings", "float", "output", "result", "index", "code", "header", "payload", "text")
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(10**400), 10**400) | st.text(max_size=8),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inside, max_size=3),
    max_leaves=12,
)


@providers
@given(answer=JSON)
def test_any_json_is_vectors_or_an_error(kind, answer):
    """Whatever JSON a provider answers, there are unit vectors in the end, or one `BackendError`."""
    embedder = remote(kind, "http://localhost:1")
    try:
        vectors = embedder._read(answer, 1)
    except BackendError:
        return
    assert vectors.shape[0] == 1
    assert np.linalg.norm(vectors[0]) == pytest.approx(1, abs=1e-4)


async def test_closed_is_closed(upstream):
    """After closing, twice even, there is an error and no request; closing while a request waits ends that too."""
    embedder = remote("openai", upstream.url)
    await embedder.close()
    await embedder.close()
    assert "closed" in await fault(embedder)
    assert upstream.calls == []


async def test_requests_do_not_block_the_loop(upstream):
    """While a provider takes its time, the event loop serves others."""
    gate = threading.Event()
    upstream.answer = says(Script([b'{"data": [{"index": 0, "embed', b'ding": [1, 2]}]}'], gate=gate))
    embedder = remote("openai", upstream.url)
    waiting = asyncio.create_task(embedder.embed([QUESTION]))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not waiting.done()
    gate.set()
    assert (await waiting).shape == (1, 2)
    await embedder.close()


AUTHORIZATION = (
    "YXBpX2tleT0ia2V5IiwgYWxnb3JpdGhtPSJobWFjLXNoYTI1NiIsIGhlYWRlcnM9Imhvc3QgZGF0ZSByZXF1ZXN0LWxpbmUiLCBz"
    "aWduYXR1cmU9IjVCVC9ORVhHeFFrSTBDbE40RVJZQ21KWWFFWmtmMWtZS1VJTzFUTE8rNnM9Ig%3D%3D"
)
SIGNED = (
    f"https://emb-cn-huabei-1.xf-yun.com/?authorization={AUTHORIZATION}"
    "&date=Tue%2C+14+Nov+2023+22%3A13%3A20+GMT&host=emb-cn-huabei-1.xf-yun.com"
)
