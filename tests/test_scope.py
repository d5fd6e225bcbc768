"""What keeps users apart: the keyed digest of a credential, and the file that holds the key."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from llmcache.chat import BackendError, Request
from llmcache.scope import Scope, credential, read_secret


def request(query: str = "", **headers: str) -> Request:
    """Return a request with these headers."""
    fields = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Request("POST", "https", "api.openai.com", 443, "/v1/chat/completions", query, fields, b"")


OTHERS = [
    pytest.param(request(authorization="Bearer b"), id="authorization"),
    pytest.param(request(api_key="a"), id="api-key"),
    pytest.param(request(x_api_key="a"), id="x-api-key"),
    pytest.param(request(x_goog_api_key="a"), id="x-goog-api-key"),
    pytest.param(request("key=a"), id="query"),
    pytest.param(request(authorization="Bearer a", x_api_key="a"), id="two"),
    pytest.param(request(cookie="session=a"), id="cookie"),
    pytest.param(request(), id="none"),
]


@pytest.mark.parametrize("other", OTHERS)
def test_credentials_are_told_apart(other: Request) -> None:
    """Two callers never share a scope, wherever their credential stands."""
    scope = Scope(b"secret")
    assert scope.of(other) != scope.of(request(authorization="Bearer a"))


def test_the_digest_needs_the_secret_and_hides_the_credential() -> None:
    """Without the key the digest cannot be recomputed; the credential is not in it."""
    one, other = Scope(b"one").of(request(api_key="sk-1")), Scope(b"two").of(request(api_key="sk-1"))
    assert one != other
    assert "sk-1" not in str(one)


def test_sharing_leaves_the_credential_out() -> None:
    """`scope: shared` is one cache for all; a namespace still parts it."""
    assert Scope(None).of(request(api_key="a")) == Scope(None).of(request(api_key="b")) == {}
    assert Scope(None, "team").of(request()) == {"namespace": "team"}


def test_a_session_cookie_counts_only_where_nothing_better_does() -> None:
    """Load balancers change their cookies all the time; a key that comes with them is what names the caller."""
    assert credential(request(api_key="a", cookie="x=1")) == credential(request(api_key="a", cookie="x=2"))


def test_an_aws_signature_is_reduced_to_its_key() -> None:
    """A signature changes with every request, the access key does not."""
    head = "AWS4-HMAC-SHA256 Credential={}/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature={}"
    one, two = (credential(request(authorization=head.format("AKIA1", sign))) for sign in ("aa", "bb"))
    assert one == two
    assert one != credential(request(authorization=head.format("AKIA2", "aa")))


def test_the_key_file_is_private_and_kept(tmp_path: Path) -> None:
    """Made on first use, 0600, the same ever after."""
    path = tmp_path / "sub" / "scope.key"
    secret = read_secret(path)
    assert read_secret(path) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["scope.key"]


def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    """Whoever creates the file first decides; nobody keeps a key of its own."""
    with ThreadPoolExecutor(16) as pool:
        secrets = list(pool.map(read_secret, [tmp_path / "scope.key"] * 64))
    assert len(set(secrets)) == 1


def test_a_damaged_key_is_not_guessed_around(tmp_path: Path) -> None:
    """A cut key file stops the start: a new key would silently lose every entry."""
    path = tmp_path / "scope.key"
    path.write_bytes(b"short")
    with pytest.raises(BackendError, match=r"scope\.key"):
        read_secret(path)
