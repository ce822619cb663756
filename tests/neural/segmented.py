"""What every memory that reads by segments has to hold, whatever it remembers."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch

from mnemos.neural.segments import Reading, SegmentMemory


def leaves(state: object) -> list[torch.Tensor]:
    """The tensors of a state, in order."""
    if isinstance(state, torch.Tensor):
        return [state]
    return [] if state is None else [leaf for part in state for leaf in leaves(part)]  # type: ignore[attr-defined]


def same(one: object, other: object) -> bool:
    """Whether two states have the same tensors, to 1e-10."""
    pairs = list(zip(leaves(one), leaves(other), strict=True))
    return all(a.shape == b.shape and torch.allclose(a.double(), b.double(), atol=1e-10) for a, b in pairs)


def by_pieces_and_steps(layer: SegmentMemory, x: torch.Tensor, write: torch.Tensor | None = None) -> None:
    """One call, three calls, and a call a token say the same and end in the same state; no state is changed."""
    whole, last = layer(x, write=write)
    state, read, cuts = layer.start(len(x)), [], (0, 3, x.shape[1] - 4, x.shape[1])
    before = [leaf.clone() for leaf in leaves(state)]
    first = state
    for start, stop in pairwise(cuts):
        y, state = layer(x[:, start:stop], state, write=None if write is None else write[:, start:stop])
        read.append(y)
    stepped, walk = layer.unrolled(x, write=write)
    assert torch.allclose(torch.cat(read, dim=1), whole, atol=1e-10)
    assert torch.allclose(stepped, whole, atol=1e-10)
    assert same(state, last)
    assert same(walk, last)
    assert all(torch.equal(a, b) for a, b in zip(leaves(first), before, strict=True))


def causal(layer: SegmentMemory, x: torch.Tensor, at: int) -> list[bool]:
    """Which tokens are told otherwise when token `at` is another; none before it may be."""
    other = x.clone()
    other[:, at] += torch.randn_like(other[:, at])
    return [bool(changed) for changed in (layer(x)[0] - layer(other)[0]).abs().amax(dim=(0, 2)) > 1e-12]


def one_by_one(
    layer: SegmentMemory,
    x: torch.Tensor,
    answer: Callable[[torch.Tensor, torch.Tensor, list[torch.Tensor]], torch.Tensor],
    store: Callable[[list[torch.Tensor], list[torch.Tensor]], list[torch.Tensor]],
    slots: list[torch.Tensor],
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """A plain loop over the tokens of one sequence [tokens, dim]: answer each, store every full segment."""
    rows, said = [], []
    for t, token in enumerate(x):
        begun = t - t % layer.segment
        near = layer.local(x[None, begun : t + 1])[0][0, -1]
        rows.append(answer(token, near, slots))
        said.append(token + rows[-1])
        if len(said) == layer.segment:
            slots, said = store(slots, said), []
    return torch.stack(rows), slots


__all__ = ["Reading", "by_pieces_and_steps", "causal", "leaves", "one_by_one", "same"]
