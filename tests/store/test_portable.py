"""Export, restore and backup: everything goes out and comes back."""

from __future__ import annotations

import hashlib
import io
import json
import os
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from clock import Clock
from storetools import dump, raw_bytes

from mnemos import ImportFailed, InvalidInput, Mnemos
from mnemos.store.portable import Porter

SPACES = (("user", "ana"), ("user", "ben"), ("org", "team", 'we"ird %\n'))


def fill(memory: Mnemos, clock: Clock) -> None:
    """Something of everything."""
    for namespace in SPACES:
        turns = memory.add(
            [
                {"content": "Rita is vegan.", "name": "Ana", "role": "user", "happened_at": "2026-01-01T00:00:00Z"},
                {"content": "Tom likes chess. " * 200, "metadata": {"a": [1, 2.5, None, "ü"]}, "source_id": "m2"},
                {"content": "next", "happened_at": "2026-01-02T00:00:00Z", "session_id": "s"},
                {"content": "next", "happened_at": "2026-01-02T00:00:00Z", "session_id": "s"},
                {"content": "to be deleted", "kind": "note", "trust": 0.25, "valid_at": "2026-01-01T00:00:00Z"},
                "never dated",
            ],
            namespace=namespace,
            agent_id="helper",
        )
        memory.update(turns[1].id, text="Tom likes go.")
        memory.update(turns[1].id, metadata={"b": 2})
        memory.update(turns[1].id, metadata={"b": 2})
        clock.tick()
        memory.put("k", {"v": ["one", "two"]}, ttl=1_000, namespace=namespace)
        memory.put("k", {"v": ["three"]}, ttl=1_000, namespace=namespace)
        memory.put("plain", None, texts=["findable"], namespace=namespace)
        fact = memory.derive("Rita eats no fish.", sources=[turns[0].id, turns[1].id], recipe="r", metadata={"c": 3})
        theme = memory.derive("Food.", sources=[fact.id], recipe="r", kind="theme", topic="t")
        memory.link(turns[0].id, turns[1].id, "near", weight=0.5)
        memory.link(turns[0].id, turns[1].id, "near", weight=0.75)
        memory.link(theme.id, turns[2].id, "far")
        memory.link(turns[2].id, theme.id, "back")
        memory.delete(turns[4].id)
        memory._store.record_uses({turns[0].id: 3, fact.id: 1}, 1_700_000_000_000_000)
        clock.tick(500)
        memory.get_item("k", namespace=namespace)
        gone = memory.derive("gone", sources=[turns[5].id], recipe="r")
        memory.delete(gone.id)


def answers(memory: Mnemos, then: datetime) -> dict[str, Any]:
    """What every reading verb says."""
    said: dict[str, Any] = {"namespaces": memory.namespaces(), "check": memory.check()}
    stats = memory.stats()
    said["stats"] = (stats.memories, stats.kinds, stats.sessions, stats.speakers, stats.first, stats.last)
    for namespace in SPACES:
        every: dict[str, Any] = {"namespace": namespace, "kinds": ["turn", "note", "item", "fact", "theme"]}
        listed = memory.list(**every)
        said[f"list {namespace}"] = list(listed)
        said[f"then {namespace}"] = [m.text for m in memory.list(**every, known_at=then)]
        said[f"history {namespace}"] = [memory.history(m.id) for m in listed]
        said[f"links {namespace}"] = [memory.links(m.id) for m in listed]
        said[f"search {namespace}"] = [
            (h.memory, round(h.score, 5)) for h in memory.search("What does Rita eat?", **every)
        ]
        said[f"item {namespace}"] = memory.get_item("k", namespace=namespace, refresh=False)
    return said


def test_everything_comes_back(memory: Mnemos, path: Path, clock: Clock, tmp_path: Path) -> None:
    fill(memory, clock)
    then = clock.now
    memory.update(memory.list(namespace=SPACES[0])[0].id, text="Rita eats fish.")
    report = memory.export_file(tmp_path / "all.jsonl")
    assert report.lines > 30
    expected = answers(memory, then)
    assert expected["check"] == []
    with Mnemos(tmp_path / "other.db", clock=clock) as other:
        imported = other.import_file(tmp_path / "all.jsonl")
        assert (imported.added, imported.repeated) == (report.lines, 0)
        assert answers(other, then) == expected
        (again,) = other.add({"content": "Rita is vegan.", "name": "Ana", "role": "user",
                              "happened_at": "2026-01-01T00:00:00Z"}, namespace=SPACES[1])  # fmt: skip
        assert not again.is_new
        clock.tick(600)
        assert other.get_item("k", namespace=SPACES[2]) is not None, "its time to live counts from the last read"
        whole = dump(tmp_path / "other.db")
        imported = other.import_file(tmp_path / "all.jsonl")
        assert (imported.added, imported.repeated) == (0, report.lines)
        unlike = {table for table, rows in dump(tmp_path / "other.db").items() if rows != whole[table]}
        assert unlike <= {"meta"}
        assert other.check() == []
    whole = dump(path)
    memory.import_file(tmp_path / "all.jsonl")
    assert {table for table, rows in dump(path).items() if rows != whole[table]} <= {"meta"}


def test_a_scope_is_exported_alone(memory: Mnemos, clock: Clock, tmp_path: Path) -> None:
    fill(memory, clock)
    memory.export_file(tmp_path / "ana.jsonl", user_id="ana")
    assert b"ben" not in (tmp_path / "ana.jsonl").read_bytes()
    memory.export_file(tmp_path / "org.jsonl", namespace=("org",), descendants=True)
    with Mnemos(tmp_path / "other.db", clock=clock) as other:
        other.import_file(tmp_path / "ana.jsonl")
        assert other.namespaces() == [SPACES[0]]
        other.import_file(tmp_path / "org.jsonl")
        assert other.namespaces() == [SPACES[0], SPACES[2]]
        assert list(other.list(user_id="ana")) == list(memory.list(user_id="ana"))
        assert other.check() == []


def test_a_later_export_brings_what_has_changed(memory: Mnemos, clock: Clock, tmp_path: Path) -> None:
    one, two, three = memory.add(["one", "two", "three"])
    memory.export_file(tmp_path / "first.jsonl")
    memory.update(one.id, text="one, changed")
    memory.delete(two.id)
    memory.add("four")
    memory.export_file(tmp_path / "second.jsonl")
    with Mnemos(tmp_path / "other.db", clock=clock) as other:
        other.import_file(tmp_path / "first.jsonl")
        other.import_file(tmp_path / "second.jsonl")
        assert [m.text for m in other.list()] == ["one, changed", "three", "four"]
        assert other.verify_erased("two").live == ()
        assert other.maintain().purge == "done"
        assert other.verify_erased("two").clean
        assert other.check() == []
        other.delete(three.id)
        other.import_file(tmp_path / "first.jsonl")
        assert [m.text for m in other.list()] == ["one, changed", "four"], "what was deleted here stays deleted"
        assert other.check() == []


def test_the_same_event_or_key_under_another_id_is_a_repeat(memory: Mnemos, clock: Clock, tmp_path: Path) -> None:
    with Mnemos(tmp_path / "other.db", clock=clock) as other:
        for each, value in ((memory, "mine"), (other, "theirs")):
            (turn,) = each.add({"content": "hello", "happened_at": "2026-01-01T00:00:00Z"})
            each.update(turn.id, metadata={"of": value})
            each.put("k", value)
            each.derive(f"fact of {value}", sources=[turn.id], recipe=value)
        memory.export_file(tmp_path / "mine.jsonl")
        other.import_file(tmp_path / "mine.jsonl")
        assert other.list(kinds=["turn"]).total == 1
        assert other.list(kinds=["turn"])[0].metadata == {"of": "theirs"}
        assert other.get_item("k").value == "theirs"  # type: ignore[union-attr]
        assert {m.text for m in other.list(kinds=["fact"])} == {"fact of mine", "fact of theirs"}
        assert other.check() == []


def test_a_hidden_derivation_is_derived_again_elsewhere(memory: Mnemos, clock: Clock, tmp_path: Path) -> None:
    one, two = memory.add(["one", "two"])
    fact = memory.derive("one and two", sources=[one.id, two.id], recipe="r")
    memory.delete(two.id)
    memory.export_file(tmp_path / "all.jsonl")
    with Mnemos(tmp_path / "other.db", clock=clock, derivers={"r": lambda sources: sources[0].text}) as other:
        other.import_file(tmp_path / "all.jsonl")
        assert other.get(fact.id) is None
        other.maintain()
        assert other.get(fact.id).text == "one"  # type: ignore[union-attr]


def test_an_export_that_was_cut_short_changes_nothing(memory: Mnemos, clock: Clock, tmp_path: Path) -> None:
    fill(memory, clock)
    memory.export_file(tmp_path / "all.jsonl")
    whole = (tmp_path / "all.jsonl").read_bytes()
    with Mnemos(tmp_path / "other.db", clock=clock) as other:
        other.add("before")
        stored = dump(tmp_path / "other.db")
        for name, damaged in {
            "half": whole[: len(whole) // 2],
            "no end": whole[: whole.rstrip().rfind(b"\n") + 1],
            "a byte": whole.replace(b"Rita", b"Rosa", 1),
            "a line less": b"\n".join(whole.split(b"\n")[:5] + whole.split(b"\n")[6:]),
        }.items():
            (tmp_path / "cut.jsonl").write_bytes(damaged)
            with pytest.raises(ImportFailed):
                other.import_file(tmp_path / "cut.jsonl")
            assert dump(tmp_path / "other.db") == stored, name


def sealed(lines: list[Mapping[str, Any]]) -> bytes:
    """An export with a right checksum, whatever it says."""
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    end = {"end": True, "lines": len(lines) - 1, "sha256": hashlib.sha256(body).hexdigest()}
    return body + json.dumps(end).encode() + b"\n"


ENTRY = {"type": "entry", "id": "x1", "namespace": ["a"], "op": "add", "kind": "turn", "at": 5, "happened_at": None,
         "text": "hi", "body": None, "digest": None}  # fmt: skip
DERIVED = {"type": "derived", "id": "d1", "namespace": ["a"], "kind": "fact", "text": "f", "happened_at": None,
           "valid_at": None, "invalid_at": None, "created_at": 1, "updated_at": 1, "expired_at": None, "metadata": None,
           "recipe": "r", "topic": "", "hidden": 0, "trust": 1.0, "version": 1, "sources": ["x1"]}  # fmt: skip


@pytest.mark.parametrize(
    ("base", "change"),
    [
        (ENTRY, {"type": ["entry"]}),
        (ENTRY, {"type": "other"}),
        (ENTRY, {"extra": 1}),
        (ENTRY, {"id": 7}),
        (ENTRY, {"id": "ü"}),
        (ENTRY, {"namespace": []}),
        (ENTRY, {"namespace": ["\x00"]}),
        (ENTRY, {"namespace": "a"}),
        (ENTRY, {"op": "drop"}),
        (ENTRY, {"kind": "turns"}),
        (ENTRY, {"at": "now"}),
        (ENTRY, {"at": 2**70}),
        (ENTRY, {"at": True}),
        (ENTRY, {"text": {"a": 1}}),
        (ENTRY, {"text": "\ud800"}),
        (ENTRY, {"body": [1]}),
        (ENTRY, {"body": {"speaker": {"a": 1}}}),
        (ENTRY, {"body": {"ttl": "soon"}}),
        (ENTRY, {"body": {"trust": "high"}}),
        (ENTRY, {"body": {"metadata": [1]}}),
        (ENTRY, {"body": {"key": 7}}),
        (ENTRY, {"body": {"key": "k", "texts": "abc"}}),
        (ENTRY, {"digest": "zz"}),
        (ENTRY, {"op": "link", "body": {"target": 1}}),
        (DERIVED, {"sources": "x1"}),
        (DERIVED, {"kind": "facts"}),
        (DERIVED, {"trust": None}),
        (DERIVED, {"text": None}),
        (DERIVED, {"metadata": "m"}),
    ],
)
def test_a_forged_export_is_refused_whole(memory: Mnemos, path: Path, tmp_path: Path, base: Any, change: Any) -> None:
    memory.add("before")
    stored = dump(path)
    lines = [{"mnemos_export": 1, "mnemos": "0"}, ENTRY, {**base, **change}]
    (tmp_path / "forged.jsonl").write_bytes(sealed(lines))
    with pytest.raises((InvalidInput, ImportFailed)):
        memory.import_file(tmp_path / "forged.jsonl")
    assert dump(path) == stored


def test_an_export_is_one_moment_of_the_store(memory: Mnemos, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [m.id for m in memory.add([f"turn {n}" for n in range(50)])]
    entries = memory._store.export_entries()
    first = next(entries)
    memory.delete(ids[40])
    memory.add("later")
    rest = [first, *entries]
    assert [entry["text"] for entry in rest] == [f"turn {n}" for n in range(50)]
    assert isinstance(memory._store, Porter)


def test_export_to_a_stream(memory: Mnemos, clock: Clock, tmp_path: Path) -> None:
    fill(memory, clock)
    stream = io.BytesIO()
    memory.export_file(stream)
    memory.export_file(tmp_path / "all.jsonl")
    assert stream.getvalue() == (tmp_path / "all.jsonl").read_bytes()


def test_backup_while_another_writes(memory: Mnemos, path: Path, clock: Clock, tmp_path: Path) -> None:
    fill(memory, clock)
    stop = threading.Event()

    def write() -> None:
        with Mnemos(path) as other:
            while not stop.is_set():
                other.add(["some", "more", "turns"], user_id="writer")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        sizes = [memory.backup(tmp_path / f"copy{n}.db") for n in range(5)]
    finally:
        stop.set()
        thread.join()
    for number, size in enumerate(sizes):
        copy = tmp_path / f"copy{number}.db"
        assert copy.stat().st_size == size
        with Mnemos(copy, clock=clock) as held:
            assert held.check() == []
            assert list(held.list(user_id="ana")) == list(memory.list(user_id="ana"))
            assert held.list(user_id="writer").total % 3 == 0
    assert sorted(os.listdir(tmp_path)) == sorted(
        [*(f"copy{n}.db" for n in range(5)), "memory.db", "memory.db-shm", "memory.db-wal"]
    )


def test_backup_never_overwrites(memory: Mnemos, tmp_path: Path) -> None:
    memory.add("x")
    memory.backup(tmp_path / "copy.db")
    before = raw_bytes(tmp_path / "copy.db")
    with pytest.raises(InvalidInput, match="exists"):
        memory.backup(tmp_path / "copy.db")
    assert raw_bytes(tmp_path / "copy.db") == before
