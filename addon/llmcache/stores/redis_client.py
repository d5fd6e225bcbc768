"""Address -> client of `redis.asyncio`, set up so that nothing is retried or hidden behind our back.

The only file that knows the driver's classes and their settings. Entry points: `connect`, `subscriber`, `FAILURES`.
"""

from __future__ import annotations

import random
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError

from ..addresses import Address

FAILURES = (RedisError, RedisClusterException, OSError, EOFError, ValueError, LookupError, TypeError)
"""What the driver raises; the last three when a server answers what no Redis would."""

Client = Any
"""`Redis` or `RedisCluster`: they share the commands that we send, not a base class."""


async def connect(address: Address) -> Client:
    """Return the client of *address*; only that of a cluster connects at once, to read its map."""
    client = _client(address)
    if address.kind == "cluster":
        # Left to the first commands, several at once would read it, and close each other's connections (redis 8.1).
        try:
            await client.initialize()
        except BaseException:
            await client.aclose()
            raise
    return client


def _client(address: Address) -> Client:
    match address.kind:
        case "cluster":
            nodes = [ClusterNode(host, port) for host, port in address.nodes]
            # One retry: the first try may go to a node that is gone, and makes the client read the new map.
            return RedisCluster(startup_nodes=nodes, **_options(address, retries=1))
        case "sentinel":
            # The credentials are the master's: sentinels have none unless they are given theirs, which is rare.
            asked = _options(address) | {"username": None, "password": None, "client_name": None}
            made: Any = Sentinel  # its annotations are partial
            sentinel = made(list(address.nodes), sentinel_kwargs=asked, **_options(address))
            return sentinel.master_for(address.service, db=address.database)
        case _:
            return _single(address, address.nodes[0] if address.nodes else None)


def subscriber(address: Address) -> Client:
    """Return a client for listening; in a cluster one node hears what is published at any (redis.io, `PUBLISH`)."""
    if address.kind == "cluster":
        return _single(address, random.choice(address.nodes))  # noqa: S311 - any node will do
    return _client(address)


def _single(address: Address, node: tuple[str, int] | None) -> Client:
    where: dict[str, Any] = {"unix_socket_path": address.path}
    if node is not None:
        where = {"host": node[0], "port": node[1]}
    return Redis(**where, db=address.database, **_options(address))


def _options(address: Address, retries: int = 0) -> dict[str, Any]:
    """Return what every connection has in common."""
    options: dict[str, Any] = {
        "username": address.username or None,
        "password": address.password or None,
        "client_name": address.client_name or None,
        "socket_timeout": address.timeout,
        "socket_connect_timeout": address.timeout,
        "retry": Retry(NoBackoff(), retries),  # the call has a deadline, and the breaker knows when to try again
        "protocol": 2,
    }
    if tls := address.tls:
        options |= {
            "ssl": True,
            "ssl_ca_certs": tls.ca or None,
            "ssl_certfile": tls.cert or None,
            "ssl_keyfile": tls.key or None,
            "ssl_cert_reqs": "required" if tls.verify else "none",
            "ssl_check_hostname": tls.verify,
        }
    return options
