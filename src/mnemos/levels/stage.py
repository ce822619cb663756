"""The stage that derives levels: turns become episodes, episodes themes, and facts with them profiles.

What a turn costs does not grow with the store: an episode, a theme and a profile have bounded members, a bounded number
of episodes and themes is open at a time, and everything else is never looked at again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from mnemos.levels import episodes, themes
from mnemos.levels.gathering import Gatherer
from mnemos.levels.people import Profiler
from mnemos.levels.segment import PAUSE
from mnemos.records import Memory
from mnemos.stages import Again, Batch
from mnemos.store import levels
from mnemos.store.deriving import Derivation
from mnemos.store.rows import Stored
from mnemos.times import to_micros

LEAST = 2
"""Turns of an episode; what was said alone stays a turn."""
WAITING = 8
"""Sessions of one namespace whose last episode may go on at a time."""


class LevelStage:
    """Turn → episode → theme → profile, without a model."""

    name = "levels"

    def __init__(self) -> None:
        self._profiler = Profiler()

    @property
    def again(self) -> Mapping[str, Again]:
        """How each level is derived again from what is left of its members."""
        return {"episode": _episode_again, "theme": _theme_again, "profile": self._profiler.again}

    def take(self, batch: Batch) -> None:
        """Let new turns extend, end and begin episodes; give ended ones a theme; renew profiles of new facts."""
        ended: dict[int, list[int]] = defaultdict(list)
        sessions = _by_session(batch)
        episodes.prepare([stored.memory for turns in sessions.values() for stored in turns])
        for (namespace, session), turns in sessions.items():
            ended[namespace] += _extend(batch, namespace, session, turns)
        for namespace, nums in ended.items():
            nums += _end(batch, namespace)
            if nums:
                Gatherer(batch, namespace).gather(nums)
        self._profiler.renew(batch)


def _by_session(batch: Batch) -> dict[tuple[int, str | None], list[Stored]]:
    """The batch's turns that were not read before, by namespace and session, in reading order."""
    found: dict[tuple[int, str | None], list[Stored]] = defaultdict(list)
    for stored in batch.kept:
        if stored.memory.kind != "turn" or levels.is_noted(batch.connection, stored.num):
            continue
        namespace, session = batch.namespace(stored.num), stored.memory.session_id
        if not levels.adopt(batch.connection, stored.num, namespace, levels.key_of(session)):
            found[namespace, session].append(stored)
    return found


def _extend(batch: Batch, namespace: int, session: str | None, new: Sequence[Stored]) -> list[int]:
    """Add turns to a session: its open episode goes on, or ends and others follow. Returns those that ended."""
    key = levels.key_of(session)
    found = levels.open_levels(batch.connection, namespace, levels.EPISODE, key)
    topic = next((levels.topic_of(batch.connection, num) for num in found if num < 0), None)
    held = [turn for num in found for turn in (levels.members(batch.connection, num) if num < 0 else [num])]
    known = _fetched(batch, sorted(held))
    # a turn that comes back into the index takes its place among those said later
    found_turns = sorted([*known, *new], key=lambda stored: stored.num)
    seen = len(known) if not known or known[-1].num < new[0].num else 0
    nums = {stored.memory.id: stored.num for stored in found_turns}
    parts = list(episodes.divided([stored.memory for stored in found_turns], seen))
    derivations = []
    for place, turns in enumerate(parts):
        is_open = place == len(parts) - 1
        derivation = _episode(batch, turns, topic if topic is not None and place == 0 else turns[0].id)
        if derivation is not None:
            derivations.append((derivation, is_open))
        for turn in turns:
            waits = is_open and derivation is None
            levels.note(batch.connection, nums[turn.id], namespace, levels.EPISODE, key, is_open=waits)
    made = batch.derive_all([derivation for derivation, _ in derivations])
    for num, (_, is_open) in zip(made, derivations, strict=True):
        levels.note(batch.connection, num, namespace, levels.EPISODE, key, is_open=is_open)
    return [num for num, (_, is_open) in zip(made, derivations, strict=True) if not is_open]


def _episode(batch: Batch, turns: Sequence[Memory], topic: str) -> Derivation | None:
    text = _told(batch, turns)
    if text is None:
        return None
    dated = [to_micros(turn.happened_at) for turn in turns if turn.happened_at is not None]
    agents = {turn.agent_id for turn in turns}
    return Derivation(
        namespace=turns[0].namespace,
        kind="episode",
        text=text,
        recipe="episode",
        topic=topic,
        sources=tuple(turn.id for turn in turns),
        happened_at=dated[0] if dated else None,
        session_id=turns[0].session_id,
        agent_id=agents.pop() if len(agents) == 1 else None,
        named=True,
    )


def _end(batch: Batch, namespace: int) -> list[int]:
    """End what nobody goes on with: episodes silent for a pause while others spoke, and the oldest beyond `WAITING`."""
    connection = batch.connection
    waiting = levels.open_levels(connection, namespace, levels.EPISODE)
    times = {num: levels.last_time(connection, num) for num in waiting}
    newest = max((time for time in times.values() if time is not None), default=0)
    waiting.sort(key=lambda num: levels.last_place(connection, num))
    ended = []
    for place, num in enumerate(waiting):
        time = times[num]
        if place < len(waiting) - WAITING or (time is not None and newest - time > PAUSE):
            levels.close(connection, num)
            ended += [num] if num < 0 else []
    return ended


def _told(batch: Batch, turns: Sequence[Memory]) -> str | None:
    if len(turns) < LEAST:
        return None
    return episodes.told(turns, levels.ended_of(batch.connection, [turn.id for turn in turns]))


def _episode_again(batch: Batch, _stored: Stored, sources: Sequence[Stored]) -> str | None:
    return _told(batch, [source.memory for source in sources])


def _theme_again(_batch: Batch, _stored: Stored, sources: Sequence[Stored]) -> str | None:
    return themes.told([source.memory for source in sources]) if len(sources) >= LEAST else None


def _fetched(batch: Batch, nums: Iterable[int]) -> list[Stored]:
    return [stored for stored in map(batch.fetch, nums) if stored is not None]


__all__ = ("WAITING", "LevelStage")
