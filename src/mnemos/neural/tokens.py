"""What a memory is told of each token: query, key, value and gates, made of the token's vector."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn


class Tokens(NamedTuple):
    """Tokens as a memory sees them; where there is one token only, `tokens` is missing from every shape."""

    q: Tensor
    """[batch, heads, tokens, keys]."""
    k: Tensor
    """[batch, heads, tokens, keys]."""
    v: Tensor
    """[batch, heads, tokens, values]."""
    rate: Tensor
    """How much of the token is learnt, [batch, heads, tokens], above 0."""
    log_decay: Tensor | None = None
    """[batch, heads, tokens, 1 or keys], at most 0; None: nothing is forgotten."""
    log_momentum: Tensor | None = None
    """[batch, heads, tokens], below 0."""
    weight: Tensor | None = None
    """How much the token counts in the windows that it is in, [batch, heads, tokens]."""
    threshold: Tensor | None = None
    """From which error on the objective is linear, [batch, heads, tokens]."""
    write: Tensor | None = None
    """[batch, 1, tokens]: 0 where the memory keeps what it has; `rate`, `log_decay` and `log_momentum` are 0 there
    already."""

    def each(self, change: Callable[[Tensor], Tensor]) -> Tokens:
        """These, every tensor changed."""
        return Tokens(*(None if one is None else change(one) for one in self))  # type: ignore[arg-type]

    def between(self, first: int, end: int) -> Tokens:
        """Those from a place on, before another."""
        return self.each(lambda one: one[:, :, first:end])

    def where(self, write: Tensor) -> Tokens:
        """These, written where `write` [batch, (tokens)] is 1 and left out where it is 0."""
        write = write.to(self.rate).unsqueeze(1)
        return self._replace(
            rate=self.rate * write,
            log_decay=None if self.log_decay is None else self.log_decay * write.unsqueeze(-1),
            log_momentum=None if self.log_momentum is None else self.log_momentum * write,
            write=write,
        )


class Gate(nn.Module):
    """One number in (0, top) for each head, σ(Wx + b)."""

    def __init__(self, dim: int, heads: int, top: float = 1.0, bias: float = 0.0) -> None:
        super().__init__()
        self.top = top
        self.weight = nn.Linear(dim, heads)
        nn.init.constant_(self.weight.bias, bias)

    def forward(self, x: Tensor) -> Tensor:
        """[..., dim] as [..., heads]."""
        gate: Tensor = self.top * self.weight(x).sigmoid()
        return gate
