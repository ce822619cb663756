"""ChatGPT and Claude exports, in all the wrappings that people have them in."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mnemos.errors import InvalidInput


def conversation(number: int, *texts: str, **more: Any) -> dict[str, Any]:
    """A straight conversation, as ChatGPT exports it."""
    nodes: dict[str, Any] = {"root": {"id": "root", "message": None, "parent": None, "children": []}}
    parent = "root"
    for place, text in enumerate(texts):
        role = "assistant" if place % 2 else "user"
        message = {
            "id": f"m{number}-{place}",
            "author": {"role": role},
            "create_time": 1.7e9 + number * 1000 + place,
            "content": {"content_type": "text", "parts": [text]},
        }
        nodes[message["id"]] = {"id": message["id"], "message": message, "parent": parent, "children": []}
        nodes[parent]["children"].append(message["id"])
        parent = str(message["id"])
    return {
        "title": f"Talk {number}",
        "mapping": nodes,
        "current_node": parent,
        "conversation_id": f"c{number}",
        **more,
    }


def test_the_path_that_the_user_last_saw_is_read(read: Callable[..., Any], files: Path) -> None:
    got = read(files / "chatgpt" / "conversations.json")
    assert got.format == "chatgpt"
    assert got.texts == [
        "We take the train to Porto on Friday 🚆 with Rita, who is vegan. Where do we eat?",
        "For a vegan table: book daTerra, near Aliados.",
        "Is this the right square?",
        "Yes, that is the Avenida dos Aliados.",
        "Remind me: שלום to Noa on Monday.",
        "Noted: greet Noa on Monday.",
        "Thanks. Print it in code?",
        "print('greet Noa')",
    ]
    first, last_of_trip = got.messages[0], got.messages[3]
    assert first["role"] == "user"
    assert first["happened_at"] == datetime(2024, 3, 2, 18, 40, 1, 500_000, UTC)
    assert first["session_id"] == "aaaaaaaa-1111-4000-8000-000000000001"
    assert first["source_id"].endswith("11111111-0000-4000-8000-000000000003")
    assert first["metadata"] == {"title": "Weekend in Porto"}
    assert "happened_at" not in last_of_trip


def test_what_was_left_out_is_counted_by_reason(read: Callable[..., Any], files: Path) -> None:
    got = read(files / "chatgpt")
    assert got.skipped == {
        "context added by the app": 1,
        "image": 1,
        "audio or video": 1,
        "call to a tool": 1,
        "tool message": 1,
        "model's reasoning": 1,
        "on a branch that was regenerated or edited away": 3,
        "conversation that could not be read": 1,
    }
    assert got.places["conversation that could not be read"] == "conversations.json, conversation 4"


def test_the_oldest_conversation_comes_first_as_exports_list_the_newest_first(
    read: Callable[..., Any], tmp_path: Path
) -> None:
    talks = [conversation(n, f"question {n}", f"answer {n}", create_time=1.7e9 + n) for n in (9, 7, 8, 2)]
    talks.insert(2, conversation(6, "undated, beside 7", create_time=None))
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps(talks))
    in_order = ["question 2", "answer 2", "question 7", "answer 7", "undated, beside 7", "question 8", "answer 8"]
    assert read(path).texts == [*in_order, "question 9", "answer 9"]
    path.write_text(json.dumps(talks)[:-300])
    got = read(path)
    assert got.texts == [
        "question 7",
        "answer 7",
        "undated, beside 7",
        "question 8",
        "answer 8",
        "question 9",
        "answer 9",
    ]
    assert "cut short" in str(got.error)


def test_the_zip_and_its_numbered_parts_are_read_in_order(read: Callable[..., Any], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "export.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("export/conversations-001.json", json.dumps([conversation(2, "second")]))
        archive.writestr("export/conversations-000.json", json.dumps([conversation(1, "first", "answer")]))
        archive.writestr("export/user.json", '{"id": "user-1"}')
        archive.writestr("export/message_feedback.json", "[]")
        archive.writestr("export/chat.html", "<html>")
        archive.writestr("__MACOSX/export/._conversations-000.json", b"\x00\x05")
    got = read(tmp_path / "export.zip")
    assert (got.format, got.texts, got.skipped) == ("chatgpt", ["first", "answer", "second"], {})


def test_one_conversation_in_a_file_of_its_own_is_read(read: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "talk.json").write_text(json.dumps(conversation(1, "hello", "hi")))
    assert read(tmp_path / "talk.json").texts == ["hello", "hi"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks_are_understood(read: Callable[..., Any], tmp_path: Path, encoding: str) -> None:
    data = json.dumps([conversation(1, "naïve café 🎈")], ensure_ascii=False)
    (tmp_path / "conversations.json").write_bytes(data.encode(encoding))
    assert read(tmp_path / "conversations.json").texts == ["naïve café 🎈"]


def test_a_file_cut_short_gives_what_it_has_and_says_where_it_ends(read: Callable[..., Any], tmp_path: Path) -> None:
    data = json.dumps([conversation(number, "question", "answer") for number in range(5)])
    (tmp_path / "conversations.json").write_text(data[: int(len(data) * 0.7)])
    got = read(tmp_path / "conversations.json")
    assert len(got.messages) == 6
    assert "conversations.json: ends in the middle of element 4" in str(got.error)


def test_a_zip_with_damaged_bytes_is_named(read: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("conversations.json", json.dumps([conversation(n, "q" * 5000) for n in range(200)]))
    data = bytearray(path.read_bytes())
    data[900_000:900_010] = b"##########"
    path.write_bytes(data)
    got = read(path)
    assert "conversations.json: damaged" in str(got.error)


@pytest.mark.parametrize(
    ("change", "texts"),
    [
        ({"current_node": None}, ["a", "b"]),
        ({"current_node": "gone"}, ["a", "b"]),
        ({"title": 7, "conversation_id": None, "id": None}, ["a", "b"]),
        ({"mapping": {}}, []),
        ({"mapping": {"x": None, "y": {"parent": "y", "message": {"author": None, "content": None}}}}, []),
    ],
)
def test_odd_conversations_are_read_as_far_as_they_go(
    read: Callable[..., Any], tmp_path: Path, change: dict[str, Any], texts: list[str]
) -> None:
    (tmp_path / "conversations.json").write_text(json.dumps([conversation(1, "a", "b", **change)]))
    got = read(tmp_path / "conversations.json")
    assert got.texts == texts
    assert all(message["session_id"] for message in got.messages)


def test_a_tree_that_runs_in_a_circle_ends(read: Callable[..., Any], tmp_path: Path) -> None:
    talk = conversation(1, "a", "b")
    talk["mapping"]["root"]["parent"] = "m1-1"
    (tmp_path / "conversations.json").write_text(json.dumps([talk]))
    assert read(tmp_path / "conversations.json").texts == ["a", "b"]


@pytest.mark.parametrize("time", [0, -5, 1e300, "soon", True, [1]])
def test_a_time_that_makes_no_sense_is_dropped_and_counted(
    read: Callable[..., Any], tmp_path: Path, time: object
) -> None:
    talk = conversation(1, "a")
    talk["mapping"]["m1-0"]["message"]["create_time"] = time
    (tmp_path / "conversations.json").write_text(json.dumps([talk]))
    got = read(tmp_path / "conversations.json")
    assert "happened_at" not in got.messages[0]
    assert sum(got.skipped.values()) == 1


def test_text_that_a_store_cannot_hold_is_mended(read: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "conversations.json").write_text(json.dumps([conversation(1, "nul \0 half \ud83d emoji \ud83d\ude00")]))
    assert read(tmp_path / "conversations.json").texts == ["nul  half \ufffd emoji 😀"]


def test_broken_utf8_is_shown_as_replacement_characters(read: Callable[..., Any], tmp_path: Path) -> None:
    data = json.dumps([conversation(1, "caf@@ au lait")]).encode().replace(b"@@", b"\xe9\xff")
    (tmp_path / "conversations.json").write_bytes(data)
    assert read(tmp_path / "conversations.json").texts == ["caf\ufffd\ufffd au lait"]


def test_claude_messages_and_attached_text_are_read(read: Callable[..., Any], files: Path) -> None:
    got = read(files / "claude" / "conversations.json")
    assert got.format == "claude"
    assert [(m["role"], m.get("kind", "turn"), m["content"]) for m in got.messages] == [
        ("user", "turn", "An old message without blocks: Olá, João!"),
        ("assistant", "turn", "Olá!"),
        ("user", "turn", "My loaf stays flat. Notes attached."),
        ("user", "document", "Saturday: 75% water, proofed nine hours at 26 degrees."),
        ("assistant", "turn", "Nine hours is long at that heat.\n\nTry five hours, or use the fridge."),
    ]
    document = got.messages[3]
    assert document["metadata"] == {"title": "Sourdough that stays flat", "file_name": "baking.txt"}
    assert document["happened_at"] == datetime(2025, 1, 11, 9, 12, 0, 123_456, UTC)
    assert len({message["source_id"] for message in got.messages}) == 5
    assert got.skipped == {
        "attachment without text": 1,
        "model's reasoning": 1,
        "call to a tool": 1,
        "answer of a tool": 1,
        "no text": 1,
        "time that could not be read (its message is kept, undated)": 1,
    }


def test_claude_branches_are_left_out_where_the_export_names_the_leaf(read: Callable[..., Any], tmp_path: Path) -> None:
    root = "00000000-0000-4000-8000-000000000000"
    said = [("a", root, "human"), ("b", "a", "assistant"), ("c", "a", "assistant"), ("d", "c", "human")]
    messages = [{"uuid": u, "parent_message_uuid": p, "sender": s, "text": f"text {u}"} for u, p, s in said]
    talk = {"uuid": "t", "name": "Branches", "chat_messages": messages, "current_leaf_message_uuid": "d"}
    (tmp_path / "conversations.json").write_text(json.dumps([talk]))
    got = read(tmp_path / "conversations.json")
    assert got.texts == ["text a", "text c", "text d"]
    assert got.skipped == {"on a branch that was regenerated or edited away": 1}


def test_claude_placeholders_of_tools_are_not_words(read: Callable[..., Any], tmp_path: Path) -> None:
    text = "```\nThis block is not supported on your current device yet.\n```\n\nDone."
    talk = {"uuid": "t", "name": "", "chat_messages": [{"uuid": "m", "sender": "assistant", "text": text}]}
    (tmp_path / "conversations.json").write_text(json.dumps([talk]))
    assert read(tmp_path / "conversations.json").texts == ["Done."]


def test_a_format_that_was_named_wrongly_is_an_error(read: Callable[..., Any], files: Path) -> None:
    with pytest.raises(InvalidInput, match="is not Claude"):
        read(files / "chatgpt" / "conversations.json", "claude")
    with pytest.raises(InvalidInput, match="use one of mnemos, slack, chatgpt"):
        read(files / "chatgpt" / "conversations.json", "telegram")
