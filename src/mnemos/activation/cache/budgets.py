"""How many tokens each head may keep, and which they are."""

from __future__ import annotations

import math
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from mnemos.activation.cache.held import NOWHERE, Held
from mnemos.errors import InvalidInput

HIGHEST = torch.iinfo(torch.int64).max


class Spread(Protocol):
    """How the room of a cache is shared out between layers and heads."""

    def rooms(self, room: Tensor, seen: Tensor, layer: int, layers: int) -> Tensor:
        """What a layer gets per head, [rows], int64; over all layers no more than `layers` times as much.

        Args:
            room: tokens per head of a layer if all got the same, [rows], on the CPU.
            seen: tokens that each row has read, [rows], on the CPU: no head can hold more.
            layer: which layer, from 0.
            layers: how many there are.
        """
        ...

    def counts(self, scores: Tensor, room: Tensor, counts: Tensor) -> Tensor:
        """What each head keeps, [rows, heads], int64, on the CPU; of a row no more than heads times its room.

        Args:
            scores: of what each head holds, [rows, heads, held]; minus infinity where there is no token.
            room: tokens per head of this layer, [rows], on the CPU.
            counts: tokens that each head holds, [rows, heads], on the CPU.
        """
        ...


class Uniform:
    """Every head of every layer gets the same."""

    name: ClassVar[str] = "uniform"

    def rooms(self, room: Tensor, seen: Tensor, layer: int, layers: int) -> Tensor:
        """The same."""
        return room

    def counts(self, scores: Tensor, room: Tensor, counts: Tensor) -> Tensor:
        """The same, or all that a head has."""
        return torch.minimum(counts, room[:, None])


class Budget:
    """How much of what it has seen a cache may keep.

    Args:
        given: a share, above 0 and up to 1 (1 is all); or a whole number of tokens per head, 2 or more.

    Raises:
        InvalidInput: it is neither.
    """

    def __init__(self, given: float) -> None:
        number = isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given)
        if not number or given <= 0 or (given > 1 and given != int(given)):
            mend = "give a share above 0 and up to 1, or a whole number of tokens per head, 2 or more"
            raise InvalidInput("budget", f"{given!r} says neither a share nor a number of tokens", mend)
        self.given = given

    @property
    def is_all(self) -> bool:
        """Whether nothing has to go."""
        return self.given == 1

    def room(self, seen: Tensor) -> Tensor:
        """Tokens per head for rows that have read so many, [rows], int64: at least one."""
        if self.given > 1:
            return torch.full_like(seen, int(self.given))
        # a share of 0.07 times 100 is not to become 8 tokens
        return torch.ceil(seen.double() * self.given - 1e-9).long().clamp_min(1)


def best(held: Held, scores: Tensor, counts: Tensor) -> Held:
    """What is left when each head keeps its best tokens: the highest scores, of equal ones the later.

    Args:
        held: what there is.
        scores: of each token, [rows, heads, widest]; those of minus infinity go in any case.
        counts: how many each head keeps at most, [rows, heads], on the CPU.
    """
    if not held.is_even:
        scores = scores.masked_fill(held.slots == NOWHERE, -math.inf)
    left = torch.minimum(counts, (scores > -math.inf).sum(-1).cpu())
    going = held.counts - left
    if not bool(going.any()):
        return held
    if held.is_even and bool((going == 1).all()):
        # of equal ones this is the first
        return held.without(scores.min(-1).indices)
    there = held.slots != NOWHERE
    low = ordered(scores).masked_fill(~there, HIGHEST).topk(int(going.max()), largest=False).indices
    goes = torch.arange(low.shape[-1], device=low.device) < going.to(low.device)[..., None]
    stays = there & torch.ones_like(there).scatter(-1, low, ~goes)
    return held.taken(held.slots[stays], left)


def ordered(scores: Tensor) -> Tensor:
    """Whole numbers in the order in which tokens go, no two of a row equal: by score; of equal ones the first goes
    first, and of several heads' the first head's.

    Args:
        scores: float32, [rows, heads, tokens], and so is what is returned, int64, below `HIGHEST`.
    """
    _, heads, width = scores.shape
    # the bits of two numbers above 0 are in their order, and of two below 0 the other way round; -0 is 0
    bits = (scores + 0.0).view(torch.int32)
    bits = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).long()
    place = torch.arange(width, device=bits.device) * heads + torch.arange(heads, device=bits.device)[:, None]
    return (bits << 32) + place


def best_first(scores: Tensor) -> Tensor:
    """Where the scores of each list stand, the highest first; of equal ones the later comes first.

    Args:
        scores: [..., tokens], and so is what is returned, int64.
    """
    return scores.shape[-1] - 1 - scores.flip(-1).argsort(dim=-1, descending=True, stable=True)


def ranks(scores: Tensor) -> Tensor:
    """Which each is among the scores of its head, 0 for the highest; of equal ones the later comes first.

    Args:
        scores: [rows, heads, tokens], and so is what is returned.
    """
    order = best_first(scores)
    return torch.empty_like(order).scatter_(
        -1, order, torch.arange(order.shape[-1], device=order.device).expand_as(order)
    )
