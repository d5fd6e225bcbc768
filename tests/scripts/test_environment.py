"""The Python environment: found where it is, made where it is not, made anew where it is broken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.command import Command
from support.proxy import ROOT
from verbs import _environment
from verbs._errors import Stop

BARE = getattr(sys, "_base_executable", sys.executable)
"""The Python that the tests' own environment was made with; nothing is installed in it."""

REQUIREMENTS = ROOT / "requirements.txt"

MAKE = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from verbs import _environment
from verbs._errors import Stop
try:
    _environment.make(Path(sys.argv[2]), Path(sys.argv[3]))
except Stop as stop:
    sys.exit(stop.message)
"""


def making(place: Path, requirements: Path) -> subprocess.Popen[str]:
    """Start making an environment in a process of its own."""
    command = [sys.executable, "-c", MAKE, str(ROOT / "scripts"), str(place), str(requirements)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def nothing(tmp_path: Path) -> Path:
    """Requirements that need no network: none."""
    path = tmp_path / "requirements.txt"
    path.write_text("# nothing\n")
    return path


def test_this_environment_has_what_is_required():
    """The tests run in an environment that is used as it is, so every line of requirements.txt can be read."""
    assert _environment.satisfied(REQUIREMENTS.read_text())


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mitmproxy", True),
        ("mitmproxy>=11", True),
        ("mitmproxy>=11.0.0,<99", True),
        ("mitmproxy<11", False),
        ("mitmproxy>=99", False),
        ("no-such-package", False),
        ('no-such-package; python_version < "3.11"', True),
        ('no-such-package>=1; python_version >= "3.11"', False),
        ("mitmproxy @ https://example.org/x.whl", False),
    ],
)
def test_a_requirement_is_met_by_the_version_that_is_installed(line: str, expected: bool):
    """Bounds and the Python's version count; what cannot be read is left to pip."""
    assert _environment.met(line) == expected


def test_other_requirements_get_another_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """An upgrade does not disturb what runs; AICACHE_VENV names the place instead."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("AICACHE_VENV", raising=False)
    one, other = _environment.folder(b"a"), _environment.folder(b"b")
    assert one != other
    assert one.parent == other.parent == tmp_path / "aicache"
    monkeypatch.setenv("AICACHE_VENV", str(tmp_path / "mine"))
    assert _environment.folder(b"a") == tmp_path / "mine"


def test_what_aicache_did_not_make_is_left_alone(tmp_path: Path, nothing: Path):
    """A folder of the user's is never cleared, whatever AICACHE_VENV says."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").touch()
    with pytest.raises(Stop, match="was not made by aicache"):
        _environment.make(mine, nothing)
    assert [path.name for path in mine.iterdir()] == ["thesis.tex"]


@pytest.mark.slow
def test_a_half_made_environment_is_made_anew(tmp_path: Path, nothing: Path):
    """What an interrupted start left behind does not stay in the way."""
    place = tmp_path / "venv"
    place.mkdir()
    (place / _environment.MARKER).write_text("half made")
    (place / "rubbish").touch()
    _environment.make(place, nothing)
    assert _environment.ready(place, nothing.read_bytes())
    assert not (place / "rubbish").exists()
    assert not _environment.ready(place, b"other requirements")


@pytest.mark.slow
def test_two_at_once_make_it_once(tmp_path: Path, nothing: Path):
    """The second waits for the first, and uses what that made."""
    place = tmp_path / "venv"
    both = [making(place, nothing) for _ in range(2)]
    said = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("first start" in text for text in said) == 1
    assert sum("ready after" in text for text in said) == 1


@pytest.mark.slow
def test_when_pip_fails_everything_it_said_is_shown_with_what_to_do(tmp_path: Path):
    """Silent success, loud failure; the next start tries again."""
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("nothing-here @ file:///no/such/nothing_here-1-py3-none-any.whl\n")
    process = making(tmp_path / "venv", requirements)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "nothing_here-1-py3-none-any.whl" in said
    assert "PIP_INDEX_URL" in said
    assert not _environment.ready(tmp_path / "venv", requirements.read_bytes())


@pytest.mark.slow
def test_a_bare_python_makes_the_environment_and_goes_on_in_it(aicache: Command, tmp_path: Path):
    """The first start from a Python without packages installs them and does its work; the second is silent."""
    if subprocess.run([BARE, "-c", "import mitmproxy"], capture_output=True, check=False).returncode == 0:
        pytest.skip("the Python behind this one has packages of its own")
    place = tmp_path / "venv"
    # pip's way to say "do not compile", which takes as long as the rest.
    first, second = (
        aicache("ls", "--store", f"sqlite:{aicache.store}", python=BARE, AICACHE_VENV=str(place), PIP_NO_COMPILE="0")
        for _ in range(2)
    )
    assert "first start: making a Python environment" in first.stderr
    assert "there is no store yet" in first.stderr
    assert "Collecting" not in first.stderr
    assert second.stderr.startswith("aicache: there is no store yet")
    assert second.returncode == 1
