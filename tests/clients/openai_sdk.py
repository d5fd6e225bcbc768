"""The openai SDK for Python as the tests drive it: one call for each line of JSON on stdin, one line of JSON back.

A line: {"base_url", "api_key", "env", "style": sync|async, "method": create|parse|stream or a resource, "call": {...}}.
The answer: {"objects": [...]}, as the SDK made them, or {"error", "status", "message"}.
Runs in an environment of its own (.venv-clients): it imports nothing of ours, and the SDK cannot live beside mitmproxy.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

import openai
from pydantic import BaseModel


class Sum(BaseModel):
    """What a `parse` call asks for."""

    left: int
    right: int
    total: int


def listed(made):
    """Return what a call made as a list: the events of a stream, or one object."""
    return list(made) if isinstance(made, openai.Stream) else [made]


def sync(client, method, call):
    """Make the call with the blocking client."""
    match method, call.get("stream"):
        case "create", True:
            return list(client.chat.completions.create(**call))
        case "create", _:
            return [client.chat.completions.create(**call)]
        case "parse", _:
            return [client.chat.completions.parse(response_format=Sum, **call)]
        case "stream", _:
            with client.chat.completions.stream(**call) as events:
                return [events.get_final_completion()]
        case "responses.stream", _:
            with client.responses.stream(**call) as events:
                return [*events, events.get_final_response()]
        case "audio.transcriptions", _:
            return listed(client.audio.transcriptions.create(**call, file=("a.wav", b"RIFF\0\xff", "audio/wav")))
        case "audio.speech", _:
            return [client.audio.speech.create(**call).content.hex()]
        case name, _:  # such as "responses" or "embeddings"
            return listed(getattr(client, name).create(**call))


async def awaited(client, method, call):
    """Make the call with the asynchronous client."""
    match method, call.get("stream"):
        case "create", True:
            return [chunk async for chunk in await client.chat.completions.create(**call)]
        case "create", _:
            return [await client.chat.completions.create(**call)]
        case "parse", _:
            return [await client.chat.completions.parse(response_format=Sum, **call)]
        case "stream", _:
            async with client.chat.completions.stream(**call) as events:
                return [await events.get_final_completion()]
        case "responses.stream", _:
            async with client.responses.stream(**call) as events:
                return [*[event async for event in events], await events.get_final_response()]
        case name, True:
            return [event async for event in await getattr(client, name).create(**call)]
        case name, _:
            return [await getattr(client, name).create(**call)]


async def closed(client, method, call):
    """Make the call and close the client in the same loop."""
    async with client:
        return await awaited(client, method, call)


def perform(order):
    """Do what one line asks for."""
    for name, value in order.get("env", {}).items():
        os.environ[name] = value
        if not value:
            del os.environ[name]
    options = {"base_url": order["base_url"], "api_key": order["api_key"]}
    if order["style"] == "async":
        objects = asyncio.run(closed(openai.AsyncOpenAI(**options), order["method"], order["call"]))
    else:
        with openai.OpenAI(**options) as client:
            objects = sync(client, order["method"], order["call"])
    return {"objects": [shown(one) for one in objects]}


def shown(one):
    """Return what the SDK made: a model by its class and members, or a bare text."""
    members = {"text": one} if isinstance(one, str) else one.model_dump()
    return {"class": type(one).__name__.partition("[")[0], **members}


for line in sys.stdin:
    try:
        result = perform(json.loads(line))
    except openai.OpenAIError as error:
        status = getattr(error, "status_code", None)
        cause = repr(error.__cause__) if error.__cause__ else ""
        result = {"error": type(error).__name__, "status": status, "message": f"{error} {cause}"}
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()
