"""What there is to do between forms: what a policy would move, and what is wanted and has to be made."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mnemos.forms.measured import Measured
from mnemos.forms.policy import Policy
from mnemos.forms.standing import Standing, View
from mnemos.records import FormName, Move
from mnemos.store.artifact_rows import Artifact, bytes_of, is_block
from mnemos.store.artifacts import Artifacts


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done in one namespace."""

    moves: tuple[Move, ...]
    """Of the policy, demotions first."""
    owed: tuple[Move, ...]
    """What is wanted already, and not there, or no longer fresh."""
    standings: tuple[Standing, ...]
    adapter: Artifact | None
    """That serves the model now."""

    @property
    def all(self) -> list[Move]:
        """Everything, in the order in which it is done."""
        return [*self.moves, *self.owed]

    def room_taken(self, costs: Measured) -> float:
        """Bytes of the blocks that are to come."""
        tokens = {one.memory.id: one.tokens for one in self.standings}
        return sum(
            tokens.get(memory, 0) * costs.block_bytes
            for one in self.all
            if one.target == "activation"
            for memory in one.memories
        )

    def taught(self) -> list[str]:
        """The ids of the memories that an adapter is to hold in the end, in reading order."""
        leaving, coming = self.moved(source="parametric"), self.moved(target="parametric")
        return [
            one.memory.id
            for one in self.standings
            if one.memory.id in coming or ("parametric" in one.wanted and one.memory.id not in leaving)
        ]

    def moved(self, *, source: FormName | None = None, target: FormName | None = None) -> set[str]:
        """The ids of the memories that the policy moves out of a form, or into one."""
        found = (one for one in self.moves if source in (None, one.source) and target in (None, one.target))
        return {memory for one in found for memory in one.memories}


def room_left(artifacts: Artifacts, quota: int | None) -> float:
    """Bytes that further blocks may take."""
    if quota is None:
        return math.inf
    return quota - bytes_of(filter(is_block, artifacts.find(form="activation")))


def plan(view: View, namespace: int, policy: Policy, costs: Measured, room: float = math.inf) -> Plan:
    """What is to be done in a namespace, by its number; writes nothing.

    What somebody is making just now is left to them, for the hour for which that is believed.
    """
    standings = view.standings(namespace)
    if not standings:
        return Plan((), (), (), None)
    made = view.artifacts.find(namespace=standings[0].memory.namespace)
    adapter = view.adapter(made)
    moves = policy.plan(standings, costs, room)
    if any("parametric" in one.building for one in standings):
        moves = [one for one in moves if "parametric" not in (one.source, one.target)]
    begun = Plan(tuple(moves), (), tuple(standings), adapter)
    owed = [*_blocks(begun, costs, made), *_weights(begun, made)]
    return Plan(begun.moves, tuple(owed), begun.standings, adapter)


def _blocks(begun: Plan, costs: Measured, made: Sequence[Artifact]) -> Iterator[Move]:
    """Blocks that are wanted and not there."""
    leaving = begun.moved(source="activation")
    had = {one.sources[0] for one in made if one.form == "activation" and len(one.sources) == 1}
    for one in begun.standings if costs.blocks else ():
        is_owed = "activation" in one.wanted - one.has - one.building and one.tokens
        if is_owed and one.memory.id not in leaving:
            there = one.memory.id in had
            why = "its block is out of date, or of another model" if there else "it has no block"
            reason = f"{_who(one.asked)} wants it as keys and values, and {why}: {one.tokens:,} tokens are read"
            figures = {"tokens": float(one.tokens), "build_seconds": one.tokens * costs.prefill_seconds}
            source: FormName = "activation" if there else "text"
            yield Move((one.memory.id,), source, "activation", reason, figures, asked=one.asked, wanted=True)


def _weights(begun: Plan, made: Sequence[Artifact]) -> Iterator[Move]:
    """The adapter, where it does not hold just what is wanted."""
    coming = begun.moved(target="parametric")
    wanted = [one for one in begun.standings if one.memory.id in set(begun.taught()) - coming]
    held = set(begun.adapter.sources) if begun.adapter is not None else set()
    missing = [one for one in wanted if one.memory.id not in held]
    extra = held - {one.memory.id for one in wanted} - begun.moved(source="parametric") - coming
    if not wanted or not (missing or extra) or any("parametric" in one.building for one in wanted):
        return
    there = any(one.form == "parametric" for one in made)
    if begun.adapter is None:
        why = "its adapter is out of date, or of another model" if there else "there is no adapter"
    else:
        why = f"its adapter lacks {len(missing):,} of them and holds {len(extra):,} others"
    asked = any(one.asked for one in wanted)
    reason = f"{_who(asked)} wants {len(wanted):,} memories as weights, and {why}: it is trained"
    source: FormName = "parametric" if there else "text"
    ids = tuple(one.memory.id for one in missing or wanted)
    yield Move(ids, source, "parametric", reason, {"memories": float(len(wanted))}, asked, wanted=True)


def _who(asked: bool) -> str:
    return "somebody" if asked else "the policy"
