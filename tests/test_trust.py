"""What is said of clients that do not trust the certificate."""

from __future__ import annotations

import pytest
from llmcache.trust import Distrust, remedy

UNKNOWN = (
    "The client does not trust the proxy's certificate for h (OpenSSL Error([('', '', 'tlsv1 alert unknown ca')]))"
)
GONE = "The client disconnected during the handshake. If this happens consistently for h, ..."


def test_each_client_and_host_is_told_of_once():
    """A client that tries again and again is one line; another host, or another client, is another."""
    distrust = Distrust()
    said = [distrust.words("10.0.0.1", "", host, UNKNOWN, "/ca.pem") for host in ("a", "a", "b")]
    assert [bool(words) for words in said] == [True, False, True]
    assert "for a;" in said[0]
    assert distrust.words("10.0.0.2", "", "a", UNKNOWN, "/ca.pem")


def test_who_goes_away_silently_is_told_of_at_the_second_time():
    """One broken handshake may be anything; two to the same host are a client that distrusts without a word."""
    distrust = Distrust()
    assert [bool(distrust.words("c", "", "h", GONE, "/ca.pem")) for _ in range(3)] == [False, True, False]


def test_other_failures_are_not_taken_for_distrust():
    """A client that speaks too old a TLS, or no TLS, gets no advice on certificates."""
    assert not Distrust().words("c", "", "h", "Cannot parse ClientHello: 0a", "/ca.pem")


@pytest.mark.parametrize(
    ("agent", "variable"),
    [
        ("curl/8.9.1", "CURL_CA_BUNDLE="),
        ("python-requests/2.32", "REQUESTS_CA_BUNDLE"),
        ("python-httpx/0.28", "SSL_CERT_FILE="),
        ("OpenAI/Python 3.5", "SSL_CERT_FILE="),
        ("node", "NODE_EXTRA_CA_CERTS=/ca.pem"),
        ("Go-http-client/1.1", "SSL_CERT_FILE="),
        ("Java-http-client/17.0.15", "trustStore="),
        ("Ruby", "SSL_CERT_FILE="),
    ],
)
def test_the_remedy_is_that_of_the_client(agent: str, variable: str):
    """A client that says who it is gets its own variable, with the certificate's file, and nobody else's."""
    words = remedy(agent, "/ca.pem")
    assert variable in words
    assert "/ca.pem" in words
    assert words.count(": ") == 1


def test_a_client_without_a_name_gets_the_remedies_of_all():
    """Nothing is known of it, so every kind is listed."""
    words = remedy("", "/ca.pem")
    assert all(name in words for name in ("CURL_CA", "REQUESTS_CA", "SSL_CERT", "NODE_EXTRA", "keytool"))


def test_memory_is_bounded():
    """A scanner that tries a million names does not fill the memory."""
    distrust = Distrust()
    for number in range(2500):
        distrust.words("c", "", f"h{number}", UNKNOWN, "/ca.pem")
        distrust.words("c", "", f"h{number}", GONE, "/ca.pem")
    assert len(distrust._told) <= 1000
    assert len(distrust._left) <= 1000
