"""The dashscope SDK for Python as the tests drive it: one call for each line of JSON on stdin, one line of JSON back.

A line: {"base_url", "api_key", "env", "style": sync|async, "method": generation|embedding, "call": {...}}.
The answer: {"objects": [...]}, as the SDK made them; an error is an object whose status is not 200.
It imports nothing of ours (.venv-clients).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

import dashscope
from dashscope import AioGeneration, Generation, TextEmbedding


def sync(method, call):
    """Make the call with the blocking interface."""
    found = (Generation if method == "generation" else TextEmbedding).call(**call)
    return list(found) if call.get("stream") else [found]


async def awaited(call):
    """Make the call with the asynchronous interface."""
    found = await AioGeneration.call(**call)
    return [event async for event in found] if call.get("stream") else [found]


def perform(order):
    """Do what one line asks for."""
    os.environ.update({name: value for name, value in order.get("env", {}).items() if value})
    dashscope.base_http_api_url = f"{order['base_url']}/api/v1"
    call = order["call"] | {"api_key": order["api_key"]}
    objects = asyncio.run(awaited(call)) if order["style"] == "async" else sync(order["method"], call)
    return {"objects": [json.loads(str(one)) for one in objects]}


for line in sys.stdin:
    sys.stdout.write(json.dumps(perform(json.loads(line))) + "\n")
    sys.stdout.flush()
