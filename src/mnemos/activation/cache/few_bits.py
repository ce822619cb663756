"""Tokens in few bits, each on its own: one can go without the others being coded anew.

The codes of a token are its own bytes, and its ranges are either its own too (values) or shared with the tokens that
were coded with it (keys). A shared range is let go with its last token. What stays is never decoded to be coded again,
so that errors do not add up however often something goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mnemos.activation.quantising import CHANNELS, GROUP, TOKENS, one_a_byte, quantised, two_a_byte


@dataclass(frozen=True, slots=True)
class FewBits:
    """Coded tokens."""

    codes: Tensor
    """uint8, [tokens, bytes]: one code a byte, or in 4 bits two."""
    low: Tensor
    """The least value of each range, [sharings, dimensions] or [tokens, groups of dimensions]."""
    step: Tensor
    """The step of each, in the same shape."""
    sharing: Tensor | None
    """Whose ranges each token shares, [tokens], int32; None: its own."""
    bits: int
    size: int
    """Dimensions of a token."""

    @classmethod
    def per_channel(cls, tokens: Tensor, bits: int, group: int) -> FewBits:
        """Tokens of which so many that follow each other share one range in each dimension, as keys do.

        Args:
            tokens: [tokens, dimensions], a multiple of `group`.
            bits: 8 or 4.
            group: 1 to 32.
        """
        size = tokens.shape[-1]
        made = quantised(tokens.reshape(-1, group, size), bits, TOKENS)
        codes = one_a_byte(made.codes, (group, size)) if bits == 4 else made.codes
        codes = codes.reshape(-1, size)
        sharing = torch.arange(len(tokens), device=tokens.device) // group
        packed = two_a_byte(codes) if bits == 4 else codes
        return cls(packed, made.low.squeeze(1), made.step.squeeze(1), sharing.int(), bits, size)

    @classmethod
    def per_token(cls, tokens: Tensor, bits: int) -> FewBits:
        """Tokens with ranges of their own, one for every 32 dimensions, as values have."""
        made = quantised(tokens[:, None], bits, CHANNELS)
        return cls(made.codes.flatten(1), made.low[:, 0], made.step[:, 0], None, bits, tokens.shape[-1])

    @classmethod
    def none(cls, bits: int, size: int, device: torch.device, *, shared: bool) -> FewBits:
        """No tokens yet."""
        codes = torch.empty(0, size if bits == 8 else (size + 1) // 2, dtype=torch.uint8, device=device)
        ranges = torch.empty(0, size if shared else -(-size // GROUP), dtype=torch.float16, device=device)
        sharing = torch.empty(0, dtype=torch.int32, device=device) if shared else None
        return cls(codes, ranges, ranges.clone(), sharing, bits, size)

    def read(self, dtype: torch.dtype) -> Tensor:
        """Every token again, [tokens, dimensions], each value within half a step of what it was."""
        whole = torch.addcmul(self._spread(self.low), self._numbers(), self._spread(self.step))
        if dtype == torch.float16:
            whole.clamp_(torch.finfo(dtype).min, torch.finfo(dtype).max)
        return whole.to(dtype)

    def products(self, queries: Tensor, sizes: Sequence[int]) -> Tensor:
        """Every token times the queries of its list, [tokens, queries], float32; see `with_queries`.

        One list is decoded at a time, and what stays in a processor's cache is never written to memory.
        """
        parts = zip(self._parts(sizes), queries, strict=True)
        return torch.cat([part._times(query.float()) for part, query in parts])

    def weighted(self, weights: Tensor, sizes: Sequence[int]) -> Tensor:
        """The sum of the tokens of each list by their weights, [lists, queries, dimensions], float32."""
        parts = zip(self._parts(sizes), torch.split(weights.float(), [*sizes]), strict=True)
        return torch.stack([part._by(weight) for part, weight in parts])

    def taken(self, index: Tensor) -> FewBits:
        """Some tokens, [tokens], with the ranges that they need and no others."""
        if self.sharing is None:
            codes, low, step = (one.index_select(0, index) for one in (self.codes, self.low, self.step))
            return replace(self, codes=codes, low=low, step=step)
        used, sharing = torch.unique(self.sharing.index_select(0, index), return_inverse=True)
        low, step = self.low.index_select(0, used), self.step.index_select(0, used)
        return replace(self, codes=self.codes.index_select(0, index), low=low, step=step, sharing=sharing.int())

    def and_(self, more: FewBits, order: Tensor) -> FewBits:
        """With others, in this order of (these, the others), [tokens]."""
        codes = torch.cat([self.codes, more.codes]).index_select(0, order)
        low, step = torch.cat([self.low, more.low]), torch.cat([self.step, more.step])
        if self.sharing is None or more.sharing is None:
            return replace(self, codes=codes, low=low.index_select(0, order), step=step.index_select(0, order))
        sharing = torch.cat([self.sharing, more.sharing + len(self.low)]).index_select(0, order)
        return replace(self, codes=codes, low=low, step=step, sharing=sharing)

    def tensors(self) -> Mapping[str, Tensor]:
        """All that it consists of."""
        parts = {"codes": self.codes, "low": self.low, "step": self.step}
        return parts if self.sharing is None else {**parts, "sharing": self.sharing}

    def restored(self, tensors: Mapping[str, Tensor]) -> FewBits:
        """Of what `tensors` told."""
        sharing = None if self.sharing is None else tensors["sharing"]
        return replace(self, codes=tensors["codes"], low=tensors["low"], step=tensors["step"], sharing=sharing)

    def _numbers(self) -> Tensor:
        """The codes, [tokens, dimensions], float32."""
        return (one_a_byte(self.codes, (self.size,)) if self.bits == 4 else self.codes).float()

    def _parts(self, sizes: Sequence[int]) -> Iterator[FewBits]:
        """The tokens of each list."""
        start = 0
        for size in sizes:
            own = slice(start, start + size)
            if self.sharing is None:
                yield replace(self, codes=self.codes[own], low=self.low[own], step=self.step[own])
            else:
                yield replace(self, codes=self.codes[own], sharing=self.sharing[own])
            start += size

    def _times(self, queries: Tensor) -> Tensor:
        """Each token times queries, [queries, dimensions]: codes times queries, of each range by its step."""
        if self.sharing is None:
            ranges = zip(torch.split(self._numbers(), GROUP, 1), torch.split(queries, GROUP, 1), strict=True)
            products = torch.stack([codes @ query.mT for codes, query in ranges], 1)
            low = torch.stack([query.sum(1) for query in torch.split(queries, GROUP, 1)])
            return (products * self.step.float()[..., None]).sum(1) + self.low.float() @ low
        shared = self.sharing.view(-1, GROUP) if len(self.sharing) % GROUP == 0 else self.sharing[:0].view(-1, GROUP)
        if not len(shared) or not bool((shared == shared[:, :1]).all()):
            return self.read(torch.float32) @ queries.mT
        low, step = (one.index_select(0, shared[:, 0]).float() for one in (self.low, self.step))
        codes = self._numbers().view(len(shared), GROUP, self.size)
        found = codes @ (step[:, None] * queries).mT + (low @ queries.mT)[:, None]
        return found.flatten(0, 1)

    def _by(self, weights: Tensor) -> Tensor:
        """The sum of all tokens by weights, [tokens, queries]."""
        if self.sharing is not None:
            return weights.mT @ self.read(torch.float32)
        steps, found = self.step.float(), []
        for number, codes in enumerate(torch.split(self._numbers(), GROUP, 1)):
            found.append((weights * steps[:, number : number + 1]).mT @ codes)
        low = (weights.mT @ self.low.float()).repeat_interleave(GROUP, 1)[:, : self.size]
        return torch.cat(found, 1) + low

    def _spread(self, ranges: Tensor) -> Tensor:
        """A number of its range for each value, [tokens, dimensions], float32."""
        if self.sharing is not None:
            return ranges.float().index_select(0, self.sharing)
        return ranges.float().repeat_interleave(GROUP, 1)[:, : self.size]
