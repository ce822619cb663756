"""Modern Hopfield memories: a noisy pattern falls to the stored pattern next to it.

After H. Ramsauer and others, "Hopfield Networks is All You Need" (2021). One update moves a state ξ to the average of
the stored patterns x_i, weighted by softmax_i(β ⟨x_i, ξ⟩); the energy falls with every update, and with β = 1/√width
the first update is softmax attention. A large β brings back one pattern, a small one the average of many.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from mnemos.errors import InvalidInput


def energy(states: Tensor, patterns: Tensor, beta: float) -> Tensor:
    """How far each state is from rest: never negative, and no update raises it.

    Args:
        states: [..., n, width].
        patterns: [..., m, width], what is stored.
        beta: above 0; the larger, the deeper and narrower is the valley around each pattern.

    Returns:
        [..., n]: -lse(β, Xξ) + ½‖ξ‖² + ln(m)/β + ½ max‖x‖².
    """
    near = torch.logsumexp(beta * states @ patterns.mT, -1) / beta
    largest = patterns.square().sum(-1).amax(-1, keepdim=True)
    return 0.5 * states.square().sum(-1) - near + math.log(patterns.shape[-2]) / beta + 0.5 * largest


def associate(
    states: Tensor,
    patterns: Tensor,
    *,
    beta: float | None = None,
    steps: int = 1,
    tolerance: float = 1e-4,
    keep: Tensor | None = None,
) -> Tensor:
    """How much of each stored pattern each state calls up.

    Args:
        states: [..., n, width].
        patterns: [..., m, width].
        beta: None: 1/√width.
        steps: updates, the last of which gives the weights that are returned. A state that has come to rest stays.
        tolerance: a state is at rest when an update moves it by less than this.
        keep: [..., m], True where a pattern counts; None: all do.

    Returns:
        [..., n, m], rows that sum to 1.

    Raises:
        InvalidInput: `steps` is below 1, or nothing is left to call up.
    """
    if steps < 1:
        raise InvalidInput("steps", f"is {steps}", "at least one update is needed")
    if keep is not None and not bool(keep.any(-1).all()):
        raise InvalidInput("keep", "leaves a row without patterns", "keep at least one pattern of each row")
    beta = states.shape[-1] ** -0.5 if beta is None else beta
    moving = torch.ones_like(states[..., :1], dtype=torch.bool)
    for _ in range(steps - 1):
        moved = _weights(states, patterns, beta, keep) @ patterns
        is_far = (moved - states).norm(dim=-1, keepdim=True) >= tolerance
        states = torch.where(moving, moved, states)
        moving = moving & is_far
        if not bool(moving.any()):
            break
    return _weights(states, patterns, beta, keep)


def retrieve(
    states: Tensor,
    patterns: Tensor,
    *,
    beta: float | None = None,
    steps: int = 1,
    tolerance: float = 1e-4,
    keep: Tensor | None = None,
) -> Tensor:
    """The stored patterns that the states fall to, [..., n, width]; arguments and errors as of `associate`."""
    return associate(states, patterns, beta=beta, steps=steps, tolerance=tolerance, keep=keep) @ patterns


def _weights(states: Tensor, patterns: Tensor, beta: float, keep: Tensor | None) -> Tensor:
    scores = beta * states @ patterns.mT
    if keep is not None:
        scores = scores.masked_fill(~keep.unsqueeze(-2), -math.inf)
    return scores.softmax(-1)


class Hopfield(nn.Module):
    """Retrieval with learned projections and heads: states ask, stored patterns answer.

    Args:
        dim: width of states, patterns and answers.
        heads: independent retrievals; divides `dim`.
        beta, steps, tolerance: as of `associate`; with one step this is attention.
        is_static: ask with the states and answer with the patterns as they come, without norms, projections or heads.

    Raises:
        InvalidInput: `heads` does not divide `dim`, or a static memory is to have several.
    """

    def __init__(
        self,
        dim: int,
        *,
        heads: int = 1,
        beta: float | None = None,
        steps: int = 1,
        tolerance: float = 1e-4,
        is_static: bool = False,
    ) -> None:
        super().__init__()
        if heads < 1 or dim % heads or (is_static and heads > 1):
            raise InvalidInput("heads", f"{heads} do not fit width {dim}", "a divisor of it; 1 for a static memory")
        self.heads, self.beta, self.steps, self.tolerance = heads, beta, steps, tolerance
        self.asking, self.stored = (nn.Identity() if is_static else nn.LayerNorm(dim) for _ in range(2))
        self.to_state, self.to_pattern, self.to_value, self.to_answer = (
            nn.Identity() if is_static else nn.Linear(dim, dim, bias=False) for _ in range(4)
        )

    def forward(self, states: Tensor, patterns: Tensor, keep: Tensor | None = None) -> Tensor:
        """Answers [batch, n, dim] to states [batch, n, dim] from patterns [batch, m, dim], kept where [batch, m]."""
        patterns = self.stored(patterns)
        query, key, value = (
            projected.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for projected in (self.to_state(self.asking(states)), self.to_pattern(patterns), self.to_value(patterns))
        )
        weights = associate(
            query,
            key,
            beta=self.beta,
            steps=self.steps,
            tolerance=self.tolerance,
            keep=None if keep is None else keep.unsqueeze(1),
        )
        answer: Tensor = self.to_answer((weights @ value).transpose(1, 2).flatten(2))
        return answer


class HopfieldPooling(Hopfield):
    """A set of patterns as a few: the states that ask are learned.

    Args:
        dim: width.
        count: how many states ask, and how many answers there are.
        heads, beta, steps, tolerance: as of `Hopfield`.
    """

    def __init__(
        self,
        dim: int,
        count: int = 1,
        *,
        heads: int = 1,
        beta: float | None = None,
        steps: int = 1,
        tolerance: float = 1e-4,
    ) -> None:
        super().__init__(dim, heads=heads, beta=beta, steps=steps, tolerance=tolerance)
        self.states = nn.Parameter(torch.randn(count, dim))

    def forward(self, patterns: Tensor, keep: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """Patterns [batch, m, dim], kept where [batch, m], as [batch, count, dim], whatever their order."""
        return super().forward(self.states.expand(len(patterns), -1, -1), patterns, keep)


class HopfieldStore(Hopfield):
    """A memory of its own patterns, learned with the rest of the network, written by `store`, or both.

    Args:
        dim: width.
        count: places for patterns.
        heads, beta, steps, tolerance, is_static: as of `Hopfield`.
    """

    patterns: nn.Parameter
    used: Tensor

    def __init__(
        self,
        dim: int,
        count: int,
        *,
        heads: int = 1,
        beta: float | None = None,
        steps: int = 1,
        tolerance: float = 1e-4,
        is_static: bool = False,
    ) -> None:
        super().__init__(dim, heads=heads, beta=beta, steps=steps, tolerance=tolerance, is_static=is_static)
        self.patterns = nn.Parameter(torch.randn(count, dim))
        self.register_buffer("used", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def store(self, patterns: Tensor) -> None:
        """Write patterns [m, dim] into the next places; when all are taken, over the oldest.

        Until the first is written, all places answer with what was learned; then only those that were written.

        Raises:
            InvalidInput: they are more than there are places, of another width, or no numbers.
        """
        count, dim = self.patterns.shape
        if patterns.ndim != 2 or patterns.shape[1] != dim or len(patterns) > count:
            raise InvalidInput("patterns", f"are {tuple(patterns.shape)}", f"at most {count} rows of width {dim}")
        if not bool(patterns.isfinite().all()):
            raise InvalidInput("patterns", "hold NaN or infinity", "store numbers only")
        places = (self.used + torch.arange(len(patterns), device=patterns.device)) % count
        self.patterns[places] = patterns.to(self.patterns.dtype)
        self.used += len(patterns)

    def forward(self, states: Tensor) -> Tensor:  # type: ignore[override]
        """Answers [batch, n, dim] to states [batch, n, dim]."""
        count = len(self.patterns)
        used = int(self.used) or count
        patterns = self.patterns[: min(used, count)]
        return super().forward(states, patterns.expand(len(states), -1, -1))
