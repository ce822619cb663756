"""What stands on a superseded fact is hidden until it is derived again, and then says what holds now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from clock import Clock

from mnemos import Memory, Mnemos
from mnemos.facts.stage import FactStage
from mnemos.records import LEVELS
from mnemos.update.conflict import resolve

THEN, NOW = datetime(2025, 1, 5, 12, tzinfo=UTC), datetime(2025, 4, 5, 12, tzinfo=UTC)


def say(memory: Mnemos, text: str, when: datetime, session: str) -> None:
    memory.add(text, name="Rita", role="user", happened_at=when, session_id=session)


def test_a_profile_follows_what_changed(memory: Mnemos) -> None:
    say(memory, "I live in Lisbon with my brother Paulo.", THEN, "s1")
    memory.maintain()
    assert "lives in Lisbon" in str(memory.profile("Rita"))
    say(memory, "I moved to Porto last week. I live in Porto now.", NOW, "s2")
    memory.maintain()
    for shown in (str(memory.profile("Rita")), *(one.text for one in memory.list(kinds=["profile"]))):
        current = [line for line in shown.splitlines() if "lives in Lisbon" in line]
        assert "Porto" in shown
        assert all("until" in line for line in current)
    assert "lives in Lisbon" in str(memory.profile("Rita", as_of=THEN))
    assert memory.stats().jobs == {}
    assert memory.check() == []


def test_between_what_stands_on_it_is_hidden(path: Path, clock: Clock) -> None:
    def whole(sources: Sequence[Memory]) -> str:
        return "; ".join(one.text + (" (no longer)" if one.invalid_at else "") for one in sources)

    with Mnemos(path, clock=clock, stages=[FactStage(resolve)], derivers={"sum": whole}) as memory:
        say(memory, "The capital of Maresia is Velha.", THEN, "s1")
        memory.maintain()
        (old,) = memory.facts()
        theme = memory.derive(old.text, sources=[old.id], recipe="sum", kind="theme")
        profile = memory.derive(old.text, sources=[theme.id], recipe="sum", kind="profile")
        assert {one.id for one in memory.list(kinds=LEVELS)} == {theme.id, profile.id}
        say(memory, "The capital of Maresia is Nova.", NOW, "s2")
        assert list(memory._pipeline.run(memory._now(), lambda: False)) == [1]
        assert memory.list(kinds=LEVELS) == []
        assert memory.get(theme.id) is None
        assert all(
            hit.memory.kind not in LEVELS for hit in memory.search("capital of Maresia", kinds=[*LEVELS, "fact"])
        )
        memory.maintain()
        assert [one.text for one in memory.list(kinds=LEVELS)] == ["The capital of Maresia is Velha. (no longer)"] * 2
        assert memory.check() == []
