"""A file is there whole or not at all, whatever happens meanwhile. Entry point: `write_whole`."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

TEMPORARY = ".aicache-tmp"
"""How the names of files end that are not whole yet; they begin with a dot."""


def write_whole(target: Path, data: bytes) -> None:
    """Write *data* beside *target*, bring it to the disk, and put it in its place. Raises `OSError`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY}")
    try:
        with fresh.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
