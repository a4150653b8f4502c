"""Benchmarks against named baselines: `python -m benchmarks`."""
