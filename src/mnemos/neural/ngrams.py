"""Engram: the last few tokens, hashed, are an address; what lies there is added where the hidden state agrees.

After DeepSeek-AI and Peking University, "Conditional Memory via Scalable Lookup: A New Axis of Sparsity for Large
Language Models" (2026), and the authors' demonstration of it. Addresses depend on token ids alone, so they are known
before the network runs and a table may lie in slower memory. Not verified in the paper itself: that the convolution
begins at zero, as here, so that at first the layer adds the gated value alone. Left out: the branches of
hyper-connections, biases of the linear maps, and primes that differ between layers too (layers differ by their seed).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import count, islice
from math import isqrt
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from mnemos.errors import InvalidInput
from mnemos.neural.keys import table


def canonical(texts: Sequence[str]) -> Tensor:
    """One id for all tokens that say the same but for case, accents, width of letters or space around them.

    Args:
        texts: what each token id of a tokenizer decodes to.

    Returns:
        [len(texts)], numbered from 0 without gaps. Tokens that are a piece of a letter stay apart.
    """
    seen: dict[object, int] = {}
    return torch.tensor([seen.setdefault(_plain(text, place), len(seen)) for place, text in enumerate(texts)])


def _plain(text: str, place: int) -> object:
    """What a token says; its place, if it is a piece of a letter."""
    if "\ufffd" in text:
        return place
    bare = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text))
    plain = re.sub(r"[ \t\r\n]+", " ", "".join(one for one in bare if not unicodedata.category(one).startswith("M")))
    return plain if plain == " " else plain.lower().strip() or text


class Addresses(nn.Module):
    """Rows of a table for the 2-grams, 3-grams, up to `order`-grams that end at each token.

    The n ids are multiplied by odd numbers of their places and joined by exclusive or; head j takes that modulo a prime
    of its own, so that two n-grams seldom collide in every head.

    Args:
        canon: [vocabulary] of int64: the id under which each token id is known; see `canonical`.
        order: length of the longest n-gram, at least 2.
        heads: rows for one n-gram.
        rows: of each head; taken up to the next free prime.
        seed: decides about the numbers; give layers different ones.

    Raises:
        InvalidInput: `order` is below 2, or `heads` or `rows` below 1.
    """

    canon: Tensor
    factors: Tensor
    primes: Tensor
    offsets: Tensor

    def __init__(self, canon: Tensor, *, order: int = 3, heads: int = 8, rows: int = 4096, seed: int = 0) -> None:
        super().__init__()
        if order < 2 or heads < 1 or rows < 1:
            raise InvalidInput("order", f"{order} with {heads} heads of {rows} rows", "order from 2, the others from 1")
        self.order = order
        self.nothing = int(canon.max()) + 1
        """Stands for the tokens before the first."""
        chance = torch.Generator().manual_seed(seed)
        odd = 2 * torch.randint(2**62 // (self.nothing + 1), (order,), generator=chance) + 1
        primes = torch.tensor(_primes(rows, (order - 1) * heads))
        self.total = int(primes.sum())
        self.register_buffer("canon", canon.to(torch.int64))
        self.register_buffer("factors", odd)
        self.register_buffer("primes", primes.view(order - 1, heads))
        self.register_buffer("offsets", (primes.cumsum(0) - primes).view(order - 1, heads))

    def forward(self, ids: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """Addresses of n-grams.

        Args:
            ids: [batch, tokens].
            before: [batch, order-1], canonical ids of the tokens that stood before.

        Returns:
            Rows [batch, tokens, (order-1)·heads] in 0..total-1, and the `before` of what follows.
        """
        known = torch.cat([before, self.canon[ids]], 1)
        windows = known.unfold(1, self.order, 1).flip(-1) * self.factors
        mixed, found = windows[..., 0], []
        for back in range(1, self.order):
            mixed = mixed ^ windows[..., back]
            found.append(mixed.unsqueeze(-1) % self.primes[back - 1] + self.offsets[back - 1])
        return torch.cat(found, -1), known[:, known.shape[1] - self.order + 1 :]


class EngramState(NamedTuple):
    """What a stream needs to go on."""

    before: Tensor
    """[batch, order-1]: the last canonical ids."""
    tail: Tensor
    """[batch, (kernel-1)·order, dim]: the last inputs of the convolution."""


class Engram(nn.Module):
    """Hashed n-grams as a layer: y is to be added to the hidden state x.

    With e the rows of a token, z = ⟨RMS(W_k e), RMS(x)⟩/√dim and v = σ(sgn(z)√|z|) · W_v e:
    y = v + SiLU(conv(RMS(v))), a causal convolution per channel whose taps stand `order` tokens apart.

    Args:
        dim: width of hidden states.
        canon, order, heads, rows, seed: as of `Addresses`.
        row_dim: width of a row.
        kernel: taps of the convolution.
    """

    def __init__(
        self,
        dim: int,
        canon: Tensor,
        *,
        order: int = 3,
        heads: int = 8,
        rows: int = 4096,
        row_dim: int = 16,
        kernel: int = 4,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.dim, self.span = dim, (kernel - 1) * order
        self.addresses = Addresses(canon, order=order, heads=heads, rows=rows, seed=seed)
        self.rows = table(self.addresses.total, row_dim)
        read = (order - 1) * heads * row_dim
        self.to_key, self.to_value = (nn.Linear(read, dim, bias=False) for _ in range(2))
        self.key_norm, self.norm, self.value_norm = (nn.RMSNorm(dim) for _ in range(3))
        self.taps = nn.Parameter(torch.zeros(dim, 1, kernel))

    def start(self, batch: int) -> EngramState:
        """The state before the first token."""
        nothing = self.addresses.factors.new_full((batch, self.addresses.order - 1), self.addresses.nothing)
        return EngramState(nothing, self.taps.new_zeros(batch, self.span, self.dim))

    def forward(self, x: Tensor, ids: Tensor, state: EngramState | None = None) -> tuple[Tensor, EngramState]:
        """What the table adds to hidden states x [batch, tokens, dim] of tokens ids [batch, tokens], and the state."""
        state = self.start(len(x)) if state is None else state
        places, before = self.addresses(ids, state.before)
        read = self.rows(places).flatten(2)
        agreement = (self.key_norm(self.to_key(read)) * self.norm(x)).sum(-1, keepdim=True) * self.dim**-0.5
        gate = torch.sigmoid(agreement.sign() * agreement.abs().clamp(min=1e-6).sqrt())
        value = gate * self.to_value(read)
        inputs = torch.cat([state.tail, self.value_norm(value)], 1)
        near = F.conv1d(inputs.mT, self.taps, groups=self.dim, dilation=self.addresses.order).mT
        return value + F.silu(near), EngramState(before, inputs[:, inputs.shape[1] - self.span :])

    def step(self, x: Tensor, ids: Tensor, state: EngramState) -> tuple[Tensor, EngramState]:
        """The same for one token: x [batch, dim], ids [batch]."""
        y, state = self(x.unsqueeze(1), ids.unsqueeze(1), state)
        return y.squeeze(1), state


def _primes(least: int, number: int) -> list[int]:
    """The first `number` primes from `least` on."""
    return list(islice((n for n in count(max(least, 2)) if all(n % d for d in range(2, isqrt(n) + 1))), number))
