"""The engine of aicache; it never imports mitmproxy and would work behind any proxy.

From the top: `build` makes an `engine` of a `config`. The engine looks calls up (`reading`), keeps identical ones
together (`crowd`, `flights`, `stage`), and hands replies to the `recorder`; `similar`, `nearby`, `lessons` answer near
questions with the models of `embed`, the vector stores of `index` and the judgment of `semantic`.
`wire` holds the providers' dialects, `stores` the places where entries live, recordings for git among them, `traffic`
what other tools have recorded; `chat` has the nouns that all of them use.
Imports point down only, and `tests/test_layers.py` keeps it so.
"""
