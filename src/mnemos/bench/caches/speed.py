"""How fast a model makes tokens behind a long text, by what its cache keeps of it.

The model is a stock Llama with random weights: what it says means nothing, and what it computes costs the same.
"""

from __future__ import annotations

import ctypes
import gc
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import Cache, DynamicCache, LlamaForCausalLM

from mnemos.activation.cache import MemoryCache
from mnemos.bench.caches.contenders import Contender, contenders
from mnemos.bench.forms.reuse import SHAPES, Shape
from mnemos.bench.forms.training import one_thread
from mnemos.bench.kv_report import LIBRARY, SHARE, Speed

TOKENS = 8192
STEPS, ROUNDS = 8, 3
BITS = ("int8", "int4")
"""In which all is held too."""

Tell = Callable[[str, int, int], None]


def speeds(
    shape: Shape = SHAPES["small"],
    *,
    tokens: int = TOKENS,
    share: float = SHARE,
    steps: int = STEPS,
    only: Callable[[str], bool] = lambda name: True,
    seed: int = 0,
    tell: Tell | None = None,
) -> list[Speed]:
    """Time every policy on one thread; the library's own cache, that holds all, is timed between its steps.

    Args:
        shape: of the model.
        tokens: of the text.
        share: of it that is kept.
        steps: tokens that are made in each of three rounds; one before them is not timed.
        only: which policies, by name.
        seed: of weights and text.
        tell: told of every policy that is done.
    """
    whole = Contender("full", "full")
    measured = [(one, 1.0 if one == whole else share, "") for one in contenders() if only(one.name)]
    measured += [(whole, 1.0, storing) for storing in BITS if only(whole.name)]
    with one_thread(), torch.no_grad():
        bench = _Bench(shape, tokens, seed)
        found = [bench.whole(steps)]
        for number, (one, part, storing) in enumerate(measured):
            found.append(bench.time(one, part, steps, storing))
            if tell:
                tell(f"{one.name} {storing} at {tokens:,} tokens", number + 1, len(measured))
    return found


class _Bench:
    """A model, a text, and the library's cache that holds all of it."""

    def __init__(self, shape: Shape, tokens: int, seed: int) -> None:
        self.model: LlamaForCausalLM = shape.build(seed, "cpu")
        generator = torch.Generator().manual_seed(seed)
        self.text = torch.randint(shape.vocabulary, (1, tokens), generator=generator)
        self.all = DynamicCache(config=self.model.config)
        self.seconds, self.peak = self._read(self.all)

    def whole(self, steps: int) -> Speed:
        """The library's own cache."""
        self._steps_of_all(1)
        times = [second for _ in range(ROUNDS) for second in self._steps_of_all(steps)]
        parts = [part for layer in _plain(self.all) for part in (layer.keys, layer.values)]
        held = sum(part.untyped_storage().nbytes() for part in parts)
        typical = _typical(times)
        return Speed(LIBRARY, 1.0, self.text.shape[1], self.seconds, typical, typical, held, self.peak)

    def time(self, contender: Contender, share: float, steps: int, storing: str) -> Speed:
        """A policy, round by round beside the library's cache, so that both share the machine's moods."""
        spread = contender.spread() if contender.spread else None
        cache = MemoryCache(self.model, contender.make(), share, spread=spread, quantise=storing or None)
        seconds, peak = self._read(cache)
        self._steps(cache, 1)
        own: list[float] = []
        beside: list[float] = []
        for _ in range(ROUNDS):
            own += self._steps(cache, steps)
            beside += self._steps_of_all(steps)
        tokens = self.text.shape[1]
        name = f"{contender.name}, {storing}" if storing else contender.name
        return Speed(name, share, tokens, seconds, _typical(own), _typical(beside), cache.bytes, peak)

    def _read(self, cache: Cache) -> tuple[float, int | None]:
        """Seconds, and by how many bytes the process grew at most."""
        before, begun = _peak_from_now(), time.perf_counter()
        self.model(input_ids=self.text, past_key_values=cache, logits_to_keep=1)
        seconds = round(time.perf_counter() - begun, 2)
        return seconds, None if before is None else _status("VmHWM") - before

    def _steps(self, cache: Cache, count: int) -> list[float]:
        """Seconds of each step."""
        found, token = [], self.text[:, -1:]
        for _ in range(count):
            begun = time.perf_counter()
            logits: Tensor = self.model(input_ids=token, past_key_values=cache).logits
            token = logits[:, -1:].argmax(-1)
            found.append(time.perf_counter() - begun)
        return found

    def _steps_of_all(self, count: int) -> list[float]:
        found = self._steps(self.all, count)
        self.all.crop(-count)
        return found


def _plain(cache: DynamicCache) -> list[Any]:
    """Its layers, which all have keys and values."""
    return list(cache.layers)


def _typical(seconds: list[float]) -> float:
    return round(statistics.median(seconds), 5)


def _peak_from_now() -> int | None:
    """Have the system count the process's peak anew; returns what it holds now in bytes, None if it cannot."""
    gc.collect()
    _give_back()
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        return _status("VmRSS")
    except OSError:
        return None


def _give_back() -> None:
    """What was freed before would hide what is taken now: the C library gives it back, where it is glibc."""
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):
        return


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))
