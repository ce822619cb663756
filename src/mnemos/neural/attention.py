"""Softmax attention: the baseline that forgets nothing, or nothing of a window; its state grows with what it read.

"Attention Is All You Need" (Vaswani et al., 2017); positions by rotation as in "RoFormer" (Su et al., 2021). Keys are
kept as they were projected and are turned when they are read, by their place among those that are kept: only distances
matter, so that a window needs no counter of what left it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from mnemos.errors import InvalidInput
from mnemos.neural.convolution import ShortConvolution
from mnemos.neural.memory import MemoryLayer


class KeysValues(NamedTuple):
    """What attention remembers: of every token that it can still see."""

    keys: Tensor
    """[batch, heads, seen, dim / heads], not rotated."""
    values: Tensor
    """[batch, heads, seen, dim / heads]."""
    written: Tensor | None = None
    """bool [batch, seen]: False for tokens that take up a place and are read by none; None: all are read."""
    recent: Tensor | None = None
    """The last inputs of the short convolution, [batch, kernel − 1, 3 · dim]; None without one."""


class CausalAttention(MemoryLayer):
    """Every token reads itself and the tokens before it.

    Args:
        dim: width of the tokens.
        heads: how many heads share it; divides `dim`.
        window: how many tokens are seen, the reader among them; None: all. With it the state stops growing.
        rotary: tell positions by rotation; without it a token cannot tell the order of those before it.
        conv: kernel of a short convolution of queries, keys and values that is added to them, so that tokens know
            their neighbours; 0: none.
        normed: give queries and keys of each head the same length, by a norm that is learned, so that higher learning
            rates are borne (Dehghani et al. 2023, Scaling Vision Transformers to 22 Billion Parameters).

    Raises:
        InvalidInput: a size that is not positive, heads that do not divide `dim`, or rotation of an odd width.
    """

    def __init__(
        self,
        dim: int,
        *,
        heads: int = 1,
        window: int | None = None,
        rotary: bool = True,
        conv: int = 0,
        normed: bool = False,
    ) -> None:
        super().__init__()
        check_heads(dim, heads)
        if window is not None and window < 1:
            raise InvalidInput("window", f"{window} tokens hold not even the reader", "give 1 or more, or None for all")
        if rotary and dim // heads % 2:
            raise InvalidInput("rotary", f"heads of {dim // heads} have no pairs to turn", "give heads an even width")
        self.dim, self.heads, self.window, self.rotary = dim, heads, window, rotary
        self.inputs = nn.Linear(dim, 3 * dim, bias=False)
        self.conv = ShortConvolution(3 * dim, conv) if conv else None
        self.norms = nn.ModuleList(nn.RMSNorm(dim // heads, eps=1e-6) for _ in "qk") if normed else None
        self.output = nn.Linear(dim, dim, bias=False)

    def start(self, batch: int) -> KeysValues:
        """Nothing seen."""
        nothing = self.output.weight.new_zeros(batch, self.heads, 0, self.dim // self.heads)
        return KeysValues(nothing, nothing, None, None if self.conv is None else self.conv.start(batch))

    def step(self, x: Tensor, state: KeysValues, *, write: Tensor | None = None) -> tuple[Tensor, KeysValues]:
        """Read one token, x [batch, dim]: compare it with every key that is kept."""
        y, state = self._read(x.unsqueeze(1), state, None if write is None else write.unsqueeze(1))
        return y.squeeze(1), state

    def forward(
        self, x: Tensor, state: KeysValues | None = None, *, write: Tensor | None = None
    ) -> tuple[Tensor, KeysValues]:
        """Read many tokens, x [batch, tokens, dim], at once.

        With a window, a window at a time: work and memory grow with the tokens, not with their square. A token that
        may read nothing (neither it nor any that it sees is written) says zeros.
        """
        state, size = self.start(x.shape[0]) if state is None else state, self.window or max(x.shape[1], 1)
        read = [x[:, :0]]
        for at in range(0, x.shape[1], size):
            part = slice(at, at + size)
            y, state = self._read(x[:, part], state, None if write is None else write[:, part])
            read.append(y)
        return torch.cat(read, dim=1), state

    def see(self, x: Tensor, state: KeysValues, write: Tensor | None = None) -> tuple[Tensor, KeysValues]:
        """Queries of tokens [batch, tokens, dim], not rotated, and all that is seen with them, whatever the window."""
        mixed, recent = self.inputs(x), state.recent
        if self.conv is not None and recent is not None:
            told, recent = self.conv(mixed, recent)
            mixed = mixed + told
        q, k, v = (split_heads(part, self.heads) for part in mixed.chunk(3, dim=-1))
        if self.norms is not None:
            q, k = (norm(one) for norm, one in zip(self.norms, (q, k), strict=True))
        written = joined(state.written, write, x, state.keys.shape[2])
        return q, KeysValues(torch.cat([state.keys, k], 2), torch.cat([state.values, v], 2), written, recent)

    def _read(self, x: Tensor, state: KeysValues, write: Tensor | None) -> tuple[Tensor, KeysValues]:
        q, seen = self.see(x, state, write)
        keys = seen.keys
        if self.rotary:
            q, keys = rotate(q, state.keys.shape[2]), rotate(keys, 0)
        return self.output(join_heads(self._weighed(q, keys, seen))), self._kept(seen)

    def _weighed(self, q: Tensor, keys: Tensor, seen: KeysValues) -> Tensor:
        """The values that queries [batch, heads, readers, head] read, in the same shape."""
        readers, length = q.shape[2], keys.shape[2]
        if readers == length and self.window is None and seen.written is None:
            return scaled_dot_product_attention(q, keys, seen.values, is_causal=True)
        mask = visible(readers, length, self.window, q.device)
        if seen.written is None:
            return scaled_dot_product_attention(q, keys, seen.values, mask)
        mask = mask & seen.written[:, None, None]
        sees = mask.any(dim=-1, keepdim=True)
        return scaled_dot_product_attention(q, keys, seen.values, mask | ~sees) * sees

    def _kept(self, seen: KeysValues) -> KeysValues:
        """What the next token can still see beside itself."""
        if self.window is None or seen.keys.shape[2] < self.window:
            return seen
        first = seen.keys.shape[2] - self.window + 1
        written = None if seen.written is None else seen.written[:, first:]
        return KeysValues(seen.keys[:, :, first:], seen.values[:, :, first:], written, seen.recent)


def check_heads(dim: int, heads: int) -> None:
    """Refuse a width that is not positive, or that the heads cannot share."""
    if dim < 1:
        raise InvalidInput("dim", f"a width of {dim} holds nothing", "give 1 or more")
    if heads < 1 or dim % heads:
        raise InvalidInput("heads", f"{heads} heads cannot share a width of {dim}", "give a number that divides it")


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[batch, tokens, dim] → [batch, heads, tokens, dim / heads]."""
    return x.reshape(*x.shape[:-1], heads, x.shape[-1] // heads).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    """[batch, heads, tokens, head] → [batch, tokens, heads * head]."""
    return x.transpose(1, 2).flatten(2)


def visible(readers: int, seen: int, window: int | None, device: torch.device | None = None) -> Tensor:
    """Which of the `seen` tokens each of the last `readers` among them may read: bool [readers, seen]."""
    reader = torch.arange(seen - readers, seen, device=device).unsqueeze(1)
    token = torch.arange(seen, device=device)
    return (token <= reader) & (token > reader - (window or seen))


def rotate(x: Tensor, first: int) -> Tensor:
    """Turn the pairs (i, i + head / 2) of x [..., tokens, head] by position · 10000^(−2i / head), from `first` on."""
    half = x.shape[-1] // 2
    place = torch.arange(first, first + x.shape[-2], device=x.device, dtype=x.dtype)
    angle = place.unsqueeze(1) * 10000.0 ** (-torch.arange(half, device=x.device, dtype=x.dtype) / half)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], dim=-1)


def joined(before: Tensor | None, now: Tensor | None, x: Tensor, seen: int) -> Tensor | None:
    """Which tokens are written, bool [batch, seen + tokens], of those seen and of x [batch, tokens, dim]; None: all."""
    if before is None and now is None:
        return None
    old = x.new_ones(x.shape[0], seen, dtype=torch.bool) if before is None else before
    new = x.new_ones(x.shape[:2], dtype=torch.bool) if now is None else now > 0
    return torch.cat([old, new], dim=1)
