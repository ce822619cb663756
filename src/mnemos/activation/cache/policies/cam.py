"""What goes leaves its value to its neighbours.

Zhang, Du, Luo, Zhong, Zhang, Liu, Ji 2024, "CaM: Cache Merging for Memory-efficient LLMs Inference".
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mnemos.activation.cache.held import Held
from mnemos.activation.cache.policies.random import Random
from mnemos.activation.cache.policy import Arrived, Look, Policy, Shown, read_policy, registered
from mnemos.activation.cache.reading.retrieval import Retrieval
from mnemos.activation.cache.settings import whole
from mnemos.errors import InvalidInput

AT_ONCE = 1024
"""Tokens that are shared out at a time."""


@registered
class CaM(Policy):
    """Keeps what another policy keeps; at prefill and at decoding, before a token goes, its value may be added to the
    `window` tokens after it that stay, in equal parts.

    Whether it is, is drawn: its probability is the token's attention over the mean attention of those, at most 1.
    Attention is what a token was given in all since it came. What goes after all that stay is lost.

    Ours: the lots depend on the seed, the layer, the head and the position, so that a text is merged in the same way
    alone and beside others; all that goes at once is merged at once, each token into those that stay; and under a
    policy that sees the attention of the last queries only, that is what counts.

    Args:
        policy: which tokens stay, by name or as an object.
        window: tokens that a value is shared between.
        seed: of the lots.

    Raises:
        InvalidInput: the window is below 1, or the policy merges itself, or lets nothing go.
    """

    name = "cam"
    merges = True

    def __init__(self, policy: str | Policy = "h2o", window: int = 32, seed: int = 0) -> None:
        inner = read_policy(policy)
        if inner.merges or isinstance(inner, Retrieval):
            raise InvalidInput("policy", f"{inner.name} cannot be merged under", "give one that lets tokens go")
        self.policy, self.window, self.seed = inner, whole("window", window), seed
        self.looks, self.steps = (None, True) if inner.looks == 0 else (inner.looks, inner.steps)
        self.queries, self.rotates, self.moves = inner.queries, inner.rotates, inner.moves
        self.prunes, self.tokens = inner.prunes, inner.tokens
        self.marks: Mapping[str, float] = {**inner.marks, "given": 0.0}

    def look(self, look: Look) -> Mapping[str, Tensor]:
        """Add up all attention, and let the other policy note its own."""
        own = self.policy.look(look) if self.policy.looks != 0 else {}
        return {**own, "given": look.marks["given"] + look.weights.sum(2)}

    def arrive(self, arrived: Arrived) -> Mapping[str, Tensor]:
        """As the other policy has it; so below."""
        return self.policy.arrive(arrived)

    def allowed(self, arrived: Arrived) -> Tensor | None:
        """As it has it."""
        return self.policy.allowed(arrived)

    def due(self, shown: Shown) -> Tensor:
        """As it has it."""
        return self.policy.due(shown)

    def scores(self, shown: Shown) -> Tensor:
        """As it has it."""
        return self.policy.scores(shown)

    def places(self, positions: Tensor, at: Tensor) -> Tensor | None:
        """As it has it."""
        return self.policy.places(positions, at)

    def merged(self, shown: Shown, stays: Tensor) -> tuple[Tensor, Tensor]:
        """What others were added to."""
        held, before = shown.held, stays.long().cumsum(-1)
        end = torch.minimum(before + self.window, before[..., -1:])
        going = held.flat(self._merges(shown, stays, before, end)).nonzero()[:, 0]
        staying = held.flat(stays).nonzero()[:, 0]
        counts = before[..., -1].flatten()
        first = held.flat(before + (counts.cumsum(0) - counts).view(*before.shape[:2], 1))[going]
        number = held.flat(end - before)[going]
        near = torch.arange(self.window, device=going.device)
        # what is beyond the last is given nothing
        targets = staying[(first[:, None] + near).clamp_max(len(staying) - 1)]
        return self._sums(held, going, targets, near < number[:, None])

    def _sums(self, held: Held, going: Tensor, targets: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        """What tokens are when they have taken in others: where they are told, and their values.

        Args:
            held: all of them.
            going: which tokens are shared out, [going].
            targets: to which, [going, window].
            given: whether each gets a part, [going, window].
        """
        reached = torch.zeros(len(held.positions), dtype=torch.bool, device=going.device)
        reached[targets[given]] = True
        index, rank = reached.nonzero()[:, 0], reached.long().cumsum(0) - 1
        values = held.values.taken(index, held.positions[index]).read()
        sums = values.double()
        for part in torch.split(torch.arange(len(going), device=going.device), AT_ONCE):
            lost = held.values.taken(going[part], held.positions[going[part]]).read().double()
            gifts, mine = lost / given[part].sum(1, keepdim=True), given[part]
            sums.index_add_(0, rank[targets[part][mine]], gifts.repeat_interleave(mine.sum(1), 0))
        return index, sums.to(values.dtype)

    def _merges(self, shown: Shown, stays: Tensor, before: Tensor, end: Tensor) -> Tensor:
        """What goes and is merged, [rows, heads, held], bool.

        Args:
            shown: what is held.
            stays: which tokens stay.
            before: how many tokens up to each stay.
            end: the same, up to the last of its window.
        """
        given = shown.mark("given").double()
        sums = torch.nn.functional.pad(torch.zeros_like(given), (0, 1))
        sums = sums.scatter_add_(-1, before * stays, given * stays).cumsum(-1)
        count = end - before
        mean = (sums.gather(-1, end) - sums.gather(-1, before)) / count.clamp_min(1)
        chance = torch.where(mean > 0, given / mean, (given > 0).double())
        going = (shown.positions >= 0) & ~stays & (count > 0)
        return going & (Random(self.seed).scores(shown) < chance)
