"""Where a Redis is, and how it is spoken to: one value, from a URL or from Higress' settings.

`redis://`, `rediss://` (TLS), `unix://`, `redis+sentinel://`, `redis+cluster://` and the `rediss+` forms are read here.
Nothing is opened and no name is looked up. Entry points: `parse_url`, `Address`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

_ENCODE = "; in a password `/` is written %2F, `?` %3F, `#` %23, `@` %40"
"""No message repeats what was written: with such a sign in it, any part of a URL may be part of a password."""

PORT = 6379
SENTINEL_PORT = 26379

SCHEMES = {
    "redis": ("standalone", False),
    "rediss": ("standalone", True),
    "unix": ("unix", False),
    "redis+sentinel": ("sentinel", False),
    "rediss+sentinel": ("sentinel", True),
    "redis+cluster": ("cluster", False),
    "rediss+cluster": ("cluster", True),
}
"""Scheme -> kind of server, and whether TLS is spoken."""


@dataclass(frozen=True, slots=True)
class Tls:
    """How the server is known, and how it knows us; empty paths are the system's certificates and none of ours."""

    ca: str = ""
    cert: str = ""
    key: str = ""
    verify: bool = True


@dataclass(frozen=True, slots=True)
class Address:
    """One Redis, or one group of them."""

    kind: str = "standalone"
    """`standalone`, `unix`, `sentinel` or `cluster`."""
    nodes: tuple[tuple[str, int], ...] = ()
    """Host and port of the server, of each sentinel, or of some nodes of the cluster."""
    path: str = ""
    """The socket of `unix`."""
    service: str = ""
    """The master's name of `sentinel`."""
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    database: int = 0
    client_name: str = ""
    tls: Tls | None = None
    timeout: float | None = 10.0
    """Seconds that connecting, or a command nobody waits for, may take; None for ever."""

    def __str__(self) -> str:
        """Where it is, without credentials."""
        if self.kind == "unix":
            return f"unix://{self.path}"
        scheme = ("rediss" if self.tls else "redis") + ("" if self.kind == "standalone" else f"+{self.kind}")
        nodes = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.nodes)
        rest = "/".join(filter(None, (self.service, str(self.database or ""))))
        return f"{scheme}://{nodes}{rest and '/'}{rest}"


def parse_url(url: str) -> Address:
    """Return the address that *url* writes. Raises `ValueError`, whose message never holds the password."""
    scheme = url.partition("://")[0].lower()
    if "://" not in url or scheme not in SCHEMES:
        raise ValueError(f"is no Redis URL; legal schemes: {', '.join(f'{name}://' for name in SCHEMES)}")
    kind, tls = SCHEMES[scheme]
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("is no URL: its brackets do not close") from None
    if parts.fragment:
        raise ValueError("has a `#`; in a password it is written %23")
    username, password, hosts = _authority(parts.netloc)
    found = Address(kind, username=username, password=password, tls=Tls() if tls else None)
    found = _unix(found, parts, hosts) if kind == "unix" else _network(found, parts, hosts)
    return _options(found, parts.query)


def masked(url: str) -> str:
    """Return *url* with its credentials blotted out, for messages."""
    scheme, separator, rest = url.partition("://")
    before, at, after = rest.rpartition("@")
    return f"{scheme}{separator}{'***@' if before or at else ''}{after}" if separator else url


def _authority(netloc: str) -> tuple[str, str, str]:
    credentials, _, hosts = netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    return unquote(username), unquote(password), hosts


def _unix(found: Address, parts: SplitResult, hosts: str) -> Address:
    path = unquote(parts.path)
    if hosts or not path.startswith("/"):
        raise ValueError("must name the socket by its full path: `unix:///run/redis/redis.sock`")
    return replace(found, path=path)


def _network(found: Address, parts: SplitResult, hosts: str) -> Address:
    default = SENTINEL_PORT if found.kind == "sentinel" else PORT
    nodes = tuple(_node(text, default) for text in hosts.split(",") if text) or (("localhost", default),)
    if found.kind == "standalone" and len(nodes) > 1:
        raise ValueError("names several hosts; write `redis+cluster://` or `redis+sentinel://`")
    segments = [unquote(segment) for segment in parts.path.split("/") if segment]
    service = ""
    if found.kind == "sentinel":
        if not segments:
            raise ValueError("must name the master: `redis+sentinel://HOST:PORT,HOST:PORT/MASTER/DATABASE`")
        service = segments.pop(0)
    database = _database(segments.pop(0)) if segments else 0
    if segments:
        raise ValueError(f"has more in its path than a database's number{_ENCODE}")
    if found.kind == "cluster" and database:
        raise ValueError("a cluster has only database 0")
    return replace(found, nodes=nodes, service=service, database=database)


def _node(text: str, default: int) -> tuple[str, int]:
    host, _, port = text.rpartition(":") if text.rpartition(":")[2].isdecimal() else (text, "", str(default))
    host = host.removeprefix("[").removesuffix("]")
    if not host or not 0 < int(port) < 2**16 or any(sign in host for sign in " @/"):
        raise ValueError(f"has a host that is no `HOST:PORT`{_ENCODE}")
    return host, int(port)


def _database(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"has a database that is no number from 0 on{_ENCODE}")
    return int(text)


def _options(found: Address, query: str) -> Address:
    for name, value in parse_qsl(query, keep_blank_values=True):
        match name:
            case "db":
                found = replace(found, database=_database(value))
            case "client_name":
                found = replace(found, client_name=value)
            case _:
                raise ValueError(f"has an unknown option; legal options: db, client_name{_ENCODE}")
    return found
