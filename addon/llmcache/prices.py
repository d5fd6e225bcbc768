"""What tokens cost, by the price list inside the genai-prices package: offline, and never updated from the network.

It knows models and hosts, not calls. The package is imported at the first question, because that takes 0.3 s and
only a summary asks; where it is missing, nothing has a price. Entry point: `cost`.
"""

from __future__ import annotations

import contextlib
import ipaddress

from .chat import Usage


def cost(usage: Usage, model: str, host: str) -> float | None:
    """Return what *usage* costs in US dollars, or None when nobody knows.

    *host* finds the provider. Of a host that the list does not have, such as a company's gateway, the price is that of
    the model's maker; a model on this machine or in a private network has none.
    """
    try:
        from genai_prices import Usage as Tokens  # noqa: PLC0415 - see the module's docstring
        from genai_prices import calc_price  # noqa: PLC0415 - see the module's docstring
    except ImportError:
        return None
    tokens = Tokens(input_tokens=usage.input, output_tokens=usage.output, cache_read_tokens=usage.cached or None)
    for where in _providers(host):
        # LookupError: not in the list. ValueError: counts that contradict each other, such as more cached than read.
        with contextlib.suppress(LookupError, ValueError):
            return float(calc_price(tokens, model, provider_api_url=where).total_price)
    return None


def _providers(host: str) -> list[str | None]:
    """Return the addresses to look under, best first; None leaves it to the model's name."""
    return [] if not model_has_maker(host) else [f"https://{host}", None]


def model_has_maker(host: str) -> bool:
    """Whether a model at *host* is likely to be paid for, and not one's own machine's."""
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return False
    try:
        return ipaddress.ip_address(host.strip("[]")).is_global
    except ValueError:
        return True
