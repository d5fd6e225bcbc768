"""A Tair for tests: the `TVS.*` commands as Alibaba's documentation writes them ("Vector"), strict about every word.

It compares vectors one by one, and forgets nothing by itself: times to live are only noted. Entry point: `Tair`.
"""

from __future__ import annotations

import re
import socketserver
import threading
from typing import Any, Self

import numpy as np

FILTER = re.compile(r'partition == "([0-9a-f]+)" && expires > (\d+\.\d+)')
"""The one filter that is understood: operators between spaces, a text in quotes."""
PARAMETERS = {"auto_gc": "true", "inverted_index_partition": "string"}
"""Of an index, besides the type of its numbers, which is FLOAT32 by default."""
SEARCH = {"ef_search": (1, 1000), "vector_filter_count": (1, 10**9), "ivf_filter_count": (1, 10**9)}


class RefusedError(Exception):
    """What a command is answered with, as an error."""


class Tair:
    """A server on loopback; `indexes` holds name -> dimension and records, `lives` the times to live."""

    def __init__(self) -> None:
        self.indexes: dict[str, tuple[int, dict[str, dict[str, str]]]] = {}
        self.lives: dict[str, int] = {}
        self.searches: list[list[str]] = []
        self._lock = threading.Lock()
        tair = self

        class Asked(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while line := self.rfile.readline():
                    words = [self._word() for _ in range(int(line[1:]))]
                    self.wfile.write(tair.answer(words))

            def _word(self) -> str:
                size = int(self.rfile.readline()[1:])
                return self.rfile.read(size + 2)[:-2].decode()

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Asked)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, words: list[str]) -> bytes:
        """Return the reply to one command, as RESP."""
        name, *args = words
        command = getattr(self, f"_{name.removeprefix('TVS.').lower()}", None)
        if command is None or name != name.upper():
            return f"-ERR unknown command '{name}'\r\n".encode()
        try:
            with self._lock:
                return encoded(command(*args))
        except RefusedError as error:
            return f"-{error}\r\n".encode()
        except TypeError:
            return f"-ERR wrong number of arguments for '{name}' command\r\n".encode()

    def _client(self, *_: str) -> str:
        return "OK"

    def _exists(self, *_: str) -> int:
        return 0

    def _createindex(self, name: str, dims: str, algorithm: str, method: str, *params: str) -> str:
        if name in self.indexes:
            raise RefusedError("ERR duplicate index")
        if (algorithm, method) != ("HNSW", "COSINE") or not 1 <= int(dims) <= 32768:
            raise RefusedError("ERR invalid index parameter")
        given = dict(zip(params[::2], params[1::2], strict=True))
        if given.pop("data_type", "FLOAT32") != "FLOAT32" or given != PARAMETERS:
            raise RefusedError("ERR invalid index parameter")
        self.indexes[name] = int(dims), {}
        return "OK"

    def _getindex(self, name: str) -> list[str]:
        if name not in self.indexes:
            return []
        dim, records = self.indexes[name]
        about = {"auto_gc": 1, "dimension": dim, "distance_method": "COSINE", "data_count": len(records)}
        return [str(word) for pair in about.items() for word in pair]

    def _hset(self, name: str, key: str, *pairs: str) -> int:
        dim, records = self._index(name)
        fields = dict(zip(pairs[::2], pairs[1::2], strict=True))
        if "VECTOR" in fields:
            unit(fields["VECTOR"], dim)
        record = records.setdefault(key, {})
        fresh = len(fields.keys() - record.keys())
        record.update(fields)
        return fresh

    def _del(self, name: str, *keys: str) -> int:
        if not keys:
            raise TypeError
        records = self.indexes.get(name, (0, {}))[1]
        for key in keys:
            self.lives.pop(key, None)
        return sum(records.pop(key, None) is not None for key in keys)

    def _hmget(self, name: str, key: str, *fields: str) -> list[str | None]:
        record = self.indexes.get(name, (0, {}))[1].get(key, {})
        return [record.get(field) for field in fields]

    def _hpexpire(self, name: str, key: str, milliseconds: str) -> int:
        there = key in self._index(name)[1]
        if there:
            self.lives[key] = int(milliseconds)
        return int(there)

    def _knnsearch(self, name: str, count: str, vector: str, within: str, *params: str) -> list[str]:
        self.searches.append([name, count, within, *params])
        if name not in self.indexes:
            return []
        dim, records = self.indexes[name]
        found, options = FILTER.fullmatch(within), dict(zip(params[::2], params[1::2], strict=True))
        if found is None or options.pop("search_policy", "scala") != "scala" or not 1 <= int(count) <= 10_000:
            raise RefusedError("ERR invalid search parameter")
        for option, value in options.items():
            least, most = SEARCH[option]
            if not least <= int(value) <= most:
                raise RefusedError(f"ERR invalid {option}")
        query = unit(vector, dim)
        distances = [
            (float(np.float32(1 - unit(record["VECTOR"], dim) @ query)), key)
            for key, record in records.items()
            if record["partition"] == found[1] and float(record["expires"]) > float(found[2])
        ]
        return [word for distance, key in sorted(distances)[: int(count)] for word in (key, repr(distance))]

    def _index(self, name: str) -> tuple[int, dict[str, dict[str, str]]]:
        if name not in self.indexes:
            raise RefusedError("ERR index not exist")
        return self.indexes[name]


def unit(text: str, dim: int) -> Any:
    """Return the vector that *text* writes, normalized as Tair does for COSINE."""
    if not re.fullmatch(r"\[[-0-9.e]+(,[-0-9.e]+)*\]", text):
        raise RefusedError("ERR invalid vector")
    found = np.array([float(number) for number in text[1:-1].split(",")], np.float32).astype(np.float64)
    if found.size != dim:
        raise RefusedError("ERR dimension mismatch")
    return found / np.linalg.norm(found)


def encoded(value: str | int | list[Any] | None) -> bytes:
    """Return *value* as RESP; OK is a simple string."""
    match value:
        case "OK":
            return b"+OK\r\n"
        case None:
            return b"$-1\r\n"
        case int():
            return b":%d\r\n" % value
        case str():
            data = value.encode()
            return b"$%d\r\n%s\r\n" % (len(data), data)
        case _:
            return b"*%d\r\n" % len(value) + b"".join(map(encoded, value))
