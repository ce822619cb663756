"""The hidden states that a model has of texts, layer by layer: one vector for each text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Literal, get_args

import torch
from torch import Tensor

from mnemos.activation.steering.stack import Stack, changed, own_positions, undisturbed
from mnemos.errors import InvalidInput

AT_ONCE = 4096
"""Tokens that are read at once, those that fill up included."""
Tokens = Literal["last", "mean"]
"""Which tokens' states stand for a text: that of its last token, or the mean over all."""
TOKENS: tuple[Tokens, ...] = get_args(Tokens)


def read_tokens(tokens: object) -> Tokens:
    """Which tokens stand for a text, as a user gave it."""
    if tokens not in TOKENS:
        raise InvalidInput("tokens", f"{str(tokens)[:20]!r} is unknown", f"use {' or '.join(TOKENS)}")
    return tokens


def gathered(hidden: Tensor, real: Tensor, tokens: Tokens) -> Tensor:
    """One state for each row.

    Args:
        hidden: states, [rows, tokens, width].
        real: which tokens are the row's own and not padding, on either side, [rows, tokens], bool.
        tokens: which of them stand for the row.

    Returns:
        [rows, width], float32; zeros for a row without tokens.
    """
    if tokens == "mean":
        kept = torch.where(real[..., None], hidden.float(), 0.0)
        return kept.sum(1) / real.sum(1).clamp_min(1)[:, None]
    places = torch.arange(real.shape[1], device=real.device)
    last = torch.where(real, places, 0).amax(1)
    found = hidden[torch.arange(len(hidden), device=hidden.device), last].float()
    return torch.where(real.any(1)[:, None], found, 0.0)


def states_of(stack: Stack, texts: Sequence[Tensor], layers: Sequence[int], tokens: Tokens = "last") -> Tensor:
    """What stands behind each layer of a model for each text, read alone.

    Shorter texts are filled up on their right, where a causal model does not see.

    Args:
        stack: the model's layers; it is left as it is.
        texts: token ids of each, [tokens], one or more.
        layers: numbers of layers, from 0; the state is what the layer puts out.
        tokens: which tokens' states are taken.

    Returns:
        [texts, layers, width], float32, on the CPU.
    """
    found = torch.zeros(len(texts), len(layers), stack.width)
    positions = own_positions(stack)
    for rows in _batches([len(text) for text in texts]):
        width = max(len(texts[row]) for row in rows)
        ids = torch.stack([torch.nn.functional.pad(texts[row], (0, width - len(texts[row]))) for row in rows])
        real = torch.arange(width)[None] < torch.tensor([len(texts[row]) for row in rows])[:, None]
        seen: dict[int, Tensor] = {}
        hooks = [(stack.layers[number], partial(_note, seen, number, real, tokens)) for number in layers]
        with changed(hooks), undisturbed(stack, positions):
            stack.base(input_ids=ids.to(stack.device), use_cache=False)
        found[rows] = torch.stack([seen[number] for number in layers], 1)
    return found


def _note(seen: dict[int, Tensor], number: int, real: Tensor, tokens: Tokens, hidden: Tensor) -> None:
    seen[number] = gathered(hidden, real.to(hidden.device), tokens).cpu()


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Rows that are read together, of about the same length."""
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[row] > AT_ONCE:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
