"""What is derived is trusted no further than its sources, and who is trusted less cannot undo what is trusted more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from clock import Clock

from mnemos import InvalidInput, Memory, Mnemos, writing_as
from mnemos.entities import walk
from mnemos.facts.stage import FactStage
from mnemos.origin import HEARSAY
from mnemos.records import KINDS
from mnemos.update.conflict import Resolver
from mnemos.update.keep_me_updated import KeepMeUpdated
from mnemos.update.newest import Newest
from mnemos.update.verdict import Policy

QUESTION = "What is the capital of Maresia?"


@pytest.fixture
def memory(path: Path, clock: Clock) -> Iterator[Mnemos]:
    with Mnemos(path, clock=clock) as opened:
        yield opened
        assert opened.maintain().waiting == 0
        assert opened.check() == []


def say(
    memory: Mnemos, text: str, year: int, *, trust: float = 1.0, name: str = "Rita", session: str | None = None
) -> Memory:
    with writing_as("web", trust=trust):
        (added,) = memory.add(
            [{"content": text, "name": name, "role": "user"}],
            happened_at=datetime(year, 5, 1, 12, tzinfo=UTC),
            session_id=session or f"s{year}",
        )
    memory.maintain()
    return added


def facts(memory: Mnemos) -> list[tuple[str, float, bool]]:
    return [(one.metadata["object"], one.trust, one.invalid_at is not None) for one in memory.facts()]


# ── derived ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_fact_is_trusted_as_far_as_who_said_it(memory: Mnemos) -> None:
    turn = say(memory, "The capital of Maresia is Velha.", 2019, trust=0.4)
    assert facts(memory) == [("Velha", pytest.approx(0.4 * HEARSAY), False)]
    memory.update(turn.id, trust=1.0)
    assert memory.facts() == [], "hidden until it is derived again"
    memory.maintain()
    assert facts(memory) == [("Velha", HEARSAY, False)]
    with writing_as("web", trust=0.2):
        memory.update(turn.id, metadata={"seen": True})
    memory.maintain()
    assert facts(memory) == [("Velha", pytest.approx(0.2 * HEARSAY), False)]


def test_levels_are_trusted_as_far_as_their_least_trusted_member(memory: Mnemos) -> None:
    lines = (
        "I live in Lisbon with my sister.", "I work as a nurse in the clinic.", "I have a dog called Milo.",
        "I love gardening and grow tomatoes.", "The tomatoes need water twice a week.", "Milo eats the tomatoes.",
    )  # fmt: skip
    added = [say(memory, text, 2019, name="Ana", session="s1") for text in lines]
    levels = memory.list(kinds=["episode", "theme", "profile"])
    assert {"episode", "profile"} <= {one.kind for one in levels}
    assert {one.trust for one in levels} == {1.0}
    told = [one for one in levels if added[0].id in _grounds(memory, one)]
    memory.update(added[0].id, trust=0.3)
    memory.maintain()
    for one in told:
        assert memory.get(one.id).trust == 0.3, one.kind  # type: ignore[union-attr]
    shown = memory.list(kinds=KINDS, min_trust=0.5)
    assert shown
    assert all(added[0].id not in _grounds(memory, one) for one in shown)
    memory.update(added[0].id, trust=0.8)
    memory.maintain()
    assert {memory.get(one.id).trust for one in told} == {0.8}  # type: ignore[union-attr]


def _grounds(memory: Mnemos, one: Memory) -> set[str]:
    """Every memory on which one rests, itself included."""
    found = {one.id}
    for source in one.sources:
        held = memory.get(source)
        found |= set() if held is None else _grounds(memory, held)
    return found


def test_what_a_program_derives_is_bounded_by_its_sources_and_by_its_origin(memory: Mnemos) -> None:
    low, high = say(memory, "One thing.", 2019, trust=0.3), say(memory, "Another thing.", 2019)
    assert memory.derive("Both things.", sources=[low.id, high.id], recipe="r").trust == 0.3
    with writing_as("rest", "key-1", trust=0.6):
        made = memory.derive("The other thing.", sources=[high.id], recipe="r")
    assert (made.trust, made.channel, made.writer) == (0.6, "rest", "key-1")


def test_a_deriver_does_not_raise_trust(path: Path) -> None:
    with Mnemos(path, derivers={"joined": lambda sources: " ".join(one.text for one in sources)}) as memory:
        turns = memory.add(["One thing.", "Another thing."])
        with writing_as("rest", trust=0.6):
            made = memory.derive("joined", sources=[turn.id for turn in turns], recipe="joined")
        memory.update(turns[0].id, text="One more thing.")
        memory.maintain()
        again = memory.get(made.id)
        assert again is not None
        assert (again.text, again.trust) == ("One more thing. Another thing.", 0.6)


# ── what is trusted less takes nothing away ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("policy", [Newest(), KeepMeUpdated()])
def test_a_less_trusted_statement_supersedes_nothing(path: Path, clock: Clock, policy: Policy) -> None:
    with Mnemos(path, clock=clock, stages=[FactStage(Resolver(policy))]) as memory:
        say(memory, "The capital of Maresia is Velha.", 2019)
        say(memory, "The capital of Maresia is Nova.", 2024, trust=0.5)
        assert [closed for _, _, closed in facts(memory)] == [False, False]
        say(memory, "The capital of Maresia is Tercia.", 2025)
        assert facts(memory) == [
            ("Velha", HEARSAY, True),
            ("Nova", pytest.approx(0.5 * HEARSAY), True),
            ("Tercia", HEARSAY, False),
        ]


def test_a_less_trusted_statement_is_not_raised_above_a_trusted_one(memory: Mnemos) -> None:
    old = say(memory, "The capital of Maresia is Velha.", 2019)
    new = say(memory, "The capital of Maresia is Nova.", 2024)
    assert [hit.memory.id for hit in memory.search(QUESTION, kinds=["turn"])] == [new.id, old.id]
    memory.update(new.id, trust=0.3)
    memory.maintain()
    assert [hit.memory.id for hit in memory.search(QUESTION, kinds=["turn"])] == [old.id, new.id]
    with writing_as("web", trust=0.3):
        memory.link(new.id, old.id, "supersedes")
    first = memory.search(QUESTION)[0]
    assert "Velha" in first.memory.text


def test_vouching_for_a_statement_lets_it_supersede_and_doubting_it_reopens(memory: Mnemos) -> None:
    say(memory, "The capital of Maresia is Velha.", 2019)
    doubted = say(memory, "The capital of Maresia is Nova.", 2024, trust=0.5)
    for trust, closed in ((1.0, True), (0.5, False), (1.0, True)):
        memory.update(doubted.id, trust=trust)
        memory.maintain()
        old, new = memory.facts()
        assert ((old.invalid_at is not None), new.invalid_at) == (closed, None)
        assert memory.check() == []


def test_what_a_person_undid_stays_undone_when_trust_changes(memory: Mnemos) -> None:
    say(memory, "The capital of Maresia is Velha.", 2019)
    newer = say(memory, "The capital of Maresia is Nova.", 2024)
    (line,) = [change for change in memory.history(memory.facts()[0].id) if change.op == "supersede"]
    memory.undo(str(line.decision))
    for trust in (0.5, 1.0):
        memory.update(newer.id, trust=trust)
        memory.maintain()
        assert [closed for _, _, closed in facts(memory)] == [False, False]


def test_a_fact_that_was_added_as_one_follows_its_own_trust(memory: Mnemos) -> None:
    say(memory, "The capital of Maresia is Velha.", 2019)
    (own,) = memory.add(
        {"content": "The capital of Maresia is Nova.", "kind": "fact", "trust": 0.2, "valid_at": "2024-05-01T12:00:00Z"}
    )
    for trust, closed in ((0.2, False), (1.0, True), (0.2, False)):
        memory.update(own.id, trust=trust)
        memory.maintain()
        (old,) = [one for one in memory.facts() if "Velha" in one.text]
        assert (old.invalid_at is not None) is closed


# ── repeats ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("order", [(1.0, 0.3), (0.3, 1.0)])
def test_only_what_is_trusted_alike_stands_behind_one_fact(memory: Mnemos, order: tuple[float, float]) -> None:
    for year, trust in zip((2019, 2020, 2021, 2022), (*order, *order), strict=True):
        say(memory, "The capital of Maresia is Velha.", year, trust=trust)
    found = {one.trust: (len(one.sources), one.strength) for one in memory.facts()}
    assert found == {HEARSAY: (2, 2.0), 0.3 * HEARSAY: (2, 2.0)}
    assert len(memory.facts(min_trust=0.5)) == 1
    say(memory, "The capital of Maresia is Nova.", 2024, trust=0.3)
    (trusted,) = memory.facts(min_trust=0.5)
    assert trusted.invalid_at is None, "repeating a fact does not make it easier to supersede"


def test_a_source_that_loses_trust_leaves_the_fact_to_the_others(memory: Mnemos) -> None:
    first = say(memory, "The capital of Maresia is Velha.", 2019)
    second = say(memory, "The capital of Maresia is Velha.", 2020)
    third = say(memory, "The capital of Maresia is Velha.", 2021)
    (fact,) = memory.facts()
    memory.update(first.id, trust=0.3)
    memory.maintain()
    found = {one.trust: one for one in memory.facts()}
    assert found.keys() == {HEARSAY, 0.3 * HEARSAY}
    assert found[HEARSAY].sources == (second.id, third.id)
    assert (found[0.3 * HEARSAY].id, found[0.3 * HEARSAY].sources) == (fact.id, (first.id,))


def test_nothing_rests_for_the_sake_of_what_is_trusted_less(memory: Mnemos) -> None:
    text = "The code of the garden gate is seven two nine."
    say(memory, text, 2019, trust=0.3, session="s1")
    own = say(memory, text, 2019, session="s1", name="Rita").id
    with writing_as("web"):
        (own_again,) = memory.add(
            {"content": text, "name": "Rita", "role": "user", "happened_at": "2019-05-01T12:05:00Z"}, session_id="s1"
        )
    memory.maintain()
    assert own != own_again.id
    (shown, *_) = memory.search("garden gate code", min_trust=0.5)
    assert shown.memory.text == text
    held = memory.get(own_again.id)
    assert held is not None
    assert held.resting is None


def test_an_untrusted_repeat_rests_and_makes_nothing_stronger(memory: Mnemos) -> None:
    text = "The code of the garden gate is seven two nine."
    own = say(memory, text, 2019, session="s1")
    with writing_as("web", trust=0.3):
        (repeat,) = memory.add(
            {"content": text, "name": "Rita", "role": "user", "happened_at": "2019-05-01T12:05:00Z"}, session_id="s1"
        )
    memory.maintain()
    assert memory.get(repeat.id).resting == "repeat"  # type: ignore[union-attr]
    assert memory.get(own.id).strength == 1.0  # type: ignore[union-attr]
    memory.update(own.id, trust=0.1)
    memory.maintain()
    assert memory.get(repeat.id).resting is None  # type: ignore[union-attr]


# ── the bar ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_below_the_bar_is_shown(memory: Mnemos) -> None:
    own = say(memory, "The capital of Maresia is Velha.", 2019)
    say(memory, "The capital of Maresia is Nova.", 2024, trust=0.5)
    say(memory, "Maresia has a capital by the sea.", 2024, trust=0.5)
    for bar, least in ((None, 0.0), (0.5, 0.5), (0.6, 0.6), (1.0, 1.0)):
        shown = [hit.memory for hit in memory.search(QUESTION, min_trust=bar)]
        shown += [*memory.list(min_trust=bar, kinds=KINDS), *memory.facts(min_trust=bar)]
        assert own.id in {one.id for one in shown}
        assert min(one.trust for one in shown) >= least
        context = memory.context(QUESTION, min_trust=bar)
        assert "Velha" in context.text
        assert ("Nova" in context.text) == (least <= 0.5)
    assert memory.search(QUESTION, min_trust=0.6, filters={"trust": {"lt": 0.6}}) == []


def test_contexts_and_profiles_keep_to_the_bar(memory: Mnemos) -> None:
    for year, text in ((2019, "I live in Lisbon."), (2020, "I work as a nurse."), (2020, "My sister is called Rita.")):
        say(memory, text, year, name="Ana", session="s1")
    say(memory, "I have a dog called Milo.", 2021, name="Ana", session="s1", trust=0.4)
    asked = "Tell me about Ana."
    assert "Milo" in str(memory.profile("Ana"))
    assert "Milo" in memory.context(asked).text
    for told in (
        str(memory.profile("Ana", min_trust=0.5)),
        memory.context(asked, min_trust=0.5).text,
    ):
        assert "Milo" not in told
    assert "Lisbon" in str(memory.profile("Ana", min_trust=0.5))


def test_timelines_keep_to_the_bar(memory: Mnemos) -> None:
    say(memory, "I moved to Lisbon on 3 May 2019.", 2019, name="Ana")
    say(memory, "I moved to Porto on 3 May 2021.", 2021, name="Ana", trust=0.4)
    told = [" ".join(one.text for one in memory.timeline(min_trust=bar).moments) for bar in (None, 0.5)]
    assert [("Lisbon" in one, "Porto" in one) for one in told] == [(True, True), (True, False)]


def test_graphs_and_entities_keep_to_the_bar(memory: Mnemos) -> None:
    say(memory, "Rita lives in Lisbon with her dog Milo.", 2019, name="Ana")
    say(memory, "Rita lives in Porto with Tom.", 2020, name="Ana", trust=0.4)
    say(memory, "Rita met Rosa in Faro.", 2021, name="Ana", trust=0.4)
    for bar, names in (
        (None, {"Rita", "Milo", "Tom", "Rosa", "Lisbon", "Porto", "Faro"}),
        (0.5, {"Rita", "Milo", "Lisbon"}),
    ):
        found = {node.name: node for node in memory.entities(min_trust=bar)}
        assert found.keys() - {"Ana"} == names
        graph = memory.graph("Rita", depth=2, min_trust=bar)
        told = " ".join(node.name for node in graph.nodes)
        assert all((name in told) == (name in names) for name in ("Milo", "Lisbon", "Tom", "Rosa", "Porto", "Faro"))
        cited = [memory.get(one) for edge in graph.edges for one in edge.memories]
        assert {one.trust >= (bar or 0.0) for one in cited if one is not None} == {True}
    assert found["Rita"].memories == 1
    assert found["Rita"].last_seen == datetime(2019, 5, 1, 12, tzinfo=UTC)
    assert not memory.graph("Tom", min_trust=0.5)
    assert memory.graph("Tom")


def test_many_untrusted_facts_do_not_crowd_out_a_trusted_one(memory: Mnemos, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "FACTS", 3)
    say(memory, "Rita lives in Lisbon.", 2019, name="Ana")
    for year, place in enumerate(("Porto", "Faro", "Braga", "Evora"), 2020):
        say(memory, f"Rita lives in {place}.", year, name="Ana", trust=0.3)
    assert "Lisbon" in {node.name for node in memory.graph("Rita", min_trust=0.5).nodes}


def test_an_untrusted_move_does_not_end_what_rests_on_the_old_place(memory: Mnemos) -> None:
    say(memory, "I work at Siemens.", 2019, name="Ana")
    say(memory, "My boss is Carla.", 2020, name="Ana")
    say(memory, "I have two cats.", 2020, name="Ana")
    say(memory, "I work at Bosch.", 2022, name="Ana", trust=0.3)
    boss = [line for line in memory.profile("Ana").lines if "Carla" in line.text]
    assert boss
    assert all(line.until is None for line in boss)


@pytest.mark.parametrize("bar", [-0.1, 1.1, "high", True, float("nan")])
def test_a_bad_bar_is_refused(memory: Mnemos, bar: object) -> None:
    for asked in (
        lambda: memory.search("x", min_trust=bar),  # type: ignore[arg-type]
        lambda: memory.context("x", min_trust=bar),  # type: ignore[arg-type]
        lambda: memory.list(min_trust=bar),  # type: ignore[arg-type]
        lambda: memory.profile(min_trust=bar),  # type: ignore[arg-type]
        lambda: memory.timeline(min_trust=bar),  # type: ignore[arg-type]
        lambda: memory.facts(min_trust=bar),  # type: ignore[arg-type]
        lambda: memory.entities(min_trust=bar),  # type: ignore[arg-type]
        lambda: memory.graph("x", min_trust=bar),  # type: ignore[arg-type]
    ):
        with pytest.raises(InvalidInput) as refused:
            asked()
        assert refused.value.field == "min_trust"
