"""What remembers: a vector, a matrix or a multi-layer perceptron whose weights are written at test time.

A memory does not hold its weights. It says of which shapes they are, how a key goes through them, and how a loss comes
back: for each weight W a pair (a, δ) for each token, the input of W and the gradient with respect to its output, so
that the gradient with respect to W is a δᵀ (for a vector a ⊙ δ). That pair is all that a parallel form needs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import gelu

from mnemos.errors import InvalidInput
from mnemos.neural.named import looked_up

Apply = Callable[[int, Tensor], Tensor]
"""What the weight of a number makes of its input."""
Blame = Callable[[Tensor], Tensor]
"""The gradient of a loss with respect to an answer."""
Factors = list[tuple[Tensor, Tensor]]
"""For each weight its inputs [..., tokens, inputs] and the gradients of its outputs [..., tokens, outputs]."""


@dataclass(frozen=True, slots=True)
class Vector:
    """M(x) = w ⊙ x, the smallest associative memory: one number for a channel (gated recurrent networks)."""

    diagonal = True

    def shapes(self, keys: int, values: int) -> list[tuple[int, int]]:
        """Of the weights, for keys and values of these widths."""
        if keys != values:
            raise InvalidInput("values", f"a vector cannot answer keys of {keys} with {values}", "make them equal")
        return [(1, keys)]

    def forward(self, x: Tensor, apply: Apply) -> Tensor:
        """The answers to keys [..., tokens, keys]."""
        return apply(0, x)

    def through(self, x: Tensor, weight: Tensor) -> Tensor:
        """What a weight [..., 1, keys] makes of its input [..., tokens, keys]."""
        return x * weight

    def gradient(self, a: Tensor, delta: Tensor) -> Tensor:
        """Of a weight, summed over tokens, from its factors."""
        return (a * delta).sum(-2, keepdim=True)

    def factors(self, weights: Sequence[Tensor], k: Tensor, blame: Blame) -> Factors:
        """Gradients for keys [..., tokens, keys] at weights [..., 1, keys], in factors."""
        return [(k, blame(k * weights[0]))]


@dataclass(frozen=True, slots=True)
class Deep:
    """A perceptron of some layers, GELU between them, no biases; of one layer: a matrix, M(x) = Wᵀx.

    With `residual`, M(x) = x + LN(W₁ GELU(W₂ x)) as in Miras and Titans, where LN is a layer norm without parameters;
    with `normed`, M(x) = LN(W₁ GELU(W₂ x)), for keys and values of different widths. Without either, steps for a key
    that comes again and again add up until they overshoot, and the weights grow without bound.
    """

    depth: int = 2
    expansion: int = 4
    """Width of the hidden layers over that of the keys."""
    residual: bool = True
    normed: bool = False
    eps: float = 1e-5
    diagonal = False

    def shapes(self, keys: int, values: int) -> list[tuple[int, int]]:
        """Of the weights, for keys and values of these widths."""
        if self.depth < 1 or self.expansion < 1:
            raise InvalidInput("memory", "has no layer, or one without width", "give a depth and expansion from 1 on")
        if self.residual and keys != values:
            raise InvalidInput("values", f"cannot be added to keys of width {keys}", "make both of one width")
        widths = [keys, *[self.expansion * keys] * (self.depth - 1), values]
        return list(pairwise(widths))

    def forward(self, x: Tensor, apply: Apply) -> Tensor:
        """The answers to keys [..., tokens, keys]."""
        hidden = x
        for layer in range(self.depth - 1):
            hidden = gelu(apply(layer, hidden))
        answer = apply(self.depth - 1, hidden)
        answer = self._normed(answer)[0] if self.residual or self.normed else answer
        return x + answer if self.residual else answer

    def through(self, x: Tensor, weight: Tensor) -> Tensor:
        """What a weight [..., inputs, outputs] makes of its input [..., tokens, inputs]."""
        return x @ weight

    def gradient(self, a: Tensor, delta: Tensor) -> Tensor:
        """Of a weight, summed over tokens, from its factors."""
        return a.transpose(-1, -2) @ delta

    def factors(self, weights: Sequence[Tensor], k: Tensor, blame: Blame) -> Factors:
        """Gradients for keys [..., tokens, keys] at weights [..., inputs, outputs], in factors."""
        inputs, sums = [k], []
        for weight in weights[:-1]:
            sums.append(inputs[-1] @ weight)
            inputs.append(gelu(sums[-1]))
        answer = inputs[-1] @ weights[-1]
        if self.residual or self.normed:
            normed, spread = self._normed(answer)
            delta = _norm_backward(blame(k + normed if self.residual else normed), normed, spread)
        else:
            delta = blame(answer)
        deltas = [delta]
        for weight, total in zip(reversed(weights[1:]), reversed(sums), strict=True):
            deltas.append((deltas[-1] @ weight.transpose(-1, -2)) * _gelu_slope(total))
        return list(zip(inputs, reversed(deltas), strict=True))

    def _normed(self, x: Tensor) -> tuple[Tensor, Tensor]:
        centred = x - x.mean(-1, keepdim=True)
        spread = centred.square().mean(-1, keepdim=True).add(self.eps).sqrt()
        return centred / spread, spread


def _norm_backward(g: Tensor, normed: Tensor, spread: Tensor) -> Tensor:
    """Of a layer norm without parameters: both what the mean and what the deviation give back are taken off."""
    return (g - g.mean(-1, keepdim=True) - normed * (g * normed).mean(-1, keepdim=True)) / spread


def _gelu_slope(x: Tensor) -> Tensor:
    """x Φ(x) by x: Φ(x) + x φ(x)."""
    below = 0.5 * (1 + torch.erf(x * math.sqrt(0.5)))
    return below + x * torch.exp(-0.5 * x.square()) * (1 / math.sqrt(2 * math.pi))


Memory = Vector | Deep
MATRIX = Deep(depth=1, residual=False)
MEMORIES: dict[str, Memory] = {"vector": Vector(), "matrix": MATRIX, "mlp": Deep()}


def memory_of(chosen: str | Memory) -> Memory:
    """A memory by its name."""
    return looked_up("memory", chosen, MEMORIES) if isinstance(chosen, str) else chosen
