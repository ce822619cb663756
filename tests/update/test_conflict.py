"""A statement supersedes the older one that it contradicts, by the time in which it holds; undone, it stays undone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from clock import Clock

from mnemos import InvalidInput, Memory, Mnemos, NotFound
from mnemos.facts.stage import FactStage
from mnemos.stages import Again, Batch
from mnemos.store.superseding import Rival
from mnemos.update.add_only import AddOnly
from mnemos.update.conflict import Resolver
from mnemos.update.keep_me_updated import KeepMeUpdated
from mnemos.update.newest import Newest
from mnemos.update.verdict import Policy, Verdict


@pytest.fixture
def memory(path: Path, clock: Clock) -> Iterator[Mnemos]:
    with Mnemos(path, clock=clock, stages=[FactStage(Resolver())]) as opened:
        yield opened


def year(number: int) -> datetime:
    return datetime(number, 5, 1, 12, tzinfo=UTC)


def say(memory: Mnemos, text: str, when: int | None = None, name: str = "Rita", trust: float = 1.0) -> Memory:
    message = {"content": text, "name": name, "role": "user", "trust": trust}
    (added,) = memory.add([message], happened_at=None if when is None else year(when))
    memory.maintain()
    return added


def values(memory: Mnemos, relation: str, **where: object) -> list[tuple[object, ...]]:
    found = [one for one in memory.facts(**where) if relation in str(one.metadata["relation"])]  # type: ignore[arg-type]
    return [(one.metadata["object"], one.invalid_at) for one in found]


def test_a_newer_value_closes_the_older_and_both_are_kept(memory: Mnemos) -> None:
    say(memory, "The capital of Maresia is Velha.", 2019)
    say(memory, "The capital of Maresia is Nova.", 2024)
    old, new = memory.facts()
    assert (old.text, old.invalid_at) == ("The capital of Maresia is Velha.", year(2024))
    assert (new.text, new.invalid_at) == ("The capital of Maresia is Nova.", None)
    (link,) = memory.links(old.id)
    assert (link.source, link.target, link.relation) == (new.id, old.id, "supersedes")
    (line,) = [change for change in memory.history(old.id) if change.op == "supersede"]
    assert line.by == "newest"
    assert line.metadata["other"] == new.id
    assert [change.op for change in memory.history(new.id)][-1] == "supersedes"
    assert memory.check() == []


def test_facts_are_asked_for_by_subject_relation_and_time(memory: Mnemos) -> None:
    for when, town in ((2015, "Velha"), (2019, "Nova"), (2024, "Alta")):
        say(memory, f"The capital of Maresia is {town}.", when)
    say(memory, "The capital of Brumosa is Baixa.", 2020)
    everything = memory.facts()
    subject = str(everything[0].metadata["subject"])
    relation = str(everything[0].metadata["relation"])
    assert everything.total == 4
    past = [one.metadata["object"] for one in memory.facts(subject)]
    assert past == ["Velha", "Nova", "Alta"]
    assert [one.metadata["object"] for one in memory.facts(subject, closed=False)] == ["Alta"]
    assert [one.metadata["object"] for one in memory.facts(subject, as_of=year(2020))] == ["Nova"]
    assert [one.metadata["object"] for one in memory.facts(subject, relation, limit=1, offset=1)] == ["Nova"]
    assert memory.facts(relation=relation).total == len(memory.facts(relation=relation.upper()))
    assert memory.facts("nobody at all") == []
    assert memory.facts(user_id="somebody else") == []


def test_what_arrives_late_but_is_older_supersedes_nothing(memory: Mnemos) -> None:
    say(memory, "The capital of Maresia is Nova.", 2024)
    say(memory, "The capital of Maresia is Velha.", 2015)
    assert values(memory, "") == [("Velha", year(2024)), ("Nova", None)]
    say(memory, "The capital of Maresia is Alta.", 2019)
    assert values(memory, "") == [("Velha", year(2019)), ("Alta", year(2024)), ("Nova", None)]
    assert memory.check() == []


def test_without_times_the_order_of_reading_counts(memory: Mnemos) -> None:
    memory.add([f"The capital of Maresia is {town}." for town in ("Velha", "Nova", "Alta")])
    memory.maintain()
    found = memory.facts()
    assert [one.metadata["object"] for one in found] == ["Velha", "Nova", "Alta"]
    assert [one.invalid_at is None for one in found] == [False, False, True]


def test_a_value_that_returns_is_current_again(memory: Mnemos) -> None:
    for when, town in ((2015, "Velha"), (2019, "Nova"), (2024, "Velha")):
        say(memory, f"The capital of Maresia is {town}.", when)
    assert values(memory, "") == [("Velha", year(2019)), ("Nova", year(2024)), ("Velha", None)]


def test_hearsay_does_not_supersede_what_a_person_says_of_themselves(memory: Mnemos) -> None:
    say(memory, "I live in Porto.", 2019)
    say(memory, "Rita lives in Faro.", 2024, name="Paulo", trust=0.5)
    assert ("Porto", None) in values(memory, "lives in")


def test_search_puts_the_superseded_below(memory: Mnemos) -> None:
    say(memory, "The capital of Maresia is Velha.", 2019)
    say(memory, "The capital of Maresia is Nova.", 2024)
    texts = [hit.memory.text for hit in memory.search("What is the capital of Maresia?")]
    assert "Nova" in texts[0]
    then = memory.search("What is the capital of Maresia?", as_of=year(2020))
    assert "Velha" in then[0].memory.text


def test_undone_it_stays_undone(memory: Mnemos) -> None:
    say(memory, "The capital of Maresia is Velha.", 2019)
    say(memory, "The capital of Maresia is Nova.", 2024)
    old, new = memory.facts()
    (line,) = [change for change in memory.history(old.id) if change.op == "supersede"]
    assert line.decision
    assert memory.undo(line.decision).id == old.id
    assert [one.invalid_at for one in memory.facts()] == [None, None]
    assert memory.links(old.id) == []
    assert all(change.undone for change in memory.history(new.id) if change.op == "supersedes")
    assert memory.undo(line.decision).id == old.id
    with memory._store.db.write() as connection:
        connection.execute("DELETE FROM progress")
    say(memory, "The river of Maresia is the Lima.", 2025)
    assert [one.invalid_at for one in memory.facts(str(old.metadata["subject"]))][:2] == [None, None]
    say(memory, "The capital of Maresia is Alta.", 2026)
    assert values(memory, str(old.metadata["relation"]))[0] == ("Velha", year(2026))
    assert memory.check() == []


def test_either_side_undoes_it(memory: Mnemos) -> None:
    say(memory, "The capital of Maresia is Velha.", 2019)
    say(memory, "The capital of Maresia is Nova.", 2024)
    old, new = memory.facts()
    (line,) = [change for change in memory.history(new.id) if change.op == "supersedes"]
    assert line.decision
    memory.undo(line.decision)
    assert [one.invalid_at for one in memory.facts()] == [None, None]
    assert all(change.undone for change in memory.history(old.id) if change.op == "supersede")


def test_undo_says_what_it_cannot_undo(memory: Mnemos) -> None:
    with pytest.raises(NotFound):
        memory.undo("0190a5c2-0000-7000-8000-000000000000")
    with pytest.raises(InvalidInput):
        memory.undo(7)  # type: ignore[arg-type]


def rival(
    num: int, obj: int, text: str = "", *, single: bool = True, negated: bool = False, trust: float = 1.0
) -> Rival:
    return Rival(num, obj, single, negated, num, num, num, None, trust, text)


LIVES, MOVED = rival(1, 10, "Ana lives in Porto"), rival(2, 20, "Ana lives in Faro")
AGAIN, LEFT = rival(3, 10, "Ana lives in Porto"), rival(4, 10, "Ana does not live in Porto", negated=True)
LIKES, LOVES = rival(6, 30, "Ana likes tea", single=False), rival(7, 31, "Ana likes cake", single=False)


@pytest.mark.parametrize(
    ("policy", "older", "newer", "verdict"),
    [
        (Newest(), LIVES, MOVED, Verdict.REPLACE),
        (Newest(), LIVES, AGAIN, Verdict.APPEND),
        (Newest(), LIVES, LEFT, Verdict.REPLACE),
        (Newest(), LIKES, LOVES, Verdict.APPEND),
        (Newest(), LEFT, MOVED, Verdict.APPEND),
        (KeepMeUpdated(), LIVES, MOVED, Verdict.REPLACE),
        (KeepMeUpdated(), LIVES, AGAIN, Verdict.PASS),
        (KeepMeUpdated(), LIVES, LEFT, Verdict.DELETE),
        (KeepMeUpdated(), LEFT, AGAIN, Verdict.REPLACE),
        (KeepMeUpdated(), LIKES, LOVES, Verdict.APPEND),
        (AddOnly(), LIVES, MOVED, Verdict.APPEND),
    ],
)
def test_policies_judge_as_they_are_defined(policy: Policy, older: Rival, newer: Rival, verdict: Verdict) -> None:
    assert policy.judge(older, newer) is verdict


@pytest.mark.parametrize(
    ("policy", "closed"), [(Newest(), [True, False]), (AddOnly(), [False, False]), (KeepMeUpdated(), [True, False])]
)
def test_a_policy_can_be_chosen(path: Path, clock: Clock, policy: Policy, closed: list[bool]) -> None:
    with Mnemos(path, clock=clock, stages=[FactStage(Resolver(policy))]) as memory:
        say(memory, "The capital of Maresia is Velha.", 2019)
        say(memory, "The capital of Maresia is Nova.", 2024)
        assert [one.invalid_at is not None for one in memory.facts()] == closed
        assert memory.check() == []


class Quiet:
    """Lets every memory that speaks of silence leave the index."""

    name = "quiet"
    again: Mapping[str, Again] = {}

    def take(self, batch: Batch) -> None:
        for stored in batch.memories:
            if "silence" in stored.memory.text:
                batch.rest(stored.num, "filler", "quiet")


def test_what_left_the_index_comes_back_and_is_derived_from(path: Path, clock: Clock) -> None:
    with Mnemos(path, clock=clock, stages=[Quiet(), FactStage(Resolver())]) as memory:
        added = say(memory, "The home of silence is Maresia.", 2019)
        assert memory.search("home of silence") == []
        (line,) = [change for change in memory.history(added.id) if change.op == "rest"]
        assert line.decision
        assert memory.undo(line.decision).resting is None
        memory.maintain()
        assert memory.search("home of silence")[0].memory.text.startswith("The home of silence is Maresia")
        assert [one.metadata["object"] for one in memory.facts()] == ["Maresia"]
        with memory._store.db.write() as connection:
            connection.execute("DELETE FROM progress")
        say(memory, "The river of Maresia is the Lima.", 2025)
        assert memory.get(added.id).resting is None  # type: ignore[union-attr]


def test_a_merge_comes_apart_and_stays_apart(memory: Mnemos) -> None:
    say(memory, "The capital of Maresia is Nova.", 2019)
    say(memory, "The capital of Maresia is Nova.", 2020)
    (one,) = memory.facts()
    assert len(one.sources) == 2
    (line,) = [change for change in memory.history(one.id) if change.op == "merge"]
    assert line.decision
    memory.undo(line.decision)
    assert [len(fact.sources) for fact in memory.facts()] == [1, 1]
    with memory._store.db.write() as connection:
        connection.execute("DELETE FROM progress")
    say(memory, "The river of Maresia is the Lima.", 2025)
    assert [len(fact.sources) for fact in memory.facts(str(one.metadata["subject"]))][:2] == [1, 1]
    assert memory.check() == []


def test_what_a_deleted_fact_had_superseded_holds_again(memory: Mnemos) -> None:
    say(memory, "The capital of Maresia is Velha.", 2015)
    middle = say(memory, "The capital of Maresia is Nova.", 2019)
    last = say(memory, "The capital of Maresia is Alta.", 2024)
    memory.delete(last.id)
    assert values(memory, "") == [("Velha", year(2019)), ("Nova", None)]
    memory.delete(middle.id)
    (old,) = memory.facts()
    assert old.invalid_at is None
    assert memory.links(old.id) == []
    assert all(change.undone for change in memory.history(old.id) if change.op == "supersede")
    memory.maintain()
    assert memory.check() == []


def test_an_edited_turn_takes_back_what_it_superseded(memory: Mnemos) -> None:
    say(memory, "The capital of Maresia is Velha.", 2015)
    wrong = say(memory, "The capital of Maresia is Nova.", 2019)
    memory.update(wrong.id, text="The capital of Brumosa is Nova.")
    memory.maintain()
    assert ("Velha", None) in values(memory, "")
    assert memory.check() == []
