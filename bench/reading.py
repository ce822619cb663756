"""Times one memory layer inside its own process: hidden states in, JSON out.

A peer's script ends with `main({name: make})`, where `make(width, heads)` gives a layer as two functions: one that
reads hidden states [batch, tokens, width] in parallel, and one that reads them one by one and carries a state, or None
where it cannot. What they are given and how they are timed is that of `mnemos bench layers`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor

Read = Callable[[Tensor], Tensor]
Layer = tuple[Read, Read | None]


def main(layers: dict[str, Callable[[int, int], Layer]], packages: tuple[str, ...]) -> None:
    """Time each layer and print what was found, for `bench/layers.py`."""
    parser = argparse.ArgumentParser()
    for name in ("width", "heads", "batch", "tokens", "rounds", "seed"):
        parser.add_argument(f"--{name}", type=int, required=True)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    drawn = torch.randn(asked.batch, asked.tokens, asked.width, generator=torch.Generator().manual_seed(asked.seed))
    speeds: list[dict[str, Any]] = []
    for name, make in layers.items():
        torch.manual_seed(asked.seed)
        chunk, step = make(asked.width, asked.heads)
        speeds += timed(name, chunk, step, drawn, asked.rounds)
    print(json.dumps({"versions": {one: version(one) for one in packages}, "speeds": speeds}))


def timed(name: str, chunk: Read, step: Read | None, x: Tensor, rounds: int) -> list[dict[str, Any]]:
    """Each way some rounds, after one that does not count."""

    def without_gradients(read: Read) -> Callable[[], None]:
        def go() -> None:
            with torch.no_grad():
                read(x)

        return go

    def there_and_back() -> None:
        chunk(x).square().mean().backward()

    ways = {"chunk": without_gradients(chunk), "train": there_and_back}
    if step is not None:
        ways = {"step": without_gradients(step), **ways}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(rounds + 1):
        for way, go in ways.items():
            if way == "step" and not number:
                continue
            begun = time.perf_counter()
            go()
            if number:
                seconds[way].append(round(time.perf_counter() - begun, 5))
    tokens = x.shape[0] * x.shape[1]
    assert all(statistics.median(found) > 0 for found in seconds.values())
    return [{"name": name, "way": way, "tokens": tokens, "seconds": found} for way, found in seconds.items()]
