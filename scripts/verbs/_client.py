"""How a client is pointed at the proxy: base URLs, certificates, environment variables.

Pure but for `write_bundle`. It knows what clients read (measured or documented per client), not how a proxy is run.
Entry points: `base_url`, `write_bundle`, `environment`.
"""

from __future__ import annotations

import argparse
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

PROVIDERS = {
    "openai": "https://api.openai.com/v1",
    "dashscope": "https://dashscope.aliyuncs.com/compatible-mode/v1",
    "deepseek": "https://api.deepseek.com/v1",
    "groq": "https://api.groq.com/openai/v1",
    "mistral": "https://api.mistral.ai/v1",
    "ollama": "http://127.0.0.1:11434/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "together": "https://api.together.xyz/v1",
    "vllm": "http://127.0.0.1:8000/v1",
    "xai": "https://api.x.ai/v1",
}
"""The base URLs that have a name here: what one gives to an OpenAI client as `base_url`."""

BUNDLE_VARIABLES = (
    "SSL_CERT_FILE",  # OpenSSL, and with it httpx, aiohttp, Ruby, Go, Rust's native roots
    "REQUESTS_CA_BUNDLE",  # Python requests
    "CURL_CA_BUNDLE",  # curl
    "AWS_CA_BUNDLE",  # AWS command line and SDKs
    "GIT_SSL_CAINFO",  # git: its https goes through the proxy as well
    "PIP_CERT",  # pip, likewise
    "CARGO_HTTP_CAINFO",  # cargo, likewise
)
"""Variables that replace a client's trusted roots: they get the combined bundle, or other hosts would fail."""

EXTRA_VARIABLES = ("NODE_EXTRA_CA_CERTS", "DENO_CERT")
"""Variables that add to a client's trusted roots: they get the proxy's certificate alone."""

SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS, BSD
)

LOOPBACK = ("localhost", "127.0.0.1", "::1")

LANES = "AICACHE_LANES"
"""Tells the pytest plugin that it may put a lane into base URLs: our own one, or 1 where there is none."""

DUMMY_KEY = "aicache-replay"
"""Stands in for an API key that is not needed, because SDKs refuse to start without one."""


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """A provider as one gives it to a client, split where the proxy has to split it."""

    name: str
    """What the user called it."""
    origin: str
    """Scheme, host and port: where the proxy goes."""
    path: str
    """The path behind it, which the client has to keep sending."""
    port: int | None = None
    """The local port asked for."""

    def local(self, port: int, host: str = "127.0.0.1") -> str:
        """Return the base URL to give to the client."""
        return f"http://{bracketed(host)}:{port}{self.path}"


def base_url(text: str) -> BaseUrl:
    """Read `NAME`, `URL`, `NAME@PORT` or `URL@PORT`. Raises `argparse.ArgumentTypeError`."""
    what, at, port = text.rpartition("@")
    if not at:
        what, port = text, ""
    elif not (port.isascii() and port.isdecimal() and int(port) < 65_536):  # noqa: PLR2004 - ports have 16 bits
        raise argparse.ArgumentTypeError(f"{text!r}: behind the @ belongs a port (credentials in a URL cannot be used)")
    parts = urlsplit(PROVIDERS.get(what.lower(), what))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise argparse.ArgumentTypeError(f"{what!r} is neither an http(s) URL nor one of: {', '.join(PROVIDERS)}")
    # A bare origin most often means the OpenAI-compatible API there; a slash at the end says that no path is meant.
    path = (parts.path or "/v1").rstrip("/")
    return BaseUrl(what, f"{parts.scheme}://{parts.netloc}", path, int(port) if port else None)


def bracketed(host: str) -> str:
    """Return *host* as a URL wants it; an address that means every interface is reached on loopback."""
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - read, not bound
    return f"[{host}]" if ":" in host else host


def trusted(env: Mapping[str, str]) -> list[Path]:
    """Return the files of roots that a client trusts now: the user's own, else the system's, else certifi's."""
    own = [Path(env[name]) for name in BUNDLE_VARIABLES if env.get(name)]
    if found := list(dict.fromkeys(path for path in own if path.is_file())):
        return found
    default = ssl.get_default_verify_paths().cafile
    system = next((Path(path) for path in (default, *SYSTEM_BUNDLES) if path and Path(path).is_file()), None)
    return [system or _certifi()]


def _certifi() -> Path:
    import certifi  # noqa: PLC0415 - comes with mitmproxy, and only bare systems need it

    return Path(certifi.where())


def write_bundle(target: Path, files: list[Path]) -> Path:
    """Write the certificates of all *files* to *target*, whole or not at all; return it."""
    fresh = target.with_name(f".{target.name}.new")
    fresh.write_bytes(b"\n".join(path.read_bytes() for path in files))
    return fresh.replace(target)


@dataclass(frozen=True, slots=True)
class Way:
    """What a client has to know of a running proxy."""

    proxy: str
    """Its URL."""
    extra: Path
    """The certificates to add to a client's own roots."""
    bundle: Path
    """The certificates that replace a client's own roots."""
    base: str = ""
    """The base URL for OpenAI clients; empty leaves theirs."""
    localhost: bool = False
    """Whether calls to this machine go through the proxy too."""
    lanes: bool = False
    """Whether a lane at the front of a path is understood."""
    keyless: bool = False
    """Whether a key is needed only for SDKs to start."""


def environment(env: Mapping[str, str], way: Way) -> dict[str, str]:
    """Return the environment *env* changed so that the clients in it take *way*."""
    both = {"HTTP_PROXY": way.proxy, "HTTPS_PROXY": way.proxy, "NO_PROXY": no_proxy(env, localhost=way.localhost)}
    changed = {name: value for upper, value in both.items() for name in (upper, upper.lower())}
    changed |= dict.fromkeys(BUNDLE_VARIABLES, str(way.bundle)) | dict.fromkeys(EXTRA_VARIABLES, str(way.extra))
    changed["NODE_USE_ENV_PROXY"] = "1"  # Node reads proxy variables since 22.21 and 24, and only with this
    if way.base:
        changed |= {"OPENAI_BASE_URL": way.base, "OPENAI_API_BASE": way.base}
    if way.lanes:
        changed[LANES] = way.base or "1"
    if way.keyless:
        changed["OPENAI_API_KEY"] = DUMMY_KEY
    return {**env, **changed}


def no_proxy(env: Mapping[str, str], *, localhost: bool) -> str:
    """Return the hosts that bypass the proxy: the user's, and this machine unless *localhost*."""
    given = ",".join(env.get(name, "") for name in ("NO_PROXY", "no_proxy"))
    names = [name.strip() for name in given.split(",") if name.strip()]
    kept = [name for name in names if name not in LOOPBACK] if localhost else [*names, *LOOPBACK]
    return ",".join(dict.fromkeys(kept))
