"""A folder of recordings as the configuration names it: found without a credential, checked at the start."""

from __future__ import annotations

from pathlib import Path

import pytest
from llmcache import build, config
from llmcache.chat import BackendError
from llmcache.stores.cassette import CassetteStore
from support.proxy import ROOT


@pytest.fixture
def settings(tmp_path):
    """The settings of a folder of recordings."""
    file = tmp_path / "config.yaml"
    file.write_text(f"cache: {{type: cassette, path: {tmp_path / 'recordings'}}}\n")
    return config.load(str(file))


def test_the_store(settings, tmp_path):
    """The folder is where the settings say; it is not made before there is something to keep."""
    store = build.open_store(settings)
    assert isinstance(store, CassetteStore)
    assert store.folder == tmp_path / "recordings"
    assert not store.folder.exists()


def test_no_credential_in_the_key(settings):
    """Recordings are replayed where nobody has the credential that they were made with, and no key of it is kept."""
    assert build.open_scope(settings).secret is None


def test_broken_at_the_start(settings, tmp_path):
    """A recording that cannot be read stops the start, by file and line."""
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "x.yaml").write_text("aicache: 1\nkey: [\n")
    with pytest.raises(BackendError, match=r"recordings/x\.yaml:\d+: this is not YAML"):
        build.build_engine(settings, lambda _: None)


def test_where_they_are(tmp_path):
    """Without a path they are in tests/recordings; the option of mitmproxy names another place."""
    file = tmp_path / "config.yaml"
    file.write_text("cache: {type: cassette}\n")
    assert config.load(str(file)).cache.path == Path("tests/recordings")
    assert config.load(str(file), {"store": "cassette:/a/b"}).cache.path == Path("/a/b")
    assert config.load(None, {"store": "cassette"}).cache.path == Path("tests/recordings")
    assert config.load(str(ROOT / "config.yaml"), {"store": "cassette"}).cache.path == Path("tests/recordings")


@pytest.mark.parametrize(
    ("ci", "text", "overrides", "mode", "said"),
    [
        pytest.param("", "", {}, "cache", "", id="at home"),
        pytest.param("false", "", {}, "cache", "", id="CI=false"),
        pytest.param("true", "", {}, "replay", "because `CI` is set", id="CI"),
        pytest.param("1", "mode:", {}, "replay", "because `CI` is set", id="CI=1, mode empty"),
        pytest.param("true", "mode: cache", {}, "cache", "is `cache` as you say", id="the file says otherwise"),
        pytest.param("true", "", {"mode": "record"}, "record", "is `record` as you say", id="an option says otherwise"),
        pytest.param("true", "mode: replay", {}, "replay", "", id="said all the same"),
    ],
)
def test_ci_replays_unless_told_otherwise(tmp_path, monkeypatch, ci, text, overrides, mode, said):
    """With recordings and `CI` nothing leaves, and one line says so; what the user says goes before it."""
    monkeypatch.setenv("CI", ci)
    file = tmp_path / "config.yaml"
    file.write_text(f"cache: {{type: cassette}}\n{text}\n")
    found = config.load(str(file), overrides)
    assert found.mode == mode
    assert [said in line for line in found.warnings] == ([True] if said else [])


def test_ci_changes_nothing_for_other_stores(tmp_path, monkeypatch):
    """Only recordings are replayed by themselves."""
    monkeypatch.setenv("CI", "true")
    assert (config.load(None).mode, config.load(None).warnings) == ("cache", ())


def test_limits_are_not_for_recordings(tmp_path):
    """Settings that would remove recordings do nothing, and say so."""
    file = tmp_path / "config.yaml"
    file.write_text("cache: {type: cassette, maxEntries: 5}\n")
    assert "no recording is ever removed" in config.load(str(file)).warnings[0]


def test_recordings_are_not_sealed(tmp_path):
    """Recordings are there to be read; wanting them sealed is a problem that is named."""
    file = tmp_path / "config.yaml"
    file.write_text("cache: {type: cassette, encrypt: true}\n")
    with pytest.raises(config.ConfigError, match="not for `type: cassette`"):
        config.load(str(file))
