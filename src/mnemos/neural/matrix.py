"""Memories that are matrices with a linear recurrence: the recurrence itself, and its exact parallel form by chunks.

A state S is [..., keys, values], a query reads o = Sᵀq. With g the log of a decay, one number for a token or one for
each channel of its key:

- `linear`: S ← e^g S + k vᵀ (linear attention, RetNet, GLA, HGRN2);
- `delta`: S ← e^g S, then S ← S + β k (v − Sᵀk)ᵀ (DeltaNet, Gated DeltaNet; with channels, Kimi Delta Attention).

Inside a chunk every decay is the exponential of a difference of logs that is never positive, so nothing overflows.
Papers: Yang et al. 2023, Gated Linear Attention Transformers with Hardware-Efficient Training; Yang et al. 2024,
Parallelizing Linear Transformers with the Delta Rule over Sequence Length, and Gated Delta Networks. Both forms are
derived here from the recurrences and tested against each other.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

SMALL = 2
"""Blocks up to this size are faster multiplied number by number than as matrices."""


def linear_step(q: Tensor, k: Tensor, v: Tensor, log_decay: Tensor | None, state: Tensor) -> tuple[Tensor, Tensor]:
    """One token of `linear`.

    Args:
        q, k: [..., keys].
        v: [..., values].
        log_decay: [..., 1 or keys], at most 0; None: nothing is forgotten.
        state: [..., keys, values].

    Returns:
        What is read, [..., values], and the new state.
    """
    state = _decayed(state, log_decay) + k.unsqueeze(-1) * v.unsqueeze(-2)
    return _read(state, q), state


def delta_step(
    q: Tensor, k: Tensor, v: Tensor, rate: Tensor, log_decay: Tensor | None, state: Tensor
) -> tuple[Tensor, Tensor]:
    """One token of `delta`; `rate` is β, [...], the rest as in `linear_step`."""
    state = _decayed(state, log_decay)
    error = v - _read(state, k)
    state = state + k.unsqueeze(-1) * (rate.unsqueeze(-1) * error).unsqueeze(-2)
    return _read(state, q), state


def linear_chunk(
    q: Tensor, k: Tensor, v: Tensor, log_decay: Tensor | None, state: Tensor, size: int
) -> tuple[Tensor, Tensor]:
    """Many tokens of `linear`.

    Args:
        q, k: [..., tokens, keys].
        v: [..., tokens, values].
        log_decay: [..., tokens, 1 or keys].
        state: [..., keys, values].
        size: tokens of a chunk.

    Returns:
        What is read, [..., tokens, values], and the last state.
    """
    tokens = q.shape[-2]
    size = min(size, tokens)
    q, k, v = _chunks(q, size), _chunks(k, size), _chunks(v, size)
    total = None if log_decay is None else _chunks(log_decay, size).cumsum(-2)
    into, keep = _towards_end(k, total)
    state, starts = _carried(keep, into.transpose(-1, -2) @ v, state)
    read = scores(q, k, total) @ v + _since_start(q, total) @ starts
    return _joined(read, tokens), state


def delta_chunk(
    q: Tensor, k: Tensor, v: Tensor, rate: Tensor, log_decay: Tensor | None, state: Tensor, size: int
) -> tuple[Tensor, Tensor]:
    """Many tokens of `delta`; `rate` is [..., tokens], the rest as in `linear_chunk`.

    What a token writes depends on what those before it in the chunk wrote: a triangular system, solved once for all,
    in float32 at least (there are no solvers for halves).
    """
    tokens = q.shape[-2]
    size = min(size, tokens)
    q, k, v, rate = _chunks(q, size), _chunks(k, size), _chunks(v, size), _chunks(rate.unsqueeze(-1), size)
    total = None if log_decay is None else _chunks(log_decay, size).cumsum(-2)
    clash = rate * scores(k, k, total)
    wanted = rate * torch.cat([v, _since_start(k, total)], -1)
    exact = torch.promote_types(wanted.dtype, torch.float32)
    solved = torch.linalg.solve_triangular(clash.to(exact), wanted.to(exact), upper=False, unitriangular=True)
    fresh, stale = solved.to(wanted.dtype).split([v.shape[-1], k.shape[-1]], -1)
    into, keep = _towards_end(k, total)
    starts, written = [], []
    for at in range(q.shape[-3]):
        starts.append(state)
        written.append(fresh[..., at, :, :] - stale[..., at, :, :] @ state)
        kept = state if keep is None else keep[..., at, :, :] * state
        state = kept + into[..., at, :, :].transpose(-1, -2) @ written[-1]
    read = _since_start(q, total) @ torch.stack(starts, -3) + scores(q, k, total) @ torch.stack(written, -3)
    return _joined(read, tokens), state


def scores(q: Tensor, k: Tensor, total: Tensor | None) -> Tensor:
    """How much of what each token of a chunk writes a later one reads, [..., chunk, chunk]; 0 for what comes later.

    Args:
        q, k: [..., chunk, keys].
        total: running sums of log decays from the start of the chunk, [..., chunk, 1 or keys].
    """
    if total is None:
        return (q @ k.transpose(-1, -2)).tril()
    later = torch.ones(q.shape[-2], q.shape[-2], dtype=torch.bool, device=q.device).triu(1)
    if total.shape[-1] == 1:
        between = (total - total.transpose(-1, -2)).masked_fill(later, -torch.inf)
        return (q @ k.transpose(-1, -2)) * between.exp()
    return _scores_by_halves(q, k, total)


def _scores_by_halves(q: Tensor, k: Tensor, total: Tensor) -> Tensor:
    """`scores` where each channel decays by itself.

    The decay from a token of the first half of a block to one of the second is the decay to the border times that from
    the border on, neither above 1: so the corner of the block is one product of matrices, for blocks of 2, 4, 8, ...
    """
    tokens, size = q.shape[-2], 1
    missing = (1 << (tokens - 1).bit_length()) - tokens
    if missing:
        q, k = pad(q, (0, 0, 0, missing)), pad(k, (0, 0, 0, missing))
        total = torch.cat([total, *[total[..., -1:, :]] * missing], -2)
    found = (q * k).sum(-1)[..., None, None]
    while size < q.shape[-2]:
        first, second = _halves(total, size)
        border = first[..., -1:, :]
        rows = _halves(q, size)[1] * (second - border).exp()
        columns = _halves(k, size)[0] * (border - first).exp()
        if size > SMALL:
            corner = rows @ columns.transpose(-1, -2)
        else:
            corner = (rows.unsqueeze(-2) * columns.unsqueeze(-3)).sum(-1)
        upper, lower = found[..., 0::2, :, :], found[..., 1::2, :, :]
        found = torch.cat([pad(upper, (0, size)), torch.cat([corner, lower], -1)], -2)
        size *= 2
    return found.squeeze(-3)[..., :tokens, :tokens]


def _halves(x: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """[..., tokens, width] cut in blocks of two halves of a size: both halves, [..., blocks, size, width]."""
    cut = x.reshape(*x.shape[:-2], -1, 2, size, x.shape[-1])
    return cut[..., 0, :, :], cut[..., 1, :, :]


def _decayed(state: Tensor, log_decay: Tensor | None) -> Tensor:
    return state if log_decay is None else log_decay.exp().unsqueeze(-1) * state


def _read(state: Tensor, q: Tensor) -> Tensor:
    return (q.unsqueeze(-2) @ state).squeeze(-2)


def _since_start(q: Tensor, total: Tensor | None) -> Tensor:
    return q if total is None else q * total.exp()


def _towards_end(k: Tensor, total: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Keys with what is left of them at the end of the chunk, and what is left of the state, [..., 1 or keys, 1]."""
    if total is None:
        return k, None
    end = total[..., -1:, :]
    return k * (end - total).exp(), end.exp().transpose(-1, -2)


def _carried(keep: Tensor | None, written: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """The state after all chunks, and before each, [..., chunks, keys, values]."""
    starts = []
    for at, one in enumerate(written.unbind(-3)):
        starts.append(state)
        state = state + one if keep is None else torch.addcmul(one, keep[..., at, :, :], state)
    return state, torch.stack(starts, -3)


def _chunks(x: Tensor, size: int) -> Tensor:
    """[..., tokens, width] as [..., chunks, size, width], filled up with zeros, which neither write nor decay."""
    full = pad(x, (0, 0, 0, -x.shape[-2] % size))
    return full.reshape(*full.shape[:-2], -1, size, full.shape[-1])


def _joined(x: Tensor, tokens: int) -> Tensor:
    return x.flatten(-3, -2)[..., :tokens, :]
