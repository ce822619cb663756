"""Whom a name means, and that a person has the last word on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from entitytools import names, opened, said

from mnemos import InvalidInput, NotFound
from mnemos.entities.resolve import parts, stated


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("Please call me Kit.", [("Kit", None)]),
        ("My friends call me Kit, by the way", [("Kit", None)]),
        ("That is Robert, Bob for short", [("Bob", "Robert")]),
        ("Lizzie is short for Elizabeth", [("Lizzie", "Elizabeth")]),
        ("Call me tomorrow", []),
        ("I was short for time", []),
    ],
)
def test_nicknames_that_are_stated(text: str, pairs: list[tuple[str, str | None]]) -> None:
    assert [(one.alias, one.of) for one in stated(text)] == pairs


def test_parts_of_a_full_name() -> None:
    assert parts("Ana Costa") == {"first name": "Ana", "last name": "Costa"}
    assert parts("Dr. Ana da Costa") == {"first name": "Ana", "last name": "Costa"}
    assert parts("Mr Iqbal") == {}
    assert parts("Ana") == {}


def test_a_first_name_means_the_only_one_who_has_it(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as memory:
        memory.add([said("Kit", "I saw my friend Ana Costa."), said("Kit", "My friend Ana was well. ana is kind")])
        assert names(memory)["Ana Costa"] == ("Ana",)
        memory.add(said("Kit", "And then my cousin Ana Lima came."))
        after = names(memory)
        assert after["Ana Costa"] == ()
        assert after["Ana"] == ()
        assert after["Ana Lima"] == ()
        assert memory.check() == []


def test_a_title_and_a_last_name(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as memory:
        memory.add([said("Kit", "I spoke with Mr Iqbal."), said("Kit", "My neighbour Imran Iqbal grows rhubarb.")])
        assert names(memory)["Imran Iqbal"] == ("Mr Iqbal",)


def test_the_short_name_of_a_speaker(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as memory:
        memory.add([said("Melanie", "I painted all day."), said("Caroline", "Hey Mel! That is lovely.")])
        assert names(memory)["Melanie"] == ("Mel",)


def test_a_nickname_is_followed(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as memory:
        memory.add([said("Katherine", "Please call me Kit."), said("Rob", "Sure, my friend Kit is fine.")])
        assert names(memory)["Katherine"] == ("Kit",)


def test_what_was_undone_stays_undone(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as memory:
        turns = memory.add([said("Kit", "I saw my friend Ana Costa."), said("Kit", "My friend Ana was well.")])
        assert names(memory)["Ana Costa"] == ("Ana",)
        decision = next(change.decision for turn in turns for change in memory.history(turn.id) if change.op == "alias")
        assert decision is not None
        memory.undo(decision)
        memory.add([said("Kit", "My friend Ana called again."), said("Kit", "My friend Ana Costa too.")])
        after = names(memory)
        assert (after["Ana Costa"], after["Ana"]) == ((), ())


def test_an_alias_by_hand(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as memory:
        memory.add([said("Kit", "My boss Bríd Kinsella is here."), said("Kit", "My aunt Nuala left.")])
        memory.maintain()
        assert memory.alias("Biddy", of="Bríd Kinsella").aliases == ("Biddy",)
        memory.add(said("Kit", "My friend Biddy phoned."))
        assert names(memory)["Bríd Kinsella"] == ("Biddy",)
        assert set(memory.alias("Nuala", of="Bríd Kinsella").aliases) == {"Biddy", "Nuala"}
        memory.alias("Nuala", of="Nuala")
        assert names(memory)["Bríd Kinsella"] == ("Biddy",)
        assert memory.check() == []
        with pytest.raises(NotFound):
            memory.alias("X", of="Nobody")
        with pytest.raises(InvalidInput):
            memory.alias("…", of="Nuala")


def test_an_alias_by_hand_can_be_undone(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as memory:
        (turn,) = memory.add(said("Kit", "My boss Bríd Kinsella met my aunt Nuala."))
        memory.maintain()
        memory.alias("Nuala", of="Bríd Kinsella")
        decision = memory.history(turn.id)[-1].decision
        assert decision is not None
        memory.undo(decision)
        assert names(memory)["Bríd Kinsella"] == ()


def test_turning_an_alias_round_makes_no_circle(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as memory:
        memory.add(said("Kit", "My friend Ana met my aunt Nuala."))
        memory.maintain()
        memory.alias("Ana", of="Nuala")
        assert memory.alias("Nuala", of="Ana").name == "Ana"
        assert names(memory) == {"Ana": ("Nuala",), "Kit": ()}


def test_reading_again_changes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as memory:
        (turn,) = memory.add(said("Kit", "My friend Ana Costa met my aunt Nuala."))
        before = names(memory)
        memory.update(turn.id, text="My friend Ana Costa met my aunt Nuala.")
        assert names(memory) == before
        memory.update(turn.id, text="My aunt Nuala stayed at home.")
        assert set(names(memory)) == {"Kit", "Nuala"}
        assert memory.check() == []


def test_what_a_person_said_of_names_survives_an_export(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as memory:
        memory.add([said("Kit", "I saw my friend Ana Costa."), said("Kit", "My friend Ana met my aunt Nuala.")])
        memory.maintain()
        changes = [change for turn in memory.list() for change in memory.history(turn.id)]
        (decision,) = [change.decision for change in changes if change.op == "alias"]
        assert decision is not None
        memory.undo(decision)
        memory.alias("Nuala", of="Ana Costa")
        before = names(memory)
        assert before == {"Kit": (), "Ana": (), "Ana Costa": ("Nuala",)}
        memory.export_file(tmp_path / "all.jsonl")
    with opened(tmp_path / "b.db") as other:
        other.import_file(tmp_path / "all.jsonl")
        assert names(other) == before
        assert other.check() == []
