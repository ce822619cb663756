"""Importing into a real store: counts, repeats, batches, scopes, failures half-way, and a round trip of everything."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mnemos import Mnemos
from mnemos.errors import ImportFailed, InvalidInput
from mnemos.io import importing, source
from mnemos.io.importing import ImportStopped, finished, import_file

EXPORTS = [
    ("chatgpt/conversations.json", "chatgpt", 8),
    ("claude/conversations.json", "claude", 5),
    ("whatsapp/WhatsApp Chat with Book club.txt", "whatsapp", 6),
    ("whatsapp/_chat.txt", "whatsapp", 3),
    ("slack", "slack", 6),
    ("messages.jsonl", "messages", 5),
    ("notes", "markdown", 4),
    ("mem0.json", "mem0", 2),
]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Mnemos]:
    with Mnemos(tmp_path / "m.db") as opened:
        yield opened


@pytest.mark.parametrize(("path", "format_name", "count"), EXPORTS)
def test_importing_twice_adds_nothing(memory: Mnemos, files: Path, path: str, format_name: str, count: int) -> None:
    first = memory.import_file(files / path, user_id="ana", timezone="Europe/Lisbon")
    again = memory.import_file(files / path, user_id="ana", timezone="Europe/Lisbon")
    assert (first.format, first.added, first.repeated) == (format_name, count, 0)
    assert (again.added, again.repeated) == (0, count)
    assert again.skipped == first.skipped
    assert memory.stats(user_id="ana").memories == count


def test_the_report_says_what_the_file_spans(memory: Mnemos, files: Path) -> None:
    report = memory.import_file(files / "chatgpt", user_id="ana")
    assert report.first == datetime(2024, 3, 2, 18, 40, 1, 500_000, UTC)
    assert report.last == datetime(2024, 4, 1, 19, 33, 45, tzinfo=UTC)
    assert report.sessions == 2
    assert next(iter(report.skipped.items())) == ("on a branch that was regenerated or edited away", 3)
    assert report.places["image"] == ("conversations.json, conversation 1",)


def test_a_later_export_adds_only_what_is_new(memory: Mnemos, files: Path, tmp_path: Path) -> None:
    lines = (files / "messages.jsonl").read_text("utf-8")
    memory.import_file(files / "messages.jsonl", user_id="ana")
    (tmp_path / "later.jsonl").write_text(lines + '{"role": "user", "content": "next", "session_id": "s1"}\n')
    report = memory.import_file(tmp_path / "later.jsonl", user_id="ana")
    assert (report.added, report.repeated) == (1, 5)


def test_a_conversation_that_is_in_the_file_twice_is_kept_once(memory: Mnemos, files: Path, tmp_path: Path) -> None:
    talks = json.loads((files / "chatgpt" / "conversations.json").read_text())
    (tmp_path / "conversations.json").write_text(json.dumps([*talks, *talks]))
    report = memory.import_file(tmp_path / "conversations.json", user_id="ana")
    assert (report.added, report.repeated) == (8, 8)


def test_it_goes_by_batches_and_tells_its_progress(
    memory: Mnemos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "_TICK", 1)
    words = random.Random(5).choices("tea rye lemon train north garden winter letter".split(), k=600)
    rows = [{"content": " ".join(words[n : n + 6]), "source_id": f"m{n}"} for n in range(95)]
    path = tmp_path / "m.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    told: list[tuple[int, int]] = []
    report = import_file(memory, path, user_id="ana", progress=lambda read, total: told.append((read, total)))
    assert report.added == 95
    assert [hit.text for hit in memory.list(user_id="ana", limit=200)] == [row["content"] for row in rows]
    size = path.stat().st_size
    assert told[-1] == (size, size)
    assert all(read <= total == size for read, total in told)


def test_progress_of_a_chat_history_runs_to_its_end_while_messages_are_added(
    memory: Mnemos, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "_TICK", 1)
    told: list[tuple[int, int]] = []
    memory.import_file(files / "chatgpt", user_id="ana", progress=lambda read, total: told.append((read, total)))
    size = (files / "chatgpt" / "conversations.json").stat().st_size
    assert told == sorted(told)
    assert told[-1] == (size, size)
    assert any(0.1 * size < read < 0.9 * size for read, _ in told)


def test_what_comes_before_a_break_is_kept_and_reported(memory: Mnemos, files: Path, tmp_path: Path) -> None:
    whole = (files / "chatgpt" / "conversations.json").read_text()
    path = tmp_path / "conversations.json"
    path.write_text(whole[: whole.index("Thanks. Print")])
    with pytest.raises(ImportStopped, match=r"conversations\.json: ends in the middle of element 2") as caught:
        memory.import_file(path, user_id="ana")
    assert isinstance(caught.value, ImportFailed)
    assert caught.value.report.added == 4
    assert memory.stats(user_id="ana").memories == 4
    path.write_text(whole)
    report = memory.import_file(path, user_id="ana")
    assert (report.added, report.repeated) == (4, 4)


def test_strict_ends_at_a_bad_line(memory: Mnemos, files: Path) -> None:
    with pytest.raises(ImportStopped, match=r"messages\.jsonl, line 6") as caught:
        import_file(memory, files / "messages.jsonl", user_id="ana", strict=True)
    assert caught.value.report.added == 4


def test_a_message_that_the_store_refuses_is_counted_and_the_others_are_kept(memory: Mnemos, tmp_path: Path) -> None:
    statements: list[dict[str, Any]] = [{"id": f"s{n}", "memory": f"statement {n}"} for n in range(5)]
    statements[2]["metadata"] = {"notes": "x" * 1_100_000}
    (tmp_path / "dump.json").write_text(json.dumps(statements))
    report = memory.import_file(tmp_path / "dump.json", user_id="ana")
    assert report.added == 4
    assert [places for reason, places in report.places.items() if reason.startswith("metadata")] == [("mem0:s2",)]


def test_a_dump_of_several_users_goes_to_each_of_them_unless_told(memory: Mnemos, files: Path) -> None:
    import_file(memory, files / "mem0.json")
    assert [hit.text for hit in memory.list(user_id="ana")] == ["Is vegetarian and allergic to nuts"]
    assert [hit.text for hit in memory.list(user_id="rui")] == ["Moved to Lisbon"]
    import_file(memory, files / "mem0.json", namespace=("team", "a"))
    assert len(memory.list(namespace=("team", "a"))) == 2


def test_whose_memory_cannot_be_is_counted_and_the_others_are_kept(memory: Mnemos, tmp_path: Path) -> None:
    statements = [{"id": str(n), "memory": f"statement {n}", "user_id": user} for n, user in enumerate(("a\0", "ana"))]
    (tmp_path / "dump.json").write_text(json.dumps(statements))
    report = memory.import_file(tmp_path / "dump.json")
    assert report.added == 1
    assert [(reason.startswith("user_id"), places) for reason, places in report.places.items()] == [(True, ("mem0:0",))]
    with pytest.raises(InvalidInput, match="user_id"):
        memory.import_file(tmp_path / "dump.json", user_id="a\0")


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"user_id": ""}, "user_id"),
        ({"namespace": ()}, "namespace"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"date_order": "ydm"}, "date_order"),
        ({"format": "telegram"}, "format"),
    ],
)
def test_wrong_arguments_are_named_and_nothing_is_kept(
    memory: Mnemos, files: Path, arguments: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        memory.import_file(files / "messages.jsonl", **arguments)
    assert caught.value.field == field
    assert memory.stats().memories == 0


def test_many_kinds_of_mistake_do_not_make_a_report_without_end(memory: Mnemos, tmp_path: Path) -> None:
    rows = "".join(json.dumps({"content": "x", f"field{n}": 1}) + "\n" for n in range(200))
    (tmp_path / "m.jsonl").write_text(rows + '{"content": "good"}\n')
    report = memory.import_file(tmp_path / "m.jsonl", user_id="ana")
    assert report.added == 1
    assert sum(report.skipped.values()) == 200
    assert len(report.skipped) == importing.MAX_REASONS + 1


def everything(memory: Mnemos) -> dict[str, Any]:
    """All that a user can see of a store."""
    seen: dict[str, Any] = {}
    for namespace in memory.namespaces():
        for found in memory.list(namespace=namespace, limit=1000):
            seen[found.id] = (found, memory.history(found.id))
    return seen


def test_export_and_import_carry_everything(memory: Mnemos, files: Path, tmp_path: Path) -> None:
    for path, _, _ in EXPORTS:
        memory.import_file(files / path, user_id="ana", timezone="Europe/Lisbon")
    first, second, third = memory.list(user_id="ana", limit=3)
    memory.update(first.id, text="We take the bus.", metadata={"why": "strike"})
    memory.delete(second.id)
    memory.put("theme", {"dark": True}, user_id="rui")
    memory.add("I moved to Lisbon in May.", namespace=("team", "a%_"), name="Zé", happened_at="2024-05-01T10:00:00Z")
    report = memory.export_file(tmp_path / "all.jsonl")
    with Mnemos(tmp_path / "copy.db") as copy:
        restored = copy.import_file(tmp_path / "all.jsonl")
        assert (restored.format, restored.added + restored.repeated) == ("mnemos", report.lines)
        assert everything(copy) == everything(memory)
        assert copy.get(third.id) == memory.get(third.id)
        assert not copy.check()
        assert [hit.memory.id for hit in copy.search("vegan food in Porto", user_id="ana", limit=5)] == [
            hit.memory.id for hit in memory.search("vegan food in Porto", user_id="ana", limit=5)
        ]
        again = copy.import_file(tmp_path / "all.jsonl")
        assert again.added == 0
        assert everything(copy) == everything(memory)


def test_a_truncated_export_leaves_the_store_as_it_was(memory: Mnemos, files: Path, tmp_path: Path) -> None:
    memory.import_file(files / "chatgpt", user_id="ana")
    memory.export_file(tmp_path / "all.jsonl")
    data = (tmp_path / "all.jsonl").read_bytes()
    (tmp_path / "all.jsonl").write_bytes(data[:-200])
    with Mnemos(tmp_path / "copy.db") as copy:
        copy.add("here before", user_id="ana")
        before = everything(copy)
        with pytest.raises(ImportFailed, match=r"all\.jsonl: cut short after line"):
            copy.import_file(tmp_path / "all.jsonl")
        assert everything(copy) == before


def test_an_export_is_not_imported_into_another_scope(memory: Mnemos, files: Path, tmp_path: Path) -> None:
    memory.import_file(files / "messages.jsonl", user_id="ana")
    memory.export_file(tmp_path / "all.jsonl")
    with pytest.raises(InvalidInput, match="says whose each memory is"):
        memory.import_file(tmp_path / "all.jsonl", user_id="rui")


def test_folders_are_read_without_following_links_out(memory: Mnemos, files: Path, tmp_path: Path) -> None:
    shutil.copytree(files / "notes", tmp_path / "notes")
    (tmp_path / "notes" / "loop").symlink_to(tmp_path / "notes")
    assert memory.import_file(tmp_path / "notes", user_id="ana").added == 4


def test_steps_end_after_each_batch_and_a_second_try_counts_what_the_first_added(
    memory: Mnemos, tmp_path: Path
) -> None:
    rows = [{"content": f"letter {n} from the north", "source_id": f"m{n}"} for n in range(25)]
    path = tmp_path / "m.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, rows[3]]))
    memory.add([dict(rows[0])], user_id="ana")
    began = datetime.now(UTC)
    steps = memory.import_steps(path, user_id="ana", batch=10)
    assert [next(steps).added, next(steps).added] == [9, 19]
    steps.close()
    assert memory.stats(user_id="ana").memories == 20
    again = finished(memory.import_steps(path, user_id="ana", batch=10, since=began))
    assert (again.added, again.repeated) == (24, 2)
    assert memory.stats(user_id="ana").memories == 25
