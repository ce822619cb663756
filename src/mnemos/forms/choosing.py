"""Which memories a model sees for a question, and in which form each: the highest that is there and up to date.

What the namespace's adapter holds is left to it. Of the rest, what has a block goes into the cache, and what is left is
text: all of it where it fits, else what search finds first for the question. Nothing is seen that is no longer true, or
not yet, that has expired, or that is another namespace's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from mnemos.arguments import MAX_LIMIT
from mnemos.forms.listing import state_of
from mnemos.forms.prompting import Prompter
from mnemos.forms.system import System
from mnemos.namespaces import Scope
from mnemos.parametric.library import RECIPE
from mnemos.records import Hit, Memory
from mnemos.store.artifact_rows import Artifact

LOOK = 100
"""Memories that are asked of search, beside those that have a higher form; more where the budget has room for more."""
SHORT = 8
"""Tokens of a short line: a budget has room for no more lines than it has so many tokens."""
FOR_TEXT = 4
"""Where a model's context is too short for everything, the blocks leave one part in so many to text."""


@dataclass(frozen=True, slots=True)
class Room:
    """How much a model may be shown."""

    budget: int
    """Tokens of text."""
    cache: int | None
    """Tokens of keys and values, with the opening; None: any number."""
    window: int | None
    """Tokens of memories in all that the model's context has room for; None: any number."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A block of a memory that may be seen."""

    artifact: Artifact
    memory: Memory

    @property
    def tokens(self) -> int:
        """That it holds."""
        return int(self.artifact.metadata.get("tokens", 0))


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is to be seen for one question."""

    adapter: Artifact | None = None
    blocks: tuple[Kept, ...] = ()
    text: tuple[Memory, ...] = ()
    """In reading order; of a long one, its best passage where the whole has no room."""
    lines: tuple[Sequence[int], ...] = ()
    """Their tokens."""
    used: tuple[str, ...] = ()
    """The artifacts of the blocks of which this is a use: those that search would have had read as text else."""


@dataclass(slots=True)
class Chooser:
    """Chooses for one scope and one model.

    What is known of an adapter's and a block's memories is remembered by the artifact: they go together.
    """

    memory: System
    scope: Scope
    fingerprint: str
    """Of the model, without adapters."""
    prompter: Prompter
    opening: str
    """Mark of the opening that blocks were read after."""
    _known: dict[str, tuple[Memory, ...]] = field(default_factory=dict)

    @property
    def where(self) -> dict[str, Any]:
        """The scope, as keywords of a search."""
        return {"namespace": self.scope.namespace, "agent_id": self.scope.agent_id}

    def adapter(self) -> Artifact | None:
        """The adapter of the namespace, if all that it teaches may be seen."""
        now = self.memory.artifacts.now()
        found = self.memory.artifacts.find(
            form="parametric", recipe=RECIPE, fingerprint=self.fingerprint, namespace=self.scope.namespace
        )
        for one in found:
            if state_of(one, now) == "fresh" and len(self._visible(one, now)) == len(one.sources):
                return one
        return None

    def blocks(self, without: Collection[str] = ()) -> list[Kept]:
        """The blocks that may be seen, each memory's latest, all stored in one type: the one that most are in."""
        now = self.memory.artifacts.now()
        found = self.memory.artifacts.find(
            form="activation", fingerprint=self.fingerprint, namespace=self.scope.namespace
        )
        alone = [one for one in found if len(one.sources) == 1 and one.sources[0] not in without]
        own = [one for one in alone if one.metadata.get("opening") == self.opening]
        recipes = Counter(one.recipe for one in own)
        recipe = max(recipes, key=lambda name: (recipes[name], name), default="")
        kept: dict[str, Kept] = {}
        for one in own:
            (source,) = one.sources
            visible = self._visible(one, now) if one.recipe == recipe else ()
            if visible and source not in kept:
                kept[source] = Kept(one, visible[0])
        return list(kept.values())

    def choose(self, question: str, room: Room) -> Chosen:
        """What is to be seen for a question."""
        adapter = self.adapter()
        held = frozenset(adapter.sources if adapter else ())
        blocks = self.blocks(held)
        limit = min(MAX_LIMIT, len(held) + len(blocks) + max(LOOK, room.budget // SHORT))
        hits = list(self.memory.search(question, limit=limit, **self.where))
        taken = self._taken(blocks, hits, room)
        spent = len(self.prompter.opening) + sum(one.tokens for one in taken) if taken else 0
        seen = held | {one.memory.id for one in taken}
        left = room.budget if room.window is None else min(room.budget, room.window - spent)
        text = self._text(hits, seen, left - self.prompter.frame(after_blocks=bool(taken)))
        ordered = self.memory.artifacts.in_reading_order(list(text))
        return Chosen(
            adapter,
            taken,
            tuple(text[one][0] for one in ordered),
            tuple(text[one][1] for one in ordered),
            _used(hits, taken, room.budget),
        )

    def is_still(self, chosen: Chosen) -> bool:
        """Whether all that was chosen is still there, and says what it said."""
        adapter = self.adapter() if chosen.adapter is not None else None
        if chosen.adapter is not None and (adapter is None or adapter.id != chosen.adapter.id):
            return False
        held = frozenset(adapter.sources if adapter else ())
        there = {one.artifact.id for one in self.blocks(held)} if chosen.blocks else set()
        if not there.issuperset(one.artifact.id for one in chosen.blocks):
            return False
        now = self.memory.artifacts.now()
        return all(self._says_still(one, now) for one in chosen.text)

    def _says_still(self, memory: Memory, now: datetime) -> bool:
        found = self.memory.get(memory.id)
        return found is not None and memory.text in found.text and self._may_be_seen(found, now)

    def _taken(self, blocks: Sequence[Kept], hits: Sequence[Hit], room: Room) -> tuple[Kept, ...]:
        """The blocks that there is room for, the most relevant first where there is not for all."""
        left = _least(room.cache, self._window(blocks, room))
        if left is None or sum(one.tokens for one in blocks) <= left - len(self.prompter.opening):
            return tuple(blocks)
        ranks = {hit.memory.id: rank for rank, hit in enumerate(hits)}
        left -= len(self.prompter.opening)
        taken = []
        for one in sorted(blocks, key=lambda one: ranks.get(one.memory.id, len(ranks))):
            if one.tokens <= left:
                left -= one.tokens
                taken.append(one)
        return tuple(taken)

    def _window(self, blocks: Sequence[Kept], room: Room) -> int | None:
        """Tokens that blocks may take of the model's context."""
        if room.window is None:
            return None
        needed = len(self.prompter.opening) + sum(one.tokens for one in blocks) + room.budget
        return room.window if needed <= room.window else room.window - min(room.budget, room.window // FOR_TEXT)

    def _text(self, hits: Sequence[Hit], seen: Collection[str], left: int) -> dict[str, tuple[Memory, Sequence[int]]]:
        """The memories that are read as words, and their tokens, by id: the best first until the room is taken."""
        now = self.memory.artifacts.now()
        text: dict[str, tuple[Memory, Sequence[int]]] = {}
        for hit in hits:
            told = hit.memory.id in seen or any(one in seen for one in hit.also)
            if told or not self._may_be_seen(hit.memory, now):
                continue
            for memory in _pieces(hit):
                line = self.prompter.line(memory)
                if line and len(line) <= left:
                    text[memory.id] = memory, line
                    left -= len(line)
                    break
        return text

    def _visible(self, artifact: Artifact, now: datetime) -> tuple[Memory, ...]:
        """Those of an artifact's memories that may be seen now."""
        if artifact.id not in self._known or artifact.state != "fresh":
            found = [self.memory.get(one) for one in artifact.sources]
            self._known[artifact.id] = tuple(one for one in found if one is not None)
        return tuple(one for one in self._known[artifact.id] if self._may_be_seen(one, now))

    def _may_be_seen(self, memory: Memory, now: datetime) -> bool:
        """Whether a memory is of the scope, is not out of the index, and is true at this time."""
        scope = self.scope
        if memory.namespace != scope.namespace or scope.agent_id not in (None, memory.agent_id):
            return False
        if memory.resting is not None or (memory.expired_at is not None and memory.expired_at <= now):
            return False
        begun = memory.valid_at is None or memory.valid_at <= now
        return begun and (memory.invalid_at is None or memory.invalid_at > now)


def _pieces(hit: Hit) -> Iterator[Memory]:
    """A memory, and what is shown of it where it is too long."""
    yield hit.memory
    if hit.passage is not None:
        start, end = hit.passage
        yield replace(hit.memory, text=hit.memory.text[start:end])


def _used(hits: Sequence[Hit], taken: Sequence[Kept], budget: int) -> tuple[str, ...]:
    """The blocks of the first hits, as many as a budget of text would have room for; where there is none, all."""
    known = {one.memory.id: one for one in taken}
    budget = budget or sum(one.tokens for one in taken)
    used = []
    for hit in hits:
        block = known.get(hit.memory.id)
        if block is not None and block.tokens <= budget:
            budget -= block.tokens
            used.append(block.artifact.id)
    return tuple(used)


def _least(*bounds: int | None) -> int | None:
    return min((one for one in bounds if one is not None), default=None)
