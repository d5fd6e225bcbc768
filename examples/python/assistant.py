"""The program under test: it knows nothing of aicache."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator

from openai import OpenAI

MODEL = "gpt-4o-mini"


def capital(country: str) -> str:
    """Return the capital of *country*."""
    question = f"What is the capital of {country}? Answer in one word."
    answer = OpenAI().chat.completions.create(model=MODEL, messages=[{"role": "user", "content": question}])
    return answer.choices[0].message.content or ""


def story(topic: str) -> Iterator[str]:
    """Yield a story on *topic* as it is written."""
    question = f"Tell a story about {topic} in one sentence."
    chunks = OpenAI().chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": question}], stream=True
    )
    for chunk in chunks:
        if chunk.choices and chunk.choices[0].delta.content:
            yield chunk.choices[0].delta.content


def mood(review: str) -> str:
    """Return what *review* feels like; the prompt has today's date in it."""
    answer = OpenAI().chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "system", "content": f"Today is {dt.datetime.now(dt.UTC).date()}. Answer in JSON with `mood`."},
            {"role": "user", "content": review},
        ],
        response_format={"type": "json_object"},
    )
    return str(json.loads(answer.choices[0].message.content or "{}")["mood"])


def wait_until_done(job: str, most: int = 5) -> int:
    """Ask whether *job* is done until it is; return how often."""
    for tries in range(1, most + 1):
        question = f"Is the job {job} done? Answer yes or no."
        answer = OpenAI().chat.completions.create(model=MODEL, messages=[{"role": "user", "content": question}])
        if answer.choices[0].message.content == "yes":
            return tries
    raise TimeoutError(job)
