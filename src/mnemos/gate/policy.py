"""What a policy of the gate sees and says: each judges one new memory, and the first that has a reason is followed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mnemos.records import Memory


@dataclass(frozen=True, slots=True)
class Near:
    """A memory that may say the same as the new one."""

    num: int
    memory: Memory
    words: tuple[str, ...]
    similarity: float
    """Shared words and runs of words over all, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A new memory, and what of the store it is judged beside: a bounded number of memories, however many there are."""

    memory: Memory
    """Without what it quotes from recall; its text is empty where it says nothing else."""
    words: tuple[str, ...]
    """Its words in order, folded."""
    before: Sequence[Memory] = ()
    """The last memories of its session, newest first."""
    near: Sequence[Near] = ()
    """Memories like it, most similar first."""

    @property
    def novelty(self) -> float:
        """How far it is from the memory most like it, 0 to 1; 1 where nothing is."""
        return 1.0 - max((one.similarity for one in self.near), default=0.0)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a memory and why, and the number of the memory on whose account, if on one's."""

    why: str
    other: int | None = None
    rests: bool = True
    """Whether it leaves the index; else it only strengthens the other one."""
    strengthens: bool = False
    """Whether the other memory grows stronger by it."""
    detail: Mapping[str, Any] = field(default_factory=dict)
    """Numbers and names of rules, no words of memories."""


class Policy(Protocol):
    """One reason for which a memory may leave the index."""

    @property
    def name(self) -> str:
        """Under which its decisions stand in histories."""
        ...

    def judge(self, arrival: Arrival) -> Verdict | None:
        """Why this memory is to leave the index; None where this policy knows no reason."""
        ...
