"""A model is steered: a control vector is added to its hidden states while a block runs, for all rows or for some.

    with steer(model, vector, strength=2.0):
        model.generate(**inputs)
    with steer(model, vector, strength=2.0, when=condition):
        model.generate(**batch)

Without a condition as in Turner et al. 2023, "Activation Addition: Steering Language Models Without Optimization", and
Zou et al. 2023, "Representation Engineering". With one as in Lee et al. 2024, "Programming Refusal with Conditional
Activation Steering" (CAST): the condition is decided where the prompt is read, and if it holds the vector is added at
the behaviour layers, then and for all that is generated.

Ours: each row of a batch is decided for itself; a row for which the condition does not hold goes on with the very
tensors' values that it would have had, bit by bit; what was decided belongs to the cache that the sequence is written
with, so that nothing is left over for the next one. A layer that comes before the condition's is steered from the
second call on, since the prompt has passed it when the condition is known, as in the paper's own code; a condition and
a vector of the same layer act in one call, the condition first.

What `generate` reads in pieces (`prefill_chunk_size`) is decided by the first piece that a row has tokens in. Beams of
a row share its prompt, and so what was decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor
from transformers import PreTrainedModel

from mnemos.activation.steering.calls import Call, Calls
from mnemos.activation.steering.conditions import Condition, Rule
from mnemos.activation.steering.stack import Stack, changed, read_number, stack_of
from mnemos.activation.steering.vectors import ControlVector, VectorRefused
from mnemos.errors import InvalidInput


@dataclass(slots=True)
class Steered:
    """A model that is being steered."""

    _calls: Calls
    _when: Rule | None
    _moves: dict[int, Tensor]
    """What is added to the output of each layer, [width], float32."""
    _prompt: bool
    _keep_norm: bool
    _placed: dict[tuple[int, torch.device, torch.dtype], Tensor] = field(default_factory=dict)

    @property
    def rows(self) -> Tensor | None:
        """Which rows of the last call were to be steered, [rows], bool; None before the first."""
        now = self._calls.now
        return None if now is None else self._steered(now)

    def _after(self, number: int, hidden: Tensor) -> Tensor | None:
        """What goes on after a layer, [rows, tokens, width]; None: what the layer put out."""
        now = self._calls.now
        if now is None:
            return None
        if self._when is not None and bool(now.fresh.any()):
            for condition in self._when.conditions:
                if condition.layer == number:
                    now.decide(condition, hidden)
        rows = self._steered(now) if number in self._moves else None
        if rows is None:
            return None
        return self._moved(number, hidden, rows if self._prompt else rows & ~now.fresh.to(rows.device))

    def _steered(self, now: Call) -> Tensor | None:
        """For which rows, [rows], bool; None: not known yet."""
        if self._when is None:
            return torch.ones_like(now.fresh)
        known = all(one in now.state.made for one in self._when.conditions)
        return self._when.holds(now.state.made) if known else None

    def _moved(self, number: int, hidden: Tensor, rows: Tensor) -> Tensor | None:
        if not bool(rows.any()):
            return None
        key = (number, hidden.device, hidden.dtype)
        if key not in self._placed:
            self._placed[key] = self._moves[number].to(hidden.device, hidden.dtype)
        moved = hidden + self._placed[key]
        if self._keep_norm:
            moved = moved * (hidden.norm(dim=-1, keepdim=True) / moved.norm(dim=-1, keepdim=True).clamp_min(1e-12))
        return torch.where(rows.to(hidden.device)[:, None, None], moved, hidden)


@contextmanager
def steer(
    model: PreTrainedModel,
    vector: ControlVector,
    *,
    strength: float = 1.0,
    layers: int | Iterable[int] | None = None,
    when: Rule | None = None,
    prompt: bool = True,
    keep_norm: bool = False,
) -> Iterator[Steered]:
    """Within the block a model is steered; afterwards it is what it was, whatever happened.

    Args:
        model: a causal model of `transformers`, used as always: called, or by `generate`, in batches padded on either
            side. Blocks may stand in each other; the outer one acts first.
        vector: what is added, to every token.
        strength: in sizes of the vector (see `directions`); negative: away from it.
        layers: after which of the vector's layers; None: all of them.
        when: a condition or a rule of several; None: always.
        prompt: whether the tokens of the first call are steered too, or only those that follow.
        keep_norm: whether a state keeps its length and only turns (ours; CAST's and repeng's codes have the like).

    Raises:
        InvalidInput: the vector has no such layer, or an argument cannot be accepted.
        VectorRefused: the vector is of a model of another size.
    """
    stack = stack_of(model)
    strength = read_number("strength", strength, "give how many sizes of it to add")
    chosen = _layers(stack, vector, layers)
    moves = {layer: vector.directions[layer].whole.float() * strength for layer in chosen}
    read = [one.layer for one in _conditions(stack, when)]
    state = Steered(Calls(stack), when, moves, prompt, keep_norm)
    hooks = [(stack.layers[number], partial(state._after, number)) for number in sorted({*moves, *read})]
    with state._calls.followed(), changed(hooks):
        yield state


def _layers(stack: Stack, vector: ControlVector, layers: int | Iterable[int] | None) -> tuple[int, ...]:
    fits(stack, vector)
    chosen = vector.layers if layers is None else stack.numbers(layers)
    missing = [str(one) for one in chosen if one not in vector.directions]
    if missing:
        has = ", ".join(map(str, vector.layers))
        raise InvalidInput("layers", f"the vector has no direction after layer {', '.join(missing)}", f"it has {has}")
    return chosen


def _conditions(stack: Stack, when: Rule | None) -> tuple[Condition, ...]:
    if when is None:
        return ()
    if not isinstance(when, Rule):
        raise InvalidInput("when", f"is a {type(when).__name__}", "give a Condition, or several joined by & | ~")
    for one in when.conditions:
        fits(stack, one.vector)
    return when.conditions


def fits(stack: Stack, vector: ControlVector) -> None:
    """See that a vector may be of this model, by its size; `Steering.recall` sees whether it is.

    Raises:
        VectorRefused: it is not.
    """
    count = len(stack.layers)
    if vector.width != stack.width or vector.layers[-1] >= count:
        had = f"states of {vector.width} channels up to layer {vector.layers[-1]}"
        raise VectorRefused([f"it has {had}, the model {stack.width} channels and {count} layers"])
