"""The parts of `scripts/bench.py`: a fast provider, a load, the proxies that are compared, the tables."""
