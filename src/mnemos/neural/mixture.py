"""Mixture-of-Memories: several memories side by side, of which each token is written to a few.

After J. Du and others, "MoM: Linear Sequence Modeling with Mixture-of-Memories" (2025). A memory that a token is not
routed to keeps what it has, so that what does not belong together does not overwrite each other. Here each memory is a
whole layer with projections of its own, and answers are weighted after the output map; in the paper memories share the
query and the output map, which is a special case but for the norm before that map. All memories see all tokens and
write theirs alone, so a mixture takes the time of all its memories, not of those that are chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mnemos.errors import InvalidInput
from mnemos.neural.memory import MemoryLayer, State


class MixtureState(NamedTuple):
    """What each memory carries."""

    memories: tuple[State, ...]
    shared: State
    """Of the memory that sees every token; None without one."""


class Routing(NamedTuple):
    """Where tokens go."""

    weights: Tensor
    """[..., count]: how much each memory counts in the answer; 0 where the token is not written; they sum to 1."""
    odds: Tensor
    """[..., count]: softmax of the router's scores."""


class MixtureOfMemories(MemoryLayer):
    """Σ over the `top` chosen memories of their weight times their answer, and a shared memory's answer.

    Args:
        make: makes one memory; called once for each.
        count: memories to choose from.
        top: how many of them a token is written to and read from.
        is_shared: whether a further memory sees every token.

    Raises:
        InvalidInput: `top` is not between 1 and `count`.
    """

    def __init__(
        self, make: Callable[[], MemoryLayer], *, count: int = 4, top: int = 2, is_shared: bool = True
    ) -> None:
        super().__init__()
        if not 1 <= top <= count:
            raise InvalidInput("top", f"is {top}", f"between 1 and the {count} memories")
        self.memories = nn.ModuleList(make() for _ in range(count))
        self.shared = make() if is_shared else None
        self.dim, self.top = self._each()[0].dim, top
        self.router = nn.Linear(self.dim, count, bias=False)
        self.imbalance: Tensor | None = None
        """Of the last `forward` in training, until `balance` takes it."""

    def start(self, batch: int) -> MixtureState:
        """A fresh state."""
        shared = None if self.shared is None else self.shared.start(batch)
        chosen = self._each()[: len(self.memories)]
        return MixtureState(tuple(memory.start(batch) for memory in chosen), shared)

    def step(self, x: Tensor, state: MixtureState, *, write: Tensor | None = None) -> tuple[Tensor, MixtureState]:
        """Read one token; see `MemoryLayer.step`."""
        return self._read(x, self.route(x).weights, state, write, [one.step for one in self._each()])

    def forward(
        self, x: Tensor, state: MixtureState | None = None, *, write: Tensor | None = None
    ) -> tuple[Tensor, MixtureState]:
        """Read many tokens; see `MemoryLayer.forward`. In training, `balance` finds how uneven the routing was."""
        state = self.start(x.shape[0]) if state is None else state
        routed = self.route(x)
        if self.training and routed.odds.numel():
            self.imbalance = imbalance(routed)
        return self._read(x, routed.weights, state, write, self._each())

    def _read(
        self,
        x: Tensor,
        weights: Tensor,
        state: MixtureState,
        write: Tensor | None,
        ways: Sequence[Callable[..., tuple[Tensor, State]]],
    ) -> tuple[Tensor, MixtureState]:
        """Tokens through all memories, each by its own way in; the shared memory's is the last, where there is one."""
        y = torch.zeros_like(x)
        states: list[State] = []
        for number, way in enumerate(ways[: len(state.memories)]):
            said, after = way(x, state.memories[number], write=_written(weights[..., number], write))
            y = y + weights[..., number, None] * said
            states.append(after)
        if self.shared is None:
            return y, MixtureState(tuple(states), None)
        said, after = ways[-1](x, state.shared, write=write)
        return y + said, MixtureState(tuple(states), after)

    def route(self, x: Tensor) -> Routing:
        """Where tokens [..., dim] go: the best few by softmax of a linear map, weighted anew among themselves."""
        odds: Tensor = self.router(x).softmax(-1)
        best, which = odds.topk(self.top, -1)
        weights = torch.zeros_like(odds).scatter(-1, which, best / best.sum(-1, keepdim=True))
        return Routing(weights, odds)

    def _each(self) -> list[MemoryLayer]:
        """The memories, and last the shared one, where there is one."""
        return [one for one in (*self.memories, self.shared) if isinstance(one, MemoryLayer)]


def imbalance(routed: Routing) -> Tensor:
    """How unevenly memories are used: 1 when all are alike, up to their number when one gets everything.

    count · Σ_m (share of the writes that go to m) · (mean odds of m), as in "Switch Transformers" (W. Fedus and others,
    2021); its gradient goes through the odds.
    """
    chosen = (routed.weights > 0).to(routed.odds).flatten(0, -2)
    share = chosen.sum(0) / chosen.sum()
    return routed.odds.shape[-1] * (share * routed.odds.flatten(0, -2).mean(0)).sum()


def balance(model: nn.Module) -> Tensor:
    """The summed imbalance of all mixtures in a model at their last `forward` in training, each taken once.

    To be added to a loss, times some 0.01. Zero where there is no mixture.
    """
    total = torch.zeros(())
    for one in model.modules():
        if isinstance(one, MixtureOfMemories) and one.imbalance is not None:
            total, one.imbalance = total.to(one.imbalance) + one.imbalance, None
    return total


def _written(weight: Tensor, write: Tensor | None) -> Tensor:
    """Where a memory writes: chosen, and written at all."""
    chosen = (weight > 0).to(weight)
    return chosen if write is None else chosen * write
