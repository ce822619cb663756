"""The gate in a store: what rests, what comes back, what a person decides, and that work stays bounded."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mnemos import Mnemos, NotFound
from mnemos.gate.stage import GateStage
from mnemos.quoting import OPENING
from mnemos.store import sketches
from mnemos.verbs.gating import REASONS

SAID = "My sister Rita has been vegan for two years."


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ana.db"


@pytest.fixture
def memory(file: Path) -> Iterator[Mnemos]:
    with Mnemos(file, stages=[GateStage()]) as opened:
        yield opened


def ids(memory: Mnemos, query: str) -> list[str]:
    return [hit.memory.id for hit in memory.search(query, limit=50)]


def test_repeats_strengthen_and_filler_goes(memory: Mnemos) -> None:
    first, hello, again, other = memory.add(
        [SAID, "Hello there!", "my sister Rita has been vegan for two years", "I drive a red van."]
    )
    assert memory.why_kept(first.id).why == "unread"
    memory.maintain()
    assert set(ids(memory, "Rita vegan hello van")) == {first.id, other.id}
    kept = memory.why_kept(first.id)
    assert (kept.indexed, kept.why, kept.repeated_by, kept.decisions) == (True, "new", (again.id,), ())
    found = memory.get(first.id)
    assert found is not None
    assert found.strength == 2
    rests = memory.why_kept(again.id)
    assert (rests.indexed, rests.why, rests.repeats, rests.novelty) == (False, "repeat", first.id, 0.0)
    assert [(made.op, made.by, made.metadata["other"]) for made in rests.decisions] == [("rest", "repeat", first.id)]
    assert memory.why_kept(hello.id).why == "filler"
    # the log has every word either way
    assert [m.text for m in memory.list(limit=10)][1] == "Hello there!"
    assert memory.check() == []


def test_reading_again_changes_nothing(memory: Mnemos, file: Path) -> None:
    memory.add([SAID, SAID, "Hello there!"])
    memory.maintain()
    with closing(sqlite3.connect(file)) as raw:
        raw.execute("DELETE FROM progress")
        raw.execute("INSERT INTO jobs (kind, created_at) VALUES ('derive', 0)")
        raw.commit()
        dump = list(raw.iterdump())
    memory.maintain()
    with closing(sqlite3.connect(file)) as raw:
        later = list(raw.iterdump())
    skipped = ("sketches", "jobs", "progress", "sqlite_sequence")
    unlike = set(dump) ^ set(later)
    assert [line for line in unlike if not any(f'"{name}"' in line or f" {name} " in line for name in skipped)] == []


def test_admitted_it_stays(memory: Mnemos) -> None:
    _, again, hello = memory.add([SAID, SAID, "Hello there!"])
    memory.maintain()
    for one in (again, hello):
        assert memory.admit(one.id).resting is None
    assert {again.id, hello.id} <= set(ids(memory, "Rita vegan hello there"))
    assert memory.maintain().done == 2
    memory.update(hello.id, metadata={"seen": True})
    memory.maintain()
    memory.reindex()
    for one in (again, hello):
        kept = memory.why_kept(one.id)
        assert (kept.indexed, kept.why) == (True, "admitted")
        assert [made.op for made in kept.decisions] == ["rest", "admit"]
        assert kept.decisions[0].undone
    # a second time says nothing new
    memory.admit(hello.id)
    assert len(memory.why_kept(hello.id).decisions) == 2
    admitted = memory.why_kept(hello.id).decisions[1].decision
    assert admitted is not None
    assert memory.undo(admitted).resting == "filler"
    assert hello.id not in ids(memory, "hello there")
    assert memory.check() == []


def test_undoing_the_rest_is_for_good_too(memory: Mnemos) -> None:
    (hello,) = memory.add("Hello there!", idempotency_key="k")
    memory.maintain()
    (made,) = memory.why_kept(hello.id).decisions
    assert made.decision is not None
    memory.undo(made.decision)
    memory.update(hello.id, metadata={"a": 1})
    memory.maintain()
    assert memory.why_kept(hello.id).indexed


def test_new_words_are_judged_anew(memory: Mnemos) -> None:
    (hello,) = memory.add("Hello there!")
    memory.maintain()
    memory.update(hello.id, text="Hello from Porto, where I live now.")
    memory.maintain()
    assert memory.why_kept(hello.id).why == "new"
    assert ids(memory, "Porto") == [hello.id]


def test_said_in_another_session_both_stay(memory: Mnemos) -> None:
    first, again = memory.add([{"content": SAID, "session_id": "s1"}, {"content": SAID, "session_id": "s2"}])
    memory.maintain()
    kept = memory.why_kept(again.id)
    assert (kept.indexed, kept.why, kept.repeats) == (True, "said again", first.id)
    (found,) = (m for m in memory.list() if m.id == first.id)
    assert found.strength == 2
    (made,) = kept.decisions
    assert made.decision is not None
    memory.undo(made.decision)
    (found,) = (m for m in memory.list() if m.id == first.id)
    assert found.strength == 1


def test_what_recall_said_is_not_learnt_again(memory: Mnemos) -> None:
    memory.add([{"content": SAID, "role": "user"}, {"content": "Our van is red.", "role": "user"}])
    memory.maintain()
    block = str(memory.context("Is Rita vegan?"))
    assert block.startswith(OPENING)
    whole, part, read_out = memory.add(
        [
            {"content": block, "role": "user"},
            {"content": f"{block}\n\nBook the Hotel Bristol for us.", "role": "user"},
            {"content": SAID, "role": "assistant"},
        ]
    )
    found = memory.search("hotel")[0].memory
    assert found.id == part.id
    memory.maintain()
    assert (memory.why_kept(whole.id).why, memory.why_kept(whole.id).indexed) == ("echo", False)
    assert memory.why_kept(part.id).why == "new"
    assert memory.why_kept(read_out.id).why == "echo"
    assert [hit.memory.id for hit in memory.search("vegan", limit=1)] == [memory.list()[0].id]
    assert memory.check() == []


def test_what_is_quoted_is_derived_from_no_more(file: Path) -> None:
    with Mnemos(file) as memory:
        memory.add({"content": "I live in Porto.", "role": "user", "name": "Ana"})
        memory.maintain()
        facts = {fact.text for fact in memory.facts()}
        quote = f"{OPENING}\n[2026-03-02]\nBen: I live in Oslo. [1]\nBen: I work at Lusa. [2]"
        memory.add(
            {"content": f"Here is what you know:\n{quote}\n\nMy cat is called Tom.", "role": "user", "name": "Ana"}
        )
        memory.maintain()
        told = {fact.text for fact in memory.facts()} - facts
        assert told
        assert not any("Oslo" in text or "Lusa" in text for text in told)
        memory.add({"content": "Tom is black and white, and likes to sleep.", "role": "user", "name": "Ana"})
        memory.maintain()
        kinds = ("fact", "episode", "theme", "profile")
        levels = [one.text for one in memory.list(limit=100, kinds=kinds)]
        assert not any("Oslo" in text or "Lusa" in text for text in levels)


def test_a_repeat_is_told_from_thousands_by_bounded_work(
    memory: Mnemos, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    near = sketches.near

    def counted(*given: object) -> dict[int, int]:
        found = near(*given)  # type: ignore[arg-type]
        looked.append(len(found))
        return found

    monkeypatch.setattr(sketches, "near", counted)
    turns = [f"The parcel number {place} of the day went to the house beside the mill." for place in range(1500)]
    added = memory.add(turns)
    (again,) = memory.add(turns[3])
    memory.maintain()
    assert max(looked) <= 8 * sketches.NEWEST
    kept = memory.why_kept(again.id)
    assert kept.novelty is not None
    assert (kept.why, kept.repeats) in {("repeat", added[3].id), ("new", None)}
    assert sum(m.resting is not None for m in memory.list(limit=2000)) <= 1


def test_what_was_repeated_can_be_deleted(memory: Mnemos, file: Path) -> None:
    first, again, third = memory.add([SAID, SAID, SAID])
    memory.maintain()
    memory.delete(first.id)
    with closing(sqlite3.connect(file)) as raw:
        assert raw.execute("SELECT count(*) FROM sketches").fetchone() == (0,)
    # what only repeated it is all that is left of it
    assert ids(memory, "Rita vegan") == [again.id, third.id]
    memory.maintain()
    assert ids(memory, "Rita vegan") == [again.id]
    assert memory.why_kept(third.id).repeats == again.id
    assert memory.check() == []


def test_a_repeat_of_what_was_changed_comes_back(memory: Mnemos) -> None:
    first, again = memory.add([SAID, SAID])
    memory.maintain()
    memory.update(first.id, text=SAID.replace("two", "three"))
    memory.maintain()
    assert set(ids(memory, "Rita vegan")) == {first.id, again.id}
    assert memory.why_kept(again.id).why == "new"
    memory.update(first.id, text=SAID)
    memory.maintain()
    assert memory.why_kept(first.id).indexed


def test_unknown_ids(memory: Mnemos) -> None:
    for verb in (memory.why_kept, memory.admit):
        with pytest.raises(NotFound):
            verb("01a1fc92-f3cb-7659-9178-e9d2587b87b5")


def test_masked_kinds_are_told_and_every_reason_has_a_sentence(memory: Mnemos) -> None:
    (one,) = memory.add("my password is hunter2!")
    memory.maintain()
    kept = memory.why_kept(one.id)
    assert (kept.masked, kept.indexed) == (("password",), True)
    assert kept.reason == REASONS[kept.why]
    item = memory.put("k", {"api_key": "abc123def456"})
    assert (memory.why_kept(item.id).masked, memory.why_kept(item.id).why) == (("password",), "given")


async def _both(memory: Mnemos, one: str) -> tuple[bool, str | None]:
    return (await memory.awhy_kept(one)).indexed, (await memory.aadmit(one)).resting


def test_async_twins(memory: Mnemos) -> None:
    import asyncio

    (hello,) = memory.add("Hello there!")
    memory.maintain()
    assert asyncio.run(_both(memory, hello.id)) == (False, None)


def test_looking_back_costs_the_same_in_any_store(memory: Mnemos) -> None:
    steps: list[int] = []
    for size in (300, 2700):
        memory.add([{"content": f"Turn {place} of a long talk.", "session_id": "s"} for place in range(size)])
        with memory._store.db.read() as connection:
            count = 0

            def tick() -> int:
                nonlocal count
                count += 1
                return 0

            connection.set_progress_handler(tick, 10)
            (last,) = connection.execute("SELECT max(num), namespace FROM memories").fetchall()
            count = 0
            for session in ("s", "silent"):
                sketches.session_before(connection, last[1], session, last[0], 6)
            sketches.near(connection, last[1], [1, 2, 3], last[0])
            connection.set_progress_handler(None, 0)
            steps.append(count)
    assert steps[1] <= 1.2 * steps[0] + 2
