"""What this machine gives aicache: Python, configuration, certificate, ports, clock.

Each check looks and changes nothing. Entry points: `configuration`, `machine`.
"""

from __future__ import annotations

import datetime as dt
import socket
import stat
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from llmcache import config

from . import ROOT
from ._check import FAILED, OK, WARNING, Check

PORTS = {8080: "aicache serve --port N", 8081: "aicache serve --base-url openai@N"}
"""The ports of `aicache serve`, and how to choose others."""

SOON = dt.timedelta(days=30)
"""When a certificate that ends is worth a word."""

BORN = 2025
"""No clock of today is before this year."""


def configuration(path: str, overrides: dict[str, str]) -> tuple[config.Config | None, list[Check]]:
    """Return the settings, None if they are wrong, and a check for each problem and each warning."""
    shipped = ROOT / "config.yaml"
    path = path or (str(shipped) if shipped.exists() else "")
    shown = path or "defaults"
    try:
        settings = config.load(path or None, overrides)
    except config.ConfigError as error:
        return None, [Check("configuration", FAILED, problem, "repair the setting") for problem in error.problems]
    checks = [Check("configuration", WARNING, warning) for warning in settings.warnings]
    what = f"{shown}: mode {settings.mode}, store {settings.cache.type}"
    return settings, [Check("configuration", OK, what), *checks]


def machine(confdir: Path) -> Iterator[Check]:
    """Yield what does not depend on the settings; *confdir* is where the certificate is."""
    versions = f"Python {sys.version.split()[0]}, mitmproxy {version('mitmproxy')}"
    yield Check("environment", OK, f"{versions} in {sys.prefix}")
    yield from certificate(confdir)
    yield from (port(number, remedy) for number, remedy in PORTS.items())
    yield _clock()


def certificate(confdir: Path) -> Iterator[Check]:
    """Yield what is to say of the certificate in *confdir*: its dates, and who may read its key."""
    from cryptography import x509  # noqa: PLC0415 - comes with mitmproxy, and only this check needs it

    path, secret = confdir / "mitmproxy-ca-cert.pem", confdir / "mitmproxy-ca.pem"
    if not path.exists():
        yield Check("certificate", OK, f"{path} is not there yet; the proxy makes it when it first starts")
        return
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        yield Check("certificate", FAILED, f"{path} cannot be read: {error}", f"rm {secret} {path}, and start again")
        return
    end, now = certificate.not_valid_after_utc, dt.datetime.now(dt.UTC)
    if now > end or now < certificate.not_valid_before_utc:
        found = f"{path} is valid from {certificate.not_valid_before_utc:%Y-%m-%d} to {end:%Y-%m-%d}, and today is not"
        yield Check("certificate", FAILED, found, f"set the clock, or rm {secret} {path} and trust the one made anew")
    elif end - now < SOON:
        yield Check("certificate", WARNING, f"{path} ends on {end:%Y-%m-%d}", f"rm {secret} {path}, and trust the new")
    else:
        yield Check("certificate", OK, f"{path}, until {end:%Y-%m-%d}", install(path))
    if secret.exists() and secret.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Check("certificate", FAILED, f"{secret} is its key, and others may read it", f"chmod 600 {secret}")


def install(path: Path) -> str:
    """Return how the whole system learns to trust the certificate, which nobody has to do."""
    if sys.platform == "darwin":
        add = f"sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain {path}"
    elif Path("/etc/pki/ca-trust").exists():
        add = f"sudo cp {path} /etc/pki/ca-trust/source/anchors/aicache.pem && sudo update-ca-trust"
    else:
        add = f"sudo cp {path} /usr/local/share/ca-certificates/aicache.crt && sudo update-ca-certificates"
    return f"optional, for all programs that use the system's authorities: {add}"


def port(number: int, remedy: str) -> Check:
    """Return whether the proxy could listen on the port; *remedy*: how to choose another."""
    what = f"port {number}"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the proxy does
        try:
            probe.bind(("127.0.0.1", number))
        except OSError as error:
            return Check(what, WARNING, f"cannot be used: {error.strerror}; `aicache run` needs no fixed port", remedy)
    return Check(what, OK, "free")


def _clock() -> Check:
    now = dt.datetime.now(dt.UTC)
    if now.year < BORN:
        found = f"it is {now:%Y-%m-%d} by this machine: certificates and times of entries will be wrong"
        return Check("clock", FAILED, found, "set the clock")
    return Check("clock", OK, f"{now:%Y-%m-%d %H:%M:%S} UTC")


def confdir(sets: Sequence[str], default: str) -> Path:
    """Return where the certificate is: what `--set confdir=DIR` says, else *default*."""
    given = [text.partition("=")[2] for text in sets if text.startswith("confdir=")]
    return Path(given[-1] if given else default).expanduser()
