"""The ollama SDK for Python as the tests drive it: one call for each line of JSON on stdin, one line of JSON back.

A line: {"base_url", "api_key", "env", "style": sync|async, "method": chat|generate|embed|embeddings, "call": {...}}.
The answer: {"objects": [...]}, as the SDK made them, or {"error", "status", "message"}.
It imports nothing of ours (.venv-clients).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

import ollama


def sync(client, method, call):
    """Make the call with the blocking client."""
    found = getattr(client, method)(**call)
    return list(found) if call.get("stream") else [found]


async def awaited(client, method, call):
    """Make the call with the asynchronous client."""
    found = await getattr(client, method)(**call)
    return [one async for one in found] if call.get("stream") else [found]


def perform(order):
    """Do what one line asks for."""
    for name, value in order.get("env", {}).items():
        os.environ[name] = value
        if not value:
            del os.environ[name]
    if order["style"] == "async":
        objects = asyncio.run(awaited(ollama.AsyncClient(order["base_url"]), order["method"], order["call"]))
    else:
        objects = sync(ollama.Client(order["base_url"]), order["method"], order["call"])
    return {"objects": [one.model_dump(mode="json") for one in objects]}


for line in sys.stdin:
    try:
        result = perform(json.loads(line))
    except ollama.ResponseError as error:
        result = {"error": type(error).__name__, "status": error.status_code, "message": error.error}
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()
