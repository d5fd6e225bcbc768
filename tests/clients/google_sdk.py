"""The google-genai SDK for Python as the tests drive it: one call for each line of JSON on stdin, one line back.

A line: {"base_url", "api_key", "env", "style": sync|async, "method": generate|stream|embed|count, "call": {...}}.
The answer: {"objects": [...]}, as the SDK made them, or {"error", "status", "message"}.
It imports nothing of ours (.venv-clients).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

from google import genai
from google.genai import errors
from pydantic import BaseModel


class Sum(BaseModel):
    """What a `parse` call asks for."""

    left: int
    right: int
    total: int


def sync(models, method, call):
    """Make the call with the blocking client."""
    match method:
        case "generate":
            return [models.generate_content(**call)]
        case "parse":
            wanted = {"response_mime_type": "application/json", "response_schema": Sum}
            return [models.generate_content(config=wanted, **call)]
        case "stream":
            return list(models.generate_content_stream(**call))
        case "embed":
            return [models.embed_content(**call)]
        case "count":
            return [models.count_tokens(**call)]


async def awaited(client, method, call):
    """Make the call with the asynchronous client, and close it in the same loop."""
    async with client.aio as aio:
        match method:
            case "generate":
                return [await aio.models.generate_content(**call)]
            case "stream":
                return [chunk async for chunk in await aio.models.generate_content_stream(**call)]
            case "embed":
                return [await aio.models.embed_content(**call)]
            case "count":
                return [await aio.models.count_tokens(**call)]


def perform(order):
    """Do what one line asks for."""
    for name, value in order.get("env", {}).items():
        os.environ[name] = value
        if not value:
            del os.environ[name]
    client = genai.Client(api_key=order["api_key"], http_options={"base_url": order["base_url"]})
    if order["style"] == "async":
        objects = asyncio.run(awaited(client, order["method"], order["call"]))
    else:
        objects = sync(client.models, order["method"], order["call"])
    return {"objects": [one.model_dump(mode="json", exclude={"sdk_http_response"}) for one in objects]}


for line in sys.stdin:
    try:
        result = perform(json.loads(line))
    except errors.APIError as error:
        result = {"error": type(error).__name__, "status": error.code, "message": error.message}
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()
