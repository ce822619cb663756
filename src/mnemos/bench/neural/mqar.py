"""Multi-query associative recall: pairs are told once, then every key is asked for; and the last value is what counts.

The task is that of Arora et al. 2023, Zoology: Measuring and Improving Recall in Efficient Language Models. Keys and
values are told pair by pair; then each key comes again, after gaps whose chance falls with their length, and what
follows is to be its value. `changes` tells some keys a second time, with another value: the forgetting variant. Where
nothing is told or asked, tokens are drawn by chance, as in Zoology.

Models have no MLP, and every one gets the same sweep of learning rates, for recurrent ones learn this in a narrow
window of rates alone. Texts are drawn anew at every step; a run ends early where it has learned the task.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from mnemos.bench import mqar_report as report
from mnemos.bench.forms.training import one_thread
from mnemos.bench.neural.entrants import check_known, entrants
from mnemos.neural.config import MemoryLMConfig
from mnemos.neural.lm import IGNORED, MemoryLM, MemoryLMCache
from mnemos.neural.mixers import Described, spelled
from mnemos.neural.mixture import balance
from mnemos.neural.presets import PRESETS
from mnemos.neural.state import size

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Task:
    """What is told and asked."""

    name: str = "recall"
    keys: int = 16
    changes: int = 0
    """How many of them are told twice; the second value counts."""
    tokens: int = 64
    vocabulary: int = 1024
    """Keys are below its half, values above."""
    power: float = 0.01
    """The chance of a gap of i slots falls as i^(power − 1)."""

    @property
    def told(self) -> int:
        """Tokens before the first question."""
        return 2 * (self.keys + self.changes)

    @property
    def places(self) -> Tensor:
        """Where a question may stand, [slots]."""
        return torch.arange(self.told, self.tokens, 2)

    def draw(self, batch: int, generator: torch.Generator) -> Drawn:
        """So many texts, every one of the same build."""
        half, slots = self.vocabulary // 2, (self.tokens - self.told) // 2
        keys = _chosen(batch, half, self.keys, generator)
        values = half + _chosen(batch, self.vocabulary - half, self.keys + self.changes, generator)
        order = torch.cat([torch.arange(self.keys), torch.arange(self.changes)]).expand(batch, -1)
        order = order.gather(1, torch.rand(order.shape, generator=generator).argsort(1))
        ids = torch.randint(self.vocabulary, (batch, self.tokens), generator=generator)
        ids[:, 0 : self.told : 2], ids[:, 1 : self.told : 2] = keys.gather(1, order), values
        last = torch.zeros(batch, self.keys, dtype=torch.long)
        for place in range(order.shape[1]):
            last.scatter_(1, order[:, place : place + 1], values[:, place : place + 1])
        gaps = torch.arange(1, slots + 1, dtype=torch.float).pow(self.power - 1).expand(batch, -1)
        asked = self.told + 2 * torch.multinomial(gaps, self.keys, generator=generator)
        ids.scatter_(1, asked, keys)
        labels = torch.full_like(ids, IGNORED).scatter(1, asked, last)
        changed = torch.zeros_like(ids, dtype=torch.bool).scatter(1, asked[:, : self.changes], True)
        return Drawn(ids, labels, changed)


@dataclass(frozen=True, slots=True)
class Drawn:
    """Texts, [batch, tokens] each."""

    ids: Tensor
    labels: Tensor
    """The value, where a key is asked for; −100 elsewhere."""
    changed: Tensor
    """Where a key is asked for that was told twice."""


RECALL = Task()
FORGET = Task("last value", keys=12, changes=8)
TASKS = {task.name: task for task in (RECALL, FORGET)}


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is tried."""

    width: int = 64
    layers: int = 2
    batch: int = 64
    steps: int = 600
    """At most, of each rate."""
    rates: Sequence[float] = (3e-3, 1e-2)
    """In this order, until one reaches `enough`."""
    enough: float = 0.99
    every: int = 50
    """Steps from one examination to the next."""
    examined: int = 256
    """Texts of an examination; the same ones each time, and none of them was trained on."""


FULL = Plan()
QUICK = Plan(rates=(3e-3,))
QUICK_ONES = ("attention", "delta-net", "linear-attention")
KEYS = (4, 8, 16, 32)
"""Widths of keys, for accuracy against the size of the state."""
NARROW = {"depth": 2, "expansion": 1}
"""Memories of two layers no wider than their keys, so that those trained at test time learn in minutes too."""
WIDE = ("titans", "titans-mac", "titans-mag", "titans-mal", "moneta", "yaad", "memora", "hope")
"""Presets whose hidden layer is four times as wide by default."""
SEGMENTED = ("lm2", "memformer", "hmt", "memoria")
"""Attention within a segment; a quarter of a text here, so that what is asked was told in another."""
CONTESTANTS: dict[str, Described] = {
    "attention": {"mixer": "attention", "conv": 4},
    "lstm": "lstm",
    **{name: {"mixer": name, "memory": NARROW} if name in WIDE else name for name in PRESETS},
    **{name: {"mixer": name, "segment": 16, "conv": 4} for name in SEGMENTED},
    "linear-attention, cached": {
        "mixer": "cached",
        "of": "linear-attention",
        "how": "gated",
        "segment": 8,
        "restarts": True,
    },
    "linear-attention, cached, best 2": {
        "mixer": "cached",
        "of": "linear-attention",
        "how": "sparse",
        "segment": 8,
        "restarts": True,
    },
    "gated-delta-net, 16 keys, mixture": {"mixer": "mixture", "of": {"mixer": "gated-delta-net", "keys": 16}},
    **{
        f"{name}, {keys} keys": {"mixer": name, "keys": keys}
        for name in ("delta-net", "gated-delta-net")
        for keys in KEYS
    },
}
"""By name, the layer that a model repeats."""


def run(
    plan: Plan = FULL,
    *,
    names: Sequence[str] = (),
    tasks: Sequence[str] = (),
    seed: int = 0,
    progress: Progress | None = None,
    so_far: Callable[[report.Run], object] | None = None,
) -> report.Run:
    """Train every contestant on every task, and see what it recalls.

    Args:
        plan: how much is tried.
        names: of contestants or mixers, or layers in JSON, see `entrants`; none: all contestants.
        tasks: names of tasks; none: all.
        seed: of weights and texts.
        progress: told what is done.
        so_far: told of everything that was tried yet, after each contestant.

    Raises:
        InvalidInput: a name is not known.
    """
    chosen = entrants(names, CONTESTANTS, lambda layer: MemoryLM(_config(layer, RECALL, plan)))
    check_known("task", tasks, TASKS)
    pairs = [(TASKS[task], name) for task in tasks or TASKS for name in chosen]
    told: dict[str, Any] = {"width": plan.width, "layers": plan.layers, "batch": plan.batch, "steps": plan.steps}
    told |= {"rates": list(plan.rates), "enough": plan.enough}
    found = report.Run(told, {task.name: _in_words(task) for task, _ in pairs}, (), seed)
    for done, (task, name) in enumerate(pairs):
        found = replace(found, trials=[*found.trials, *sweep(name, chosen[name], task, plan, seed)])
        if so_far:
            so_far(found)
        if progress:
            progress(f"{task.name}: {name}", done + 1, len(pairs))
    return found


def sweep(name: str, layer: Described, task: Task, plan: Plan, seed: int) -> list[report.Trial]:
    """One trial for each learning rate, until one has learned the task."""
    trials = []
    for rate in plan.rates:
        trials.append(trial(name, layer, task, plan, rate, seed))
        if trials[-1].accuracy >= plan.enough:
            break
    return trials


def trial(name: str, layer: Described, task: Task, plan: Plan, rate: float, seed: int) -> report.Trial:
    """Train one model with one learning rate. One thread; the caller's random state stays."""
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = MemoryLM(_config(layer, task, plan)).train()
        held = task.draw(plan.examined, torch.Generator().manual_seed(seed + 2))
        found = report.Trial(name, task.name, rate, parameters=parameters(model), state=state_of(model, held.ids))
        begun = time.perf_counter()
        for step in _trained(model, task, plan, rate, seed):
            if step % plan.every and step != plan.steps:
                continue
            right = answered(model, held, task.places)
            at_keys, at_changed = held.labels[:, task.places] != IGNORED, held.changed[:, task.places]
            found = replace(
                found,
                accuracy=right[at_keys].float().mean().item(),
                changed=right[at_changed].float().mean().item() if task.changes else None,
                steps=step,
                seconds=round(time.perf_counter() - begun, 2),
            )
            if found.accuracy >= plan.enough:
                break
    return found


def answered(model: MemoryLM, drawn: Drawn, places: Tensor) -> Tensor:
    """Where among some places a model's likeliest next token is the label, [batch, places]."""
    model.train(False)
    with torch.no_grad():
        logits = model(drawn.ids, logits_to_keep=places).logits
    model.train()
    found: Tensor = logits.argmax(-1) == drawn.labels[:, places]
    return found


def state_of(model: MemoryLM, ids: Tensor) -> int:
    """Numbers that a model carries for one text at its end."""
    with torch.no_grad():
        cache = model(ids[:1]).past_key_values
    assert isinstance(cache, MemoryLMCache)
    return size(cache.states)


def parameters(model: nn.Module) -> int:
    """Numbers that are learned."""
    return sum(one.numel() for one in model.parameters())


def rate_at(step: int, steps: int, warm: int = 50) -> float:
    """How much of the learning rate is used: it rises over some steps, and falls to a tenth by the last."""
    left = max(0.0, (steps - step) / max(1, steps - warm))
    return min((step + 1) / warm, 0.1 + 0.9 * min(1.0, left))


def _trained(model: MemoryLM, task: Task, plan: Plan, rate: float, seed: int) -> Iterable[int]:
    """Train, and give back control after every step."""
    generator = torch.Generator().manual_seed(seed + 1)
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.1)
    for step in range(plan.steps):
        optimiser.param_groups[0]["lr"] = rate * rate_at(step, plan.steps)
        drawn = task.draw(plan.batch, generator)
        logits = model(drawn.ids, use_cache=False, logits_to_keep=task.places).logits.flatten(0, 1)
        loss = cross_entropy(logits, drawn.labels[:, task.places].flatten(), ignore_index=IGNORED)
        optimiser.zero_grad()
        (loss + model.config.balance * balance(model)).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        yield step + 1


def _config(layer: Described, task: Task, plan: Plan) -> MemoryLMConfig:
    return MemoryLMConfig(task.vocabulary, plan.width, [{"feed": "none", **spelled(layer)}] * plan.layers)


def _in_words(task: Task) -> Mapping[str, int]:
    return {"keys": task.keys, "changes": task.changes, "tokens": task.tokens, "vocabulary": task.vocabulary}


def _chosen(batch: int, most: int, count: int, generator: torch.Generator) -> Tensor:
    """For each text, so many different numbers below `most`."""
    return torch.rand(batch, most, generator=generator).argsort(1)[:, :count]
