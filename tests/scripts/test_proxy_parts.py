"""The embedded mitmproxy: which of its addons stay, and that nothing set is ignored."""

from __future__ import annotations

import pytest
from mitmproxy.options import Options
from mitmproxy.tools.dump import DumpMaster
from verbs import _proxy
from verbs._errors import Stop


async def kept(given: set[str]) -> set[str]:
    """Return the addons that are left when the options *given* are set."""
    master = DumpMaster(Options(), with_termlog=False, with_dumper=False)
    _proxy.trim(master, given)
    return {type(addon).__name__ for addon in master.addons.chain}


async def test_only_what_a_cache_needs_is_kept():
    """Every addon that is named as needed exists in this mitmproxy, and no other stays."""
    assert await kept(set()) == _proxy.NEEDED


@pytest.mark.parametrize(
    ("option", "addon"),
    [("proxyauth", "ProxyAuth"), ("upstream_auth", "UpstreamAuth"), ("modify_headers", "ModifyHeaders")],
)
async def test_an_addon_stays_when_its_option_is_set(option: str, addon: str):
    """A password that was asked for must be asked for, not silently dropped."""
    assert await kept({option}) == _proxy.NEEDED | {addon}


async def test_ports_that_are_free_are_different():
    """One entrance is left to the system's choice, the others get ports of their own; those asked for are kept."""
    entrances = tuple(_proxy.Entrance(port=port) for port in (0, 0, 7, 0))
    ports = [entrance.port for entrance in _proxy.with_ports(_proxy.Settings(entrances)).entrances]
    assert len(set(ports)) == 4
    assert (ports[0], ports[2]) == (0, 7)


async def test_a_folder_for_certificates_that_cannot_be_made_is_said(tmp_path):
    """The sentence names the folder and the option that changes it."""
    (tmp_path / "file").touch()
    with pytest.raises(Stop, match="confdir=DIR"):
        _proxy.assemble(_proxy.Settings(defaults={"confdir": str(tmp_path / "file" / "folder")}))


async def test_a_chosen_folder_is_the_only_one_touched(tmp_path, monkeypatch):
    """With confdir given, nothing is made in the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    config = tmp_path / "config.yaml"
    config.write_text("scope: shared\n")
    chosen = tmp_path / "chosen"
    _proxy.assemble(_proxy.Settings(config=str(config), store="memory", sets=(f"confdir={chosen}",)))
    assert (chosen / "mitmproxy-ca-cert.pem").exists()
    assert not (tmp_path / "home").exists()
