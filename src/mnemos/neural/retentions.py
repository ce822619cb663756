"""What a memory keeps from one token to the next: one of the four choices."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from mnemos.neural.named import looked_up

Decay = Literal["none", "scalar", "channel"]
Link = tuple[Tensor, Tensor | None]
"""Weights that are read, [..., inputs, outputs], as a product of two: see `Retention.link`."""


def multiplied(link: Link) -> Tensor:
    """The weights themselves."""
    one, factor = link
    return one if factor is None else one * factor


@dataclass(frozen=True, slots=True)
class Retention:
    """How a memory forgets: a decay, and a link from what is decayed and added to, to the weights that are read."""

    decay: Decay = "none"
    """`none`; `scalar`: one number a head and token; `channel`: one for each feature of the key besides."""
    fixed: bool = False
    """The decays of RetNet, 1 − 2^(−5 − head), whatever the token says."""
    floor: float = 0.0
    """Decays stay above it (HGRN2: higher in higher layers)."""
    calm: float = 16.0
    """Logs of decays are divided by it (GLA's temperature), so that memories are long at first."""

    def first(self, *shape: int) -> Tensor:
        """What a memory may start from where that cannot be zeros, [..., inputs, outputs]."""
        return torch.randn(*shape) / math.sqrt(shape[-2])

    def link(self, raw: Tensor) -> Link:
        """The weights that are read, of what is kept [..., inputs, outputs], as a product of two.

        Returns: [..., inputs, outputs], and [..., 1, 1 or outputs], or None for 1, by which answers can be multiplied.
        """
        return raw, None

    def weights(self, raw: Tensor) -> Tensor:
        """The weights that are read, of what is kept; both [..., inputs, outputs]."""
        return multiplied(self.link(raw))

    def towards(self, x: Tensor, factor: Tensor | None) -> Tensor:
        """A query, as it meets inside a chunk what has been added to what was kept at its start.

        With W the weights at the chunk's start, β the decay since, and C what was added since, a token that is not the
        last of its chunk reads x (β W) + towards(x) C: the link is frozen. Behrouz et al. 2025 (Miras) apply what is
        not linear at the ends of chunks alone; how it is replaced within them could not be verified.

        Args:
            x: [..., tokens, inputs], and so is what is returned.
            factor: the second part of the link at the chunk's start.
        """
        return x

    @property
    def linear(self) -> bool:
        """Whether what is kept and what is read are the same."""
        return True

    def gate(self, dim: int, heads: int, keys: int) -> nn.Module | None:
        """The module that gives logs of decays, [..., dim] as [..., heads, 1 or keys]; None: all are 0."""
        if self.decay == "none":
            return None
        if self.fixed:
            return FixedForget(heads)
        return Forget(dim, heads, keys if self.decay == "channel" else 1, self.floor, self.calm)


@dataclass(frozen=True, slots=True)
class Lq(Retention):
    """Weights A / ‖A‖_q^(q−2), A decayed and added to: the Lq retention of Moneta.

    After Behrouz et al. 2025, It's All Connected (Miras). The norm is over one weight matrix; that, and the sign in the
    exponent, are from third parties' transcriptions and could not be verified in the paper.
    """

    decay: Decay = "scalar"
    q: float = 4.0

    def link(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """What is kept, and a power of its norm."""
        square = raw.square()
        if self.q == 4:
            flat = square.flatten(-2)
            total = (flat.unsqueeze(-2) @ flat.unsqueeze(-1)) + 1e-24
        else:
            total = (square + 1e-12).pow(self.q / 2).sum((-1, -2), keepdim=True)
        return raw, total.pow(-(self.q - 2) / self.q)

    def towards(self, x: Tensor, factor: Tensor | None) -> Tensor:
        """With the norm of the chunk's start."""
        return x if factor is None else x * factor

    @property
    def linear(self) -> bool:
        """No."""
        return False


@dataclass(frozen=True, slots=True)
class Entropy(Retention):
    """Weights on a simplex, softmax(α log W − η ∇): the entropy (KL) retention of Memora.

    What is kept is log W up to a constant for each softmax, which is all that matters to the next step, so that a decay
    and a sum are enough. After Behrouz et al. 2025, It's All Connected (Miras); the axis of the softmax (here: the
    inputs of each output) and the scale could not be verified in the paper.
    """

    decay: Decay = "scalar"
    scale: float | None = None
    """What the weights of an output add up to; None: the root of their number, so that each is as large as is usual."""

    def first(self, *shape: int) -> Tensor:
        """Logs, as uneven as weights are else."""
        return torch.randn(*shape)

    def link(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Exponentials, and one over their sums over the inputs of each output."""
        powers = (raw - raw.amax(-2, keepdim=True)).exp()
        return powers, self._sum(raw.shape[-2]) / (powers.new_ones(1, raw.shape[-2]) @ powers)

    def towards(self, x: Tensor, factor: Tensor | None) -> Tensor:
        """With the slope that the softmax has where all weights are equal."""
        return (x - x.mean(-1, keepdim=True)) * (self._sum(x.shape[-1]) / x.shape[-1])

    def _sum(self, inputs: int) -> float:
        return math.sqrt(inputs) if self.scale is None else self.scale

    @property
    def linear(self) -> bool:
        """No."""
        return False


RETENTIONS = {
    "none": Retention(),
    "scalar": Retention("scalar"),
    "channel": Retention("channel"),
    "lq": Lq(),
    "entropy": Entropy(),
}


def retention_of(chosen: str | Retention) -> Retention:
    """A retention by its name."""
    return chosen if isinstance(chosen, Retention) else looked_up("retention", chosen, RETENTIONS)


class Forget(nn.Module):
    """Logs of decays that depend on the token: log(floor + (1 − floor) σ(Wx + b − k)) / calm, k where keys are told."""

    def __init__(self, dim: int, heads: int, channels: int, floor: float, calm: float) -> None:
        super().__init__()
        self.heads, self.floor, self.calm = heads, floor, calm
        self.weight = nn.Linear(dim, heads * channels)
        nn.init.constant_(self.weight.bias, 3.0)

    def forward(self, x: Tensor, k: Tensor | None = None) -> Tensor:
        """[..., dim] as [..., heads, channels], each below 0; keys are of that shape too."""
        raised = self.weight(x).unflatten(-1, (self.heads, -1))
        raised = raised if k is None else raised - k
        if not self.floor:
            return logsigmoid(raised) / self.calm
        return torch.log(self.floor + (1 - self.floor) * raised.sigmoid()) / self.calm


class FixedForget(nn.Module):
    """RetNet's decays (Sun et al. 2023, Retentive Network): each head its own, whatever the token."""

    log_decay: Tensor

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.register_buffer("log_decay", torch.log1p(-(2.0 ** (-5.0 - torch.arange(heads)))).unsqueeze(-1))

    def forward(self, x: Tensor) -> Tensor:
        """[..., dim] as [..., heads, 1]."""
        return self.log_decay.to(x).expand(*x.shape[:-1], -1, -1)
