"""Which key a provider gets when a recorded call is asked again: that of the variable its own SDK reads.

A key goes to the hosts of its provider and nowhere else; to every other host a call goes as the client wrote it, unless
the user names a variable for it. Entry point: `signed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from llmcache.chat import Headers, Request
from llmcache.scope import CREDENTIAL_HEADERS, CREDENTIAL_QUERY

from ._client import DUMMY_KEY


class Keyless(Exception):  # noqa: N818 - what is the case
    """There is no key for the call; the message says which variable would hold it."""


def signed(request: Request, env: Mapping[str, str], own: Mapping[str, str]) -> tuple[str, Headers]:
    """Return the URL and the headers of *request* with the key for its host. Raises `Keyless`.

    *own*: globs on hosts and the variables that the user named for them.
    """
    globs = {glob: (name,) for glob, name in own.items()} | {glob: KEYS[glob] for glob in KEYS if glob not in own}
    names = next((found for glob, found in globs.items() if fnmatchcase(request.host, glob)), ())
    value = next((env[name] for name in names if env.get(name)), "")
    if not value and (names or DUMMY_KEY in "".join(text for _, text in request.headers)):
        raise Keyless(f"no key for {request.host}: set {' or '.join(names) or 'its variable by --key HOST=VARIABLE'}")
    if not value:
        return _url(request, request.query), sent(request.headers)
    kept = tuple(
        (name, text)
        for name, text in sent(request.headers)
        if name not in CREDENTIAL_HEADERS and not name.startswith(("authorization", "x-amz-"))
    )
    query = "&".join(
        part for part in request.query.split("&") if part.partition("=")[0].lower() not in CREDENTIAL_QUERY
    )
    header = next((found for glob, found in HEADERS.items() if fnmatchcase(request.host, glob)), _like(request))
    return _url(request, query), (*kept, (header, f"Bearer {value}" if header == "authorization" else value))


def sent(headers: Headers) -> Headers:
    """Return the headers that go out again: not those of the connection, the coding, or of a browser's session."""
    return tuple((name, text) for name, text in headers if name not in LEFT_OUT)


def _like(request: Request) -> str:
    """Return the header in which the client itself put a key."""
    names = [name for name, _ in request.headers]
    return next((name for name in ("authorization", "x-api-key", "api-key") if name in names), "authorization")


def _url(request: Request, query: str) -> str:
    usual = {"http": 80, "https": 443}[request.scheme] == request.port
    host = f"[{request.host}]" if ":" in request.host else request.host
    return f"{request.scheme}://{host}{'' if usual else f':{request.port}'}{request.path}{'?' * bool(query)}{query}"


KEYS = {
    "api.openai.com": ("OPENAI_API_KEY",),
    "*.openai.azure.com": ("AZURE_OPENAI_API_KEY",),
    "api.anthropic.com": ("ANTHROPIC_API_KEY",),
    "generativelanguage.googleapis.com": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "bedrock-runtime.*.amazonaws.com": ("AWS_BEARER_TOKEN_BEDROCK",),
    "dashscope*.aliyuncs.com": ("DASHSCOPE_API_KEY",),
    "api.cohere.com": ("CO_API_KEY", "COHERE_API_KEY"),
    "api.deepseek.com": ("DEEPSEEK_API_KEY",),
    "api.groq.com": ("GROQ_API_KEY",),
    "api.mistral.ai": ("MISTRAL_API_KEY",),
    "api.together.xyz": ("TOGETHER_API_KEY",),
    "api.x.ai": ("XAI_API_KEY",),
    "openrouter.ai": ("OPENROUTER_API_KEY",),
    "router.huggingface.co": ("HF_TOKEN",),
}
"""Glob on the host -> the variables that the provider's SDK reads, in its order."""
HEADERS = {
    "*.openai.azure.com": "api-key",
    "api.anthropic.com": "x-api-key",
    "generativelanguage.googleapis.com": "x-goog-api-key",
}
"""Where the key goes that is no bearer's."""
LEFT_OUT = frozenset(
    {"host", "connection", "proxy-connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
    | {"content-length", "content-encoding", "accept-encoding", "expect", "cookie", "proxy-authorization"}
)
