"""The cohere SDK for Python as the tests drive it: one call for each line of JSON on stdin, one line of JSON back.

A line: {"base_url", "api_key", "env", "style": sync|async, "method": chat|chat_stream|embed|rerank, "call": {...}}.
The answer: {"objects": [...]}, as the SDK made them, or {"error", "status", "message"}.
It imports nothing of ours (.venv-clients).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

import cohere
from cohere.core.api_error import ApiError


def sync(options, method, call):
    """Make the call with the blocking client."""
    found = getattr(cohere.ClientV2(**options), method)(**call)
    return list(found) if method == "chat_stream" else [found]


async def awaited(options, method, call):
    """Make the call with the asynchronous client."""
    client = cohere.AsyncClientV2(**options)
    if method == "chat_stream":
        return [event async for event in client.chat_stream(**call)]
    return [await getattr(client, method)(**call)]


def perform(order):
    """Do what one line asks for."""
    os.environ.update({name: value for name, value in order.get("env", {}).items() if value})
    options = {"base_url": order["base_url"], "api_key": order["api_key"]}
    if order["style"] == "async":
        objects = asyncio.run(awaited(options, order["method"], order["call"]))
    else:
        objects = sync(options, order["method"], order["call"])
    return {"objects": [{"class": type(one).__name__, **json.loads(one.json())} for one in objects]}


for line in sys.stdin:
    try:
        result = perform(json.loads(line))
    except ApiError as error:
        result = {"error": type(error).__name__, "status": error.status_code, "message": str(error.body)}
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()
