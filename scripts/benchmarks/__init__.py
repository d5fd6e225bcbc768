"""The parts of `scripts/bench.py`: a fast provider, a load, the proxies that are compared, the tables.

A part is a function of what is wanted, a `tables.Wanted`; to add one, write it and name it in `PARTS`.
"""

from .concurrency import crowd, flights
from .dialects import dialects
from .in_process import cassettes, large_prompt, many_entries
from .neighbors import indexes
from .shared_redis import redis, workers
from .tables import Part
from .through_proxies import first_byte, hits, memory, misses

PARTS: dict[str, Part] = {
    "hits": hits,
    "misses": misses,
    "first-byte": first_byte,
    "memory": memory,
    "large-prompt": large_prompt,
    "many-entries": many_entries,
    "redis": redis,
    "flights": flights,
    "crowd": crowd,
    "workers": workers,
    "indexes": indexes,
    "dialects": dialects,
    "cassettes": cassettes,
}
"""Name of a part -> what measures and prints it, in the order in which they run."""
