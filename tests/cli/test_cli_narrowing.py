"""Scopes, bounds and filters reach the library as they were typed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_commands import Run

from mnemos import Mnemos

Answer = Callable[..., Any]


@pytest.fixture
def texts(answer: Answer, folder: Path) -> Callable[..., list[str]]:
    """The texts that `list` gives."""
    return lambda *words: [one["text"] for one in answer("list", *words)["memories"]]


VEGAN, CHEESE, LISBON = "My sister Rita is vegan.", "Then no cheese for Rita.", "I moved to Lisbon."


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], [VEGAN, CHEESE, LISBON]),
        (["--session", "s1"], [VEGAN, CHEESE]),
        (["--session", "s1", "--session", "s2"], [VEGAN, CHEESE, LISBON]),
        (["--since", "2026-03-02T18:41:00Z"], [CHEESE, LISBON]),
        (["--until", "2026-03-02T18:41:00Z"], [VEGAN]),
        (["--since", "2026-03-02T19:41:00", "--timezone", "Europe/Madrid"], [CHEESE, LISBON]),
        (["--as-of", "2026-04-01T00:00:00Z"], [VEGAN, CHEESE]),
        (["--known-at", "2020-01-01T00:00:00Z"], []),
        (["--kind", "note", "--kind", "fact"], []),
        (["--filter", '{"speaker": "Ben"}'], [CHEESE]),
        (["--filter", '{"$not": {"speaker": {"in": ["Ben", "Zoe"]}}}'], [VEGAN, LISBON]),
        (["--limit", "1", "--offset", "1"], [CHEESE]),
    ],
)
def test_list_is_narrowed(words: list[str], expected: list[str], texts: Callable[..., list[str]]) -> None:
    assert texts("--user", "ana", *words) == expected


def test_what_is_trusted_less_stays_below_the_bar(run: Run, answer: Answer, empty: Path) -> None:
    said = ["--user", "ana", "--name", "Ana", "--session", "s1", "--at"]
    run("add", "I moved to Lisbon on 3 May 2019 with Rita.", *said, "2019-05-04T12:00:00Z")
    run("add", "I moved to Porto on 3 May 2021 with Tom.", *said, "2021-05-04T12:00:00Z", "--trust", "0.3")
    for words, shown in (
        (["list"], "memories"),
        (["list", "--kind", "fact"], "memories"),
        (["search", "Where did Ana move?"], "hits"),
        (["context", "Where did Ana move?"], "context"),
        (["facts"], "facts"),
        (["profile"], "profile"),
        (["timeline"], "timeline"),
        (["graph", "Ana", "--depth", "2"], "graph"),
    ):
        every = str(answer(*words, "--user", "ana")[shown])
        trusted = str(answer(*words, "--user", "ana", "--min-trust", "0.5")[shown])
        assert ("Lisbon" in every, "Porto" in every) == (True, True), words
        assert ("Lisbon" in trusted, "Porto" in trusted) == (True, False), words
    for bar, names in (("0.0", {"Ana", "Rita", "Tom"}), ("0.5", {"Ana", "Rita"})):
        found = answer("entities", "--user", "ana", "--min-trust", bar, "--kind", "person")["entities"]
        assert {node["name"] for node in found} == names
    refused = run("facts", "--user", "ana", "--min-trust", "2")
    assert (refused.exit_code, refused.stderr.split(":")[1]) == (2, " --min-trust")


def test_what_is_added_says_through_what_it_came_and_how_far_it_is_trusted(
    run: Run, answer: Answer, empty: Path
) -> None:
    (added,) = answer("add", "I moved.", "--user", "ana", "--trust", "0.3")["memories"]
    shown = answer("show", added["id"])
    assert [shown["memory"][name] for name in ("channel", "writer", "trust")] == ["cli", None, 0.3]
    assert [change["channel"] for change in shown["history"]] == ["cli"]
    text = run("show", added["id"]).stdout
    assert re.search(r"^trust +0\.3$", text, re.M)
    assert re.search(r"^channel +cli$", text, re.M)
    assert "via cli" in run("history", added["id"]).stdout
    answer("export", "all.jsonl")
    answer("import", "all.jsonl", "--store", "copy.db")
    (copied,) = answer("list", "--user", "ana", "--store", "copy.db")["memories"]
    assert [copied[name] for name in ("id", "channel", "trust")] == [added["id"], "cli", 0.3]
    assert run("add", "x", "--trust", "1.5").exit_code == 2


def test_users_do_not_see_each_other(texts: Callable[..., list[str]]) -> None:
    assert texts("--user", "bob") == ["Bob's own secret."]
    assert texts() == []


def test_a_namespace_is_labels_with_any_characters(answer: Answer, empty: Path) -> None:
    labels = ["--namespace", "a/b", "--namespace", "100%_"]
    answer("add", "deep", *labels)
    answer("add", "shallow", "--namespace", "a/b")
    assert [one["namespace"] for one in answer("list", *labels)["memories"]] == [["a/b", "100%_"]]
    assert answer("list", "--namespace", "a/b")["total"] == 1
    assert answer("list", "--namespace", "a/b", "--descendants")["total"] == 2
    assert answer("stats", "--namespace", "a/b", "--descendants")["memories"] == 2


def test_an_agent_beside_a_user_narrows(answer: Answer, empty: Path) -> None:
    answer("add", "to the planner", "--user", "ana", "--agent", "planner")
    answer("add", "to nobody", "--user", "ana")
    assert answer("list", "--user", "ana")["total"] == 2
    assert answer("list", "--user", "ana", "--agent", "planner")["total"] == 1


def test_now_is_the_time_of_asking(answer: Answer, folder: Path) -> None:
    with Mnemos(folder / "mnemos.db") as memory:
        memory.put("seat", "by the window", user_id="eve", ttl=3600)
    assert answer("list", "--user", "eve")["total"] == 1
    assert answer("list", "--user", "eve", "--now", "2999-01-01T00:00:00Z")["total"] == 0


def test_a_context_keeps_its_budget(answer: Answer, folder: Path) -> None:
    small = answer("context", "what can Rita eat?", "--user", "ana", "--budget", "40")["context"]
    assert 0 < small["tokens"] <= 40


def test_standard_input_is_one_whole_text(answer: Answer, empty: Path) -> None:
    added = answer("add", "-", "--kind", "note", input="first line\nsecond line\n")["memories"]
    assert [(one["text"], one["kind"]) for one in added] == [("first line\nsecond line", "note")]


def test_at_now_dates_a_memory_and_nothing_else_does(answer: Answer, empty: Path) -> None:
    undated, dated = answer("add", "undated")["memories"][0], answer("add", "dated", "--at", "now")["memories"][0]
    assert undated["happened_at"] is None
    assert abs(len(dated["happened_at"]) - len(dated["created_at"])) <= 7
    assert dated["happened_at"][:4] == dated["created_at"][:4]


def test_the_same_event_is_a_repeat(run: Run, answer: Answer, empty: Path) -> None:
    line = ["add", "once", "--at", "2026-01-01T00:00:00Z", "--name", "Ana"]
    assert answer(*line)["memories"][0]["is_new"] is True
    assert run(*line).stdout.startswith("repeated")
    assert answer("stats")["memories"] == 1


def test_a_time_can_be_forgotten(answer: Answer, folder: Path) -> None:
    one = answer("list", "--user", "ana")["memories"][0]["id"]
    updated = answer("update", one, "--at", "unknown", "--valid-at", "2026-01-01T00:00:00Z")["memory"]
    assert (updated["happened_at"], updated["valid_at"]) == (None, "2026-01-01T00:00:00Z")
    assert answer("update", one, "--valid-at", "unknown")["memory"]["valid_at"] is None


def test_the_store_comes_from_the_option_then_the_environment(
    answer: Answer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MNEMOS_STORE", str(folder / "env.db"))
    answer("add", "in the environment's store")
    assert answer("stats")["memories"] == 1
    assert answer("stats", "--store", "mnemos.db")["memories"] == 4


def test_the_demo_leaves_the_users_store_alone(answer: Answer, folder: Path) -> None:
    answers = answer("demo")["answers"]
    assert len(answers) == 6
    assert answer("stats")["memories"] == 4
    answer("demo", "--store", "sample.db")
    assert answer("stats", "--store", "sample.db")["memories"] >= 400
