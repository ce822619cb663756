"""What a memory aims at when it is told that a key means a value: one of the four choices (Miras' attentional bias).

Each objective is a loss of the memory's answer p to a key, and its gradient with respect to p, in closed form.
After Behrouz et al. 2025, It's All Connected (Miras). The L2 loss carries a factor ½ here, so that one step on it is
the delta rule; the Lp loss a factor 1/p, so that p = 2 is L2.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from mnemos.neural.named import looked_up


@dataclass(frozen=True, slots=True)
class Dot:
    """−⟨p, v⟩: the Hebbian rule of linear attention."""

    needs_threshold = False

    def loss(self, p: Tensor, v: Tensor, threshold: Tensor | None = None) -> Tensor:
        """[..., values] twice as [...]."""
        return -(p * v).sum(-1)

    def gradient(self, p: Tensor, v: Tensor, threshold: Tensor | None = None) -> Tensor:
        """Of the loss with respect to p, [..., values]."""
        return -v.expand_as(p)


@dataclass(frozen=True, slots=True)
class L2:
    """½‖p − v‖²."""

    needs_threshold = False

    def loss(self, p: Tensor, v: Tensor, threshold: Tensor | None = None) -> Tensor:
        """[..., values] twice as [...]."""
        return 0.5 * (p - v).square().sum(-1)

    def gradient(self, p: Tensor, v: Tensor, threshold: Tensor | None = None) -> Tensor:
        """Of the loss with respect to p, [..., values]."""
        return p - v


@dataclass(frozen=True, slots=True)
class Lp:
    """‖p − v‖_p^p / p, with |e| smoothed to √(e² + 10⁻⁶) (Moneta, p = 3).

    The paper smooths the sign too, by tanh(10 e); here the gradient is that of the smoothed loss,
    e (e² + 10⁻⁶)^(p/2 − 1), so that it can be checked by autograd.
    """

    p: float = 3.0
    needs_threshold = False

    def loss(self, p: Tensor, v: Tensor, threshold: Tensor | None = None) -> Tensor:
        """[..., values] twice as [...]."""
        return ((p - v).square() + 1e-6).pow(self.p / 2).sum(-1) / self.p

    def gradient(self, p: Tensor, v: Tensor, threshold: Tensor | None = None) -> Tensor:
        """Of the loss with respect to p, [..., values]."""
        error = p - v
        return error * (error.square() + 1e-6).pow(self.p / 2 - 1)


@dataclass(frozen=True, slots=True)
class Huber:
    """½‖e‖² where ‖e‖ ≤ δ, δ‖e‖ − ½δ² beyond, δ given by the token (Yaad).

    The paper writes δ∇ℓ₁ beyond; which norm that ℓ₁ is of, a number's or the vector's, could not be verified. Here it
    is the vector's, so that the gradient is continuous.
    """

    needs_threshold = True

    def loss(self, p: Tensor, v: Tensor, threshold: Tensor | None = None) -> Tensor:
        """[..., values] twice, and δ [...], as [...]."""
        assert threshold is not None
        size = (p - v).square().sum(-1).add(1e-24).sqrt()
        return (0.5 * size.square()).where(size <= threshold, threshold * (size - 0.5 * threshold))

    def gradient(self, p: Tensor, v: Tensor, threshold: Tensor | None = None) -> Tensor:
        """Of the loss with respect to p, [..., values]."""
        assert threshold is not None
        error = p - v
        size = error.square().sum(-1, keepdim=True).add(1e-24).sqrt()
        return error * (threshold.unsqueeze(-1) / size).clamp(max=1)


@dataclass(frozen=True, slots=True)
class KL:
    """KL(softmax v ‖ softmax p): answers are read as logits."""

    needs_threshold = False

    def loss(self, p: Tensor, v: Tensor, threshold: Tensor | None = None) -> Tensor:
        """[..., values] twice as [...]."""
        return (v.softmax(-1) * (v.log_softmax(-1) - p.log_softmax(-1))).sum(-1)

    def gradient(self, p: Tensor, v: Tensor, threshold: Tensor | None = None) -> Tensor:
        """Of the loss with respect to p, [..., values]."""
        return p.softmax(-1) - v.softmax(-1)


Objective = Dot | L2 | Lp | Huber | KL
OBJECTIVES: dict[str, Objective] = {"dot": Dot(), "l2": L2(), "lp": Lp(), "huber": Huber(), "kl": KL()}


def objective_of(chosen: str | Objective) -> Objective:
    """An objective by its name."""
    return looked_up("objective", chosen, OBJECTIVES) if isinstance(chosen, str) else chosen
