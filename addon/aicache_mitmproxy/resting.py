"""mitmproxy's own addons that have nothing to do rest: they are not asked at each event of each flow.

mitmproxy asks all of its thirty-odd addons eight times a call. Half of them wait for an option that nobody has set, and
cost a fifth of all the processor time. They leave the chain, not the process: their commands work, `addons.get` finds
them, and whoever gets an option set is back in his place before the next event. It uses public names only
(`addons.chain`, `addons.get`, `addons.invoke_addon_sync`) and is the same for mitmproxy 11.0.2 and 12.2.3.
"""

from __future__ import annotations

from collections.abc import Iterable

from mitmproxy import hooks
from mitmproxy.addonmanager import AddonManager
from mitmproxy.optmanager import OptManager


class Resting:
    """Those of *addons* that rest; `begin` once all of them run, `wake` at every change of options, `end` at last."""

    def __init__(self, addons: AddonManager, options: OptManager) -> None:
        self._addons, self._options = addons, options
        self._places: dict[int, int] = {}
        """Where each addon stood, by its identity."""
        self._resting: list[object] = []

    def begin(self) -> None:
        """Let all rest that have nothing to do."""
        chain = self._addons.chain
        self._places = {id(addon): place for place, addon in enumerate(chain)}
        self._resting = [addon for addon in chain if self._idle(addon)]
        # A list of its own: mitmproxy may be walking the old one.
        self._addons.chain = [addon for addon in chain if addon not in self._resting]

    def wake(self, updated: set[str]) -> None:
        """Put those back whose options are among *updated*, and tell them. Raises `OptionsError` as they do."""
        woken = [addon for addon in self._resting if IDLE[type(addon).__name__] & updated]
        self._return(woken)
        for addon in woken:
            self._addons.invoke_addon_sync(addon, hooks.ConfigureHook(updated))

    def end(self) -> None:
        """Put all back."""
        self._return(list(self._resting))

    def _idle(self, addon: object) -> bool:
        kind = type(addon)
        known = kind.__module__.startswith("mitmproxy.addons.") and kind.__name__ in IDLE
        return known and not any(map(self._options.has_changed, IDLE[kind.__name__]))

    def _return(self, woken: Iterable[object]) -> None:
        """Put each back in front of the first that stood behind it; who was removed meanwhile stays away."""
        chain = list(self._addons.chain)
        for addon in woken:
            self._resting.remove(addon)
            if self._addons.get(type(addon).__name__.lower()) is addon:
                place = self._places[id(addon)]
                behind = (at for at, other in enumerate(chain) if self._places.get(id(other), -1) > place)
                chain.insert(next(behind, len(chain)), addon)
        self._addons.chain = chain


IDLE = {
    "AntiCache": {"anticache"},
    "AntiComp": {"anticomp"},
    "BlockList": {"block_list"},
    "Comment": set(),
    "Cut": set(),
    "Export": {"export_preserve_original_ip"},
    "KeepServing": {"keepserving"},
    "MapLocal": {"map_local"},
    "MapRemote": {"map_remote"},
    "ModifyBody": {"modify_body"},
    "ModifyHeaders": {"modify_headers"},
    "ProxyAuth": {"proxyauth"},
    "ReadFileStdin": {"rfile", "readfile_filter"},
    "Save": {"save_stream_file", "save_stream_filter"},
    "SaveHar": {"hardump", "save_stream_filter"},
    "StickyAuth": {"stickyauth"},
    "StickyCookie": {"stickycookie"},
    "UpstreamAuth": {"upstream_auth"},
}
"""Addons by class -> their options: as long as none is set, and once mitmproxy has started, no event makes them act."""
