"""A run whose recordings are kept only if it ends well: what `record` mode does with a folder of recordings.

It makes the engine for such a run and settles what becomes of the folder. Entry point: `Recording`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

from llmcache.build import build_engine, open_store, open_turns
from llmcache.config import Config
from llmcache.engine import Engine
from llmcache.stats import Observation
from llmcache.stores.cassette import CassetteStore
from llmcache.stores.renewal import Renewal, Swapped, aside, swap
from llmcache.stores.turns import Turns

from ._errors import Stop


class Recording:
    """One run; *only*: globs on the files that it renews, none for all; *way*: how it was started, see `Turns.way`."""

    def __init__(self, only: tuple[str, ...], way: tuple[Sequence[str], Sequence[str]]) -> None:
        self.only, self._way = only, way
        self.turns: Turns | None = None
        """The recordings that were served, once there is an engine and recordings are its store."""
        self.renewal: Renewal | None = None
        """Set where the run records."""

    def build(self, settings: Config, observe: Callable[[Observation], None]) -> Engine:
        """Return the engine of *settings*; where it would record into a folder, it records beside it."""
        if settings.cache.type != "cassette":
            return build_engine(settings, observe)
        if settings.mode != "record":
            engine = build_engine(settings, observe)
            self.turns = cast("Turns", engine.recordings)
            self.turns.way = self._way
            return engine
        elsewhere = replace(settings, cache=replace(settings.cache, path=aside(settings.cache.path)))
        self.turns = open_turns(settings, cast("CassetteStore", open_store(settings)))
        engine = build_engine(elsewhere, observe)
        self.renewal = Renewal(self.turns, cast("Turns", engine.recordings), self.only)
        # Made anew, for the engine's parts have been given the store.
        return replace(engine, store=self.renewal, recordings=self.renewal)

    def keep(self) -> Swapped:
        """Put what was recorded into the folder. Raises `Stop`."""
        assert self.renewal
        old, fresh = self.renewal.old.store, self.renewal.fresh
        try:
            return swap(old, fresh.store, self.only, fresh.asked)
        except OSError as error:
            where = fresh.store.folder
            raise Stop(f"the recordings in {where} cannot be put into their place: {error}") from error

    def drop(self) -> int:
        """Forget what was recorded, and return how much that was."""
        assert self.renewal
        fresh = self.renewal.fresh.store
        shutil.rmtree(fresh.folder, ignore_errors=True)
        return len(fresh.files())
