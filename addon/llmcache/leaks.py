"""Secrets in what is about to be written: keys of known shape, and the values of the environment's own secrets.

A shape is a prefix that a provider gives its keys, or a structure that is checked (a token's header is decoded); never
mere randomness, so that ids of calls, hashes and signatures are not taken for secrets.
It knows text and JSON values, not entries; what it says of a find never holds the secret. Entry point: `Scanner`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Find:
    """A secret in a text."""

    kind: str
    """Whose it is, such as `OpenAI key` or `value of OPENAI_API_KEY`."""
    start: int
    end: int


class Scanner:
    """Looks for keys of known shape and for the secrets among the variables of *environment*.

    *allowed*: names of variables, and of kinds such as `JSON web token`, that are not looked for.
    """

    def __init__(self, environment: Mapping[str, str], allowed: Collection[str] = ()) -> None:
        self._values: dict[str, str] = {}
        self._allowed = frozenset(allowed)
        for name, value in environment.items():
            if name not in self._allowed and name.upper().endswith(NAMES) and telling(value):
                for spelled in (value, quote(value, safe=""), json.dumps(value)[1:-1]):
                    self._values.setdefault(spelled, f"value of {name}")
        found = "|".join(map(re.escape, sorted(self._values, key=len, reverse=True)))
        self._own = re.compile(found) if found else None

    def __repr__(self) -> str:
        return f"<Scanner of {len(KINDS)} shapes and {len(set(self._values.values()))} variables>"

    def finds(self, text: str) -> list[Find]:
        """Return the secrets in *text*, from left to right, none inside another."""
        own = self._own.finditer(text) if self._own else ()
        found = [Find(self._values[each.group()], each.start(), each.end()) for each in own]
        for each in _SHAPES.finditer(text):
            kind = str(each.lastgroup)
            if KINDS[kind][0] in self._allowed:
                continue
            if kind not in CHECKS or CHECKS[kind](each.group()):
                found.append(Find(KINDS[kind][0], each.start(), each.end()))
        found.sort(key=lambda find: (find.start, -find.end))
        kept: list[Find] = []
        for find in found:
            if not kept or find.start >= kept[-1].end:
                kept.append(find)
        return kept

    def masked(self, text: str) -> str:
        """Return *text* with a placeholder for each secret."""
        parts, at = [], 0
        for find in self.finds(text):
            parts += [text[at : find.start], placeholder(find)]
            at = find.end
        return "".join([*parts, text[at:]])

    def inside(self, value: Any, path: Path = ()) -> Iterator[tuple[Path, Find]]:
        """Yield (path, find) for each secret in the texts and names of the JSON *value*."""
        match value:
            case str():
                for find in self.finds(value):
                    yield path, find
            case dict():
                for number, (name, each) in enumerate(value.items()):
                    hidden = self.finds(name)
                    yield from (((*path, f"name {number + 1}"), find) for find in hidden)
                    yield from self.inside(each, (*path, f"name {number + 1}" if hidden else name))
            case list():
                for at, each in enumerate(value):
                    yield from self.inside(each, (*path, at))


def placeholder(find: Find) -> str:
    """Return what stands for a secret that was taken out."""
    return f"<{find.kind}>"


def telling(value: str) -> bool:
    """Whether the *value* of a variable is worth looking for: long enough, no path, and not only words."""
    if len(value) < SHORTEST or _PATH.match(value) or "\n" in value.strip():
        return False
    words = [word for word in re.split(r"[^a-z0-9]+|(?<=[a-z])(?=[0-9])|(?<=[0-9])(?=[a-z])", value.lower()) if word]
    return not all(word in TRIVIAL or word.isdigit() or set(word) <= {"x"} for word in words)


def _is_token(text: str) -> bool:
    """Whether the first part of a JWT says by which algorithm it is signed (RFC 7519)."""
    head = text.partition(".")[0]
    try:
        value = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except ValueError:
        return False
    return isinstance(value, dict) and ("alg" in value or "enc" in value)


def _is_random(text: str) -> bool:
    """Whether a key has digits and letters mixed as no words have them."""
    tail = text[4:]
    return len(re.findall(r"[0-9]", tail)) >= DIGITS and len(set(tail)) >= DIFFERENT and "..." not in text


SHORTEST = 8
DIGITS = 2
DIFFERENT = 8
NAMES = ("_KEY", "_TOKEN", "_SECRET", "_PASSWORD", "APIKEY")
"""How the names of variables end whose values are secret."""
TRIVIAL = frozenset(
    {"test", "testing", "tests", "dummy", "fake", "mock", "key", "keys", "api", "apikey", "token", "secret", "password"}
    | {"example", "placeholder", "none", "null", "your", "my", "changeme", "change", "me", "unused", "not", "needed"}
    | {"required", "here", "the", "a", "for", "replay", "recording", "aicache", "local", "localhost", "development"}
    | {"disabled", "enabled", "default", "true", "false", "sk", "openai", "anthropic", "foo", "bar", "proj", "ollama"}
)
"""Words of which the values of variables are made that keep no secret."""
_PATH = re.compile(r"[~./]|[A-Za-z]:[\\/]|https?://")

_EDGE = r"(?<![A-Za-z0-9_+/=-])"
"""Not in the middle of base64 or an id, where any prefix may come by chance."""
KINDS = {
    "anthropic": ("Anthropic key", r"sk-ant-[A-Za-z0-9_-]{20,}"),
    "openrouter": ("OpenRouter key", r"sk-or-v1-[0-9a-f]{32,}"),
    "openai": ("OpenAI key", r"sk-[A-Za-z0-9_-]{20,}"),
    "stripe": ("Stripe key", r"[sr]k_live_[A-Za-z0-9]{16,}"),
    "google": ("Google key", r"AIza[0-9A-Za-z_-]{35}"),
    "google_token": ("Google token", r"ya29\.[\w-]{30,}|GOCSPX-[\w-]{28}"),
    "huggingface": ("Hugging Face token", r"hf_[A-Za-z0-9]{30,}"),
    "groq": ("Groq key", r"gsk_[A-Za-z0-9]{40,}"),
    "xai": ("xAI key", r"xai-[A-Za-z0-9]{40,}"),
    "replicate": ("Replicate token", r"r8_[A-Za-z0-9]{37,}"),
    "perplexity": ("Perplexity key", r"pplx-[A-Za-z0-9]{40,}"),
    "nvidia": ("NVIDIA key", r"nvapi-[\w-]{40,}"),
    "cerebras": ("Cerebras key", r"csk-[a-z0-9]{40,}"),
    "fireworks": ("Fireworks key", r"fw_[A-Za-z0-9]{22,}"),
    "together": ("Together key", r"tgp_v1_[\w-]{30,}"),
    "voyage": ("Voyage key", r"pa-[A-Za-z0-9_-]{40,}"),
    "tavily": ("Tavily key", r"tvly-[A-Za-z0-9-]{28,}"),
    "langsmith": ("LangSmith key", r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}"),
    "langfuse": ("Langfuse key", r"[sp]k-lf-[0-9a-f-]{36}"),
    "aws": ("AWS access key", r"(?<!Credential=)(?<!AccessKeyId=)(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Za-z0-9+/=_-])"),
    "bedrock": ("Bedrock key", r"ABSK[A-Za-z0-9+/]{90,}={0,2}"),
    "azure": ("Azure key", r"[A-Za-z0-9]{48,56}JQQJ99[A-Za-z0-9]{20,32}"),
    "azure_storage": ("Azure storage key", r"AccountKey=[A-Za-z0-9+/]{86}=="),
    "github": ("GitHub token", r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,}"),
    "gitlab": ("GitLab token", r"glpat-[\w-]{20,}"),
    "slack": ("Slack token", r"xox[abeoprs]-[\w-]{10,}|xapp-\d-[\w-]{20,}"),
    "npm": ("npm token", r"npm_[A-Za-z0-9]{36}"),
    "pypi": ("PyPI token", r"pypi-AgE[\w-]{50,}"),
    "sendgrid": ("SendGrid key", r"SG\.[\w-]{22}\.[\w-]{43}"),
    "token": ("JSON web token", r"eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}"),
    "pem": (
        "private key",
        r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----[^-]*(?:-----END [A-Z0-9 ]+-----)?",
    ),
    "bearer": ("bearer token", r"[Bb]earer +[A-Za-z0-9._~+/-]{20,}=*"),
}
"""For each shape: whose keys have it, and a regular expression."""
CHECKS = {
    "token": _is_token,
    **dict.fromkeys(("anthropic", "openai", "voyage", "bearer", "slack", "fireworks", "nvidia"), _is_random),
}
"""What else must be so."""
_SHAPES = re.compile(_EDGE + "(?:" + "|".join(f"(?P<{name}>{shape})" for name, (_, shape) in KINDS.items()) + ")")
