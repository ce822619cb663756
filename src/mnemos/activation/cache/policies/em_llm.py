"""Events, cut where the text surprises, and brought back by likeness and with their neighbours.

Fountas, Benfeghoul, Oomerjee, Christopoulou, Lampouras, Bou-Ammar, Wang 2024, "Human-like Episodic Memory for Infinite
Context LLMs".
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mnemos.activation.cache.budgets import best_first
from mnemos.activation.cache.policy import Look, registered
from mnemos.activation.cache.reading.events import Measure, moved
from mnemos.activation.cache.reading.retrieval import Chosen, Cuts, Leaving, Retrieval, Wanted
from mnemos.activation.cache.settings import whole, within
from mnemos.errors import InvalidInput


@registered
class EMLLM(Retrieval):
    """At prefill and at decoding: tokens that leave the latest ones are cut into events, and every reading of tokens
    brings back those events that it is most like, and events beside ones that were brought back lately.

    A token begins an event if its surprise, −log p, is above the mean of the `window` tokens before it by γ standard
    deviations; the cut is then moved to where it parts the keys best. An event is found by the mean of the keys of its
    `vectors` tokens that got most attention while they were among the latest, in each head. Its score is the product of
    that with the mean query, over all heads. The similarity buffer takes the best events that fit into the room, but
    for the share of the contiguity buffer: a queue of the events before and after those of the similarity buffer, to
    which new ones come in front and from which old ones drop out.

    Ours: keys stay turned to their true places (in the paper far ones all stand at one distance), likeness is the mean
    cosine of keys and not below 0, the graph begins at the cut before (in the authors' code half an event earlier), and
    no event is longer than `most`. Sliding layers read their window as ever.

    Args:
        gamma: γ.
        window: tokens that a surprise is compared with.
        measure: "modularity", "conductance", or None: cuts stay at the surprises.
        least: tokens of the shortest event.
        most: tokens of the longest.
        contiguity: share of the room for events beside others.
        vectors: tokens that stand for an event.

    Raises:
        InvalidInput: a number is out of range.
    """

    name = "em-llm"
    looks = None
    latest = 2 / 3
    marks: Mapping[str, float] = {"surprise": 0.0, "got": 0.0}

    def __init__(
        self,
        gamma: float = 1.0,
        window: int = 256,
        measure: Measure | None = "modularity",
        *,
        least: int = 8,
        most: int = 128,
        contiguity: float = 0.3,
        vectors: int = 4,
    ) -> None:
        self.gamma, self.contiguity = within("gamma", gamma, 0, 100), within("contiguity", contiguity, 0, 1)
        self.surprises, self.vectors = whole("window", window, 2), whole("vectors", vectors)
        self.least, self.most = whole("least", least), whole("most", most, 2 * least)
        if measure not in ("modularity", "conductance", None):
            raise InvalidInput("measure", f"{measure!r} is not known", "give modularity, conductance or None")
        self.measure = measure

    def look(self, look: Look) -> Mapping[str, Tensor]:
        """How much attention tokens get."""
        return {"got": look.marks["got"] + look.weights.sum(2)}

    def cuts(self, leaving: Leaving) -> Cuts:
        """Events; the last one stays until it is known where the next one begins, or it is as long as can be."""
        surprises = (leaving.marks["surprise"][0] > self.gamma).nonzero()[:, 0].tolist()
        sizes: list[int] = []
        begun, used, whole = 0, leaving.used, leaving.keys.shape[1]
        while True:
            cut = next((at for at in surprises if at > used and at - begun >= self.least), None)
            if cut is None or cut - begun > self.most:
                size, called, known = self.most, begun + self.most, begun + self.most
            else:
                known = cut if self.measure is None else cut + (cut - begun) // 2
                size, called = self._moved(cut - begun, leaving.keys[:, begun:known]), cut
            if known > whole or begun + size > leaving.count:
                return Cuts(sizes, max(0, used - begun))
            sizes.append(size)
            begun, used = begun + size, called

    def _moved(self, cut: int, keys: Tensor) -> int:
        return cut if self.measure is None else moved(cut, keys, self.least, self.measure)

    def index(self, keys: Tensor, marks: Mapping[str, Tensor]) -> Tensor:
        """The mean key of those that got most attention; of equal ones the later."""
        best = best_first(marks["got"])[:, : self.vectors, None].expand(-1, -1, keys.shape[-1])
        return keys.gather(1, best).mean(1, keepdim=True)

    def chosen(self, wanted: Wanted) -> Chosen:
        """The similarity buffer, then the queue of neighbours."""
        mean = wanted.queries.float().mean((1, 2))
        scores = torch.einsum("bhd,hd->b", wanted.index[:, :, 0].float(), mean).tolist()
        order = sorted(range(len(scores)), key=lambda block: (scores[block], block), reverse=True)
        sizes: list[int] = wanted.sizes.tolist()
        similar = _fitting(order, sizes, wanted.room - int(wanted.room * self.contiguity))
        beside = [near for block in similar for near in (block - 1, block + 1) if 0 <= near < len(scores)]
        waiting = [block for block in dict.fromkeys([*beside, *wanted.recent]) if block not in similar]
        queue = _fitting(waiting, sizes, wanted.room - sum(sizes[block] for block in similar))
        blocks = torch.zeros(len(scores), dtype=torch.bool, device=mean.device)
        blocks[[*similar, *queue]] = True
        return Chosen(blocks.expand(len(mean), 1, -1), tuple(queue))


def _fitting(order: list[int], sizes: list[int], room: int) -> list[int]:
    """Blocks in their order, without those for which there is no room left."""
    taken: list[int] = []
    for block in order:
        if sizes[block] <= room:
            taken.append(block)
            room -= sizes[block]
    return taken
