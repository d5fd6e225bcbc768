"""Where a Redis is: what a URL means, and that a wrong one is refused without its password."""

from __future__ import annotations

import pytest
from llmcache.addresses import Address, Tls, masked, parse_url

URLS = {
    "redis://": Address(nodes=(("localhost", 6379),)),
    "redis://h": Address(nodes=(("h", 6379),)),
    "redis://h:7/3": Address(nodes=(("h", 7),), database=3),
    "redis://[::1]:7": Address(nodes=(("::1", 7),)),
    "redis://:p@h": Address(nodes=(("h", 6379),), password="p"),
    "redis://u:p%40%3A%2F@h?db=2&client_name=me": Address(
        nodes=(("h", 6379),), username="u", password="p@:/", database=2, client_name="me"
    ),
    "rediss://h": Address(nodes=(("h", 6379),), tls=Tls()),
    "unix:///run/r.sock": Address("unix", path="/run/r.sock"),
    "unix://u:p@/r?db=4": Address("unix", path="/r", username="u", password="p", database=4),
    "redis+sentinel://a,b:7/main/2": Address("sentinel", nodes=(("a", 26379), ("b", 7)), service="main", database=2),
    "rediss+cluster://a:1,b:2": Address("cluster", nodes=(("a", 1), ("b", 2)), tls=Tls()),
}


@pytest.mark.parametrize(("url", "address"), URLS.items(), ids=URLS.keys())
def test_urls(url, address):
    """Each part of a URL is where it belongs, percent signs undone."""
    assert address == parse_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://u:hush@h",
        "h:6379",
        "redis://u:hush@h/x",
        "redis://u:hush@h/1/2",
        "redis://u:hush@h:99999",
        "redis://u:hush@h?x=1",
        "redis://u:hu#sh@h",
        "redis://u:hush@a,b",
        "redis://u:hush@[::1",
        "unix://u:hush@host/r",
        "redis+sentinel://u:hush@h",
        "redis+cluster://u:hush@h/1",
        "redis://u:pass/hush@h",
        "redis://u:pass?hush@h",
    ],
)
def test_wrong_urls(url):
    """What is no address is refused, and the message holds no password."""
    with pytest.raises(ValueError, match=r"^(is|has|must|names|a cluster) ") as caught:
        parse_url(url)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("url", URLS)
def test_shown(url):
    """An address as text, and a URL in a message, have no credentials in them."""
    assert "p@" not in str(parse_url(url)) + masked(url)
    assert "password" not in repr(parse_url(url))


def test_what_is_shown_is_an_address():
    """The text of an address without credentials is a URL that means the same."""
    for url in ("redis://h:7/3", "rediss+cluster://a:1,b:2", "redis+sentinel://a:1,b:7/main/2", "unix:///r"):
        assert parse_url(str(parse_url(url))) == parse_url(url)
