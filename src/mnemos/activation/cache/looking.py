"""Attention over what is held, where rows and heads may hold different tokens."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

from mnemos.activation.cache.held import NOWHERE

AT_ONCE = 1 << 22
"""How many attention weights are made at a time, about."""
Note = Callable[[Tensor, Tensor], None]
"""Takes weights, [rows, heads, queries, held], and the positions of the queries, [rows, queries]."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a model asks of a layer."""

    query: Tensor
    """Turned to their places, [rows, query heads, queries, dimensions]."""
    scaling: float
    softcap: float | None = None
    """Scores are bent so that none is larger, as in Gemma 2; None: they are not."""
    real: Tensor | None = None
    """Which queries are no padding, [rows, queries], bool; None: all."""
    places: Tensor | None = None
    """Their rotary places, [rows, queries], where the model says them."""

    @property
    def is_step(self) -> bool:
        """Whether each row asks with one token, in float32, and none of them is padding."""
        return self.query.shape[2] == 1 and self.real is None and self.query.dtype == torch.float32


@dataclass(frozen=True, slots=True)
class Seen:
    """What the queries look at."""

    keys: Tensor
    """[rows, heads, held, dimensions]."""
    values: Tensor
    positions: Tensor
    """Which token of its row each is, [rows, heads, held]; -1 where there is none."""
    at: Tensor
    """Which token of its row each query is, [rows, queries]; -1: padding."""
    window: int | None
    is_whole: bool
    """Whether there is a token in every slot, and no padding among the queries."""
    only: Callable[[slice], Tensor] | None = None
    """To what some of the queries are limited, [rows, heads, some, held]; None: to their past."""


def attention(asked: Asked, seen: Seen, looks: int | None, note: Note, *, steps: bool = True) -> Tensor:
    """What each query finds, [rows, query heads, queries, dimensions].

    Args:
        asked: the queries.
        seen: what they look at; every query of a row that is no padding is among it.
        looks: of how many of the last queries of each row weights are to be noted; None: of all; 0: of none.
        note: is given them, part by part.
        steps: whether those of a single query are noted at all.
    """
    queries = asked.query.shape[2]
    looks = looks if steps or queries > 1 else 0
    if looks is None or (looks and queries == 1):
        return _by_weights(asked, seen, note)
    if looks:
        with torch.no_grad():
            _by_weights(*_last(asked, seen, min(looks, queries)), note)
    if seen.is_whole and asked.softcap is None:
        if queries == 1:
            return _fused(asked, seen, asked.query, None)
        if queries == seen.keys.shape[2] and (seen.window is None or queries <= seen.window):
            grouped = asked.query.shape[1] != seen.keys.shape[1]
            return scaled_dot_product_attention(
                asked.query, seen.keys, seen.values, is_causal=True, scale=asked.scaling, enable_gqa=grouped
            )
    if asked.softcap is not None:
        return _by_weights(asked, seen, lambda weights, at: None)
    parts = [_fused(asked, seen, asked.query[:, :, one], _allowed(seen, one)) for one in _parts(asked, seen)]
    return torch.cat(parts, 2)


def _parts(asked: Asked, seen: Seen) -> list[slice]:
    rows, heads, queries, _ = asked.query.shape
    size = max(1, AT_ONCE // max(1, rows * heads * seen.keys.shape[2]))
    return [slice(start, min(start + size, queries)) for start in range(0, queries, size)]


def _allowed(seen: Seen, part: slice) -> Tensor:
    """What may be looked at: [rows, heads, queries, held]."""
    keys, at = seen.positions[:, :, None], seen.at[:, None, part, None]
    allowed = (keys != NOWHERE) & (keys <= at)
    if seen.window is not None:
        allowed &= keys > at - seen.window
    if seen.only is not None:
        allowed &= seen.only(part)
    return allowed


def _grouped(query: Tensor, heads: int) -> Tensor:
    """Queries by the head that they share, [rows, heads, sharing, queries, dimensions]."""
    return query.reshape(query.shape[0], heads, -1, *query.shape[2:])


def _fused(asked: Asked, seen: Seen, query: Tensor, allowed: Tensor | None) -> Tensor:
    """Attention without weights: the queries that share a head stand in a row, so that no key is copied."""
    grouped = _grouped(query, seen.keys.shape[1])
    rows, _, sharing, queries, _ = grouped.shape
    if allowed is not None:
        # padding may look at anything, which is finite; nobody looks at it
        allowed = (allowed | ~allowed.any(-1, keepdim=True)).repeat(1, 1, sharing, 1)
    found = scaled_dot_product_attention(
        grouped.flatten(2, 3), seen.keys, seen.values, attn_mask=allowed, scale=asked.scaling
    )
    return found.reshape(rows, -1, queries, found.shape[-1])


def _by_weights(asked: Asked, seen: Seen, note: Note) -> Tensor:
    """Attention whose weights are noted."""
    heads, held, found = seen.keys.shape[1], seen.keys.shape[2], []
    for part in _parts(asked, seen):
        grouped = _grouped(asked.query[:, :, part], heads)
        # when a text is read from its beginning, nobody looks beyond the last query
        reach = part.stop if _begins(asked, seen) else held
        keys, values = seen.keys[:, :, :reach], seen.values[:, :, :reach]
        scores = (grouped.flatten(2, 3) @ keys.transpose(-1, -2)).mul_(asked.scaling).view(*grouped.shape[:4], -1)
        if asked.softcap is not None:
            scores = torch.tanh(scores / asked.softcap) * asked.softcap
        hidden = _hidden(asked, seen, part, reach)
        weights = (scores if hidden is None else scores.masked_fill_(hidden, -math.inf)).softmax(-1, torch.float32)
        if not seen.is_whole:
            # a row of padding looks at nothing: its weights are 0, not undefined
            weights = weights.nan_to_num(0.0)
        note(pad(weights.detach().mean(2), (0, held - weights.shape[-1])), seen.at[:, part])
        found.append((weights.flatten(2, 3).to(values.dtype) @ values).view(*grouped.shape[:4], -1).flatten(1, 2))
    return found[0] if len(found) == 1 else torch.cat(found, 2)


def _begins(asked: Asked, seen: Seen) -> bool:
    """Whether all that is held are the queries' own tokens, and those of all rows and heads the same."""
    return seen.is_whole and seen.only is None and asked.query.shape[2] == seen.keys.shape[2]


def _hidden(asked: Asked, seen: Seen, part: slice, reach: int) -> Tensor | None:
    """What may not be looked at, to be spread over [rows, heads, sharing, queries, reach]; None: nothing."""
    if not _begins(asked, seen):
        alone = seen.is_whole and asked.query.shape[2] == 1 and seen.window is None and seen.only is None
        return None if alone else ~_allowed(seen, part)[:, :, None]
    at = torch.arange(reach, device=seen.at.device)
    rows = at[part][:, None]
    return at > rows if seen.window is None else (at > rows) | (at <= rows - seen.window)


def _last(asked: Asked, seen: Seen, count: int) -> tuple[Asked, Seen]:
    """The last queries of each row that are no padding; of rows with fewer, all, after ones that are padding."""
    order = torch.where(seen.at == NOWHERE, -1, torch.arange(seen.at.shape[1], device=seen.at.device))
    index = order.topk(count, -1).values.flip(-1)
    at = torch.where(index == -1, NOWHERE, seen.at.gather(1, index.clamp_min(0)))
    wide = index.clamp_min(0)[:, None, :, None].expand(-1, asked.query.shape[1], -1, asked.query.shape[3])
    return (
        Asked(asked.query.gather(2, wide), asked.scaling, asked.softcap),
        Seen(seen.keys, seen.values, seen.positions, at, seen.window, is_whole=False),
    )
