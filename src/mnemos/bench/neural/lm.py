"""Language models that differ in their memory alone: what they make of a book, and of what they read long before.

Models read bytes. All have the same number of weights, as far as the width of their MLPs can make up for their mixers,
and are trained on the same pieces of the same books in the same order, with notes in them (see `pages`). They are asked
at the length of training, at twice that and at four times: how well they predict a book that they never saw, and
whether they still know a note from the beginning of what they read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from mnemos.bench import lm_report as report
from mnemos.bench.forms.training import one_thread
from mnemos.bench.neural import pages
from mnemos.bench.neural.entrants import entrants, with_heads
from mnemos.bench.neural.mqar import NARROW, parameters, rate_at, state_of
from mnemos.neural.config import MemoryLMConfig
from mnemos.neural.lm import MemoryLM
from mnemos.neural.mixers import Described, spelled
from mnemos.neural.mixture import balance

Progress = Callable[[str, int, int], None]
BYTES = 256


@dataclass(frozen=True, slots=True)
class Plan:
    """How large models are, how long they learn, and what they are asked."""

    width: int = 192
    layers: int = 4
    heads: int = 4
    weights: int = 2_200_000
    """Of each model, as nearly as MLPs can make it."""
    length: int = 256
    """Bytes of a piece in training."""
    batch: int = 16
    steps: int = 300
    practice: float = 0.3
    """Share of the steps whose pieces are all full of notes."""
    notes: int = 4
    """In each piece of the book that is not full of them, each told twice."""
    rate: float = 3e-3
    tested: int = 65_536
    """Bytes of the held-out book that are predicted at each length."""
    needles: int = 128
    """Notes that are asked for at each length."""
    others: int = 3
    """Notes between one and its question."""
    times: Sequence[int] = (1, 2, 4)
    """Lengths of what is read, in those of training."""


FULL = Plan()
QUICK = Plan(width=64, layers=2, heads=2, weights=150_000, length=128, tested=8192)
QUICK_ONES = ("attention", "gated-delta-net")
CONTESTANTS: dict[str, dict[str, Any]] = {
    "attention": {"mixer": "attention", "conv": 4, "normed": True},
    "attention, last 64": {"mixer": "attention", "conv": 4, "normed": True, "window": 64},
    "lstm": {"mixer": "lstm"},
    **{name: {"mixer": name} for name in ("linear-attention", "retnet", "gla", "hgrn2", "delta-net")},
    "gated-delta-net": {"mixer": "gated-delta-net"},
    **{name: {"mixer": name, "memory": NARROW} for name in ("titans", "titans-mag", "yaad")},
    **{name: {"mixer": name} for name in ("omega-net", "atlas")},
}
"""By name, the mixer of every layer."""


def run(
    files: Sequence[Path],
    plan: Plan = FULL,
    *,
    names: Sequence[str] = (),
    seed: int = 0,
    progress: Progress | None = None,
    so_far: Callable[[report.Run], object] | None = None,
) -> report.Run:
    """Train a model with each memory, and see who forgets.

    Args:
        files: texts to train on, and last the one to be tested on.
        plan: how large, how long.
        names: of contestants or mixers, or layers in JSON, see `entrants`; none: all contestants.
        seed: of weights, pieces and notes.
        progress: told what is done, in steps of training.
        so_far: told of everything that was measured yet, after each contestant.

    Raises:
        InvalidInput: a name is not known, or the files cannot be used.
    """
    chosen = entrants(names, CONTESTANTS, lambda mixer: MemoryLM(_config(mixer, plan)))
    books = pages.read(files)
    told: dict[str, Any] = {"width": plan.width, "layers": plan.layers, "heads": plan.heads, "length": plan.length}
    told |= {"bytes": plan.length * plan.batch * plan.steps, "notes": plan.notes, "others": plan.others}
    told |= {"practice": plan.practice}
    told |= {"weights": plan.weights, "tested": plan.tested, "needles": plan.needles}
    found = report.Run(told, (), seed, books.files)
    for done, (name, mixer) in enumerate(chosen.items()):

        def tell(step: int, done: int = done, name: str = name) -> None:
            if progress:
                progress(name, done * plan.steps + step, len(chosen) * plan.steps)

        score = scored(name, mixer, books, plan, seed, tell)
        found = replace(found, scores=[*found.scores, score])
        if so_far:
            so_far(found)
    return found


def scored(
    name: str, mixer: Described, books: pages.Books, plan: Plan, seed: int, tell: Callable[[int], None]
) -> report.Score:
    """Train one model and ask it. One thread; the caller's random state stays."""
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = MemoryLM(_config(mixer, plan))
        begun = time.perf_counter()
        train(model, books.train, plan, seed, tell)
        seconds = round(time.perf_counter() - begun, 1)
        model.train(False)
        lengths = [plan.length * times for times in plan.times]
        losses = [loss_at(model, books.held, plan.tested, length) for length in lengths]
        known = [recalled(model, books.held, plan, length, seed) for length in lengths]
        carried = state_of(model, books.held[: lengths[-1]].unsqueeze(0))
    return report.Score(name, parameters(model), carried, seconds, lengths, losses, known)


def train(model: MemoryLM, book: Tensor, plan: Plan, seed: int, tell: Callable[[int], None]) -> None:
    """On pieces of a book with notes in them, the same for the same seed.

    Half of the pieces, and at first all, are full of notes, without which none learns in so few steps to look one up;
    what a note told before says counts as much as all else.
    """
    generator = torch.Generator().manual_seed(seed + 1)
    optimiser = torch.optim.AdamW(model.parameters(), lr=plan.rate, weight_decay=0.1)
    model.train()
    for step in range(plan.steps):
        optimiser.param_groups[0]["lr"] = plan.rate * rate_at(step, plan.steps)
        rest = plan.batch // 2 if step >= plan.practice * plan.steps else 0
        parts = [pages.full_of_notes(book, plan.batch - rest, plan.length, generator)]
        if rest:
            parts.append(pages.with_notes(book, rest, plan.length, plan.notes, generator))
        read = torch.cat([part.ids for part in parts])
        ids, known = read[:, 1:], torch.cat([part.known for part in parts])[:, 1:]
        logits = model(read, use_cache=False).logits[:, :-1]
        loss = cross_entropy(logits.flatten(0, 1), ids.flatten()) + cross_entropy(logits[known], ids[known])
        optimiser.zero_grad()
        (loss + model.config.balance * balance(model)).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        tell(step + 1)


def loss_at(model: MemoryLM, book: Tensor, tested: int, length: int) -> float:
    """Mean nats for a byte of the beginning of a book, read afresh after every so many bytes.

    The first byte of each piece is not predicted. Whatever the length, the same bytes are.
    """
    rows = min(tested, len(book)) // length
    ids = book[: rows * length].view(rows, length)
    lost, count = 0.0, 0
    with torch.no_grad():
        for part in torch.split(ids, 16):
            logits = model(part, use_cache=False).logits
            lost += cross_entropy(logits[:, :-1].flatten(0, 1), part[:, 1:].flatten(), reduction="sum").item()
            count += part[:, 1:].numel()
    return lost / count


def recalled(model: MemoryLM, book: Tensor, plan: Plan, length: int, seed: int) -> float:
    """The share of notes, told in the first eighth of what was read, whose letter is the likeliest next."""
    ids = pages.needles(book, plan.needles, length, plan.others, torch.Generator().manual_seed(seed + 2))
    letter = length - pages.NOTE + pages.VALUE
    right = []
    with torch.no_grad():
        for part in torch.split(ids, 16):
            said = model(part, use_cache=False).logits[:, letter - 1].argmax(-1)
            right.append(said == part[:, letter])
    return torch.cat(right).float().mean().item()


def _config(mixer: Described, plan: Plan) -> MemoryLMConfig:
    """MLPs as wide as makes the model as large as it should be."""

    def sized(size: int) -> MemoryLMConfig:
        layer = {"feed": {"feed": "swiglu", "size": size}, **spelled(with_heads(mixer, plan.heads))}
        return MemoryLMConfig(BYTES, plan.width, [layer] * plan.layers)

    without = parameters(MemoryLM(sized(1))) - 3 * plan.width * plan.layers
    return sized(max(1, round((plan.weights - without) / (3 * plan.width * plan.layers))))
