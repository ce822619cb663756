"""How a memory learns from gradients: one of the four choices."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mnemos.errors import InvalidInput
from mnemos.neural.named import looked_up


@dataclass(frozen=True, slots=True)
class Learner:
    """A rule that turns the gradients g_t of tokens into a change of the weights.

    - `delta`: the decay comes first, and the gradient is that at the decayed weights: the delta rule;
    - otherwise, S_t = η_t S_{t−1} − θ_t g_t and M_t = α_t M_{t−1} + S_t (η = 0 without `momentum`), the surprise of
      Behrouz et al. 2024, Titans: Learning to Memorize at Test Time;
    - `window`: g_t is the sum over the last tokens, each weighted by a gate of its own: the Omega rule;
    - `orthogonal`: S_t = η_t S_{t−1} + g_t and M_t = α_t M_{t−1} − θ_t NS(S_t), NS so many Newton–Schulz steps towards
      the nearest orthogonal matrix (Behrouz et al. 2025, ATLAS; the gate γ_{t,i} of the paper depends on both tokens,
      here on the one that is learnt alone: its form could not be verified);
    - `period`: gradients are gathered, and the weights change after every so many tokens alone; see `periodic`.
    """

    delta: bool = False
    momentum: bool = False
    window: int = 1
    orthogonal: int = 0
    period: int = 1

    def __post_init__(self) -> None:
        if self.window < 1 or self.orthogonal < 0:
            raise InvalidInput("learner", "has a window or a number of steps below what there is", "give 1 or more")
        if self.period < 1:
            raise InvalidInput("learner", f"has a period of {self.period} tokens", "give 1 or more")
        others = self.momentum or self.window > 1 or self.orthogonal
        if (self.delta or self.period > 1) and (others or (self.delta and self.period > 1)):
            raise InvalidInput(
                "learner", "joins rules that exclude each other", "choose one of delta, a period or the rest"
            )


LEARNERS = {
    "gradient": Learner(),
    "delta": Learner(delta=True),
    "momentum": Learner(momentum=True),
    "window": Learner(window=8),
    "newton-schulz": Learner(momentum=True, orthogonal=5),
}


def learner_of(chosen: str | Learner) -> Learner:
    """A learner by its name."""
    return chosen if isinstance(chosen, Learner) else looked_up("learner", chosen, LEARNERS)


def newton_schulz(x: Tensor, steps: int) -> Tensor:
    """Matrices [..., inputs, outputs] with their singular values pushed towards 1, by Muon's quintic iteration.

    The coefficients are steepest at 0 and do not converge: five steps leave singular values between about 0.7 and 1.2.

    Each step multiplies x from the left by a polynomial of x xᵀ. Those commute, so that where x is much wider than
    tall they are multiplied with each other, and x by their product, once.
    """
    tall = x.shape[-2] > x.shape[-1]
    x = x.transpose(-1, -2) if tall else x
    shape = x.shape
    x = (x / (x.square().sum((-1, -2), keepdim=True) + 1e-14).sqrt()).reshape(-1, *shape[-2:])
    x = (_evened_once if shape[-1] > 2 * shape[-2] else _evened)(x, steps).view(shape)
    return x.transpose(-1, -2) if tall else x


def _evened(x: Tensor, steps: int) -> Tensor:
    for _ in range(steps):
        x = _nearer(x, _curve(x @ x.transpose(-1, -2)))
    return x


def _evened_once(x: Tensor, steps: int) -> Tensor:
    square, product = x @ x.transpose(-1, -2), torch.eye(x.shape[-2], dtype=x.dtype, device=x.device)
    product = product.expand_as(square)
    for left in reversed(range(steps)):
        curve = _curve(square)
        product = _nearer(product, curve)
        square = _nearer(_nearer(square, curve), curve) if left else square
    return product @ x


def _curve(square: Tensor) -> Tensor:
    return torch.baddbmm(square, square, square, beta=-4.7750, alpha=2.0315)


def _nearer(x: Tensor, curve: Tensor) -> Tensor:
    return torch.baddbmm(x, curve, x, beta=3.4445)
