"""Whether somebody takes connections at an address. It knows nothing of who. Entry point: `reachable`."""

from __future__ import annotations

import asyncio

SECONDS = 5.0
"""How long connecting may take."""


async def reachable(host: str, port: int, seconds: float = SECONDS) -> bool:
    """Whether a TCP connection to *host* comes about within *seconds*; it is closed at once."""
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, UnicodeError):  # refused, no such name, no way there, too late; no name at all
        return False
    writer.close()
    return True
