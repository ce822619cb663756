"""Memoria: a layer that attends to what its engrams bring to mind.

"Memoria: Resolving Fateful Forgetting Problem through Human-Inspired Memory Architecture" (Park and Bak, 2023).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mnemos.errors import InvalidInput
from mnemos.neural.crossing import CrossAttention
from mnemos.neural.engrams import Engrams, HebbianStore, Level
from mnemos.neural.segments import SegmentMemory


class Mind(NamedTuple):
    """What a Memoria layer carries from segment to segment."""

    held: Engrams
    """All engrams."""
    recalled: Tensor
    """Those of the short and long term that came to mind after the last segment, bool [batch, places]."""
    used: Tensor
    """How much this segment has attended to each so far, [batch, places]."""


class Memoria(SegmentMemory):
    """Segments become engrams, and read those that the segment before brought to mind.

    A full segment is summed up by learned questions, softmax(F K(h)ᵀ/√d) V(h), into `working` new engrams, and
    `HebbianStore` says which others they recall. Tokens of the next segment read both by cross-attention. What was
    recalled then lives longer by its share of that attention: gain · n · wᵢ / Σ w, over the n recalled engrams.

    That working memory is made of the segment before is the paper's way with causal models. It is not verified whether
    the gain is the mean over layers there; here every layer has a store of its own. A segment brings in no more than
    working · life + gain · (recall_short + recall_long) segments of life, and every engram spends one: on average there
    are at most that many, and `working` more for lives that end in the middle of a segment.

    Args:
        dim: width of tokens and engrams.
        heads: of every attention in it; divides `dim`.
        segment: tokens of a segment.
        working: engrams made of a segment.
        short, recall_short, recall_long, depth, life: see `HebbianStore`.
        gain: how much life is given for attention; 0: engrams live `life` segments, whatever their use.
        conv: kernel of a short convolution in the attention within a segment; 0: none.

    Raises:
        InvalidInput: a number out of its range, or heads that do not divide `dim`.
    """

    def __init__(
        self,
        dim: int,
        *,
        heads: int = 1,
        segment: int = 64,
        working: int = 8,
        short: int = 32,
        recall_short: int = 8,
        recall_long: int = 8,
        depth: int = 4,
        life: float = 6.0,
        gain: float = 2.0,
        conv: int = 0,
    ) -> None:
        super().__init__(dim, heads=heads, segment=segment, conv=conv)
        if working < 1:
            raise InvalidInput("working", f"{working} engrams hold nothing of a segment", "give 1 or more")
        if gain < 0:
            raise InvalidInput("gain", f"{gain} would shorten lives by use", "give 0 or more")
        self.gain = gain
        self.store_of = HebbianStore(short, recall_short, recall_long, depth, life)
        self.ask, self.sum_up = CrossAttention(dim, heads), CrossAttention(dim, heads)
        self.questions = nn.Parameter(torch.randn(working, dim) / dim**0.5)

    def blank(self, batch: int) -> Mind:
        """No engrams."""
        held = self.store_of.empty(batch, self.dim, self.questions)
        return Mind(held, held.level > 0, held.life)

    def answer(self, x: Tensor, near: Tensor, memory: Mind, written: Tensor) -> tuple[Tensor, Mind]:
        """Attention within the segment, on top of it what engrams say; it is noted which were read."""
        is_read = memory.recalled | (memory.held.level == Level.WORKING)
        said, weights = self.ask.read(x + near, memory.held.vectors, is_read[:, None, None])
        used = (weights.detach() * written[:, None, :, None]).sum(dim=(1, 2)) * memory.recalled
        return near + said, memory._replace(used=memory.used + used)

    def store(self, memory: Mind, said: Tensor, written: Tensor) -> Mind:
        """Time passes, the segment becomes working memory, and that recalls what the next segment will read."""
        is_written = written.any(1)
        held = self.store_of.age(memory.held, self._gained(memory), is_written)
        new = self.sum_up(self.questions.expand(len(said), -1, -1), said, written[:, None, None])
        held = self.store_of.add(held, new, is_written)
        recalled = self.store_of.remind(held)
        return Mind(self.store_of.fire(held, recalled), recalled, torch.zeros_like(held.life))

    def _gained(self, memory: Mind) -> Tensor:
        """Segments of life that use has earned, [batch, places]."""
        total = memory.used.sum(1, keepdim=True)
        share = memory.used / total.where(total > 0, 1.0)
        return self.gain * memory.recalled.sum(1, keepdim=True) * share
