"""Memories are injected: what a model is to think of is added to what one layer's attention puts out.

    with inject(model, tokenizer, "Rita", layer=3, strength=4.0):
        model.generate(**inputs)

As in Sakarvadia et al. 2023, "Memory Injections: Correcting Multi-Hop Reasoning Failures during Inference in
Transformer-Based Language Models": a memory of some tokens is a vector of the vocabulary with a one for each of them;
the transpose of the unembedding brings it to the width of a hidden state, so that it is the sum of the tokens' rows;
times a strength it is added to the output of an attention head in one layer, at every token. The outputs of heads are
summed after their projection, so that it does not matter which head that is: it is added to the sum.

Ours: each row of a batch may have a memory of its own, or none, and then stays as it is, bit by bit; only the last
token of each call may be chosen; and the memory may be added after the whole layer. Where a family has a norm behind
its attention (Gemma 2 and 3), what is added to the attention goes through it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from transformers import PreTrainedModel

from mnemos.activation.steering.calls import Calls
from mnemos.activation.steering.stack import Stack, changed, read_number, stack_of
from mnemos.errors import InvalidInput
from mnemos.records import Hit, Memory

Remembered = str | Memory | Hit
"""What is to be thought of: words, or a memory, whose words are meant."""
Places = Literal["all", "last"]
PLACES: tuple[Places, ...] = get_args(Places)
Into = Literal["attention", "layer"]
INTO: tuple[Into, ...] = get_args(Into)


@dataclass(slots=True)
class _Injected:
    calls: Calls
    moves: Tensor
    """What is added to each row, [rows, width], float32; one row stands for all."""
    given: Tensor
    """Which rows have a memory, [rows], bool."""
    places: Places

    def change(self, hidden: Tensor) -> Tensor | None:
        now = self.calls.now
        if now is None or not bool(self.given.any()):
            return None
        rows, count = len(hidden), len(self.moves)
        if rows % count:
            raise InvalidInput("remembered", f"is for {count} rows, the batch has {rows}", "give one for each row")
        moves = self.moves.to(hidden.device, hidden.dtype).repeat_interleave(rows // count, 0)
        chosen = self.given.to(hidden.device).repeat_interleave(rows // count)[:, None]
        if self.places == "last":
            real = now.real.to(hidden.device)
            at = torch.arange(real.shape[1], device=hidden.device)
            chosen = chosen & (at == torch.where(real, at, 0).amax(1)[:, None])
        return torch.where(chosen[..., None], hidden + moves[:, None], hidden)


@contextmanager
def inject(
    model: PreTrainedModel,
    tokenizer: Any,
    remembered: Remembered | Sequence[Remembered | None],
    *,
    layer: int,
    strength: float = 1.0,
    places: Places = "all",
    into: Into = "attention",
) -> Iterator[None]:
    """Within the block a model thinks of a memory; afterwards it is what it was, whatever happened.

    Args:
        model: a causal model of `transformers`, used as always: called, or by `generate`.
        tokenizer: the model's own.
        remembered: words or a memory, for all rows; or one for each row of the batch, None for those without.
        layer: at which layer, from 0; from the end where it is negative.
        strength: times which the memory is added; the authors try 1 to 15, and take 3 to 5 for GPT-2, 8 to 10 for
            GPT-2 large.
        places: to every token of each call, as published, or to the `last` one of each row.
        into: the output of the layer's `attention`, as published, or of the whole `layer`.

    Raises:
        InvalidInput: an argument cannot be accepted.
    """
    stack = stack_of(model)
    number = stack.number(layer)
    strength = read_number("strength", strength, "give a factor, such as 4.0")
    for field, value, known in (("places", places, PLACES), ("into", into, INTO)):
        if value not in known:
            raise InvalidInput(field, f"{str(value)[:20]!r} is unknown", f"use {' or '.join(known)}")
    alone = isinstance(remembered, str | Memory | Hit)
    each: list[Any] = [remembered] if alone else list(remembered)  # type: ignore[arg-type]
    if not each:
        raise InvalidInput("remembered", "is empty", "give words or a memory, or one for each row")
    moves = [
        torch.zeros(stack.width) if one is None else strength * embedded(stack, tokenizer, one, f"remembered[{row}]")
        for row, one in enumerate(each)
    ]
    state = _Injected(Calls(stack), torch.stack(moves), torch.tensor([one is not None for one in each]), places)
    module = stack.attentions[number] if into == "attention" else stack.layers[number]
    with state.calls.followed(), changed([(module, state.change)]):
        yield


def embedded(stack: Stack, tokenizer: Any, remembered: Remembered, field: str = "remembered") -> Tensor:
    """A memory in the width of a hidden state: the sum of its tokens' rows of the unembedding, each token once.

    Args:
        stack: the model's layers.
        tokenizer: the model's own.
        remembered: words or a memory; no word of it is taken for a special token.
        field: what is named where it cannot be read.

    Returns:
        [width], float32, on the CPU.

    Raises:
        InvalidInput: it says nothing, or is no memory; or the model has no unembedding of that width.
    """
    memory = remembered.memory if isinstance(remembered, Hit) else remembered
    words = memory.text if isinstance(memory, Memory) else memory
    if not isinstance(words, str):
        raise InvalidInput(field, f"is a {type(words).__name__}", "give words, a memory or a hit")
    ids = tokenizer(words, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    if not ids:
        raise InvalidInput(field, "says nothing", "give words")
    model: Any = stack.model
    head = model.get_output_embeddings()
    weight = getattr(head, "weight", None)
    if not isinstance(weight, Tensor) or weight.shape[1] != stack.width:
        raise InvalidInput("model", "has no unembedding as wide as its layers", "use a model with a head for tokens")
    known = torch.tensor(sorted(set(ids)), device=weight.device)
    return weight.detach()[known].float().sum(0).cpu()
