"""Facts as a stage of derivation: read from new memories, repeats merged, contradictions handed on.

A repeat of a fact that still holds becomes another source of it, and makes it stronger, so that one fact is one
memory. A fact that was closed and is said again is a new one: A, then B, then A are three. Only memories that are
trusted alike stand behind one fact: what one of them says, or how far it is trusted, never colours another's. What
contradicts an older fact is for the update operation, which is called with each fact that was written or merged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mnemos.facts.keys import Keys, keys, subject_key
from mnemos.facts.scene import THE_USER, kin_of, speaker_of
from mnemos.facts.statement import Statement
from mnemos.origin import HEARSAY
from mnemos.records import Memory
from mnemos.stages import Again, Batch
from mnemos.store import facts as table
from mnemos.store.deriving import Derivation
from mnemos.store.facts import Row, Same
from mnemos.store.rows import Stored
from mnemos.times import to_micros

RECIPE = "facts"
MERGE = "merge"
"""The decision on a fact that one more memory states it; `other` is that memory."""
BEFORE = 6
"""Turns before one that are looked at for names that it goes on using."""
KNOWN = 200
"""Facts about a speaker that are looked at for the people they know."""
_APART = 2 * 86_400_000_000
"""Microseconds between two times of one thing that happened; further apart, it happened twice."""

Resolve = Callable[[Batch, int], None]
"""Settles what a new or merged fact means for the others of its matter."""


class FactStage:
    """Writes the facts of new memories."""

    name = "facts"

    def __init__(self, resolve: Resolve | None = None) -> None:
        self._resolve = resolve

    @property
    def again(self) -> Mapping[str, Again]:
        """A fact stays while one of its sources states it."""
        return {RECIPE: self._again}

    def take(self, batch: Batch) -> None:
        """Read every memory that the gate has kept."""
        people: dict[tuple[int, str], dict[str, str]] = {}
        for stored in batch.kept:
            if stored.memory.kind == "fact":
                self._note_own(batch, stored)
            elif stored.memory.recipe is None:
                known = _people(batch, stored, people)
                for statement in statements_of(batch, stored, known):
                    self.remember(batch, statement, stored)
                    known.update(_introduced(statement))

    def remember(self, batch: Batch, statement: Statement, source: Stored, recipe: str = RECIPE) -> int:
        """Write a fact that a memory states, or merge it into the one that says it already; returns its number."""
        namespace, number = batch.namespace(source.num), keys(statement.subject, statement.relation, statement.object)
        known = [
            one
            for one in table.same(batch.connection, namespace, number.matter, number.object)
            if one.negated == statement.negated and one.trust == source.memory.trust
        ]
        for one in known:
            if one.memory == source.num or table.is_source(batch.connection, one.memory, source.num):
                return one.memory
        heard = source.memory.happened_at
        said_at = batch.now if heard is None else to_micros(heard)
        for one in known:
            if _still_says(one, statement, said_at) and not batch.was_undone(one.memory, MERGE, source.num):
                self._merge(batch, one, statement, source)
                return one.memory
        return self._write(batch, statement, source, number, recipe)

    def unmerge(self, batch: Batch, fact: int, source: int) -> None:
        """Undo a merge: the fact loses this source, which gets a fact of its own."""
        stored = batch.fetch(source)
        row = table.read(batch.connection, fact)
        table.drop_source(batch.connection, fact, source, batch.now)
        batch.touch([fact])
        if stored is None or row is None:
            return
        for statement in statements_of(batch, stored):
            if _states(statement, row):
                number = keys(statement.subject, statement.relation, statement.object)
                self._write(batch, statement, stored, number, RECIPE)
                return

    def _write(self, batch: Batch, statement: Statement, source: Stored, number: Keys, recipe: str) -> int:
        num = batch.derive(_derivation(statement, source, number, recipe))
        table.write(batch.connection, num, Row(batch.namespace(source.num), *number, statement.single))
        self._settle(batch, num)
        return num

    def _merge(self, batch: Batch, one: Same, statement: Statement, source: Stored) -> None:
        if one.memory < 0:
            table.add_source(batch.connection, one.memory, source.num, batch.now)
        elif not table.is_merged(batch.connection, one.memory, source.num):
            batch.strengthen(one.memory)
        if one.valid_at is None and statement.valid_at is not None and one.memory < 0:
            table.set_since(batch.connection, one.memory, statement.valid_at)
            batch.reword(one.memory, statement.text)
        batch.decide(one.memory, MERGE, RECIPE, source.num)
        batch.touch([one.memory])
        self._settle(batch, one.memory)

    def _settle(self, batch: Batch, num: int) -> None:
        if self._resolve is not None:
            self._resolve(batch, num)

    def _note_own(self, batch: Batch, stored: Stored) -> None:
        """A fact that was added as one is not derived again: it gets its row itself."""
        found = _read(stored.memory)
        if not found:
            table.remove(batch.connection, stored.num)
            return
        number = keys(found[0].subject, found[0].relation, found[0].object)
        row = Row(batch.namespace(stored.num), *number, found[0].single)
        if table.read(batch.connection, stored.num) != row:
            table.write(batch.connection, stored.num, row)
            self._settle(batch, stored.num)
        elif stored.memory.version > 1:
            self._settle(batch, stored.num)  # it may be trusted more or less than before

    def _again(self, batch: Batch, stored: Stored, sources: Sequence[Stored]) -> str | None:
        row = table.read(batch.connection, stored.num)
        if row is None:
            return None
        stating = [(source, said) for source in sources if (said := _saying(batch, stored, row, source)) is not None]
        if not stating:
            return None
        source, statement = max(stating, key=lambda one: (_began(stored, row, *one), one[0].memory.trust))
        happened_at = source.memory.happened_at
        heard = None if happened_at is None else to_micros(happened_at)
        trust = trust_in(statement.subject, source.memory)
        table.restate(batch.connection, stored.num, _words(statement), statement.valid_at, heard, trust)
        apart = {one.num for one in sources if one.memory.trust != source.memory.trust}
        for num in apart:
            table.part(batch.connection, stored.num, num, batch.now)
        for other, said in stating:
            if other.num in apart:
                self.remember(batch, said, other)
        self._settle(batch, stored.num)
        return statement.text


def _saying(batch: Batch, fact: Stored, row: Row, source: Stored) -> Statement | None:
    """What a source says of the matter of a fact that was read from it; None where it no longer says the same."""
    if source.memory.resting not in {None, "forgotten", "summarised"}:
        return None
    negated = bool(fact.memory.metadata.get("negated"))
    said = (one for one in statements_of(batch, source) if _states(one, row) and one.negated == negated)
    return next(said, None)


def _began(fact: Stored, row: Row, source: Stored, statement: Statement) -> bool:
    """Whether a fact was first read from a source, and has its id from there."""
    number = Keys(row.subject, row.matter, row.object)
    return _derivation(statement, source, number, fact.memory.recipe or RECIPE).id == fact.memory.id


def statements_of(batch: Batch, stored: Stored, known: Mapping[str, str] | None = None) -> list[Statement]:
    """What a memory states, read with the turns right before it and with who is `known` to its speaker."""
    before = table.turns_before(batch.connection, stored, BEFORE) if stored.memory.session_id else []
    return _read(stored.memory, [one.memory for one in before], _people(batch, stored, {}) if known is None else known)


def _read(memory: Memory, before: Sequence[Memory] = (), known: Mapping[str, str] | None = None) -> list[Statement]:
    from mnemos.facts.extract import extract  # here, so that a search does not wait for the rules to be compiled

    return extract(memory, before, known)


def _people(batch: Batch, stored: Stored, read: dict[tuple[int, str], dict[str, str]]) -> dict[str, str]:
    """By name, what people are to the speaker of a memory, as the facts tell; `read` holds what was looked up."""
    speaker = speaker_of(stored.memory)
    if speaker is None:
        return {}
    at = (batch.namespace(stored.num), speaker)
    if at not in read:
        rows = table.said_of(batch.connection, at[0], subject_key(speaker), " is", KNOWN)
        read[at] = {name: kin for relation, name in rows if (kin := kin_of(relation))}
    return read[at]


def _introduced(statement: Statement) -> dict[str, str]:
    kin = kin_of(statement.relation)
    return {statement.object: kin} if kin and not statement.negated else {}


def _states(statement: Statement, row: Row) -> bool:
    number = keys(statement.subject, statement.relation, statement.object)
    return (number.matter, number.object) == (row.matter, row.object)


def _still_says(one: Same, statement: Statement, said_at: int) -> bool:
    """Whether a fact holds at the time of a repeat, and speaks of the same occasion."""
    if one.hidden or (one.invalid_at is not None and one.invalid_at <= said_at and not statement.negated):
        return False
    if statement.single or one.valid_at is None or statement.valid_at is None:
        return True
    return abs(one.valid_at - statement.valid_at) <= _APART


def _derivation(statement: Statement, source: Stored, number: Keys, recipe: str) -> Derivation:
    memory = source.memory
    return Derivation(
        namespace=memory.namespace,
        kind="fact",
        text=statement.text,
        recipe=recipe,
        topic=f"{number.matter:x}.{number.object:x}.{int(statement.negated)}",
        sources=(memory.id,),
        valid_at=statement.valid_at,
        invalid_at=statement.invalid_at,
        happened_at=None if memory.happened_at is None else to_micros(memory.happened_at),
        metadata=_words(statement),
        session_id=memory.session_id,
        agent_id=memory.agent_id,
        trust=trust_in(statement.subject, memory),
    )


def trust_in(subject: str, memory: Memory) -> float:
    """How far what a memory says of somebody is trusted."""
    own = speaker_of(memory) in {None, THE_USER, subject}
    return memory.trust if own else memory.trust * HEARSAY


def _words(statement: Statement) -> dict[str, object]:
    words: dict[str, object] = {
        "subject": statement.subject,
        "relation": statement.relation,
        "object": statement.object,
    }
    return {**words, "negated": True} if statement.negated else words
