"""`--json`: one document on standard output, stable names, times in UTC."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_commands import COMMANDS, Run

from mnemos import Memory
from mnemos.serve.keys import Key

Answer = Callable[..., Any]

MEMORY = set(Memory.__dataclass_fields__)
KEY = set(Key.__dataclass_fields__)
CUBE = {"path", "bytes", "sha256", "manifest"}


@pytest.fixture
def rita(answer: Answer, folder: Path) -> str:
    """The id of Ana's first memory."""
    return str(answer("list", "--user", "ana")["memories"][0]["id"])


LINES: dict[str, tuple[list[str], set[str]]] = {
    "add": (["add", "Rita likes figs.", "--user", "ana"], {"memories"}),
    "search": (["search", "Rita", "--user", "ana"], {"query", "total", "offset", "more", "hits"}),
    "context": (["context", "what can Rita eat?", "--user", "ana"], {"query", "budget", "context"}),
    "list": (["list", "--user", "ana"], {"total", "offset", "more", "memories"}),
    "show": (["show", "ID"], {"memory", "sources", "links", "history"}),
    "update": (["update", "ID", "Rita eats cheese now."], {"memory"}),
    "delete": (["delete", "ID"], {"deleted", "missing", "purge"}),
    "history": (["history", "ID"], {"id", "changes"}),
    "import": (
        ["import", "chats.jsonl", "--user", "ana"],
        {"format", "added", "repeated", "skipped", "places", "first", "last", "sessions"},
    ),
    "export": (["export", "all.jsonl"], {"lines", "bytes", "path"}),
    "cube export": (["cube", "export", "x.cube", "--user", "ana"], {*CUBE, "left"}),
    "cube import": (
        ["cube", "import", "team.cube"],
        {"added", "repeated", "artifacts", "known", "wanted", "left", "conflicts"},
    ),
    "cube show": (["cube", "show", "ana.cube"], {*CUBE, "artifacts"}),
    "cube fuse": (["cube", "fuse", "ana.cube", "team.cube", "x.cube"], {*CUBE, "left", "conflicts"}),
    "cube compare": (["cube", "compare", "ana.cube", "team.cube"], {"added", "gone", "changed", "forms"}),
    "backup": (["backup", "copy.db"], {"path", "bytes"}),
    "check": (["check"], {"problems"}),
    "reindex": (["reindex"], {"memories"}),
    "maintain": (
        ["maintain"],
        {"done", "failed", "expired", "waiting", "purge", "read", "forgotten"}
        | {"promoted", "demoted", "built", "unbuilt", "notes"},
    ),
    "forms": (["forms", "ID"], {"forms", "moves"}),
    "promote": (["promote", "ID"], {"forms"}),
    "demote": (["demote", "ID"], {"forms"}),
    "costs": (["costs"], {"calls", "prompt_tokens", "completion_tokens", "cost", "lines"}),
    "jobs": (["jobs"], {"queued", "dead", "retried"}),
    "entities": (["entities", "--user", "ana"], {"entities"}),
    "graph": (["graph", "Rita", "--user", "ana"], {"graph"}),
    "alias": (["alias", "Reet", "--of", "Rita", "--user", "ana"], {"entity"}),
    "why": (["why", "ID"], {"kept", "reason"}),
    "admit": (["admit", "ID"], {"admitted"}),
    "forget": (["forget", "--count", "1", "--user", "ana", "--dry-run"], {"dry_run", "steps"}),
    "budget": (["budget", "--count", "9", "--user", "ana"], {"budgets"}),
    "pin": (["pin", "ID"], {"memories"}),
    "unpin": (["unpin", "ID"], {"memories"}),
    "expire": (["expire", "ID", "--at", "2100-01-01T00:00:00Z"], {"memories"}),
    "bench forget": (
        ["bench", "forget", "questions.json"],
        {"format", "seed", "files", "versions", "machine", "questions", "recalls", "tables"},
    ),
    "bench levels": (
        ["bench", "levels", "questions.json"],
        {
            *("format", "seed", "files", "versions", "machine"),
            *("budgets", "systems", "fields", "questions", "tables"),
        },
    ),
    "facts": (["facts", "--user", "ana"], {"total", "offset", "more", "facts"}),
    "undo": (["undo", "DECISION"], {"undone", "memories"}),
    "feedback": (["feedback", "who is vegan?", "--user", "ana", "--used", "ID"], {"factors"}),
    "bench update": (
        ["bench", "update", "questions.json"],
        {
            "format",
            "seed",
            "files",
            "versions",
            "machine",
            "systems",
            "fact_fields",
            "turn_fields",
            "questions",
            "tables",
        },
    ),
    "stats": (
        ["stats"],
        {
            *("memories", "kinds", "sessions", "speakers", "first", "last", "namespaces"),
            *("jobs", "bytes", "purge", "embedder"),
        },
    ),
    "verify-erased": (["verify-erased", "never said"], {"clean", "live", "stray"}),
    "demo": (["demo"], {"profile", "timeline", "answers"}),
    "key create": (["key", "create", "--tenant", "acme", "--expires", "90d"], {"key", *KEY}),
    "key list": (["key", "list"], {"keys"}),
    "key revoke": (["key", "revoke", "KEY"], KEY),
    "profile": (["profile", "Rita", "--user", "ana"], {"profile"}),
    "timeline": (["timeline", "--user", "ana"], {"timeline"}),
    "bench recall": (
        ["bench", "recall", "questions.json", "--no-transformer"],
        {
            *("format", "seed", "files", "versions", "machine", "systems", "notes"),
            *("rank_fields", "context_fields", "questions", "tables"),
        },
    ),
}


def test_every_command_is_tried() -> None:
    assert COMMANDS.keys() - LINES.keys() == {
        *("serve", "mcp", "bench join", "bench reuse", "bench forms", "bench kv"),
        *("bench mqar", "bench layers", "bench lm"),
    }


@pytest.mark.parametrize("words", LINES)
def test_answers_are_one_document_with_known_fields(words: str, answer: Answer, rita: str, run: Run) -> None:
    line, fields = LINES[words]
    known = {"ID": rita}
    if "KEY" in line:
        known["KEY"] = run("key", "create", "--tenant", "acme").stdout.split("_")[1]
    if "DECISION" in line:
        run("add", "Lusa was founded by Rita.", "Lusa was founded by Rui.")
        known["DECISION"] = run("facts", "Lusa", "--decisions").stdout.split()[0]
    assert answer(*[known.get(word, word) for word in line]).keys() == fields


def test_a_hit_holds_the_whole_memory(answer: Answer, folder: Path) -> None:
    found = answer("search", "what can Rita eat?", "--user", "ana", "--limit", "2")
    hit = found["hits"][0]
    assert hit.keys() == {"memory", "score", "why", "also", "passage"}
    assert hit["memory"].keys() == MEMORY
    assert hit["memory"]["namespace"] == ["user", "ana"]
    assert "Rita" in hit["memory"]["text"]
    assert (found["total"], found["more"], len(found["hits"])) == (3, 1, 2)


def test_times_are_iso_8601_in_utc(answer: Answer, folder: Path) -> None:
    found = answer("list", "--user", "ana", "--timezone", "Asia/Tokyo")["memories"]
    assert [one["happened_at"] for one in found] == [
        "2026-03-02T18:40:00Z",
        "2026-03-02T18:41:00Z",
        "2026-05-20T09:00:00Z",
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", one["created_at"]) for one in found)


def test_added_memories_are_those_that_are_listed(answer: Answer, empty: Path) -> None:
    added = answer("add", "one", "two", "--user", "ana", "--metadata", '{"a": [1, null]}')["memories"]
    listed = answer("list", "--user", "ana")["memories"]
    assert [one["text"] for one in added] == ["one", "two"]
    assert [one["id"] for one in added] == [one["id"] for one in listed]
    assert added[0]["is_new"] is True
    assert listed[0]["metadata"] == {"a": [1, None]}


def test_history_tells_what_was_said_before(answer: Answer, rita: str) -> None:
    answer("update", rita, "Rita is vegetarian now.", "--trust", "0.5")
    changes = answer("history", rita)["changes"]
    assert [(one["op"], one["version"], one["text"]) for one in changes] == [
        ("add", 1, "My sister Rita is vegan."),
        ("update", 2, "Rita is vegetarian now."),
    ]
    shown = answer("show", rita)
    assert (shown["memory"]["version"], shown["memory"]["trust"]) == (2, 0.5)
    assert shown["history"] == changes


def test_unicode_survives(answer: Answer, empty: Path) -> None:
    text = "家族 👩‍👩‍👧 שלום naïve"
    answer("add", text)
    assert answer("list")["memories"][0]["text"] == text


def test_import_twice_adds_nothing(answer: Answer, folder: Path) -> None:
    first = answer("import", "chats.jsonl", "--user", "ana")
    second = answer("import", "chats.jsonl", "--user", "ana")
    assert (first["added"], first["repeated"]) == (3, 0)
    assert (second["added"], second["repeated"]) == (0, 3)


def test_export_and_import_round_trip(answer: Answer, folder: Path) -> None:
    answer("maintain")
    answer("export", "all.jsonl")
    answer("import", "all.jsonl", "--store", "other.db")
    lists = [answer("list", "--user", "ana", "--store", store)["memories"] for store in ("mnemos.db", "other.db")]
    assert lists[0] == lists[1]


def test_backup_is_a_store(answer: Answer, folder: Path) -> None:
    assert answer("backup", "copy.db")["bytes"] == (folder / "copy.db").stat().st_size
    assert answer("stats", "--store", "copy.db")["memories"] == 4


def test_bench_saves_what_it_prints(answer: Answer, folder: Path) -> None:
    printed = answer("bench", "recall", "questions.json", "--no-transformer", "--save", "results.json")
    saved = json.loads((folder / "results.json").read_text("utf-8"))
    assert printed["systems"] == ["BM25", "static", "BM25+static", "Mnemos"]
    assert printed["questions"] == saved["questions"]
    assert any("not asked for" in note for note in printed["notes"])
