"""Attention of one token of each row, which sees all that its row holds: nothing is hidden, and no key is copied."""

from __future__ import annotations

import torch
from torch import Tensor

from mnemos.activation.cache.held import Held
from mnemos.activation.cache.looking import Asked, Note


def step(asked: Asked, at: Tensor, held: Held, moved: tuple[Tensor, Tensor] | None, note: Note | None) -> Tensor:
    """What each query finds, [rows, query heads, 1, dimensions].

    Args:
        asked: one query of each row, in float32, that is no padding.
        at: its position, [rows, 1].
        held: what it looks at; its own token is among it.
        moved: tokens that it sees elsewhere than where they were read, by where they are told in what is flat, and
            their keys there.
        note: is given the weights; None: nobody wants them.
    """
    lists, _, _, size = held.counts.numel(), *asked.query.shape[1:]
    queries = asked.query.reshape(lists, -1, size)
    scores = held.keys.products(queries, held.counts).mul_(asked.scaling)
    if moved is not None:
        index, keys = moved
        lengths = held.counts.flatten()
        own = torch.arange(lists).repeat_interleave(lengths).to(index.device)[index]
        scores[index] = (queries[own] * keys[:, None]).sum(-1) * asked.scaling
    if asked.softcap is not None:
        scores = torch.tanh(scores / asked.softcap) * asked.softcap
    weights = held.shaped(scores, -torch.inf).mT.softmax(-1)
    if note is not None:
        note(weights.mean(2, keepdim=True), at)
    found = held.values.weighted(held.flat(weights.mT), held.counts)
    return found.reshape(*asked.query.shape[:3], -1)
