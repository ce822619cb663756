"""Measures how soon a model answers when the text before the question was read earlier and kept in files.

The model is a stock Llama with random weights: what it says means nothing, and what it computes costs the same. A text
is kept in blocks of 256 tokens. Reusing it takes in everything from the files on: looking whether the model is the one
that made them, mapping them, comparing their sums, putting keys in their places, joining, the repair, and the question.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

from mnemos.activation.quantising import STORAGES
from mnemos.bench import reuse_report as report
from mnemos.bench.forms.recipes import RECALL, UPDATE_3, UPDATE_6, Recipe
from mnemos.bench.forms.shelf import Reader, Shelf
from mnemos.bench.forms.storing import Case, losses

BLOCK, QUESTION = 256, 16
"""Tokens of a block, and of the question."""
LENGTHS = (512, 1024, 2048, 4096, 8192)
REPAIRS = (0.0, 0.15)
COMPARED = 4096
"""The length at which every storage type, and a cold file cache, are timed."""
TEXTS = 200
"""Of each task, to see what storage loses."""
ENOUGH = 60.0
"""Seconds of one way after which it gets no further round."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Shape:
    """A stock Llama."""

    layers: int
    width: int
    heads: int
    inner: int
    vocabulary: int
    groups: int
    dtype: str = "float32"

    def build(self, seed: int, device: str) -> LlamaForCausalLM:
        """With random weights, the same for the same seed."""
        config = LlamaConfig(
            vocab_size=self.vocabulary,
            hidden_size=self.width,
            intermediate_size=self.inner,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.groups,
            max_position_embeddings=16384,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = LlamaForCausalLM(config)
        nn.Module.to(model, device=device, dtype=getattr(torch, self.dtype))
        model.train(False)
        return model


SHAPES = {
    "small": Shape(12, 768, 12, 2048, 32000, 12),
    "1b": Shape(16, 2048, 32, 8192, 128256, 8, "bfloat16"),
}
"""12 layers of 768, for a processor; and one of the shape of a model with a thousand million weights, for a GPU."""


def run(
    shape: Shape = SHAPES["small"],
    *,
    lengths: Sequence[int] = LENGTHS,
    compared: int = COMPARED,
    threads: Sequence[int] = (),
    rounds: int = 3,
    device: str = "cpu",
    seed: int = 0,
    learned: Sequence[Recipe] = (RECALL, UPDATE_3, UPDATE_6),
    progress: Progress | None = None,
) -> report.Run:
    """Time every way at every length, and see what storage takes and loses.

    Args:
        shape: of the model that is timed.
        lengths: tokens before the question; whole blocks of 256.
        compared: the one of them at which storage types and a cold file cache are timed.
        threads: how many; default: one, and as many as there are cores.
        rounds: of each way, one after the other; the median counts.
        device: `cpu` or `cuda`.
        seed: of weights and texts.
        learned: trained models in which to see what storage loses, beside the one with random weights.
        progress: told what is done.
    """
    reader = Reader(shape.build(seed, device))
    counts = threads or sorted({1, os.cpu_count() or 1})
    timings: list[report.Timing] = []
    steps = len(lengths) * len(counts)
    for number, (tokens, count) in enumerate((tokens, count) for tokens in lengths for count in counts):
        with _threads(count), tempfile.TemporaryDirectory(prefix="mnemos-bench-") as folder:
            text, question = _text(tokens, shape.vocabulary, seed), _text(QUESTION, shape.vocabulary, seed + 1)
            ways = _ways(reader, text, question, Path(folder), everything=tokens == compared)
            timings += [replace(one, threads=count) for one in _timed(ways, tokens, rounds)]
        if progress:
            progress(f"{tokens:,} tokens, {count} threads", number + 1, steps)
    cases = [Case.of_nothing(reader, BLOCK, seed), *(Case.of_task(recipe, TEXTS, seed) for recipe in learned)]
    stored = [one for case in cases for one in losses(case)]
    told = {"layers": shape.layers, "width": shape.width, "heads": shape.heads, "dtype": shape.dtype, "device": device}
    return report.Run(told, BLOCK, QUESTION, timings, stored, seed)


@dataclass(frozen=True, slots=True)
class _Way:
    """Something to time."""

    told: report.Timing
    """What it is; its seconds are not known yet."""
    go: Callable[[], float]
    """Do it; returns what a repair cost."""
    before: Callable[[], None] = lambda: None
    """Not timed."""


def _ways(reader: Reader, text: Tensor, question: Tensor, folder: Path, *, everything: bool) -> list[_Way]:
    blocks = reader.encode(torch.split(text, BLOCK))
    full = Shelf(folder / "full", blocks)

    def read() -> float:
        reader.read_all(text, question).argmax().item()
        return 1.0

    def reuse(shelf: Shelf, share: float) -> Callable[[], float]:
        def go() -> float:
            cache = reader.joined(shelf.load(reader.fingerprint()), share, len(question))
            reader.answer(cache, question).argmax().item()
            return cache.cost

        return go

    def told(**parts: object) -> report.Timing:
        return replace(report.Timing(report.REUSED, len(text), 0, ()), **parts)  # type: ignore[arg-type]

    ways = [_Way(report.Timing(report.READ, len(text), 0, ()), read)]
    ways += [_Way(told(repair=share), reuse(full, share)) for share in REPAIRS]
    if everything:
        ways.append(_Way(told(cold=True), reuse(full, 0.0), full.cool))
        for storage in STORAGES[1:]:
            ways.append(_Way(told(storage=storage), reuse(Shelf(folder / storage, blocks, storage), 0.0)))
    return ways


def _timed(ways: Sequence[_Way], tokens: int, rounds: int) -> Iterator[report.Timing]:
    """Round by round, each time every way, so that all share the machine's moods."""
    seconds: dict[int, list[float]] = {number: [] for number in range(len(ways))}
    costs, fetched = [0.0] * len(ways), [0] * len(ways)
    for round_ in range(rounds):
        for number, way in enumerate(ways):
            if sum(seconds[number]) > ENOUGH and round_:
                continue
            way.before()
            before, begun = _from_disk(), time.perf_counter()
            costs[number] = way.go()
            seconds[number].append(round(time.perf_counter() - begun, 4))
            fetched[number] = max(fetched[number], _from_disk() - before)
    for number, way in enumerate(ways):
        told = replace(way.told, tokens=tokens, seconds=seconds[number], cost=round(costs[number], 4))
        yield replace(told, from_disk=fetched[number] if told.cold else 0)


def _from_disk() -> int:
    """Bytes that this process has had fetched from a disk, where the system tells."""
    try:
        lines = Path("/proc/self/io").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("read_bytes")), 0)


def _text(tokens: int, vocabulary: int, seed: int) -> Tensor:
    return torch.randint(vocabulary, (tokens,), generator=torch.Generator().manual_seed(seed))


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
