"""xfyun (iFLYTEK Spark): what its embedding service is sent and answers, and how an address is signed for it.

Texts and vectors travel as base64 inside of JSON, and the key as a signature in the address that is good for minutes.
Nothing here talks to anyone. Entry points: `body`, `vectors`, `sign`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Sequence
from email.utils import formatdate
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np
import orjson

from ..chat import BackendError
from ..embedding import Embedding


def body(embedding: Embedding, texts: Sequence[str]) -> dict[str, Any]:
    """Return the request for the one text of *texts*."""
    (text,) = texts
    messages = orjson.dumps({"messages": [{"content": text, "role": "user"}]})
    return {
        "header": {"app_id": embedding.app_id, "status": 3},
        "parameter": {"emb": {"domain": "query", "feature": {"encoding": "utf8"}}},
        "payload": {"messages": {"text": base64.b64encode(messages).decode()}},
    }


def vectors(answer: Any) -> Any:
    """Return the one vector: little-endian float32. Raises `BackendError` for an error code."""
    if answer["header"]["code"] != 0:
        code = int(answer["header"]["code"])
        raise BackendError(f"answered the code {code}: check `embedding.appId`, `apiKey`, `apiSecret` and the quota")
    return [np.frombuffer(base64.b64decode(answer["payload"]["feature"]["text"], validate=True), "<f4")]


def sign(embedding: Embedding, url: str, now: float | None = None) -> str:
    """Return *url* with the signature for a POST at *now* (seconds since 1970)."""
    parts = urlsplit(url)
    date = formatdate(time.time() if now is None else now, usegmt=True)
    lines = f"host: {parts.netloc}\ndate: {date}\nPOST {parts.path or '/'} HTTP/1.1"
    digest = hmac.digest(embedding.api_secret.encode(), lines.encode(), hashlib.sha256)
    says = (
        f'api_key="{embedding.api_key}", algorithm="hmac-sha256", headers="host date request-line", '
        f'signature="{base64.b64encode(digest).decode()}"'
    )
    query = {"authorization": base64.b64encode(says.encode()).decode(), "date": date, "host": parts.netloc}
    return f"{url}?{urlencode(query)}"
