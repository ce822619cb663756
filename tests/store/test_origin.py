"""Where a write comes from: the origin that holds, what it records, and how far it is trusted."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from clock import Clock

from mnemos import InvalidInput, Mnemos, Origin, current_origin, writing_as


def test_an_origin_holds_inside_its_with() -> None:
    assert current_origin() == Origin(None, None, 1.0)
    with writing_as("rest", "key-1", 0.5) as origin:
        assert current_origin() == origin == Origin("rest", "key-1", 0.5)
        with writing_as("import"):
            assert current_origin() == Origin("import", None, 0.5), "never more trust than the outer one gives"
        assert current_origin() == origin
    assert current_origin() == Origin()


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("channel", {"channel": ""}),
        ("channel", {"channel": 7}),
        ("writer", {"writer": " "}),
        ("writer", {"writer": "a\x00b"}),
        ("trust", {"trust": 1.5}),
        ("trust", {"trust": float("nan")}),
        ("trust", {"trust": "high"}),
    ],
)
def test_a_bad_origin_is_refused(field: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused, writing_as(**{"channel": "rest", **wrong}):
        raise AssertionError("never inside")
    assert refused.value.field == field
    assert current_origin() == Origin()


def test_async_twins_carry_the_origin_into_their_threads(tmp_path: Path) -> None:
    class Asked(Mnemos):
        def _now(self) -> int:
            seen.append(current_origin().channel)
            return super()._now()

    seen: list[str | None] = []

    async def add(channel: str) -> None:
        with writing_as(channel):
            await memory.aadd(f"said through {channel}")

    async def both() -> None:
        seen.clear()
        await asyncio.gather(add("rest"), add("mcp"))

    with Asked(tmp_path / "a.db") as memory:
        asyncio.run(both())
    assert set(seen) == {"rest", "mcp"}


def origins(memory: Mnemos, memory_id: str) -> list[tuple[str, str | None, str | None]]:
    return [(change.op, change.channel, change.writer) for change in memory.history(memory_id)]


def test_every_entry_of_the_log_says_where_it_comes_from(tmp_path: Path) -> None:
    with Mnemos(tmp_path / "a.db") as memory:
        with writing_as("rest", "key-1"):
            added, other = memory.add(["Rita is vegan.", "Rita lives in Porto."], user_id="ana")
        (plain,) = memory.add("Nobody said where this comes from.", user_id="ana")
        assert (added.channel, added.writer, plain.channel, plain.writer) == ("rest", "key-1", None, None)
        with writing_as("mcp", "key-2"):
            assert memory.update(added.id, metadata={"seen": True}).channel == "rest", "the words are still theirs"
            assert memory.update(added.id, text="Rita is vegetarian.").writer == "key-2"
        with writing_as("console"):
            memory.link(added.id, other.id, "about")
            item = memory.put("diet", {"rita": "vegan"}, user_id="ana")
        with writing_as("langgraph", "key-3"):
            assert memory.put("diet", {"rita": "fish"}, user_id="ana").channel == "langgraph"
            memory.delete(other.id)
        assert origins(memory, added.id) == [
            ("add", "rest", "key-1"),
            ("update", "mcp", "key-2"),
            ("update", "mcp", "key-2"),
            ("link", "console", None),
        ]
        assert origins(memory, item.id) == [("add", "console", None), ("update", "langgraph", "key-3")]
        assert origins(memory, other.id) == [("add", "rest", "key-1"), ("delete", "langgraph", "key-3")]
        assert all(change.text is None for change in memory.history(other.id))
        assert memory.get(added.id) == memory.list(user_id="ana", filters={"channel": "mcp"})[0]
        assert [m.id for m in memory.list(user_id="ana", filters={"writer": {"exists": False}})] == [plain.id]
        assert memory.search("what does Rita eat?", user_id="ana", filters={"writer": "key-2"}).total == 1
        assert memory.check() == []
        memory.reindex()
        assert memory.get(added.id).channel == "mcp"  # type: ignore[union-attr]
        assert memory.check() == []


def test_known_at_shows_the_origin_of_the_words_of_that_time(tmp_path: Path, clock: Clock) -> None:
    with Mnemos(tmp_path / "a.db", clock=clock) as memory:
        with writing_as("rest"):
            (added,) = memory.add("Rita is vegan.")
        before = clock()
        clock.tick(60)
        with writing_as("mcp"):
            memory.update(added.id, text="Rita is vegetarian.")
        assert [m.channel for m in memory.list(known_at=before)] == ["rest"]
        assert [m.channel for m in memory.list()] == ["mcp"]


def test_trust_is_bounded_on_every_way_in(tmp_path: Path) -> None:
    with Mnemos(tmp_path / "a.db") as memory:
        (own,) = memory.add("I live in Lisbon.", user_id="ana")
        with writing_as("rest", trust=0.5):
            asked = memory.add([{"content": "one", "trust": 0.9}, {"content": "two", "trust": 0.2}], user_id="ana")
            assert [m.trust for m in asked] == [0.5, 0.2]
            assert memory.put("k", "v", user_id="ana").trust == 0.5
            assert memory.update(asked[1].id, text="two of two").trust == 0.2, "never raised by an update alone"
            assert memory.update(asked[1].id, trust=0.9).trust == 0.5
            assert memory.update(own.id, metadata={"seen": True}).trust == 0.5
        assert memory.update(own.id, trust=1.0).trust == 1.0
        assert memory.put("k", "w", user_id="ana").trust == 1.0, "a put replaces the whole item"
        with writing_as("rest", trust=0.5):
            assert memory.put("k", "x", user_id="ana").trust == 0.5
        assert memory.check() == []


def test_exports_keep_origins_and_imports_bound_trust(tmp_path: Path) -> None:
    file, chat = tmp_path / "all.jsonl", tmp_path / "chat.jsonl"
    chat.write_text('{"role": "user", "content": "A line of a chat."}\n', encoding="utf-8")
    with Mnemos(tmp_path / "a.db") as memory:
        with writing_as("rest", "key-1"):
            added, gone = memory.add(["Rita is vegan.", "gone"])
            memory.update(added.id, metadata={"seen": True})
        with writing_as("mcp", "key-2"):
            memory.delete(gone.id)
        memory.import_file(chat)
        (line,) = memory.list(filters={"channel": "import"})
        assert (line.text, line.writer) == ("A line of a chat.", None)
        memory.export_file(file)
        told = origins(memory, added.id), origins(memory, gone.id)
    with Mnemos(tmp_path / "b.db") as copy:
        copy.import_file(file)
        assert (origins(copy, added.id), origins(copy, gone.id)) == told
        assert copy.get(added.id).channel == "rest"  # type: ignore[union-attr]
        assert copy.check() == []
    with Mnemos(tmp_path / "c.db") as bounded:
        with writing_as("rest", "key-9", trust=0.4):
            assert bounded.import_file(file).added > 0
            chat.write_text('{"role": "user", "content": "Another line."}\n', encoding="utf-8")
            assert bounded.import_file(chat).added == 1
        assert {m.trust for m in bounded.list()} == {0.4}
        assert {m.channel for m in bounded.list()} == {"rest", "import"}
        assert bounded.import_file(file).added == 0, "the same entries, however far they are trusted"
        assert bounded.check() == []


def test_an_export_of_an_earlier_release_says_nothing_of_origins(tmp_path: Path) -> None:
    file, old = tmp_path / "new.jsonl", tmp_path / "old.jsonl"
    with Mnemos(tmp_path / "a.db") as memory:
        with writing_as("rest"):
            turns = memory.add(["Rita is vegan.", "Rita likes tea."])
        memory.derive("Rita eats no cheese.", sources=[m.id for m in turns], recipe="r")
        memory.export_file(file)
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()[:-1]]
    for line in lines:
        line.pop("channel", None), line.pop("writer", None)
    body = "".join(json.dumps(line) + "\n" for line in lines)
    end = {"end": True, "lines": len(lines) - 1, "sha256": hashlib.sha256(body.encode()).hexdigest()}
    old.write_text(body + json.dumps(end) + "\n", encoding="utf-8")
    with Mnemos(tmp_path / "b.db") as copy:
        copy.import_file(old)
        assert [(m.text, m.channel) for m in copy.list(kinds=["turn"])] == [(turn.text, None) for turn in turns]
        assert copy.check() == []


def test_a_backup_keeps_origins(tmp_path: Path) -> None:
    with Mnemos(tmp_path / "a.db") as memory:
        with writing_as("rest", "key-1"):
            (added,) = memory.add("Rita is vegan.")
        memory.backup(tmp_path / "b.db")
    with Mnemos(tmp_path / "b.db") as copy:
        assert origins(copy, added.id) == [("add", "rest", "key-1")]


def test_owner_knows_every_id_that_was_ever_given(tmp_path: Path) -> None:
    with Mnemos(tmp_path / "a.db") as memory:
        turn, gone = memory.add(["I live in Lisbon.", "gone"], namespace=("org", "team"))
        memory.add("I live in Porto now.", namespace=("org", "team"), name="Ana")
        (greeting,) = memory.add("Hello there!", user_id="ana")
        memory.maintain()
        (made,) = memory.why_kept(greeting.id).decisions
        (derived, *_) = memory.list(namespace=("org", "team"), kinds=["fact"])
        memory.delete(gone.id)
        memory.delete(derived.id)
        for one in (turn.id, gone.id, derived.id, turn.id.upper()):
            assert memory.owner(one) == ("org", "team")
        assert memory.owner(greeting.id) == memory.owner(str(made.decision)) == ("user", "ana")
        for unknown in (str(uuid4()), "", "%", "' OR 1=1 --", "1"):
            assert memory.owner(unknown) is None
        assert asyncio.run(memory.aowner(turn.id)) == ("org", "team")
        with pytest.raises(InvalidInput):
            memory.owner("ñ")
