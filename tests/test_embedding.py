"""The `embedding` block: what it takes, what it refuses, and what it says of names that are history."""

from __future__ import annotations

import re

import pytest
from llmcache.config import ConfigError, known_settings, load
from llmcache.embedding import EMBEDDERS
from support.proxy import ROOT


@pytest.fixture
def read(tmp_path):
    """Return a reader of a configuration whose `embedding` block is the text."""

    def read(text, more=""):
        path = tmp_path / "c.yaml"
        path.write_text(f"embedding: {{{text}}}\n{more}")
        return load(str(path))

    return read


def test_without_a_block_there_is_the_bundled_model(tmp_path):
    """Whoever only switches semantic answers on gets WordLlama; whoever does not gets no embedder."""
    path = tmp_path / "c.yaml"
    path.write_text("enableSemanticCache: true\n")
    assert load(str(path)).embedding.type == "wordllama"
    assert load(None).embedding is None


def test_the_settings_that_higress_lacks(read):
    """URL, path, proxy, certificates and window are read."""
    block = "type: openai, url: 'http://127.0.0.1:8080/v1', path: /e, proxy: environment, tlsCA: /ca.pem, window: 900"
    found = read(block).embedding
    assert (found.url, found.path, found.proxy) == ("http://127.0.0.1:8080/v1", "/e", "environment")
    assert (found.tls_ca, found.window) == ("/ca.pem", 900)


@pytest.mark.parametrize(
    "block",
    [
        "type: wordllama",
        "type: fastembed",
        "type: sentence-transformers",
        "type: ollama",
        "type: openai, url: 'http://box:1234/v1'",
        "type: openai, serviceHost: localhost, servicePort: 8000",
        "type: huggingface, url: 'http://box:8080'",
        "type: azure, url: 'https://me.example', apiKey: k, apiVersion: v",
    ],
)
def test_what_needs_no_key_is_not_asked_for_one(read, block):
    """Local models, and servers of one's own, need no key."""
    assert read(block).embedding is not None


@pytest.mark.parametrize(
    ("block", "parts"),
    [
        pytest.param("type: openai", ["embedding.apiKey", "missing"], id="no-key"),
        pytest.param("type: cohere, url: 'http://a'", ["embedding.apiKey"], id="no-key-for-cohere"),
        pytest.param("type: openai, url: 'box:1234'", ["embedding.url", "no URL"], id="no-scheme"),
        pytest.param("type: openai, url: 'http://'", ["embedding.url"], id="no-host"),
        pytest.param("type: openai, url: 'http://a:99999999'", ["embedding.url", "no URL"], id="port"),
        pytest.param("type: openai, url: 'http://me:hush@a/v1'", ["embedding.url", "`apiKey`"], id="password"),
        pytest.param("type: openai, url: 'http://a/v1?key=hush'", ["without a query"], id="query"),
        pytest.param("type: ollama, path: api", ["embedding.path", "first `/`"], id="path"),
        pytest.param("type: ollama, proxy: hush", ["embedding.proxy", "`environment`"], id="proxy"),
        pytest.param("type: ollama, window: -1", ["embedding.window"], id="window"),
        pytest.param("type: word-llama", ["did you mean `wordllama`?"], id="name"),
    ],
)
def test_what_is_wrong_is_said(read, block, parts):
    """A wrong setting is named with what to write, and never repeated where it may hold a password."""
    with pytest.raises(ConfigError) as caught:
        read(block)
    assert [part for part in parts if part not in str(caught.value)] == []
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("block", "part", "host", "model"),
    [
        (
            "type: huggingface, apiKey: k, serviceHost: api-inference.huggingface.co",
            "router.huggingface.co is asked instead",
            "router.huggingface.co",
            "sentence-transformers/all-MiniLM-L6-v2",
        ),
        (
            "type: cohere, apiKey: k, model: embed-english-v2.0",
            "retired by Cohere",
            "api.cohere.com",
            "embed-english-v2.0",
        ),
    ],
    ids=["huggingface", "cohere"],
)
def test_what_was_retired_is_a_warning(read, block, part, host, model):
    """Defaults of Higress that their providers have switched off are explained."""
    config = read(block)
    assert any(part in warning for warning in config.warnings)
    assert (host, model) == (config.embedding.service_host, config.embedding.model)


def test_secrets_are_not_shown(read):
    """No secret of the block stands in what a program prints of the configuration."""
    block = "type: xfyun, apiKey: hush1, appId: a, apiSecret: hush2, proxy: 'http://u:hush3@p:1'"
    assert "hush" not in repr(read(block))


def test_the_shipped_block_is_complete(tmp_path):
    """The block in the shipped file, without its comment signs, is valid and has every setting and every type."""
    block = re.search(r"^# embedding:\n(?:#   .*\n)+", (ROOT / "config.yaml").read_text(), re.MULTILINE)[0]
    path = tmp_path / "c.yaml"
    path.write_text(re.sub(r"^# ", "", block, flags=re.MULTILINE))
    assert load(str(path)).embedding.type == "wordllama"
    names = {name.removeprefix("embedding.") for name in known_settings() if name.startswith("embedding.")}
    assert names == set(re.findall(r"^#   (\w+):", block, re.MULTILINE))
    assert [kind for kind in EMBEDDERS if kind not in block] == []
