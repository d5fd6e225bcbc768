"""The engine of aicache; it never imports mitmproxy and would work behind any proxy.

From the top: `build` makes an `engine` of a `config`; the engine looks calls up and hands replies to the `recorder`;
`wire` holds the providers' dialects, `stores` the places where entries live; `chat` has the nouns that all of them use.
Imports point down only, and `tests/test_layers.py` keeps it so.
"""
