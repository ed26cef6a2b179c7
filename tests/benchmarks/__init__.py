"""Measurements of speed and memory; run them with `python -m tests.benchmarks.overhead` and `.startup`."""
