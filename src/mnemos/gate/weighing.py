"""A stage that notes how likely each new memory is to be asked for; what it costs does not grow with the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mnemos.records import Memory
from mnemos.stages import Again, Batch
from mnemos.store import forgetting
from mnemos.store.rows import Stored


class SalienceStage:
    """Weighs what has no salience yet. What words a namespace has met is kept in a fixed number of bits."""

    name = "salience"

    @property
    def again(self) -> Mapping[str, Again]:
        """It derives no memories."""
        return {}

    def take(self, batch: Batch) -> None:
        """Note the salience of every new memory, and how the turn before it was received."""
        groups: dict[int, list[Stored]] = {}
        for stored in batch.memories:
            if stored.memory.salience is None:
                groups.setdefault(batch.namespace(stored.num), []).append(stored)
        for namespace, group in groups.items():
            self._weigh(batch, namespace, group)

    def _weigh(self, batch: Batch, namespace: int, group: Sequence[Stored]) -> None:
        # here, so that a search does not wait for the features' expressions to be compiled
        from mnemos.gate.features import Seen
        from mnemos.gate.salience import after_reply, saliences

        seen = Seen(forgetting.words_met(batch.connection, namespace))
        firsts: dict[str | None, Stored] = {}
        for stored in group:
            if stored.memory.kind == "turn":
                firsts.setdefault(stored.memory.session_id, stored)
        before: dict[str | None, Memory] = {}
        changed: dict[int, float] = {}
        for session, first in firsts.items():
            num = forgetting.spoken_before(batch.connection, namespace, session, first.num)
            previous = None if num is None else batch.fetch(num)
            if previous is None:
                continue
            before[session] = previous.memory
            known = previous.memory.salience
            if known is not None:
                changed[previous.num] = after_reply(known, first.memory)
        found = saliences([stored.memory for stored in group], seen, before)
        changed |= {stored.num: round(float(value), 6) for stored, value in zip(group, found, strict=True)}
        batch.set_salience(changed)
        forgetting.keep_words_met(batch.connection, namespace, seen.to_bytes())
