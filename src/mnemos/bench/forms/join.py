"""Measures what two blocks that were read apart are worth when they are joined, by how much is read again.

A small model that has learned that the last value of a key counts reads a block of pairs, and, apart from it, a block
that changes some of them; then every key is asked for. Positions that are wrong, and attention between the blocks that
is missing, both show as wrong answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from mnemos.activation.models import Decoder, Layers
from mnemos.activation.repair import CACHEBLEND, OURS, Plan, Rule, at_random, one_layer, repair
from mnemos.bench import join_report as report
from mnemos.bench.forms.fixtures import trained
from mnemos.bench.forms.recipes import RECALL, UPDATE_3, UPDATE_6, Recipe
from mnemos.bench.forms.tasks import Draw, draw, right
from mnemos.bench.forms.training import one_thread

SHARES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0)
MODELS = (RECALL, UPDATE_3, UPDATE_6)

Progress = Callable[[str, int, int], None]


def run(
    recipes: Sequence[Recipe] = MODELS, *, texts: int = 200, seed: int = 0, progress: Progress | None = None
) -> report.Run:
    """Train what is not there yet, join blocks in every way, and ask."""
    models = []
    for recipe in recipes:
        model = trained(recipe, _training(recipe, progress))
        with one_thread():
            models.append(measure(recipe, model, texts, seed, progress))
    return report.Run(models, texts, seed)


@torch.no_grad()
def measure(
    recipe: Recipe, model: LlamaForCausalLM, texts: int, seed: int, progress: Progress | None = None
) -> report.Joined:
    """What a trained model answers."""
    pairs = recipe.stages[-1]
    drawn = draw(recipe.task, texts, pairs, torch.Generator().manual_seed(1000 + seed))
    decoder, rules = Decoder(model), _rules(seed) if recipe.task == "update" else {}
    kept = [_Kept(way, share) for way, share in report.FIXED.items()]
    kept += [_Kept(way, share) for way in rules for share in SHARES]
    for number in range(texts):
        blocks = _Blocks.read_from(decoder, drawn, number)
        answered: dict[tuple[str, Plan | None], tuple[Tensor, float]] = {}
        for one in kept:
            what = blocks.what(one.way, one.share, rules)
            if what not in answered:
                layers, cost = blocks.joined(*what, one.share, rules)
                answered[what] = _asked(model, decoder, layers, drawn.asked[number]), cost
            one.note(*answered[what], drawn.changed[number])
        if progress:
            progress(recipe.name, number + 1, texts)
    return report.Joined(
        recipe.name,
        recipe.layers,
        sum(weight.numel() for weight in model.parameters()),
        pairs,
        int(drawn.changed[0].sum()),
        [one.point() for one in kept],
        [round(part, 4) for part in _without_each_layer(model, drawn)],
    )


@dataclass(frozen=True, slots=True)
class _Blocks:
    """Two blocks of one text, read apart and together."""

    decoder: Decoder
    ids: Tensor
    first: int
    """Where the later begins."""
    together: Layers
    raw: Layers
    moved: Layers

    @classmethod
    def read_from(cls, decoder: Decoder, drawn: Draw, number: int) -> _Blocks:
        earlier, later, ids = drawn.earlier[number], drawn.later[number], drawn.read[number]
        first, last = len(earlier), len(ids)
        before, after = decoder.read(earlier), decoder.read(later)
        nowhere = decoder.unplaced(after, torch.arange(last - first), last - first)
        placed = decoder.placed(nowhere, torch.arange(first, last), last)
        return cls(
            decoder, ids, first, decoder.read(ids), _one_after_other(before, after), _one_after_other(before, placed)
        )

    def what(self, way: str, share: float, rules: Mapping[str, Rule]) -> tuple[str, Plan | None]:
        """What is done for a share; the same for shares between which nothing more can be bought."""
        if way not in rules:
            return way, None
        plan = rules[way].spend(share, len(self.ids) - self.first, len(self.moved))
        return (way, plan) if plan != Plan(0, 0) else (report.MOVED, None)

    def joined(self, way: str, plan: Plan | None, share: float, rules: Mapping[str, Rule]) -> tuple[Layers, float]:
        """Keys and values of the whole text, and what was read again."""
        if plan is None:
            fixed = {report.FULL: self.together, report.RAW: self.raw, report.MOVED: self.moved}
            return fixed[way], report.FIXED[way]
        done = repair(self.decoder, self.moved, self.ids, self.first, share, rules[way])
        return done.layers, done.cost


def _rules(seed: int) -> dict[str, Rule]:
    """Every rule of repair, by name."""
    return {
        report.CHANCE: Rule(at_random(seed), one_layer, keeps_all=False),
        report.BLEND: CACHEBLEND,
        report.OURS: OURS,
    }


class _Kept:
    """What is noted of one way, text by text."""

    def __init__(self, way: str, share: float) -> None:
        self.way, self.share = way, share
        self._costs: list[float] = []
        self._right: list[str] = []
        self._changed: list[str] = []

    def note(self, answered: Tensor, cost: float, changed: Tensor) -> None:
        self._costs.append(cost)
        self._right.append(report.DIGITS[int(answered.sum())])
        self._changed.append(report.DIGITS[int(answered[changed].sum())])

    def point(self) -> report.Point:
        cost = round(sum(self._costs) / len(self._costs), 4)
        return report.Point(self.way, self.share, cost, "".join(self._right), "".join(self._changed))


def _one_after_other(before: Layers, after: Layers) -> Layers:
    return [
        (torch.cat([one[0], two[0]], 1), torch.cat([one[1], two[1]], 1)) for one, two in zip(before, after, strict=True)
    ]


def _asked(model: LlamaForCausalLM, decoder: Decoder, layers: Layers, asked: Tensor) -> Tensor:
    """Which questions are answered with these keys and values before them, [pairs]."""
    start = layers[0][0].shape[1]
    places = torch.arange(start, start + len(asked))[None]
    logits = model(input_ids=asked[None], past_key_values=decoder.cache(layers), position_ids=places).logits
    return right(logits, asked[None])[0]


def _without_each_layer(model: LlamaForCausalLM, drawn: Draw) -> Iterator[float]:
    """What is still answered when a layer does nothing, the first layer first."""
    count = drawn.asked.shape[1]
    for layer in model.model.layers:
        hook = layer.register_forward_hook(lambda _, args, __: args[0])
        logits = model(input_ids=drawn.whole, use_cache=False).logits[:, -count:]
        hook.remove()
        yield float(right(logits, drawn.asked).float().mean())


def _training(recipe: Recipe, progress: Progress | None) -> Callable[[int, int, float], None] | None:
    if progress is None:
        return None
    return lambda step, pairs, loss: progress(f"training {recipe.name}: {pairs} pairs, {loss:.2f}", step, recipe.most)
