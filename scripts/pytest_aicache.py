"""A pytest plugin that gives each test its own lane of recordings: `PYTHONPATH=scripts pytest -p pytest_aicache`.

Tests with `@pytest.mark.aicache` (or all, with `--aicache-lanes`) get their id as the lane, so that recordings are told
apart and parallel tests do not mix up their sequences. The base URLs in the environment get `/s/ID` in front of their
path while the test runs, which any client understands that is made inside the test; for others there is the fixture
`aicache_lane` with the URL and the header. It imports pytest and nothing else, and does nothing without `aicache run`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlsplit
from urllib.request import proxy_bypass

import pytest

HEADER = "x-aicache-scope"
MARK = "AICACHE_LANES"
"""Set by `aicache run` where recordings are the store, for nobody else takes a lane off a path: our base URL, or 1."""
LONGEST = 500
BASE_URLS = {
    "OPENAI_BASE_URL": "https://api.openai.com/v1",
    "OPENAI_API_BASE": "https://api.openai.com/v1",
    "ANTHROPIC_BASE_URL": "https://api.anthropic.com",
    "GOOGLE_GEMINI_BASE_URL": "https://generativelanguage.googleapis.com",
}
"""Variables that SDKs read, and where they go without them: there the proxy is on the way by HTTPS_PROXY."""


@dataclass(frozen=True)
class Lane:
    """The lane of one test."""

    name: str

    @property
    def headers(self) -> dict[str, str]:
        """What a client has to send that was made outside of the test."""
        return {HEADER: quote(self.name, safe="")}

    def url(self, base: str) -> str:
        """Return the base URL *base* with the lane in it."""
        parts = urlsplit(base)
        return parts._replace(path=f"/s/{quote(self.name, safe='')}{parts.path}").geturl()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the option."""
    parser.addoption("--aicache-lanes", action="store_true", help="give every test a lane of recordings of its own")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark."""
    config.addinivalue_line("markers", "aicache(lane=None): recordings of its own for this test, or those of a lane")


@pytest.fixture
def aicache_lane(request: pytest.FixtureRequest) -> Lane:
    """The lane of this test: the one of its mark, else its id."""
    marked = request.node.get_closest_marker("aicache")
    given = marked.kwargs.get("lane") or next(iter(marked.args), None) if marked else None
    name = str(given or request.node.nodeid)
    return Lane("".join(letter if letter.isprintable() else "?" for letter in name).strip()[-LONGEST:])


@pytest.fixture(autouse=True)
def _aicache_environment(request: pytest.FixtureRequest) -> Iterator[None]:
    wanted = request.config.getoption("--aicache-lanes") or request.node.get_closest_marker("aicache")
    if not wanted or not os.environ.get(MARK):
        yield
        return
    lane: Lane = request.getfixturevalue("aicache_lane")
    urls = {name: os.environ.get(name) or url for name, url in BASE_URLS.items()}
    before = {name: os.environ.get(name) for name, url in urls.items() if comes_to_us(url)}
    for name in before:
        os.environ[name] = lane.url(urls[name])
    try:
        yield
    finally:
        for name, old in before.items():
            if old is None:
                del os.environ[name]
            else:
                os.environ[name] = old


def comes_to_us(url: str) -> bool:
    """Whether a call to *url* goes through `aicache run`: to its own port, or by the proxy variables."""
    ours = os.environ[MARK]
    return url.startswith(ours) or not proxy_bypass(urlsplit(url).hostname or "")
