"""The anthropic SDK for Python as the tests drive it: one call for each line of JSON on stdin, one line of JSON back.

A line: {"base_url", "api_key", "env", "style": sync|async, "method": create|stream|count|parse, "call": {...}}.
The answer: {"objects": [...]}, as the SDK made them, or {"error", "status", "message"}.
`create` and `stream` use the beta resource, which knows every block. It imports nothing of ours (.venv-clients).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

import anthropic
from pydantic import BaseModel


class Sum(BaseModel):
    """What a `parse` call asks for."""

    left: int
    right: int
    total: int


def sync(client, method, call):
    """Make the call with the blocking client."""
    match method, call.get("stream"):
        case "create", True:
            return list(client.beta.messages.create(**call))
        case "create", _:
            return [client.beta.messages.create(**call)]
        case "count", _:
            return [client.messages.count_tokens(**call)]
        case "parse", _:
            found = client.beta.messages.parse(output_format=Sum, **call)
            return [found, found.parsed_output]
        case "stream", _:
            with client.beta.messages.stream(**call) as events:
                return [events.get_final_message()]


async def awaited(client, method, call):
    """Make the call with the asynchronous client, and close it in the same loop."""
    async with client:
        match method, call.get("stream"):
            case "create", True:
                return [event async for event in await client.beta.messages.create(**call)]
            case "create", _:
                return [await client.beta.messages.create(**call)]
            case "count", _:
                return [await client.messages.count_tokens(**call)]
            case "stream", _:
                async with client.beta.messages.stream(**call) as events:
                    return [await events.get_final_message()]


def perform(order):
    """Do what one line asks for."""
    for name, value in order.get("env", {}).items():
        os.environ[name] = value
        if not value:
            del os.environ[name]
    options = {"base_url": order["base_url"], "api_key": order["api_key"]}
    if order["style"] == "async":
        objects = asyncio.run(awaited(anthropic.AsyncAnthropic(**options), order["method"], order["call"]))
    else:
        with anthropic.Anthropic(**options) as client:
            objects = sync(client, order["method"], order["call"])
    return {"objects": [one.model_dump(mode="json") for one in objects]}


for line in sys.stdin:
    try:
        result = perform(json.loads(line))
    except anthropic.AnthropicError as error:
        cause = repr(error.__cause__) if error.__cause__ else ""
        status = getattr(error, "status_code", None)
        result = {"error": type(error).__name__, "status": status, "message": f"{error} {cause}"}
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()
