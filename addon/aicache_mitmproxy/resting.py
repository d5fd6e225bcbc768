"""mitmproxy's own addons that have nothing to do rest: they are not asked at each event of each flow.

mitmproxy asks all of its thirty-odd addons eight times a call. Two thirds have no word in it, or wait for an option
that nobody has set, and cost a fifth of all the processor time. They leave the chain, not the process: their commands
work, `addons.get` finds them, they hear of changed options and of the end, and whoever gets an option set is back in
his place before the next event. Only public names of mitmproxy are used, the same in 11.0.2 and 12.2.3.
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
        told = list(self._resting)
        self._return(addon for addon in told if IDLE.get(type(addon).__name__, set()) & updated)
        for addon in told:
            if addon not in self._resting or type(addon).__name__ in QUIET:
                self._addons.invoke_addon_sync(addon, hooks.ConfigureHook(updated))

    def end(self, *, ending: bool) -> None:
        """Put all back; *ending*: mitmproxy is walking the chain to tell that it ends, and is to come by them, too."""
        if ending:
            self._addons.chain.extend(self._resting)
            self._resting = []
        else:
            self._return(list(self._resting))

    def _idle(self, addon: object) -> bool:
        kind = type(addon)
        if not kind.__module__.startswith("mitmproxy.addons."):
            return False
        waits = kind.__name__ in IDLE and not any(map(self._options.has_changed, IDLE[kind.__name__]))
        return waits or kind.__name__ in QUIET

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


QUIET = {
    *("Browser", "ClientPlayback", "CommandHistory", "Comment", "Core", "Cut", "ErrorCheck", "Export", "KeepServing"),
    "ReadFileStdin",
}
"""Addons by class that no event of a flow is for: they have commands, or their work when mitmproxy starts and ends."""
IDLE = {
    "AntiCache": {"anticache"},
    "AntiComp": {"anticomp"},
    "BlockList": {"block_list"},
    "MapLocal": {"map_local"},
    "MapRemote": {"map_remote"},
    "ModifyBody": {"modify_body"},
    "ModifyHeaders": {"modify_headers"},
    "ProxyAuth": {"proxyauth"},
    "Save": {"save_stream_file", "save_stream_filter"},
    "SaveHar": {"hardump", "save_stream_filter"},
    "StickyAuth": {"stickyauth"},
    "StickyCookie": {"stickycookie"},
    "UpstreamAuth": {"upstream_auth"},
}
"""Addons by class -> their options: as long as none is set, no event makes them act."""
