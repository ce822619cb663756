"""How much of each gradient of a chunk is in the weights at each token: all that a rule of learning comes down to."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from mnemos.neural.tokens import Tokens


class Coefficients(NamedTuple):
    """With W₀ and S₀ the weights and the momentum at the start of the chunk, g its gradients at W₀:

    S_t = after_t S₀ + Σ_s own_{t,s} g_s, and W_t = kept_t W₀ + carried_t S₀ + Σ_s learnt_{t,s} g_s; but where the
    learner makes S orthogonal, W_t = kept_t W₀ + Σ_s learnt_{t,s} NS(S_s).
    """

    kept: Tensor
    """[batch, heads, chunk, 1]."""
    learnt: Tensor
    """[batch, heads, chunk, gradients]; of S: [batch, heads, chunk, chunk]."""
    own: Tensor
    """[batch, heads, chunk, gradients]."""
    after: Tensor | None
    """[batch, heads, chunk, 1]; None without momentum."""
    carried: Tensor | None
    """[batch, heads, chunk, 1]; None without momentum, or where S is made orthogonal."""


class Decays(NamedTuple):
    """What is left at each token of the chunk, of the start and of what earlier tokens added."""

    of_start: Tensor
    """[batch, heads, chunk, 1]."""
    between: Tensor
    """[batch, heads, chunk, chunk], from the column's token to the row's; 0 for what comes later."""


def decays(*logs: Tensor) -> list[Decays]:
    """Products of decays, from logs [batch, heads, chunk] that are at most 0."""
    total = torch.stack(logs).cumsum(-1)
    later = torch.ones(total.shape[-1], total.shape[-1], dtype=torch.bool, device=total.device).triu(1)
    between = (total.unsqueeze(-1) - total.unsqueeze(-2)).masked_fill(later, -torch.inf).exp()
    return [Decays(*pair) for pair in zip(total.exp().unsqueeze(-1), between, strict=True)]


def coefficients(tokens: Tokens, band: Tensor | None, orthogonal: bool) -> Coefficients:
    """Of W_t = α_t W_{t−1} + S_t, S_t = η_t S_{t−1} − θ_t Σ_s band_{t,s} g_s.

    With `orthogonal`, θ_t is not in S_t but before NS(S_t). A token that is not written leaves both as they are.

    Args:
        tokens: of one chunk; the decay is one number for a head and token.
        band: [batch, heads, chunk, gradients]; None: each token has its own gradient.
        orthogonal: whether S is made orthogonal.
    """
    logs = [torch.zeros_like(tokens.rate) if tokens.log_decay is None else tokens.log_decay.squeeze(-1)]
    kept, *surprise = decays(*logs, *([] if tokens.log_momentum is None else [tokens.log_momentum]))
    into = kept.between if tokens.write is None else kept.between * tokens.write.unsqueeze(-2)
    share, after = _written(tokens) if orthogonal else -tokens.rate, None
    if surprise:
        own, after = surprise[0].between * share.unsqueeze(-2), surprise[0].of_start
        own = own if band is None else own @ band
    else:
        own = share.diag_embed() if band is None else share.unsqueeze(-1) * band
    if orthogonal:
        return Coefficients(kept.of_start, into * -tokens.rate.unsqueeze(-2), own, after, None)
    return Coefficients(kept.of_start, into @ own, own, after, None if after is None else into @ after)


def _written(tokens: Tokens) -> Tensor:
    return torch.ones_like(tokens.rate) if tokens.write is None else tokens.write.expand_as(tokens.rate)
