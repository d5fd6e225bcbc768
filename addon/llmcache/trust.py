"""What a client needs that does not trust the proxy's certificate: the remedy of each, and what to say of it once.

It knows what clients call themselves and what they read, not how they are connected.
Entry points: `Distrust`, and `REMEDIES` for those who test clients beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Remedy:
    """How one kind of client learns to trust a certificate."""

    client: str
    agents: tuple[str, ...]
    """How its `User-Agent` begins, lower case; it stands in a `CONNECT` request already."""
    words: str
    """What to do; `{ca}` is the certificate's file, `{bundle}` one with the system's authorities as well."""


@dataclass(slots=True)
class Distrust:
    """Words on clients that refuse the certificate: once for each client and host, however often it tries."""

    _told: set[tuple[str, str, str]] = field(default_factory=set)
    _left: set[tuple[str, str, str]] = field(default_factory=set)
    """Who only went away in the middle of the handshake: some clients refuse like that, some are just gone."""

    def words(self, client: str, agent: str, host: str, error: str, ca: str) -> str:
        """Return what to log, or nothing. *client*: its address; *agent*: its `User-Agent`, if it has said one."""
        who = (client, agent, host)
        if who in self._told or not self._refused(who, error):
            return ""
        if len(self._told) >= REMEMBERED:
            self._told.clear()
        self._told.add(who)
        named = f"{agent} at {client}" if agent else f"a client at {client}"
        return f"{named} does not trust the proxy's certificate for {host}; {remedy(agent, ca)}"

    def _refused(self, who: tuple[str, str, str], error: str) -> bool:
        """Whether the handshake failed for want of trust: by the client's word, or for the second time without one."""
        if any(word in error for word in REFUSALS):
            return True
        if not any(word in error for word in FAREWELLS):
            return False
        if len(self._left) >= REMEMBERED:
            self._left.clear()
        known = who in self._left
        self._left.add(who)
        return known


def remedy(agent: str, ca: str) -> str:
    """Return what the client that calls itself *agent* needs; all there is for one that nobody knows."""
    bundle = f"FILE (the system's authorities and {ca})"
    for each in REMEDIES:
        if agent and agent.lower().startswith(each.agents):
            return f"{each.client}: {each.words.format(ca=ca, bundle=bundle)}"
    words = "; ".join(f"{each.client}: {each.words.format(ca=ca, bundle='FILE')}" for each in REMEDIES)
    return f"{words} (FILE: the system's authorities and {ca}; `aicache run` sets all these, `aicache doctor` tests)"


REMEMBERED = 1000
"""How many clients and hosts are remembered at the most; then what was said may be said again."""
REFUSALS = ("unknown ca", "bad certificate", "certificate unknown")
"""What TLS alerts say of a certificate that is not trusted (RFC 8446 section 6.2), in OpenSSL's words."""
FAREWELLS = ("client disconnected during the handshake", "connection closed")
"""mitmproxy's words for a client that went away."""
REMEDIES = (
    Remedy("curl", ("curl/",), "CURL_CA_BUNDLE={bundle}"),
    Remedy("Python requests, boto3", ("python-requests/", "boto"), "REQUESTS_CA_BUNDLE and AWS_CA_BUNDLE={bundle}"),
    Remedy("Python httpx, openai, anthropic, aiohttp", ("python", "openai/", "anthropic/"), "SSL_CERT_FILE={bundle}"),
    Remedy("Node", ("node", "undici"), "NODE_EXTRA_CA_CERTS={ca}"),
    Remedy("Go", ("go-http-client/",), "SSL_CERT_FILE={bundle}"),
    Remedy("Ruby", ("ruby", "faraday"), "SSL_CERT_FILE={bundle}"),
    Remedy(
        "Java",
        ("java",),
        "keytool -importcert -noprompt -alias aicache -file {ca} -keystore aicache.p12 -storepass changeit, then "
        "JAVA_TOOL_OPTIONS='-Djavax.net.ssl.trustStore=aicache.p12 -Djavax.net.ssl.trustStorePassword=changeit'",
    ),
)
