"""The benchmark of caches that keep a part of what was read; like `bench.forms` it needs torch."""
