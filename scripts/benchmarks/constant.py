"""The yardstick: a mitmproxy addon that answers every request with the same bytes. `mitmdump -s constant.py`."""

from __future__ import annotations

import os
from pathlib import Path

from mitmproxy import http

BODY = Path(os.environ["BENCH_BODY"]).read_bytes()


def request(flow: http.HTTPFlow) -> None:
    """Answer at once."""
    flow.response = http.Response.make(200, BODY, {"content-type": "application/json"})
