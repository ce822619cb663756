"""Decisions about statements, carried out: through the same records as rules write, each step to be undone by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mnemos.facts.keys import keys, subject_key
from mnemos.facts.stage import MERGE, FactStage, trust_in
from mnemos.llm.decide import Decided, Known
from mnemos.llm.extract import Sourced
from mnemos.llm.grounding import Ground
from mnemos.llm.lines import lines_of
from mnemos.passages import Source
from mnemos.stages import Again, Batch
from mnemos.store import asking, superseding
from mnemos.store import facts as table
from mnemos.store.facts import Row
from mnemos.store.forgetting import FORGOTTEN, SUMMARISED
from mnemos.store.rows import Stored
from mnemos.times import to_micros
from mnemos.update.conflict import supersede

RECIPE = "llm"
"""The recipe of facts that a language model read."""
NEAR = 10
"""Known facts that the model sees beside a statement."""
LOOKED_AT = 64
"""Known facts of a subject from which those are chosen: the last ones."""


class AskedFacts:
    """What a language model has read, as a stage: it takes nothing itself, and knows when its facts still stand."""

    name = "llm"

    @property
    def again(self) -> Mapping[str, Again]:
        """A fact stays while a source that has not changed since bears it out."""
        return {RECIPE: _again}

    def take(self, batch: Batch) -> None:
        """Note what restored facts state. Nothing is asked here: that is for later, and outside this transaction."""
        for source in batch.memories:
            for stored in asking.rowless_facts(batch.connection, source.num, RECIPE):
                words = [str(stored.memory.metadata.get(name, "")) for name in ("subject", "relation", "object")]
                row = Row(batch.namespace(stored.num), *keys(*words), single=False)
                table.write(batch.connection, stored.num, row)


def known_near(batch: Batch, namespace: int, new: Sourced) -> list[Known]:
    """The standing facts about a statement's subject that are most like it; none where one of them says the same."""
    statement = new.statement
    number = keys(statement.subject, statement.relation, statement.object)
    for one in table.same(batch.connection, namespace, number.matter, number.object):
        if not one.hidden and one.invalid_at is None and one.negated == statement.negated:
            return []
    standing = []
    for num in table.of_subject(batch.connection, namespace, subject_key(statement.subject), LOOKED_AT):
        stored = batch.fetch(num)
        if stored is not None and stored.memory.invalid_at is None and stored.memory.resting is None:
            standing.append(stored)
    return [_known(stored, statement.subject) for stored in _most_alike(batch, statement.text, standing)]


def remember(batch: Batch, stage: FactStage, decided: Decided, sources: Sequence[Stored], model: str) -> None:
    """Write what was decided about a statement that comes from these memories."""
    policy = f"{RECIPE}:{model}"
    # a fact is trusted as far as the least trusted of what it was concluded from
    sources = sorted(sources, key=lambda one: one.memory.trust)
    if decided.op == "NOOP" and (known := batch.fetch(decided.facts[0])) is not None:
        trust = table.ground_trust(batch.connection, known.num)
        alike = [source for source in sources if source.memory.trust == trust]
        for source in alike:
            if not batch.was_undone(known.num, MERGE, source.num):
                _stand_behind(batch, known.num, source, policy)
        sources = [source for source in sources if source not in alike]
        if not sources:
            return
    num = stage.remember(batch, decided.new.statement, sources[0], RECIPE)
    for source in sources[1:]:
        _stand_behind(batch, num, source, policy)
    if decided.op in ("UPDATE", "DELETE"):
        for older in decided.facts:
            _close(batch, older, num, policy)


def _stand_behind(batch: Batch, fact: int, source: Stored, policy: str) -> None:
    """Let one more memory stand behind a fact."""
    if not table.is_source(batch.connection, fact, source.num) and fact != source.num:
        table.add_source(batch.connection, fact, source.num, batch.now)
        batch.decide(fact, MERGE, policy, source.num)
        batch.touch([fact])


def _close(batch: Batch, older: int, newer: int, policy: str) -> None:
    """Close a fact by a newer one, unless it is closed, holds later, is trusted more, or a person has undone this."""
    old, new = superseding.rival(batch.connection, older), superseding.rival(batch.connection, newer)
    if old is None or new is None or older == newer or old.invalid_at is not None:
        return
    if old.age > new.age or new.trust < old.trust or batch.was_undone(older, superseding.SUPERSEDE, newer):
        return
    supersede(batch, old, new, new.heard_at if new.since is None else new.since, policy)


def _most_alike(batch: Batch, text: str, standing: Sequence[Stored]) -> list[Stored]:
    """The facts most like a text by their vectors; the latest, where there are none."""
    if len(standing) <= NEAR:
        return list(standing)
    ((unit, *_),) = batch.index([Source(text, None, None)])
    rows = batch.vectors([stored.num for stored in standing])
    if not unit.vector or len(unit.vector) != 2 * rows.shape[1]:
        return list(standing[-NEAR:])
    order = np.argsort(-(rows @ np.frombuffer(unit.vector, np.float16).astype(np.float32)), kind="stable")
    return [standing[int(place)] for place in order[:NEAR]]


def _known(stored: Stored, subject: str) -> Known:
    memory = stored.memory
    began = memory.valid_at or memory.happened_at
    return Known(stored.num, memory.text, subject, None if began is None else to_micros(began))


def _again(batch: Batch, stored: Stored, sources: Sequence[Stored]) -> str | None:
    memory = stored.memory
    words = str(memory.metadata.get("object", "")), str(memory.metadata.get("subject", ""))
    unchanged = [
        source
        for source in sources
        if source.memory.resting in {None, FORGOTTEN, SUMMARISED}
        and source.memory.updated_at is not None
        and memory.updated_at is not None
        and source.memory.updated_at <= memory.updated_at
    ]
    ground = Ground(lines_of(unchanged, "s"), words[1:])
    if not unchanged or not ground.holds(words[0]) or not ground.holds(memory.text):
        return None
    table.set_trust(batch.connection, stored.num, min(trust_in(words[1], source.memory) for source in sources))
    return memory.text
