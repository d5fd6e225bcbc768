"""What hits saved in money: only where somebody knows the price."""

from __future__ import annotations

import subprocess
import sys

import pytest
from llmcache.chat import Usage
from llmcache.prices import cost
from support.proxy import ROOT

MILLION = Usage(1_000_000, 1_000_000)


@pytest.mark.parametrize(
    ("model", "host"),
    [
        ("gpt-4o-mini", "api.openai.com"),
        ("gpt-4o-mini-2024-07-18", "api.openai.com"),
        ("gpt-4o-mini", "llm.gateway.example"),
    ],
    ids=["name", "dated", "gateway"],
)
def test_a_known_model_has_its_list_price(model: str, host: str):
    """gpt-4o-mini costs 0.15 dollars a million in and 0.60 out, at its maker or behind a gateway."""
    assert cost(MILLION, model, host) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("model", "host"),
    [
        ("no-such-model", "api.openai.com"),
        ("", "api.openai.com"),
        ("gpt-4o-mini", "127.0.0.1"),
        ("gpt-4o-mini", "::1"),
        ("gpt-4o-mini", "localhost"),
        ("gpt-4o-mini", "10.1.2.3"),
        ("gpt-4o-mini", "vllm.internal"),
    ],
)
def test_what_nobody_knows_has_no_price(model: str, host: str):
    """An unknown model has none, nor has one's own machine, whatever its model is called."""
    assert cost(MILLION, model, host) is None


def test_tokens_from_the_providers_own_cache_are_cheaper():
    """Cached input is part of the input and has its own price."""
    assert cost(Usage(1_000_000, 0, 1_000_000), "gpt-4o-mini", "api.openai.com") == pytest.approx(0.075)


@pytest.mark.parametrize("usage", [Usage(), Usage(1, 1, 5)], ids=["nothing", "contradiction"])
def test_odd_counts_raise_nothing(usage: Usage):
    """Counts come from providers, and are what they are."""
    assert cost(usage, "gpt-4o-mini", "api.openai.com") in (None, pytest.approx(0, abs=1e-5))


def test_without_the_package_nothing_has_a_price_and_import_is_late():
    """A missing package is no error, and it is not imported before somebody asks."""
    code = (
        "import sys; import llmcache.prices as prices; from llmcache.chat import Usage\n"
        "assert 'genai_prices' not in sys.modules\n"
        "sys.modules['genai_prices'] = None\n"
        "assert prices.cost(Usage(1, 1), 'gpt-4o-mini', 'api.openai.com') is None"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT / "addon", timeout=60)
