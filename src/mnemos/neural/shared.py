"""Gated memory units: a memory is read once, and later layers take what they want of what it said.

After L. Ren and others, "Decoder-Hybrid-Decoder Architecture for Efficient Reasoning with Long Generation" (2025),
whose SambaY puts such units in place of half of the cross-attention layers. A unit carries no state and looks at one
position alone, so it costs neither memory nor time that grows with what was read.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from mnemos.errors import InvalidInput
from mnemos.neural.caching import CachedMemory
from mnemos.neural.memory import MemoryLayer, State


class GatedMemoryUnit(nn.Module):
    """W₂(m ⊙ SiLU(W₁x)): hidden states x of this layer gate what an earlier layer's memory said, m.

    Args:
        dim: width of hidden states and answers.
        width: of m; None: `dim`.
        is_normed: whether the gated product goes through RMSNorm.
    """

    def __init__(self, dim: int, width: int | None = None, *, is_normed: bool = False) -> None:
        super().__init__()
        width = width or dim
        self.gate, self.join = nn.Linear(dim, width, bias=False), nn.Linear(width, dim, bias=False)
        self.norm = nn.RMSNorm(width, eps=1e-6) if is_normed else nn.Identity()

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        """For x [..., dim] and m [..., width] of the same positions, [..., dim]."""
        y: Tensor = self.join(self.norm(memory * silu(self.gate(x))))
        return y


def published(
    memory: MemoryLayer, x: Tensor, state: State = None, *, write: Tensor | None = None
) -> tuple[Tensor, Tensor, State]:
    """Read tokens, and publish what the memory said before its last linear map.

    Args:
        memory: any layer. The last map is its `join` (`NeuralMemory` and what has one) or `output` (attention); where
            it has neither, what it returns is published.
        x: [batch, tokens, dim].
        state, write: as of `MemoryLayer.forward`.

    Returns:
        m [batch, tokens, width], y [batch, tokens, dim] and the state after the last token.
    """
    last = last_map(memory)
    if last is None:
        y, state = memory(x, state, write=write)
        return y, y, state
    heard: list[Tensor] = []

    def listen(_: nn.Module, said: tuple[Any, ...]) -> None:
        heard.append(said[0])

    handle = last.register_forward_pre_hook(listen)
    try:
        y, state = memory(x, state, write=write)
    finally:
        handle.remove()
    return torch.cat(heard, 1) if heard else x.new_zeros(*x.shape[:2], last.in_features), y, state


def last_map(memory: MemoryLayer) -> nn.Linear | None:
    """The linear map at a layer's end; None where there is none."""
    for name in ("join", "output"):
        if isinstance(found := getattr(memory, name, None), nn.Linear):
            return found
    return last_map(memory.memory) if isinstance(memory, CachedMemory) else None


class SharedMemory(MemoryLayer):
    """One memory and the units that share what it said, each after the one before, with a residual around each.

    x₀ = x, x₁ = x₀ + memory(norm x₀), xᵢ₊₁ = xᵢ + unitᵢ(norm xᵢ, m); what was added to x is returned.

    Args:
        memory: the layer that is shared; it alone has a state.
        units: how many units follow it.
        is_normed: of the units.

    Raises:
        InvalidInput: `units` is below 1.
    """

    def __init__(self, memory: MemoryLayer, *, units: int = 1, is_normed: bool = False) -> None:
        super().__init__()
        if units < 1:
            raise InvalidInput("units", f"is {units}", "a memory is shared with at least one unit")
        self.memory, self.dim = memory, memory.dim
        last = last_map(memory)
        width = self.dim if last is None else last.in_features
        self.units = nn.ModuleList(GatedMemoryUnit(self.dim, width, is_normed=is_normed) for _ in range(units))
        self.norms = nn.ModuleList(nn.RMSNorm(self.dim, eps=1e-6) for _ in range(units + 1))

    def start(self, batch: int) -> State:
        """The memory's."""
        return self.memory.start(batch)

    def step(self, x: Tensor, state: State, *, write: Tensor | None = None) -> tuple[Tensor, State]:
        """Read one token; see `MemoryLayer.step`."""
        y, state = self(x.unsqueeze(1), state, write=None if write is None else write.unsqueeze(1))
        return y.squeeze(1), state

    def forward(self, x: Tensor, state: State = None, *, write: Tensor | None = None) -> tuple[Tensor, State]:
        """Read many tokens; see `MemoryLayer.forward`."""
        said, y, state = published(self.memory, self.norms[0](x), state, write=write)
        for norm, unit in zip(list(self.norms)[1:], self.units, strict=True):
            y = y + unit(norm(x + y), said)
        return y, state
