"""The nearest old keys of every query, in small chunks.

Wang, Dong, Cheng, Liu, Yan, Gao, Wei 2023, "Augmenting Language Models with Long-Term Memory".
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mnemos.activation.cache.policy import registered
from mnemos.activation.cache.reading.retrieval import Chosen, Cuts, Leaving, Retrieval, Wanted, best
from mnemos.activation.cache.settings import whole


@registered
class LongMem(Retrieval):
    """At prefill and at decoding: old tokens rest in chunks of `size`, and every query of every head looks, besides
    what is at hand, at the chunks whose mean key has the largest product with it, as many as there is room for. The
    budget is that of each query: a reading of many tokens brings back what any of them wants.

    Ours: the paper trains a side network that asks and a gate that weighs what is found against what is at hand, for
    one layer of a frozen model; here the model's own queries ask, in every layer that is not a sliding one, and one
    softmax weighs all. Query heads that share a key head ask together, by their sum.

    Args:
        size: tokens of a chunk.

    Raises:
        InvalidInput: it is below 1.
    """

    name = "longmem"

    def __init__(self, size: int = 4) -> None:
        self.size = whole("size", size)

    def cuts(self, leaving: Leaving) -> Cuts:
        """Chunks of one size."""
        return Cuts([self.size] * (leaving.count // self.size))

    def index(self, keys: Tensor, marks: Mapping[str, Tensor]) -> Tensor:
        """The mean key."""
        return keys.mean(1, keepdim=True)

    def chosen(self, wanted: Wanted) -> Chosen:
        """The nearest chunks of each query."""
        scores = torch.einsum("hqd,bhd->hqb", wanted.queries.sum(1).float(), wanted.index[:, :, 0].float())
        return Chosen(best(scores, wanted.room // self.size))
