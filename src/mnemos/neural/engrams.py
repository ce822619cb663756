"""A store of engrams on three levels, linked by Hebb's rule: what fires together is recalled together.

"Memoria: Resolving Fateful Forgetting Problem through Human-Inspired Memory Architecture" (Park and Bak, 2023). New
engrams are working memory. They bring the short-term engrams that they resemble to mind; these lead, over links, to
long-term ones; all that fire are linked to each other. Engrams age: working memory becomes short-term, the oldest of
short-term long-term, and one whose life is over is gone, unless what used it gave it more.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import torch
from torch import Tensor

from mnemos.errors import InvalidInput


class Level(IntEnum):
    """Where an engram is; NONE is an empty place."""

    NONE = 0
    WORKING = 1
    SHORT = 2
    LONG = 3


class Engrams(NamedTuple):
    """All that a store holds, oldest first, for each sequence of a batch."""

    vectors: Tensor
    """[batch, places, dim]."""
    level: Tensor
    """`Level`, integers [batch, places]."""
    life: Tensor
    """Segments left to live, [batch, places]."""
    links: Tensor
    """How often two fired together, integers [batch, places, places]; on the diagonal, how often one did."""


@dataclass(frozen=True)
class HebbianStore:
    """The rules of a store; what it holds goes in and comes out, and is never changed in place.

    The paper's rules and, where it is silent, its code, but for two: of links of equal strength the one to the older
    engram is taken (there, one by chance), and engrams that never fired together are not linked (there, walks may begin
    anywhere). Levels, lives, links and what comes from short-term memory were found equal to its code (1.1.0) over 450
    segments, once given the nearness exp(−‖w − e‖²) of an earlier release: it takes −‖w − e‖² itself, and which of the
    two is the paper's is not verified. Nothing in a store learns, except that working memory passes gradients on.
    """

    short: int
    """Short-term engrams that are kept; older ones are long-term from then on."""
    recall_short: int
    """Short-term engrams that come to mind."""
    recall_long: int
    """Long-term engrams that come to mind."""
    depth: int
    """Links that a walk through long-term memory follows."""
    life: float
    """Segments that a new engram lives, unless it is used."""

    def __post_init__(self) -> None:
        for field in ("short", "recall_short", "recall_long", "depth"):
            if getattr(self, field) < 0:
                raise InvalidInput(field, f"{getattr(self, field)} is below nothing", "give 0 or more")
        if not self.life > 0:
            raise InvalidInput("life", f"an engram that lives {self.life} is never recalled", "give more than 0")

    def empty(self, batch: int, dim: int, like: Tensor) -> Engrams:
        """A store of nothing, with vectors of the type and on the device of `like`."""
        level = torch.zeros(batch, 0, dtype=torch.long, device=like.device)
        return Engrams(like.new_zeros(batch, 0, dim), level, like.new_zeros(batch, 0), level.new_zeros(batch, 0, 0))

    def add(self, held: Engrams, vectors: Tensor, is_written: Tensor) -> Engrams:
        """Take vectors [batch, new, dim] in as working memory; where not bool [batch], their places stay empty."""
        batch, new, _ = vectors.shape
        level = torch.where(is_written, Level.WORKING, Level.NONE).unsqueeze(1).expand(batch, new)
        links = torch.nn.functional.pad(held.links, (0, new, 0, new))
        life = torch.cat([held.life, held.life.new_full((batch, new), self.life)], dim=1)
        return Engrams(torch.cat([held.vectors, vectors], 1), torch.cat([held.level, level], 1), life, links)

    def remind(self, held: Engrams) -> Tensor:
        """What working memory brings to mind: bool [batch, places], on the short-term and long-term levels.

        Short-term engrams come by how near they are to working memory, the mean of exp(−‖w − e‖²). From each a walk
        begins at the long-term engram that it is linked to most, and goes on over the strongest link to one that no
        walk has met; of all that were met the nearest come.
        """
        with torch.no_grad():
            nearness = self._nearness(held)
            short = best(nearness, held.level == Level.SHORT, self.recall_short)
            met = self._walk(held, short)
            return short | best(nearness, met, self.recall_long)

    def fire(self, held: Engrams, recalled: Tensor) -> Engrams:
        """Link working memory and what is recalled, bool [batch, places], each with each, by one more."""
        fires = (recalled | (held.level == Level.WORKING)).long()
        return held._replace(links=held.links + fires.unsqueeze(2) * fires.unsqueeze(1))

    def age(self, held: Engrams, gained: Tensor, is_written: Tensor) -> Engrams:
        """A segment has passed: lives are longer by `gained` [batch, places] and shorter by one, engrams move on.

        Where not `is_written`, bool [batch], no time has passed.
        """
        life = held.life + gained - 1
        is_short = (held.level == Level.SHORT) | (held.level == Level.WORKING)
        newer = is_short.long().flip(1).cumsum(1).flip(1)
        level = torch.where(is_short, torch.where(newer <= self.short, Level.SHORT, Level.LONG), held.level)
        level = level.masked_fill(life <= 0, Level.NONE)
        passes = is_written.unsqueeze(1)
        level, life = torch.where(passes, level, held.level), torch.where(passes, life, held.life)
        return packed(Engrams(held.vectors.detach(), level, life, held.links))

    def _nearness(self, held: Engrams) -> Tensor:
        """log Σ exp(−‖w − e‖²) over working memory w, for each engram e, [batch, places]: ordered as the mean is."""
        far = torch.cdist(held.vectors, held.vectors, compute_mode="donot_use_mm_for_euclid_dist").square()
        return (-far).masked_fill((held.level != Level.WORKING).unsqueeze(2), -torch.inf).logsumexp(dim=1)

    def _walk(self, held: Engrams, short: Tensor) -> Tensor:
        """The long-term engrams that are met on walks from short-term ones, both bool [batch, places]."""
        places, met, walks = short.shape[1], torch.zeros_like(short), short
        place = torch.arange(places, device=short.device)
        at, strength = place.expand_as(short), held.links * places + (places - 1 - place)
        for _ in range(self.depth + 1 if places else 0):
            row = at.unsqueeze(2).expand(-1, -1, places)
            is_open = ((held.level == Level.LONG) & ~met).unsqueeze(1) & walks.unsqueeze(2)
            is_open = is_open & (held.links.gather(1, row) > 0)
            found, at = strength.gather(1, row).masked_fill(~is_open, -1).max(dim=2)
            walks = found >= 0
            met = met | named(at, walks, places)
        return met


def best(score: Tensor, among: Tensor, count: int) -> Tensor:
    """The `count` highest of score [batch, places] where `among`, bool of that shape, or all if there are fewer."""
    top = score.masked_fill(~among, -torch.inf).topk(min(count, score.shape[1]), dim=1).indices
    return named(top, torch.ones_like(top, dtype=torch.bool), score.shape[1]) & among


def named(at: Tensor, counts: Tensor, places: int) -> Tensor:
    """Which places are named in at [batch, n] where counts, bool [batch, n]: bool [batch, places]."""
    return torch.zeros(len(at), places, dtype=torch.long, device=at.device).scatter_add(1, at, counts.long()) > 0


def packed(held: Engrams) -> Engrams:
    """The same engrams in as few places as the fullest sequence needs, in the same order."""
    is_held = held.level != Level.NONE
    size = int(is_held.sum(1).max()) if is_held.numel() else 0
    order = (~is_held).long().argsort(dim=1, stable=True)[:, :size]
    links = held.links.gather(1, order.unsqueeze(2).expand(-1, -1, held.links.shape[2]))
    return Engrams(
        held.vectors.gather(1, order.unsqueeze(2).expand(-1, -1, held.vectors.shape[2])),
        held.level.gather(1, order),
        held.life.gather(1, order),
        links.gather(2, order.unsqueeze(1).expand(-1, size, -1)),
    )
