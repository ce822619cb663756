"""Slack, plain messages, Markdown notes and mem0 dumps."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mnemos.errors import InvalidInput
from mnemos.io import source
from mnemos.io.slack import to_plain


def test_slack_reads_people_threads_and_names(read: Callable[..., Any], files: Path) -> None:
    got = read(files / "slack")
    assert got.format == "slack"
    assert [(m["name"], m["content"]) for m in got.messages] == [
        ("Ana Marques", "Lunch at 12:30?"),
        ("Ana Marques", "Who writes the minutes? @Rui Sá maybe & me"),
        ("Rui Sá", "I do, @here"),
        ("Rui Sá", "Release is at 5 > see the plan (https://example.org/plan) in #general"),
        ("Ana Marques", "And here is the draft"),
        ("Inês", "おはよう 👋"),
    ]
    direct, asked, reply, release = got.messages[:4]
    assert direct["metadata"] == {"channel": "Ana Marques, Rui Sá"}
    assert asked["session_id"] == reply["session_id"] == "slack:general:1709539200.000200"
    assert release["session_id"] == "slack:general:2024-03-04"
    assert asked["source_id"] == "slack:C01GEN:1709539200.000200"
    assert asked["happened_at"] == datetime(2024, 3, 4, 8, 0, 0, 200, UTC)
    assert not any("role" in message for message in got.messages)
    assert got.skipped == {
        "join or leave notice": 1,
        "bot message": 1,
        "file": 2,
        "notice about the channel": 1,
        "deleted message": 1,
    }


def test_slack_in_a_zip_below_a_folder(read: Callable[..., Any], files: Path, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "team"), "zip", files.as_posix(), "slack")
    assert read(archive).texts == read(files / "slack").texts


def test_slack_without_lists_of_people_keeps_ids(read: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "random").mkdir()
    (tmp_path / "channels.json").write_text("[]")
    said = [{"type": "message", "user": "U1", "text": "hi <@U2>", "ts": "1709539200.000200"}, {"ts": "x"}, "odd"]
    (tmp_path / "random" / "2024-03-04.json").write_text(json.dumps(said))
    got = read(tmp_path)
    assert [(m["name"], m["content"]) for m in got.messages] == [("U1", "hi @U2")]


def test_slack_names_the_day_that_is_broken(read: Callable[..., Any], files: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(files / "slack", tmp_path / "slack")
    (folder / "general" / "2024-03-05.json").write_text('[{"type": "message", "te')
    got = read(folder)
    assert len(got.messages) == 5
    assert "general/2024-03-05.json: ends" in str(got.error)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<@U1|ana> &amp; <@U9|bo>", "@Ana & @bo"),
        ("<#C1> <#C2|two>", "#one #two"),
        ("<!subteam^S1|@team> <!channel>", "@team @channel"),
        ("<!date^1392734382^{date}|18 February>", "18 February"),
        ("<mailto:a@example.org|a@example.org>", "a@example.org"),
        ("<https://example.org>", "https://example.org"),
        ("1 &lt; 2", "1 < 2"),
    ],
)
def test_slack_markup_as_people_read_it(text: str, plain: str) -> None:
    assert to_plain(text, {"U1": "Ana"}, {"C1": "one"}) == plain


def test_plain_messages_and_the_lines_that_are_not(read: Callable[..., Any], files: Path) -> None:
    got = read(files / "messages.jsonl")
    assert got.format == "messages"
    assert got.texts == ["My sister Rita is vegan.", "Noted.", "next", "next", "A note with 日本語 and 🎈"]
    assert got.messages[0]["source_id"] == "m-1"
    assert got.messages[4]["idempotency_key"] == "k-7"
    assert got.messages[2]["source_id"] + ":2" == got.messages[3]["source_id"]
    assert got.places == {
        "line that is not JSON": "messages.jsonl, line 6",
        "content is empty": "messages.jsonl, line 7",
        "time is not a field of a message": "messages.jsonl, line 8",
        "line that is not a message object": "messages.jsonl, line 9",
    }


def test_strict_stops_at_the_first_bad_line(read: Callable[..., Any], files: Path) -> None:
    got = read(files / "messages.jsonl", strict=True)
    assert len(got.messages) == 4
    assert str(got.error) == "messages.jsonl, line 6: line that is not JSON"


def test_a_json_array_of_messages_is_read_too(read: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "talk.json").write_text(
        '[\n {"role": "user", "content": "one"},\n {"content": 2}, {"content": "two"}\n]'
    )
    got = read(tmp_path / "talk.json")
    assert (got.format, got.texts) == ("messages", ["one", "two"])
    assert got.skipped == {"content is a int, not text": 1}


def test_naive_times_need_a_zone(read: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"content": "x", "happened_at": "2026-03-02T18:40:00"}\n')
    with pytest.raises(InvalidInput, match=r"m\.jsonl, line 1 writes happened_at without a zone") as caught:
        read(tmp_path / "m.jsonl", timezone=None)
    assert caught.value.field == "timezone"
    assert read(tmp_path / "m.jsonl").texts == ["x"]


def test_crlf_a_mark_and_no_last_newline_change_nothing(read: Callable[..., Any], files: Path, tmp_path: Path) -> None:
    text = (files / "messages.jsonl").read_text("utf-8").rstrip("\n").replace("\n", "\r\n")
    (tmp_path / "messages.jsonl").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read(tmp_path / "messages.jsonl").messages == read(files / "messages.jsonl").messages


def test_a_huge_line_is_skipped_not_loaded(
    read: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "MAX_LINE", 1_000)
    lines = ['{"content": "before"}', '{"content": "' + "x" * 5_000 + '"}', '{"content": "after"}']
    (tmp_path / "m.jsonl").write_text("\n".join(lines))
    got = read(tmp_path / "m.jsonl")
    assert got.texts == ["before", "after"]
    assert got.places == {"line that is too long": "m.jsonl, line 2"}


def test_a_million_character_message_is_kept_whole(read: Callable[..., Any], tmp_path: Path) -> None:
    text = "word " * 200_000
    (tmp_path / "m.jsonl").write_text(json.dumps({"content": text}) + "\n")
    assert read(tmp_path / "m.jsonl").texts == [text]


def test_notes_are_dated_by_what_they_say(read: Callable[..., Any], files: Path) -> None:
    got = read(files / "notes")
    notes = {message["metadata"]["path"]: message for message in got.messages}
    assert got.format == "markdown"
    assert {path: note.get("happened_at") for path, note in notes.items()} == {
        "2024-03-05 Planning.md": datetime(2024, 3, 5, 12, tzinfo=UTC),
        "journal/tagged.md": datetime(2022, 2, 3, 12, tzinfo=UTC),
        "journal/trip.md": datetime(2023, 10, 14, 18, 30, tzinfo=UTC),
        "journal/undated.md": None,
    }
    assert {note["kind"] for note in got.messages} == {"note"}
    assert notes["journal/trip.md"]["content"] == "# Trip to Évora\n\nWe walked the aqueduct with Rita."
    assert notes["journal/trip.md"]["metadata"]["tags"] == ["travel", "family"]
    assert notes["journal/tagged.md"]["metadata"]["tags"] == ["food", "to do"]
    assert notes["2024-03-05 Planning.md"]["content"].startswith("# Garden plan")
    assert got.skipped == {"no text": 1, "file that is not a note": 1}


def test_a_note_with_a_naive_time_needs_a_zone(read: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "n.md").write_text("---\ncreated: 2024-03-05 18:30\n---\nText\n")
    with pytest.raises(InvalidInput, match=r"n\.md is dated '2024-03-05 18:30', without a zone"):
        read(tmp_path / "n.md", timezone=None)
    assert read(tmp_path / "n.md").messages[0]["happened_at"] == datetime(2024, 3, 5, 18, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("---\nnever closed: true\n\nText", "# n\n\n---\nnever closed: true\n\nText"),
        ("---\n: odd\n\tyaml\n- loose\n---\nText", "# n\n\nText"),
        ("# A heading\n\n---\nText", "# A heading\n\n---\nText"),
    ],
)
def test_front_matter_that_is_none_or_odd(read: Callable[..., Any], tmp_path: Path, text: str, content: str) -> None:
    (tmp_path / "n.md").write_text(text)
    assert read(tmp_path / "n.md").texts == [content]


def test_an_edited_note_is_a_new_one_and_a_moved_note_is_not(read: Callable[..., Any], tmp_path: Path) -> None:
    def source_id(path: Path, text: str) -> str:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return str(read(tmp_path).messages[0]["source_id"])

    first = source_id(tmp_path / "n.md", "Tea")
    (tmp_path / "n.md").unlink()
    assert source_id(tmp_path / "moved" / "n.md", "Tea") == first
    assert source_id(tmp_path / "moved" / "n.md", "Coffee") != first


def test_a_plain_text_file_is_a_note_when_asked_for(read: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "thoughts.txt").write_text("Just words.\n")
    with pytest.raises(InvalidInput, match="no format that can be imported"):
        read(tmp_path / "thoughts.txt")
    assert read(tmp_path / "thoughts.txt", "markdown").texts == ["# thoughts\n\nJust words."]


def test_mem0_statements_are_notes_dated_by_their_words(read: Callable[..., Any], files: Path) -> None:
    got = read(files / "mem0.json")
    assert got.format == "mem0"
    first, second = got.messages
    assert (first["content"], first["kind"]) == ("Is vegetarian and allergic to nuts", "note")
    assert first["happened_at"] == datetime(2024, 7, 20, 8, 30, 36, 275_141, UTC)
    assert first["metadata"]["category"] == "food"
    assert first["scope"] == {"user_id": "ana"}
    assert second["happened_at"] == datetime(2024, 9, 1, 8, tzinfo=UTC)
    assert second["metadata"]["mem0"]["created_at"] == "2024-07-21T10:00:00Z"
    assert second["session_id"] == "trip-1"
    assert got.skipped == {"element that is not a memory": 1}


def test_mem0_statements_keep_who_said_them_whose_they_are_and_their_last_day(
    read: Callable[..., Any], tmp_path: Path
) -> None:
    dump = [
        {"memory": "a", "user_id": "ana", "run_id": "r1", "actor_id": "Ben", "role": "user"},
        {"memory": "b", "run_id": "r1", "expiration_date": "2001-01-01", "metadata": None},
        {"memory": "c", "run_id": " ", "actor_id": None, "role": ""},
    ]
    (tmp_path / "dump.json").write_text(json.dumps(dump))
    first, second, third = read(tmp_path / "dump.json").messages
    assert (first["scope"], first["session_id"], first["name"], first["role"]) == (
        {"user_id": "ana"},
        "r1",
        "Ben",
        "user",
    )
    assert (second["scope"], second["session_id"]) == ({"namespace": ("run", "r1")}, "r1")
    assert second["metadata"]["expiration_date"] == "2001-01-01"
    assert third["scope"] == {}
    assert not {"session_id", "name", "role"} & third.keys()


def test_mem0_dumps_as_a_bare_list(read: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "dump.json").write_text(json.dumps([{"memory": "a"}, {"memory": "a"}, {"memory": None}]))
    got = read(tmp_path / "dump.json")
    assert got.texts == ["a", "a"]
    assert got.messages[0]["source_id"] != got.messages[1]["source_id"]
    assert got.skipped == {"no text": 1}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("photo.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256)) * 10),
        ("empty.json", b""),
        ("settings.json", b'{"theme": "dark", "content_width": 3}'),
        ("empty-list.json", b"[]"),
        ("words.txt", b"no chat at all\n"),
        ("data.csv", b"a,b\n1,2\n"),
        ("nul.jsonl", b"\x00" * 100),
    ],
)
def test_an_unknown_file_is_an_error_that_lists_the_formats(
    read: Callable[..., Any], tmp_path: Path, name: str, data: bytes
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InvalidInput, match=r"chatgpt: ChatGPT.*whatsapp: WhatsApp") as caught:
        read(tmp_path / name)
    assert caught.value.field == "path"


def test_paths_that_cannot_be_read_are_errors(read: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="does not exist"):
        read(tmp_path / "missing.json")
    with pytest.raises(InvalidInput, match="no format that can be imported"):
        read(tmp_path)
    with pytest.raises(InvalidInput, match="path"):
        read("nul\0name.json")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidInput, match="is not a file or a folder"):
        read(tmp_path / "pipe")


def test_a_folder_of_far_too_many_files_is_refused(
    read: Callable[..., Any], files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "MAX_FILES", 3)
    with pytest.raises(InvalidInput, match="more than 3 files"):
        read(files / "notes")


def test_a_zip_with_a_password_is_refused_by_name(read: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "locked.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("conversations.json", "[]")
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(Exception, match=r"conversations\.json: cannot be read.*password"):
        read(path)
