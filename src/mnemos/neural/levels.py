"""Levels of memory in a row, each slower than the one before: Hope's continuum of update frequencies."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from mnemos.neural.memory import MemoryLayer, State


class Levels(MemoryLayer):
    """x ← x + layer(norm(x)) for each layer in turn; what is returned is what they added.

    After Behrouz et al. 2025, Nested Learning: The Illusion of Deep Learning Architectures.
    """

    def __init__(self, layers: Sequence[MemoryLayer]) -> None:
        super().__init__()
        self.dim = layers[0].dim
        self.layers = nn.ModuleList(layers)
        self.norms = nn.ModuleList(nn.RMSNorm(self.dim, eps=1e-6) for _ in layers)

    def start(self, batch: int) -> tuple[State, ...]:
        """A fresh state of each level."""
        return tuple(layer.start(batch) for layer in self._each())

    def step(self, x: Tensor, state: State, *, write: Tensor | None = None) -> tuple[Tensor, tuple[State, ...]]:
        """Read one token."""
        return self._read(x, state, [layer.step for layer in self._each()], write)

    def forward(
        self, x: Tensor, state: State = None, *, write: Tensor | None = None
    ) -> tuple[Tensor, tuple[State, ...]]:
        """Read many tokens."""
        return self._read(x, self.start(x.shape[0]) if state is None else state, self._each(), write)

    def _read(
        self, x: Tensor, state: State, ways: Sequence[Callable[..., tuple[Tensor, State]]], write: Tensor | None
    ) -> tuple[Tensor, tuple[State, ...]]:
        """Through each level in its way, one token or many."""
        read, after = x, []
        for way, norm, one in zip(ways, self.norms, state, strict=True):
            y, one = way(norm(read), one, write=write)
            read = read + y
            after.append(one)
        return read - x, tuple(after)

    def _each(self) -> list[MemoryLayer]:
        return [layer for layer in self.layers if isinstance(layer, MemoryLayer)]
