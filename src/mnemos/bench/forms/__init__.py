"""Benchmarks of memory as keys and values, and as weights; the only part of `mnemos.bench` that needs torch."""
