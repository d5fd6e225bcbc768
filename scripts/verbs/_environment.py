"""The Python environment in which the verbs run: found, or made on first use.

Standard library only: it runs before anything is installed, and it knows nothing of aicache but requirements.txt.
Entry point: `enter`, which returns in an interpreter that has everything, and otherwise becomes one.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ._errors import Stop

MARKER = "made-by-aicache"
"""The file in an environment that says who made it, and from what once it is whole."""

REQUIREMENT = re.compile(
    r"(?P<name>[\w.-]+)(?:\[[\w,]+\])?\s*(?P<bounds>(?:[<>]=?[\d.]+,?)*)\s*"
    r"(?:;\s*python_version\s*(?P<order><|>=)\s*\"(?P<python>[\d.]+)\")?"
)
"""The lines that our own requirements.txt has: `name>=1.2,<3; python_version >= "3.12"`."""


def enter(root: Path) -> None:
    """Return when this interpreter has all that *root*'s requirements.txt asks for; else go on in one that has.

    The environment is made on first use. Raises `Stop` when that fails.
    """
    requirements = root / "requirements.txt"
    place = folder(requirements.read_bytes())
    if _inside(place) or satisfied(requirements.read_text("utf-8")):
        return
    if not ready(place, requirements.read_bytes()):
        make(place, requirements)
    python = str(place / "bin" / "python")
    sys.stderr.flush()
    os.execv(python, [python, str(root / "scripts" / "aicache"), *sys.argv[1:]])  # noqa: S606 - our own interpreter


def folder(requirements: bytes) -> Path:
    """Return where the environment is: each set of requirements and each Python has its own."""
    if chosen := os.environ.get("AICACHE_VENV"):
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "aicache" / f"venv-{digest(requirements)[:12]}"


def digest(requirements: bytes) -> str:
    """Return what an environment was made from: the requirements, the Python, the kind of machine."""
    made_from = f"{sys.implementation.cache_tag} {sys.platform} {platform.machine()}\n".encode()
    return hashlib.sha256(made_from + requirements).hexdigest()


def satisfied(requirements: str) -> bool:
    """Whether this interpreter has everything that *requirements* (the text of the file) asks for."""
    lines = (line.partition("#")[0].strip() for line in requirements.splitlines())
    return all(met(line) for line in lines if line)


def met(line: str) -> bool:
    """Whether one requirement is met. A line that cannot be read counts as not met: pip will know."""
    found = REQUIREMENT.fullmatch(line)
    if not found:
        return False
    if found["python"] and not _holds(sys.version_info[:2], found["order"], _numbers(found["python"])):
        return True
    try:
        version = _numbers(importlib.metadata.version(found["name"]))
    except importlib.metadata.PackageNotFoundError:
        return False
    bounds = re.findall(r"([<>]=?)([\d.]+)", found["bounds"])
    return all(_holds(version, order, _numbers(bound)) for order, bound in bounds)


def _numbers(version: str) -> tuple[int, ...]:
    """Return a version's leading numbers without zeros at the end, so that 3.0 equals 3."""
    numbers = [int(part) for part in re.match(r"[\d.]*", version).group().split(".") if part]  # type: ignore[union-attr]  # `*` always matches
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def _holds(left: tuple[int, ...], order: str, right: tuple[int, ...]) -> bool:
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[order]


def _inside(place: Path) -> bool:
    return place.exists() and place.samefile(sys.prefix)


def ready(place: Path, requirements: bytes) -> bool:
    """Whether the environment is whole, was made from these requirements, and its Python is still there."""
    try:
        return (place / MARKER).read_text() == digest(requirements) and (place / "bin" / "python").exists()
    except OSError:
        return False


def make(place: Path, requirements: Path) -> None:
    """Make the environment, alone: whoever else wants it at the same time waits and then uses it."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with _lock(place):
            if not ready(place, requirements.read_bytes()):
                _clear(place)
                _fill(place, requirements)
    except OSError as error:
        raise Stop(
            f"cannot make the Python environment in {place}: {error.strerror}; AICACHE_VENV names another place"
        ) from error


def _clear(place: Path) -> None:
    """Remove a half-made or outdated environment, but never what is not ours."""
    if not place.exists():
        return
    if any(place.iterdir()) and not (place / MARKER).exists():
        raise Stop(f"{place} was not made by aicache, so it is left alone: choose another AICACHE_VENV, or remove it")
    shutil.rmtree(place)


def _fill(place: Path, requirements: Path) -> None:
    started = time.monotonic()
    _say(f"first start: making a Python environment in {place} (once, about a minute)")
    place.mkdir()
    (place / MARKER).write_text("half made")
    python = str(place / "bin" / "python")
    _step("making it", [sys.executable, "-m", "venv", str(place)], NO_VENV)
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-r", str(requirements)]
    _step("installing what requirements.txt asks for", pip, NO_PIP.format(requirements=requirements))
    (place / MARKER).write_text(digest(requirements.read_bytes()))
    _say(f"ready after {time.monotonic() - started:.0f} s")


def _step(what: str, command: list[str], advice: str) -> None:
    """Run one step silently; when it fails, show all that it said, and *advice*."""
    # What a user set up for other programs must not lead pip astray: a module path, or installing for the user.
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    environment["PIP_USER"] = "0"
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)
        try:
            _wait(process, what)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        if process.returncode:
            output.seek(0)
            sys.stderr.write(output.read().decode(errors="replace"))
            raise Stop(advice)


def _wait(process: subprocess.Popen[bytes], what: str) -> None:
    """Wait with a clock on a terminal, and one line elsewhere."""
    started, live = time.monotonic(), sys.stderr.isatty()
    if not live:
        _say(f"{what} ...")
    while process.poll() is None:
        if live:
            sys.stderr.write(f"\raicache: {what} ... {time.monotonic() - started:.0f} s ")
            sys.stderr.flush()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.5)
    if live:
        sys.stderr.write("\r\033[K")


@contextlib.contextmanager
def _lock(place: Path) -> Iterator[None]:
    with place.with_name(f"{place.name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another aicache is making the Python environment; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def broken(error: ModuleNotFoundError) -> str:
    """Return what to tell the user when a module is missing after all."""
    return (
        f"the Python environment {sys.prefix} lacks {error.name}. "
        f"Remove {Path(sys.prefix) / MARKER} to have it made anew, or install requirements.txt into it."
    )


def _say(text: str) -> None:
    print(f"aicache: {text}", file=sys.stderr, flush=True)


NO_VENV = """\
python could not make a virtual environment; its own words are above.
On Debian and Ubuntu it comes as a package of its own: apt install python3-venv"""

NO_PIP = """\
the installation failed; pip's own words are above.
No network, or a company's proxy or index? Set HTTPS_PROXY or PIP_INDEX_URL, and start again.
Or install it yourself into any environment: python3 -m pip install -r {requirements}
and start aicache with that environment's Python."""
