"""Benchmarks of memory as keys and values, and as weights; with `neural`, what of `mnemos.bench` needs torch."""
