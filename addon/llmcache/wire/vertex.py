"""How Vertex AI is asked for another vendor's model: the model in the path, two verbs, and the vendor's own body.

It knows paths only; what stands in the body is the vendor's dialect. Entry points: `is_raw`, `model`, `plain`.
Source: Google Cloud, "Use partner models", methods rawPredict and streamRawPredict.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import unquote

STREAMED, WHOLE = ":streamRawPredict", ":rawPredict"
"""The two verbs. They are answered alike: the body says whether the answer is a stream."""


def is_raw(path: str, publishers: Collection[str]) -> bool:
    """Whether *path* asks for a model of one of *publishers* in the vendor's own form."""
    found = _MODEL.search(path) if path.endswith((WHOLE, STREAMED)) else None
    return found is not None and found["publisher"] in publishers


def model(path: str) -> str:
    """Return the model that *path* names, empty where it names none."""
    found = _MODEL.search(path)
    return unquote(found["model"]) if found else ""


def plain(path: str) -> str:
    """Return *path* with the one verb that stands for both."""
    return path.removesuffix(STREAMED) + WHOLE if path.endswith(STREAMED) else path


_MODEL = re.compile(r"/publishers/(?P<publisher>[^/]+)/models/(?P<model>[^/]+):\w+$")
