"""Entries from one store to another: a warm cache from recordings, recordings from a cache.

An entry gets the scope, the redaction and the seal of the store that it goes to, and the key that follows from them.
It knows no store by name. Entry points: `Transfer`, `obstacle`.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from typing import Any

from . import config, fingerprint
from .build import open_scope, open_seal
from .chat import SEALED, Entry, SecretFound
from .intake import TAKEN, Held, unscoped
from .jsontext import canonical
from .redact import Redactor
from .stores import Store


def obstacle(source: config.Config, target: config.Config) -> str:
    """Return why entries of *source* could not be found in *target*, or nothing. Raises `BackendError`."""
    if "higress" in (source.compat, target.compat):
        return "`compat: higress` keeps the question and nothing else of a call, so its records go nowhere else"
    if unscoped(target):
        return ""
    if unscoped(source):
        return NO_CREDENTIAL
    same = open_scope(source).secret == open_scope(target).secret
    return "" if same else "the two stores digest credentials with different secrets: give both the same `scope.secret`"


@dataclass
class Transfer:
    """Puts entries into *target*, the store of *settings*; *write* off only says what would become of them."""

    target: Store
    settings: config.Config
    held: Held
    write: bool = True
    reports: list[str] = field(default_factory=list)
    """What is to be told of secrets."""
    _done: set[tuple[str, int]] = field(default_factory=set, repr=False)

    def __post_init__(self) -> None:
        """Read what shapes keys. Raises `BackendError`."""
        self._redactor, self._seal = Redactor(self.settings.secrets), open_seal(self.settings)
        self._cassette, self._shared = self.settings.cache.type == "cassette", unscoped(self.settings)

    async def put(self, entry: Entry) -> str:
        """Put one; return what becomes of it. Raises `BackendError`."""
        moved = self.moved(entry)
        if isinstance(moved, str):
            return moved
        where = moved.key, moved.sequence
        if where in self._done:
            return "newer-is-there"
        if not moved.truncated:
            self._done.add(where)  # before anything is waited for: others are put at the same time
        held = await self.held(moved.key)
        if held is not None and held > moved.created:
            return "newer-is-stored"
        if held is not None and moved.truncated:  # a whole answer is worth more than half of a newer one
            return "truncated"
        try:
            if self.write:
                await self.target.put(self._seal.close(moved) if self._seal else moved)
        except SecretFound as error:
            self.reports.append(str(error))
            return "secret-found"
        except ValueError:
            return "not-storable"
        return TAKEN

    def moved(self, entry: Entry) -> Entry | str:
        """Return *entry* as the target would have it, or why it cannot."""
        if entry.form == SEALED:
            return "sealed"
        if entry.origin:
            return "answer-to-a-near-question"
        if entry.truncated and not self.settings.admit.truncated:
            return "truncated"
        try:
            identity: dict[str, Any] = json.loads(entry.request)
            scope = dict(identity["scope"])
        except (ValueError, KeyError, TypeError):
            return "no-request"
        if self._shared:
            scope.pop("credential", None)
        elif "credential" not in scope:
            return "no-credential"
        if not self._cassette:
            scope.pop("lane", None)
        request = self._redactor.identity(canonical(identity | {"scope": scope}))
        return replace(
            entry,
            key=(self._seal or fingerprint).key(request),
            request=request,
            question=self._redactor.text(entry.question, request),
            sequence=entry.sequence if self._cassette else 0,
            **self._times(entry),
        )

    def _times(self, entry: Entry) -> dict[str, Any]:
        """Return when it expires: a recording never does, and what a cache takes in begins its life there."""
        if self._cassette:
            return {"expires": None, "fresh": None}
        ttl, now = self.settings.cache.ttl, time.time()
        if not ttl:
            return {"expires": entry.expires, "fresh": entry.fresh}
        keep = max(self.settings.cache.stale_if_error, self.settings.cache.stale_while_revalidate)
        return {"expires": now + ttl + keep, "fresh": now + ttl if keep else None}


NO_CREDENTIAL = (
    "the store keeps the answers of different API keys apart, and recordings have no key, so nothing that is taken in "
    "would ever be found: write `scope: shared` into the configuration, or name a folder (cassette:PATH)"
)
