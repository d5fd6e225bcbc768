"""mitmproxy's own addons rest while they have nothing to do, and nobody can tell but by the time that it saves."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import aicache
import pytest
from aicache_mitmproxy.resting import IDLE, QUIET, Resting
from mitmproxy import hooks, options
from mitmproxy.exceptions import OptionsError
from mitmproxy.tools.dump import DumpMaster
from support.asking import ask, post
from support.proxy import Mitmdump
from support.upstream import Upstream

LIFECYCLE = ("load", "configure", "running", "done")

SETTER = '''
"""Sets an option at the wish of a request, as any script may."""
from mitmproxy import ctx

def requestheaders(flow):
    if wish := flow.request.headers.pop("x-set", ""):
        name, _, value = wish.partition("=")
        ctx.options.update(**{name: value if name == "proxyauth" else [value]})
'''


@pytest.fixture
async def master() -> DumpMaster:
    """A mitmdump that does not run."""
    return DumpMaster(options.Options(), with_termlog=False)


@pytest.fixture
def provider() -> Iterator[Upstream]:
    """A provider."""
    with Upstream() as server:
        yield server


class Declared:
    """What an addon's `load` is given."""

    def __init__(self, addon: object) -> None:
        self.options: set[str] = set()
        if load := getattr(addon, "load", None):
            load(self)

    def add_option(self, name: str, *_: object) -> None:
        """Take the name of an option."""
        self.options.add(name)


def names(master: DumpMaster) -> list[str]:
    """Return the addons of the chain by class, in order."""
    return [type(addon).__name__ for addon in master.addons.chain]


async def test_who_may_rest_is_known_with_all_options(master: DumpMaster) -> None:
    """An addon that got a new option, a new hook, or another name, in another mitmproxy is noticed here."""
    known = {type(addon).__name__: addon for addon in master.addons.chain if type(addon).__name__ in {*IDLE, *QUIET}}
    assert set(known) == {*IDLE, *QUIET}
    for name, options_of in IDLE.items():
        assert Declared(known[name]).options <= options_of
    for name in QUIET:
        assert {hook for hook in hooks.all_hooks if hasattr(known[name], hook)} <= {*LIFECYCLE}


async def test_who_has_an_option_set_does_not_rest(master: DumpMaster) -> None:
    """What the user asked for at the start is done."""
    master.options.update(modify_headers=["/~q/x-a/1"], save_stream_filter="~q")
    Resting(master.addons, master.options).begin()
    assert {"ModifyHeaders", "Save", "SaveHar"} <= set(names(master))
    assert "ModifyBody" not in names(master)


async def test_who_is_needed_again_is_back_in_his_place(master: DumpMaster) -> None:
    """Order decides what an addon sees of the others' work."""
    before = names(master)
    resting = Resting(master.addons, master.options)
    resting.begin()
    assert names(master) == [name for name in before if name not in {*IDLE, *QUIET}]
    for names_of in ({"modify_body"}, {"anticache"}, {"save_stream_filter"}):
        resting.wake(names_of)
    resting_still = {*IDLE, *QUIET} - {"ModifyBody", "AntiCache", "Save", "SaveHar"}
    assert names(master) == [name for name in before if name not in resting_still]
    resting.end(ending=False)
    assert names(master) == before


async def test_who_is_removed_while_resting_stays_away(master: DumpMaster) -> None:
    """Another addon's decision stands."""
    resting = Resting(master.addons, master.options)
    resting.begin()
    master.addons.remove(master.addons.get("maplocal"))
    resting.end(ending=False)
    assert "MapLocal" not in names(master)


async def test_a_wrong_value_is_refused_as_ever(master: DumpMaster) -> None:
    """The addon that knows what is wrong with it is woken to say so, and the option keeps its old value."""
    master.addons.add(addon := aicache.AiCache())
    addon._resting = resting = Resting(master.addons, master.options)  # as `running` does
    resting.begin()
    with pytest.raises(OptionsError, match="modify"):
        master.options.update(modify_body=["/x"])
    assert master.options.modify_body == []
    master.options.update(modify_body=["/~q/a/b"])
    assert len(master.addons.get("modifybody").replacements) == 1


async def test_who_rests_hears_of_options_and_of_the_end(master: DumpMaster) -> None:
    """What a file of flows is filtered by, and that a browser is to be closed."""
    resting = Resting(master.addons, master.options)
    resting.begin()
    master.options.update(readfile_filter="~q")
    resting.wake({"readfile_filter"})
    assert master.addons.get("readfilestdin").filter
    heard = []
    master.addons.get("browser").done = lambda: heard.append("browser")
    for addon in master.addons.chain:  # as mitmproxy does at its end, and comes by ours
        if type(addon).__name__ == "ScriptLoader":
            resting.end(ending=True)
        if type(addon).__name__ == "Browser":
            addon.done()
    assert heard == ["browser"]


def test_an_option_that_is_set_while_it_runs_counts_from_the_next_event_on(tmp_path: Path, provider: Upstream) -> None:
    """A script that maps, modifies or asks for a password finds mitmproxy as it was."""
    (script := tmp_path / "setter.py").write_text(SETTER)
    (tmp_path / "local.txt").write_text("from this machine")
    more = ("-s", str(script), "--set", "aicache_store=memory")
    with Mitmdump(tmp_path, *more, modes=(f"reverse:{provider.url}",)) as proxy:
        post(proxy, ask("one"), x_set="modify_headers=/~q/x-seen/yes")
        post(proxy, ask("two"), x_set=f"map_local=|/other|{tmp_path / 'local.txt'}")
        assert provider.calls[-1].headers["x-seen"] == "yes"
        assert post(proxy, {}, "/other").body == b"from this machine"
        post(proxy, ask("three"), x_set="proxyauth=me:secret")
        assert post(proxy, ask("four")).status == 401


def test_addons_rest_only_while_ours_runs(tmp_path: Path) -> None:
    """A script that is loaded anew leaves mitmproxy as it found it."""
    source = Path(importlib.import_module("aicache").__file__ or "").parent
    (script := tmp_path / "ours.py").write_text(
        f"import sys; sys.path.insert(0, {str(source)!r})\n"
        "import aicache\nfrom mitmproxy import ctx\n"
        "class Telling(aicache.AiCache):\n"
        "    def running(self):\n"
        "        print('before', len(ctx.master.addons.chain)); super().running()\n"
        "        print('after', len(ctx.master.addons.chain))\n"
        "addons = [Telling()]\n"
    )
    with Mitmdump(tmp_path, "--set", "aicache_store=memory", addon=script) as proxy:
        proxy.wait_for("after")
        script.write_text(script.read_text() + "# changed\n")
        proxy.wait_for("after", 2)
        said = [line for line in proxy.lines if line.startswith(("before ", "after "))]
    assert said[:2] == said[2:]
    assert said[0] != said[1]
