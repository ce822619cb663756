"""Facts in a store: derived from turns, merged when repeated, gone with their sources."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from clock import Clock

from mnemos import Memory, Mnemos
from mnemos.facts.keys import keys
from mnemos.facts.stage import FactStage
from mnemos.pipeline import NAME
from mnemos.sample import history_file
from mnemos.store import facts as table
from mnemos.store import progress


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Mnemos]:
    with Mnemos(tmp_path / "memory.db", clock=Clock(), stages=[FactStage()]) as opened:
        yield opened


def say(memory: Mnemos, text: str, name: str = "Ana", day: int = 1, **more: object) -> Memory:
    (said,) = memory.add(
        [{"role": "user", "name": name, "content": text}],
        happened_at=datetime(2025, 5, day, tzinfo=UTC),
        **more,  # type: ignore[arg-type]
    )
    memory.maintain()
    return said


def facts(memory: Mnemos) -> list[Memory]:
    return list(memory.list(kinds=["fact"], limit=100))


def texts(memory: Mnemos) -> set[str]:
    return {fact.text for fact in facts(memory)}


def test_a_fact_names_its_words_and_its_source(memory: Mnemos) -> None:
    turn = say(memory, "Guess what, I moved to Lisbon yesterday!", day=10)
    (fact,) = facts(memory)
    assert (fact.text, fact.recipe, fact.sources) == ("Ana moved to Lisbon on 9 May 2025", "facts", (turn.id,))
    assert fact.metadata == {"subject": "Ana", "relation": "lives in", "object": "Lisbon"}
    assert fact.valid_at == datetime(2025, 5, 9, tzinfo=UTC)
    assert fact.happened_at == turn.happened_at
    assert memory.check() == []


def test_a_repeat_is_another_source_of_one_fact(memory: Mnemos) -> None:
    first = say(memory, "I live in Porto.", day=1)
    second = say(memory, "As I said, I'm living in Porto now.", day=2)
    (fact,) = facts(memory)
    assert (fact.sources, fact.strength) == ((first.id, second.id), 2.0)
    (merge,) = [change for change in memory.history(fact.id) if change.op == "merge"]
    assert merge.decision is not None
    memory.undo(merge.decision)
    assert sorted(fact.sources for fact in facts(memory)) == sorted([(first.id,), (second.id,)])
    again(memory)
    assert sorted(fact.sources for fact in facts(memory)) == sorted([(first.id,), (second.id,)])


def test_what_happened_twice_is_two_facts(memory: Mnemos) -> None:
    say(memory, "I visited Ghent in March 2023.")
    say(memory, "I visited Ghent in March 2024.")
    say(memory, "Did I mention it? I visited Ghent.")
    assert texts(memory) == {"Ana visited Ghent in March 2023", "Ana visited Ghent in March 2024"}


def test_people_are_told_apart(memory: Mnemos) -> None:
    say(memory, "I live in Porto.", name="Ana")
    say(memory, "I live in Porto.", name="Rui")
    assert texts(memory) == {"Ana lives in Porto", "Rui lives in Porto"}


def test_namespaces_are_told_apart(memory: Mnemos) -> None:
    say(memory, "I live in Porto.", user_id="ana")
    say(memory, "I live in Porto.", user_id="other")
    assert [one.sources for one in memory.list(kinds=["fact"], user_id="ana")] != []
    assert {one.namespace for one in memory.list(kinds=["fact"], user_id="ana")} == {("user", "ana")}


def test_reading_again_changes_nothing(memory: Mnemos) -> None:
    say(memory, "I live in Porto and I love cold rain.")
    say(memory, "My sister Rita lives in Faro. I live in Porto.")
    before = {fact.id: fact for fact in facts(memory)}
    rows = rows_of(memory)
    again(memory)
    assert {fact.id: fact for fact in facts(memory)} == before
    assert rows_of(memory) == rows


def rows_of(memory: Mnemos) -> list[tuple[int, ...]]:
    with memory._store.db.read() as connection:
        return connection.execute("SELECT * FROM facts ORDER BY memory").fetchall()


def again(memory: Mnemos) -> None:
    """Let derivation read the whole log once more."""
    with memory._store.db.write() as connection:
        progress.advance(connection, NAME, 0)
    memory._pipeline.run(0, lambda: False)


def test_a_fact_goes_with_its_only_source_and_stays_with_another(memory: Mnemos) -> None:
    first, second = say(memory, "I live in Porto."), say(memory, "I'm still living in Porto.")
    memory.delete(first.id)
    memory.maintain()
    (fact,) = facts(memory)
    assert (fact.text, fact.sources) == ("Ana lives in Porto", (second.id,))
    memory.delete(second.id)
    memory.maintain()
    assert facts(memory) == []
    assert memory.check() == []


def test_a_corrected_turn_states_something_else(memory: Mnemos) -> None:
    turn = say(memory, "I live in Porto.")
    memory.update(turn.id, text="I live in Lisbon.")
    memory.maintain()
    assert texts(memory) == {"Ana lives in Lisbon"}
    memory.update(turn.id, text="Nothing of note.")
    memory.maintain()
    assert texts(memory) == set()


def test_a_fact_that_was_added_gets_its_row_itself(memory: Mnemos) -> None:
    added = memory.add("The capital of Zubrowka is Lutz.", kind="fact")[0]
    memory.maintain()
    turn = say(memory, "The capital of Zubrowka is Lutz.")
    assert [fact.id for fact in facts(memory)] == [added.id]
    assert memory.get(added.id).strength == 2.0  # type: ignore[union-attr]
    number = keys("Zubrowka", "capital of is", "Lutz")
    with memory._store.db.read() as connection:
        num = memory._store.numbers([added.id])[0]
        row = table.read(connection, num)
        assert row is not None
        assert (row.subject, row.matter, row.object, row.single) == (*number, True)
        assert table.of_subject(connection, row.namespace, number.subject, 10) == [num]
        assert table.of_matter(connection, row.namespace, number.matter, 10) == [num]
        assert table.current(connection, row.namespace, number.matter, 0) == num
    memory.delete(turn.id)
    memory.maintain()
    assert memory.get(added.id) is not None
    memory.update(added.id, text="Nothing in particular")
    memory.maintain()
    with memory._store.db.read() as connection:
        assert table.read(connection, num) is None


def test_a_source_is_the_hit_unless_its_fact_is_clearly_better(memory: Mnemos) -> None:
    turn = say(memory, "I live in Porto.")
    (fact,) = facts(memory)
    hits = memory.search("Where does Ana live?")
    assert [(hit.memory.id, hit.also) for hit in hits] == [(turn.id, (fact.id,))]
    assert [hit.memory.id for hit in memory.search("Where does Ana live?", kinds=["fact"])] == [fact.id]


def test_who_was_introduced_long_ago_is_known(memory: Mnemos) -> None:
    say(memory, "My sister Rita came by.", session_id="one")
    say(memory, "Rita loves chess problems.", session_id="two", day=3)
    assert "Rita loves chess problems" in texts(memory)


def test_what_the_sample_history_tells(tmp_path: Path) -> None:
    with Mnemos(tmp_path / "sample.db", stages=[FactStage()]) as sample:
        sample.import_file(history_file())
        sample.maintain()
        told = {fact.text for fact in sample.list(kinds=["fact"], limit=500)}
    assert {
        "Tomasz is the user's boyfriend",
        "Tomasz is a joiner",
        "Tomasz is allergic to cats",
        "Shazia is moving to Leeds on 1 February 2026",
        "The user's phone number is 07700 900862",
        "The user's address is 19 Larkfield Terrace, Dennistoun, G31 since 7 November 2025",
    } <= told
    assert 30 <= len(told) <= 80
