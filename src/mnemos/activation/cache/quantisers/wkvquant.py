"""What is past in few bits per token, after each channel was moved and stretched; what is present exact.

Yue, Yuan, Duanmu, Zhou, Wu, Nie 2024, "WKVQuant: Quantizing Weight and Key/Value Cache for Large Language Models Gains
More". Only its cache is here; its weights are not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from mnemos.activation.cache.coded import Coded, Coding
from mnemos.activation.cache.few_bits import FewBits
from mnemos.activation.cache.held import Stored
from mnemos.activation.cache.quantisers.kivi import read_bits
from mnemos.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Channels:
    """Where each channel of a layer's keys (or values) has its middle, and how far it goes: [heads, dimensions]."""

    middle: Tensor
    reach: Tensor

    @classmethod
    def of(cls, seen: Tensor) -> Channels:
        """Those of what was seen, [heads, tokens, dimensions]; a channel that never changes reaches 1."""
        low, high = seen.float().amin(1), seen.float().amax(1)
        reach = (high - low) / 2
        return cls((high + low) / 2, torch.where(reach > 0, reach, torch.ones_like(reach)))


class Smoothing:
    """The channels of every layer of a model.

    Args:
        keys: of each layer.
        values: of each layer.
    """

    def __init__(self, keys: Sequence[Channels], values: Sequence[Channels]) -> None:
        self.keys, self.values = tuple(keys), tuple(values)

    @classmethod
    @torch.no_grad()
    def fitted(cls, model: PreTrainedModel, texts: Sequence[Tensor]) -> Smoothing:
        """Those of a model that reads some texts.

        Args:
            model: the one that is to use it.
            texts: token ids, each [tokens]; a few hundred tokens of the kind that will be read.

        Raises:
            InvalidInput: there are no texts.
        """
        if not texts or not all(len(text) for text in texts):
            raise InvalidInput("texts", "say nothing about the model's channels", "give some tokens")
        caches = [DynamicCache() for _ in texts]
        for cache, text in zip(caches, texts, strict=True):
            model(text[None].to(model.device), past_key_values=cache, use_cache=True, logits_to_keep=1)
        read: list[list[Any]] = [list(cache.layers) for cache in caches]
        layers = zip(*([(layer.keys[0], layer.values[0]) for layer in one] for one in read), strict=True)
        joined = [[Channels.of(torch.cat(parts, 1)) for parts in zip(*layer, strict=True)] for layer in layers]
        return cls([keys for keys, _ in joined], [values for _, values in joined])

    def __repr__(self) -> str:
        """Another one for other channels."""
        tensors = [tensor for one in (*self.keys, *self.values) for tensor in (one.middle, one.reach)]
        sums = hashlib.sha256(b"".join(tensor.cpu().contiguous().numpy().tobytes() for tensor in tensors))
        return f"Smoothing({sums.hexdigest()[:16]})"


@dataclass(frozen=True, slots=True)
class Smoothed:
    """Tokens that were smoothed, and then coded."""

    coded: FewBits
    heads: Tensor
    """Of which head each is, [tokens], int16."""
    channels: Channels

    @classmethod
    def made(cls, tokens: Tensor, heads: Tensor, bits: int, channels: Channels) -> Smoothed:
        """Of tokens, [tokens, dimensions], of these heads, [tokens]."""
        even = (tokens.float() - channels.middle[heads]) / channels.reach[heads]
        return cls(FewBits.per_token(even, bits), heads.short(), channels)

    def read(self, dtype: torch.dtype) -> Tensor:
        """All of them decoded."""
        heads = self.heads.long()
        whole = self.coded.read(torch.float32) * self.channels.reach[heads] + self.channels.middle[heads]
        return whole.clamp_(torch.finfo(dtype).min, torch.finfo(dtype).max).to(dtype)

    def products(self, queries: Tensor, sizes: Sequence[int]) -> Tensor:
        """With the queries of each list."""
        middle, reach = self._by_list(len(sizes))
        moved = (queries * middle).sum(-1).repeat_interleave(torch.tensor(sizes, device=queries.device), 0)
        return self.coded.products(queries * reach, sizes) + moved

    def weighted(self, weights: Tensor, sizes: Sequence[int]) -> Tensor:
        """By the weights of each list."""
        middle, reach = self._by_list(len(sizes))
        sums = torch.stack([own.sum(0) for own in torch.split(weights, [*sizes])])
        return self.coded.weighted(weights, sizes) * reach + sums[..., None] * middle

    def _by_list(self, lists: int) -> tuple[Tensor, Tensor]:
        """Middle and reach of each head of each row, [lists, 1, dimensions]."""
        rows = lists // len(self.channels.middle)
        return self.channels.middle.repeat(rows, 1)[:, None], self.channels.reach.repeat(rows, 1)[:, None]

    def taken(self, index: Tensor) -> Smoothed:
        """Some of them."""
        return replace(self, coded=self.coded.taken(index), heads=self.heads[index])

    def and_(self, more: Smoothed, order: Tensor) -> Smoothed:
        """With others."""
        heads = torch.cat([self.heads, more.heads])[order]
        return replace(self, coded=self.coded.and_(more.coded, order), heads=heads)

    def tensors(self) -> Mapping[str, Tensor]:
        """All that they consist of, but for the channels, which all caches of a model share."""
        return {**self.coded.tensors(), "heads": self.heads}

    def restored(self, tensors: Mapping[str, Tensor]) -> Smoothed:
        """Of what `tensors` told."""
        return replace(self, coded=self.coded.restored(tensors), heads=tensors["heads"])


class WKVQuant:
    """Codes everything that is past, at prefill and at decoding: the keys and values that a step brings are exact while
    it looks at them, and coded once it is over.

    In two dimensions: each channel of a head is moved and stretched by numbers that stay the same for all texts; then
    every 32 dimensions of a token get a range of their own, keys and values alike.

    Ours: the paper fits those numbers by the error that they cause in the next five blocks; here they are the middle
    and half the range that each channel has in some texts (see `Smoothing.fitted`), its keys turned to their places.

    Args:
        bits: 8 or 4.
        smoothing: of the model; None: channels stay as they are, which is the past-only rule alone.

    Raises:
        InvalidInput: bits are out of range.
    """

    def __init__(self, bits: int = 4, smoothing: Smoothing | None = None) -> None:
        self.bits, self.smoothing = read_bits(bits), smoothing

    def __call__(self, empty: Tensor, which: Literal["keys", "values"], layer: int) -> Stored:
        """An empty store for the keys or the values of a layer.

        Raises:
            InvalidInput: the smoothing is that of a model with fewer layers or other dimensions.
        """
        none = FewBits.none(self.bits, empty.shape[-1], empty.device, shared=False)
        if self.smoothing is None:
            return Coded.nothing(Coding(_all, self._plain), none, empty)
        channels = self._channels(self.smoothing, empty, which, layer)

        def code(tokens: Tensor, heads: Tensor) -> Smoothed:
            return Smoothed.made(tokens, heads, self.bits, channels)

        nowhere = torch.empty(0, dtype=torch.int16, device=empty.device)
        return Coded.nothing(Coding(_all, code), Smoothed(none, nowhere, channels), empty)

    def _plain(self, tokens: Tensor, heads: Tensor) -> FewBits:
        return FewBits.per_token(tokens, self.bits)

    def _channels(self, smoothing: Smoothing, empty: Tensor, which: Literal["keys", "values"], layer: int) -> Channels:
        layers = smoothing.keys if which == "keys" else smoothing.values
        if layer >= len(layers) or layers[layer].middle.shape[-1] != empty.shape[-1]:
            raise InvalidInput("smoothing", "is that of another model", "fit one to this model")
        own = layers[layer]
        return Channels(own.middle.to(empty.device), own.reach.to(empty.device))


def _all(exact: Tensor) -> Tensor:
    return exact
