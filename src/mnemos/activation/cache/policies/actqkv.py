"""Blocks that match a probe query, made of the tokens that stand out; how many, by how far their scores are spread.

Xiao, Wang, Li, Deng, Tang, Li, Zhang, Wang, Chen 2025, "Activation-aware Probe-Query: Effective Key-Value Retrieval for
Long-Context LLMs Inference".
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from mnemos.activation.cache.policy import registered
from mnemos.activation.cache.reading.retrieval import Chosen, Cuts, Leaving, Retrieval, Wanted, best
from mnemos.activation.cache.settings import whole, within


@registered
class ActQKV(Retrieval):
    """Every reading brings back the blocks that match its probe best, the same for all heads of a layer.

    At prefill a token's activation bias is Σ (q − mean)² / variance over all numbers of its queries, mean and variance
    being those over the tokens that are read; the probe is the mean query of the share `anchors` of the tokens, those
    of the largest bias, and blocks fill the room. At decoding the probe is the query itself, and a layer brings back
    fewer where little would do: as many blocks as its scores, as probabilities, are spread over, which is e to the
    power of their entropy, rounded up.

    Ours: a block is found by the mean of its keys, its score is the product with the probe, scaled as in attention and
    averaged over heads; and that entropy is our measure of how densely a layer's information lies.

    Args:
        size: tokens of a block.
        anchors: share of the tokens that make the probe, above 0; at least one token.

    Raises:
        InvalidInput: a number is out of range.
    """

    name = "actqkv"

    def __init__(self, size: int = 32, anchors: float = 0.25) -> None:
        self.size, self.anchors = whole("size", size), within("anchors", anchors, 1e-6, 1)

    def cuts(self, leaving: Leaving) -> Cuts:
        """Blocks of one size."""
        return Cuts([self.size] * (leaving.count // self.size))

    def index(self, keys: Tensor, marks: Mapping[str, Tensor]) -> Tensor:
        """The mean key."""
        return keys.mean(1, keepdim=True)

    def chosen(self, wanted: Wanted) -> Chosen:
        """The best blocks."""
        probe = self._probe(wanted.queries.float()).mean(1)
        scores = torch.einsum("hd,bhd->b", probe, wanted.index[:, :, 0].float()) * wanted.scaling / len(probe)
        count = wanted.room // self.size
        if wanted.queries.shape[2] == 1:
            shares = scores.softmax(-1)
            entropy = float(torch.special.entr(shares).sum())
            # the entropy of equal shares is a hair off the logarithm of their number
            count = min(count, math.ceil(math.exp(entropy) - 1e-4))
        return Chosen(best(scores, count).expand(len(probe), 1, -1))

    def _probe(self, queries: Tensor) -> Tensor:
        """The mean query of the tokens that stand out, [heads, sharing, dimensions]."""
        tokens = queries.shape[2]
        if tokens == 1:
            return queries[:, :, 0]
        variance = queries.var(2, keepdim=True, correction=0)
        away = (queries - queries.mean(2, keepdim=True)).square() / torch.where(variance > 0, variance, 1.0)
        out = best(away.sum((0, 1, 3)), max(1, math.floor(tokens * self.anchors)))
        return queries[:, :, out].mean(2)
