"""The index in a PostgreSQL with the extension pgvector (github.com/pgvector/pgvector): one table, made on first use.

The table's column fixes the dimension. Partitions are compared exactly where PostgreSQL finds that cheaper, and through
a graph (HNSW) where they are large; then a neighbor may rarely be overlooked: a miss.
Expired points are not found, and go with the next write. Entry point: `PgvectorIndex`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

import psycopg
from numpy.typing import NDArray
from psycopg import AsyncConnection, errors, sql

from ..breaker import Breaker
from ..chat import BackendError
from . import Neighbor, Point
from .door import Vector, clipped, ordered, sound, sound_points

T = TypeVar("T")
Connection = AsyncConnection[Any]

CONNECTIONS = 4
"""Open at the most; more work waits its turn."""
INDEXED = 2000
"""Numbers of a vector that pgvector's graph can hold at the most; larger ones are compared one by one."""
TABLE = "aicache_vectors"


class PgvectorIndex:
    """The table *name* in the database at *url* (a PostgreSQL URL); *timeout*: seconds that any of it may take."""

    def __init__(
        self, url: str, name: str = TABLE, timeout: float = 10.0, clock: Callable[[], float] = time.time
    ) -> None:
        self._url, self._timeout, self._clock = url, timeout, clock
        self._table = sql.Identifier(name)
        self._name = f"pgvector index {name}"
        self._breaker = Breaker(self._name, self._probe)
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._idle: list[Connection] = []
        self._made = False
        self._closed = False

    def __repr__(self) -> str:
        return f"<PgvectorIndex {self._name}{', left alone' if self._breaker.is_open else ''}>"

    async def add(self, partition: str, points: Sequence[Point]) -> None:
        """Keep the points, all or none; done when they can be found."""
        if checked := sound_points(points):
            await self._run(self._add, partition, checked)

    async def nearest(self, partition: str, vector: NDArray[Any], count: int) -> list[Neighbor]:
        """Return the *count* nearest live points, nearest first; equally near ones in the order of their keys."""
        return await self._run(self._nearest, partition, sound(vector), count) if count > 0 else []

    async def remove(self, partition: str, keys: Sequence[str]) -> None:
        """Forget the points of these entries."""
        await self._run(self._remove, partition, list(keys))

    async def close(self) -> None:
        """Close every connection. May be called twice."""
        self._closed = True
        await self._breaker.close()
        while self._idle:
            await self._idle.pop().close()

    async def _run(self, work: Callable[..., Awaitable[T]], *args: Any) -> T:
        if self._closed:
            raise BackendError(f"{self._name}: is closed")
        if self._breaker.is_open:
            raise BackendError(f"{self._name}: is left alone until it answers: {self._breaker.reason}")
        try:
            async with asyncio.timeout(self._timeout or None), self._connection() as connection:
                result = await work(connection, *args)
        except (psycopg.Error, OSError, TimeoutError) as error:
            if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | OSError | TimeoutError):
                self._breaker.failed(_worded(error))
            raise BackendError(f"{self._name}: {_worded(error)}") from error
        self._breaker.succeeded()
        return result

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """Lend a connection; one on which something went wrong, or was given up half-way, is not used again."""
        async with self._slots:
            connection = self._idle.pop() if self._idle else await self._connected()
            try:
                yield connection
            except BaseException:
                await connection.close()
                raise
            if self._closed:
                await connection.close()
            else:
                self._idle.append(connection)

    async def _connected(self) -> Connection:
        connection = await AsyncConnection.connect(self._url, autocommit=True, application_name="aicache")
        try:
            for setting in _SETTINGS:
                # An older pgvector does not know them, and finds a little less.
                with contextlib.suppress(errors.UndefinedObject, errors.InvalidParameterValue, errors.InvalidName):
                    await connection.execute(setting)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _probe(self) -> None:
        async with asyncio.timeout(self._timeout or None), self._connection() as connection:
            await connection.execute("SELECT 1")

    async def _add(self, connection: Connection, partition: str, points: list[Point]) -> None:
        await self._make(connection, points[0].vector.size)
        rows = [
            (partition, point.key, _text(point.question), _text(point.answer), point.created, point.expires)
            for point in points
        ]
        vectors = [_written(point.vector) for point in points]
        async with connection.transaction(), connection.cursor() as cursor:
            await cursor.execute(self._sql(_PURGE), (self._clock(),))
            await cursor.executemany(self._sql(_PUT), [(*row, each) for row, each in zip(rows, vectors, strict=True)])

    async def _make(self, connection: Connection, dim: int) -> None:
        """Make the table where there is none; one process at a time, for `IF NOT EXISTS` alone can collide."""
        if self._made:
            return
        statements = [_EXTENSION, _MAKE, _BY_EXPIRY, *([_GRAPH] if dim <= INDEXED else [])]
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            for statement in statements:
                await connection.execute(self._sql(statement, dim))
        self._made = True

    async def _nearest(self, connection: Connection, partition: str, vector: Vector, count: int) -> list[Neighbor]:
        wanted = {"vector": _written(vector), "partition": partition, "now": self._clock(), "count": count}
        try:
            rows = await (await connection.execute(self._sql(_NEAREST), wanted)).fetchall()
        except (errors.UndefinedTable, errors.UndefinedObject):  # nobody has added anything yet
            return []
        found = (
            Neighbor(key, clipped(1 - far), question, answer, created) for key, far, question, answer, created in rows
        )
        return ordered(found, count)

    async def _remove(self, connection: Connection, partition: str, keys: list[str]) -> None:
        with contextlib.suppress(errors.UndefinedTable):
            await connection.execute(self._sql(_REMOVE), (partition, keys))

    def _sql(self, statement: str, dim: int = 0) -> sql.Composed:
        graph, expiry = (sql.Identifier(f"{self._table.as_string()[1:-1]}_{what}") for what in ("near", "expires"))
        return sql.SQL(statement).format(table=self._table, dim=sql.Literal(dim), graph=graph, expiry=expiry)


def _written(vector: Vector) -> str:
    """Return *vector* as pgvector reads it."""
    return f"[{','.join(map(repr, vector.tolist()))}]"


def _text(text: str) -> str:
    """Return *text* as PostgreSQL can hold it: without the null character."""
    return text.replace("\0", "\ufffd")


def _worded(error: Exception) -> str:
    """Return what went wrong, in one line and without the URL."""
    match error:
        case TimeoutError():
            return "took too long"
        case errors.UndefinedFile() | errors.FeatureNotSupported():
            return f"{_first(error)}; install the extension pgvector on the server"
        case errors.InsufficientPrivilege():
            return f"{_first(error)}; let an administrator run `CREATE EXTENSION vector`, and allow this user tables"
        case errors.DataException():
            return f"{_first(error)}; another embedding model needs another `collectionID`"
    return _first(error)


def _first(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


LOCK = 0x61695665
"""`aiVe`: what processes that make a table take turns by."""
_SETTINGS = ("SET hnsw.ef_search = 200", "SET hnsw.iterative_scan = strict_order")
_EXTENSION = "CREATE EXTENSION IF NOT EXISTS vector"
_MAKE = """CREATE TABLE IF NOT EXISTS {table} (
    partition text NOT NULL,
    key text NOT NULL,
    question text NOT NULL,
    answer text NOT NULL,
    created double precision NOT NULL,
    expires double precision,
    vector vector({dim}) NOT NULL,
    PRIMARY KEY (partition, key)
)"""
_BY_EXPIRY = "CREATE INDEX IF NOT EXISTS {expiry} ON {table} (expires) WHERE expires IS NOT NULL"
_GRAPH = "CREATE INDEX IF NOT EXISTS {graph} ON {table} USING hnsw (vector vector_cosine_ops)"
_PURGE = "DELETE FROM {table} WHERE expires <= %s"
_PUT = """INSERT INTO {table} (partition, key, question, answer, created, expires, vector)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (partition, key) DO UPDATE SET question = excluded.question, answer = excluded.answer,
        created = excluded.created, expires = excluded.expires, vector = excluded.vector"""
_NEAREST = """SELECT key, vector <=> %(vector)s::vector AS far, question, answer, created FROM {table}
    WHERE partition = %(partition)s AND (expires IS NULL OR expires > %(now)s) ORDER BY far LIMIT %(count)s"""
_REMOVE = "DELETE FROM {table} WHERE partition = %s AND key = ANY(%s)"
