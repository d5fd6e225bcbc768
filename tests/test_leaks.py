"""Secrets are found by shape and by the environment; ids, hashes and signatures are none."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llmcache.leaks import KINDS, Scanner, telling
from support.proxy import ROOT

SHARED = ROOT.parent / "shared" / "data" / "wire"
MIXED = base64.b64encode(hashlib.sha512(b"seed").digest()).decode().translate(str.maketrans("+/=", "abc")) * 3


def token(head):
    """Return a JSON web token with this *head*."""
    parts = [
        base64.urlsafe_b64encode(each).rstrip(b"=").decode() for each in (head, b'{"sub":"me, myself"}', b"s" * 32)
    ]
    return ".".join(parts)


def key(prefix, length, letters=MIXED):
    """Return a made-up key: never whole in this file, so that nobody takes the file for a leak."""
    return prefix + letters[:length]


SECRETS = {
    "anthropic": key("sk-ant-" + "api03-", 90),
    "openrouter": "sk-or-v1-" + hashlib.sha256(b"x").hexdigest(),
    "openai": key("sk-" + "proj-", 80),
    "openai, old": key("sk-", 48),
    "stripe": key("sk_" + "live_", 24),
    "google": key("AI" + "za", 35),
    "google token": key("ya" + "29.", 40),
    "hugging face": key("hf" + "_", 34),
    "groq": key("gsk" + "_", 52),
    "xai": key("xai" + "-", 80),
    "replicate": key("r8" + "_", 37),
    "perplexity": key("pplx" + "-", 48),
    "nvidia": key("nvapi" + "-", 64),
    "voyage": key("pa" + "-", 43),
    "fireworks": key("fw" + "_", 24),
    "aws": "AK" + "IA" + "ABCDEFGHIJKLMNOP",
    "bedrock": key("AB" + "SK", 110),
    "azure": key("", 52) + "JQQJ99" + key("", 26),
    "azure storage": "Account" + "Key=" + key("", 86) + "==",
    "github": key("gh" + "p_", 36),
    "github, fine": key("github" + "_pat_", 82),
    "gitlab": key("gl" + "pat-", 20),
    "slack": "xo" + "xb-1234567890-abcdefghij",
    "npm": key("npm" + "_", 36),
    "sendgrid": "SG" + "." + key("", 22) + "." + key("", 43),
    "token": token(b'{"alg":"HS256","typ":"JWT"}'),
    "pem": "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
    "bearer": "Bearer " + key("", 32),
}
HARMLESS = {
    "tool call": "call_tLWGvUfqkxGhsmuGIIpHYzJD",
    "anthropic's tool": "toolu_01A09q90qw90lq917835lq9",
    "message": "msg_0123456789abcdef0123456789abcdef0123456789abcdef",
    "completion": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
    "fingerprint": "fp_50cad350e4",
    "digest": hashlib.sha256(b"x").hexdigest(),
    "uuid": "8c5f1e0a-3f1b-4c55-9d2e-0123456789ab",
    "signature": base64.b64encode(hashlib.sha512(b"y").digest() * 20).decode(),
    "words": "sk-fading-circle-and-other-words-of-css",
    "a placeholder": "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "a variable": "Bearer $OPENAI_API_KEY",
    "instructions": "Authorization: Bearer YOUR_API_KEY_GOES_HERE_PLEASE",
    "no token": token(b'{"no":"head of a token"}'),
    "three words": "eyJust.kidding_around.with_dots_here",
    "risk": "risk-assessment-2024-11-21-and-more-words-1234",
    "presigned": "X-Amz-Credential=" + "AS" + "IA" + "ABCDEFGHIJKLMNOP/20260101/us-east-1",
    "public key": "-----BEGIN PUBLIC KEY-----",
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
def test_shapes(secret):
    """A key of known shape is found wherever it stands in a text, once, whole, and is masked."""
    scanner = Scanner({})
    for before, after in [("", ""), ("key: ", "."), ('{"a":"', '"}'), ("is ", " and so on")]:
        (find,) = scanner.finds(before + secret + after)
        assert (find.start, find.end) == (len(before), len(before) + len(secret)) or find.end >= len(before + secret)
        assert secret not in find.kind
        assert secret not in scanner.masked(before + secret + after)


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS.keys())
def test_no_secrets(text):
    """An id, a hash, a signature or an example is no secret."""
    assert Scanner({}).finds(text) == []


def test_the_captured_traffic_of_providers():
    """In all captured traffic nothing is taken for a secret."""
    files = [*SHARED.glob("*/*.json"), *(ROOT / "tests" / "data" / "wire").glob("*/*")]
    found = [
        (path.name, find.kind) for path in files for find in Scanner({}).finds(path.read_bytes().decode("latin-1"))
    ]
    assert found == []


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=100, max_size=3000))
def test_base64_is_no_secret(data):
    """Random bytes in base64, as signatures and encrypted reasoning are, look like no key."""
    assert Scanner({}).finds(base64.b64encode(data).decode()) == []


VALUES = {
    "a key": ("OPENAI_API_KEY", "f3a91bc04d5e", True),
    "a word and a number": ("DB_SECRET", "hunter2-blue", True),
    "another name": ("HOME_SWEET", "f3a91bc04d5e", False),
    "lower case": ("my_token", "f3a91bc04d5e", True),
    "short": ("A_KEY", "f3a91bc", False),
    "a path": ("SSH_KEY", "/home/me/.ssh/id_rsa", False),
    "a file from here": ("TLS_KEY", "./certs/key.pem", False),
    "an address": ("AUTH_TOKEN_KEY", "https://example.org/token", False),
    "a dummy": ("OPENAI_API_KEY", "test-key-123", False),
    "a dummy of ours": ("OPENAI_API_KEY", "sk-aicache-replay", False),
    "x": ("OPENAI_API_KEY", "sk-xxxxxxxx", False),
}


@pytest.mark.parametrize(("name", "value", "secret"), VALUES.values(), ids=VALUES.keys())
def test_the_environment(name, value, secret):
    """The value of a variable that is named like a secret is one, unless it is a path, a dummy or too short."""
    found = Scanner({name: value}).finds(f"it is {value}, really")
    assert [find.kind for find in found] == [f"value of {name}"] * secret
    assert telling(value) or not secret


def test_spelled_otherwise():
    """The value of a variable is found percent-encoded and as JSON escapes it too."""
    scanner = Scanner({"A_SECRET": 'p4/ss"w+rd'})
    assert len(scanner.finds("https://x?k=p4%2Fss%22w%2Brd")) == 1
    assert len(scanner.finds(json.dumps({"a": 'p4/ss"w+rd'}))) == 1


def test_allowed():
    """What the user allows is not looked for."""
    assert Scanner({"A_KEY": "f3a91bc04d5e"}, ["A_KEY"]).finds("f3a91bc04d5e") == []
    assert Scanner({}, ["GitHub token"]).finds(SECRETS["github"]) == []


def test_where_it_is():
    """A secret in a JSON value is named by its path, in the name of a member too, which is not told."""
    value = {"a": [{"b": SECRETS["github"]}], SECRETS["groq"]: {"c": SECRETS["aws"]}}
    places = [(".".join(map(str, path)), find.kind) for path, find in Scanner({}).inside(value)]
    assert places == [("a.0.b", "GitHub token"), ("name 2", "Groq key"), ("name 2.c", "AWS access key")]


def test_kinds_are_words():
    """Every kind has a name for people, which can be allowed."""
    assert all(title and Path(title).name == title for title, _ in KINDS.values())
