"""The parts of `scripts/bench_semantic.py`: data, vectors, replay of a stream, pairs, tables."""
