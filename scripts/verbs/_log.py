"""What the proxy says while it runs, as lines on stderr."""

from __future__ import annotations

import logging
import sys


class _Plain(logging.Formatter):
    """Lines with one prefix, whoever wrote them."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        record.message = record.message.removeprefix("aicache: ")
        if record.levelno >= logging.WARNING and not record.name.startswith("aicache"):
            record.message = f"mitmproxy: {record.message}"
        return super().formatMessage(record)


def to_stderr(*, clock: bool = False) -> None:
    """Send warnings and errors to stderr; *clock* puts the time before each line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Plain("%(asctime)s %(message)s" if clock else "aicache: %(message)s", "%H:%M:%S"))
    # A port that is taken is told by the verb, which knows the flag to change.
    handler.addFilter(lambda record: record.name != "mitmproxy.addons.proxyserver")
    logging.getLogger().addHandler(handler)


def each_call() -> None:
    """From now on log a line for each call, too."""
    logging.getLogger("aicache").setLevel(logging.INFO)
