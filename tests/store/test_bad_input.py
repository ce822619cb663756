"""Bad input: a typed error that names the field and the mend, and a store that is as it was."""

from __future__ import annotations

import datetime as dt
import os
import resource
import sqlite3
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from storetools import dump

import mnemos
from mnemos import (
    InvalidInput,
    Mnemos,
    NewerSchema,
    NotAStore,
    ReadOnlyStore,
    StoreError,
    StoreFull,
)
from mnemos.embed.static import StaticEmbedder

NAIVE = dt.datetime(2026, 1, 1)
loop: list[Any] = []
loop.append(loop)
deep: Any = "x"
for _ in range(150):
    deep = [deep]

BAD_ADDS: list[tuple[Any, dict[str, Any], str]] = [
    ("", {}, "message.content"),
    (" \n\t", {}, "message.content"),
    ("a\x00b", {}, "message.content"),
    ("a\ud800b", {}, "message.content"),
    ("x" * 10_000_001, {}, "message.content"),
    (b"bytes", {}, "messages"),
    (None, {}, "messages"),
    (7, {}, "messages"),
    ({"a", "b"}, {}, "messages"),
    ([None], {}, "messages[0]"),
    ([["a"]], {}, "messages[0]"),
    (["ok", 7], {}, "messages[1]"),
    ({}, {}, "message.content"),
    ({"content": None}, {}, "message.content"),
    ({"content": b"x"}, {}, "message.content"),
    ({"content": [{"type": "image"}]}, {}, "message.content[0]"),
    ({"content": "x", "colour": "red"}, {}, "message.colour"),
    ({"content": "x", 7: 8}, {}, "message.7"),
    ({"content": "x", "kind": "item"}, {}, "message.kind"),
    ({"content": "x", "kind": "episode"}, {}, "message.kind"),
    ({"content": "x", "kind": ["turn"]}, {}, "message.kind"),
    ({"content": "x", "kind": None}, {}, "message.kind"),
    ({"content": "x", "name": ""}, {}, "message.name"),
    ({"content": "x", "role": 3}, {}, "message.role"),
    ({"content": "x", "session_id": "y" * 2_000}, {}, "message.session_id"),
    ({"content": "x", "source_id": "\x00"}, {}, "message.source_id"),
    ({"content": "x", "trust": 1.1}, {}, "message.trust"),
    ({"content": "x", "trust": True}, {}, "message.trust"),
    ({"content": "x", "trust": float("nan")}, {}, "message.trust"),
    ({"content": "x", "metadata": []}, {}, "message.metadata"),
    ({"content": "x", "metadata": {1: 2}}, {}, "message.metadata"),
    ({"content": "x", "metadata": {"a": {1, 2}}}, {}, "message.metadata"),
    ({"content": "x", "metadata": {"a": float("inf")}}, {}, "message.metadata"),
    ({"content": "x", "metadata": {"a": "\ud800"}}, {}, "message.metadata"),
    ({"content": "x", "metadata": {"a": "b\x00c"}}, {}, "message.metadata"),
    ({"content": "x", "metadata": {"a": "x" * 1_000_001}}, {}, "message.metadata"),
    ({"content": "x", "metadata": {"a": loop}}, {}, "message.metadata"),
    ({"content": "x", "metadata": {"a": deep}}, {}, "message.metadata"),
    ({"content": "x", "happened_at": "yesterday"}, {}, "message.happened_at"),
    ({"content": "x", "happened_at": 1_700_000_000}, {}, "message.happened_at"),
    ({"content": "x", "happened_at": "2026-01-01T00:00:00"}, {}, "message.happened_at"),
    ({"content": "x", "happened_at": NAIVE}, {}, "message.happened_at"),
    ({"content": "x", "happened_at": "0001-01-01T00:00:00+14:00"}, {}, "message.happened_at"),
    ({"content": "x", "happened_at": "9999-12-31T23:59:59-12:00"}, {}, "message.happened_at"),
    ({"content": "x", "valid_at": dt.date(2026, 1, 1)}, {}, "message.valid_at"),
    (["ok", {"content": "x", "invalid_at": ""}], {}, "messages[1].invalid_at"),
    ("x", {"kind": "turns"}, "kind"),
    ("x", {"happened_at": NAIVE}, "happened_at"),
    ("x", {"timezone": "Lisbon"}, "timezone"),
    ("x", {"timezone": 3}, "timezone"),
    ("x", {"timezone": "../../etc/passwd"}, "timezone"),
    ("x", {"metadata": "a=b"}, "metadata"),
    ("x", {"idempotency_key": ""}, "idempotency_key"),
    ("x", {"session_id": b"s"}, "session_id"),
    ("x", {"name": "a\x00"}, "name"),
]


@pytest.mark.parametrize(("messages", "keywords", "field"), BAD_ADDS, ids=range(len(BAD_ADDS)))
def test_add(memory: Mnemos, path: Path, messages: Any, keywords: dict[str, Any], field: str) -> None:
    memory.add("before")
    stored = dump(path)
    with pytest.raises(InvalidInput) as caught:
        memory.add(messages, **keywords)
    assert caught.value.field == field
    assert caught.value.problem
    assert caught.value.mend
    assert dump(path) == stored
    str(caught.value).encode()


OTHER_CALLS: list[tuple[Callable[[Mnemos, str], object], str]] = [
    (lambda m, i: m.search(""), "query"),
    (lambda m, i: m.search("  \n"), "query"),
    (lambda m, i: m.search("\x00"), "query"),
    (lambda m, i: m.search(None), "query"),  # type: ignore[arg-type]
    (lambda m, i: m.search("x" * 100_001), "query"),
    (lambda m, i: m.search("x", limit=0), "limit"),
    (lambda m, i: m.search("x", limit=True), "limit"),
    (lambda m, i: m.search("x", limit="10"), "limit"),  # type: ignore[arg-type]
    (lambda m, i: m.search("x", offset=-1), "offset"),
    (lambda m, i: m.search("x", kinds="turn"), "kinds"),
    (lambda m, i: m.search("x", kinds=[]), "kinds"),
    (lambda m, i: m.search("x", kinds=["turns"]), "kinds"),
    (lambda m, i: m.search("x", sessions="s"), "sessions"),
    (lambda m, i: m.search("x", sessions=[""]), "sessions[0]"),
    (lambda m, i: m.search("x", since=NAIVE), "since"),
    (lambda m, i: m.search("x", until="soon"), "until"),
    (lambda m, i: m.search("x", as_of=5), "as_of"),  # type: ignore[arg-type]
    (lambda m, i: m.search("x", known_at=NAIVE), "known_at"),
    (lambda m, i: m.search("x", now=NAIVE), "now"),
    (lambda m, i: m.search("x", descendants="no"), "descendants"),  # type: ignore[arg-type]
    (lambda m, i: m.search("x", user="ana"), "user"),  # type: ignore[call-arg]
    (lambda m, i: m.list(query="x"), "query"),  # type: ignore[call-arg]
    (lambda m, i: m.list(limit=100_001), "limit"),
    (lambda m, i: m.list(filters=[("a", 1)]), "filters"),  # type: ignore[arg-type]
    (lambda m, i: m.context("x", budget=0), "budget"),
    (lambda m, i: m.context("x", budget="1000"), "budget"),  # type: ignore[arg-type]
    (lambda m, i: m.get(None), "id"),  # type: ignore[arg-type]
    (lambda m, i: m.get("\ud800"), "id"),
    (lambda m, i: m.update(7, text="x"), "id"),  # type: ignore[arg-type]
    (lambda m, i: m.update(i, text=""), "text"),
    (lambda m, i: m.update(i, text="a\x00"), "text"),
    (lambda m, i: m.update(i, trust=2), "trust"),
    (lambda m, i: m.update(i, metadata={"a": object()}), "metadata"),
    (lambda m, i: m.update(i, happened_at=NAIVE), "happened_at"),
    (lambda m, i: m.delete(b"x"), "id"),  # type: ignore[arg-type]
    (lambda m, i: m.put("", 1), "key"),
    (lambda m, i: m.put("k" * 1_025, 1), "key"),
    (lambda m, i: m.put("k", {1, 2}), "value"),
    (lambda m, i: m.put("k", loop), "value"),
    (lambda m, i: m.put("k", deep), "value"),
    (lambda m, i: m.put("k", "a\x00"), "value"),
    (lambda m, i: m.put("k", ["\ud800"]), "value"),
    (lambda m, i: m.put("k", "x" * 1_000_001), "value"),
    (lambda m, i: m.put("k", 1, ttl=0), "ttl"),
    (lambda m, i: m.put("k", 1, ttl=True), "ttl"),
    (lambda m, i: m.put("k", 1, ttl=float("inf")), "ttl"),
    (lambda m, i: m.put("k", 1, ttl="1h"), "ttl"),  # type: ignore[arg-type]
    (lambda m, i: m.put("k", 1, texts="words"), "texts"),
    (lambda m, i: m.put("k", 1, texts=[""]), "texts[0]"),
    (lambda m, i: m.get_item(7), "key"),  # type: ignore[arg-type]
    (lambda m, i: m.get_item("k", refresh=1), "refresh"),  # type: ignore[arg-type]
    (lambda m, i: m.derive("x", sources=[], recipe="r"), "sources"),
    (lambda m, i: m.derive("x", sources=i, recipe="r"), "sources"),
    (lambda m, i: m.derive("", sources=[i], recipe="r"), "text"),
    (lambda m, i: m.derive("x", sources=[i], recipe=""), "recipe"),
    (lambda m, i: m.derive("x", sources=[i], recipe="r", topic="\ud800"), "topic"),
    (lambda m, i: m.derive("x", sources=[i], recipe="r", kind="turn"), "kind"),  # type: ignore[arg-type]
    (lambda m, i: m.link(i, i, ""), "relation"),
    (lambda m, i: m.link(i, i, weight=2), "weight"),
    (lambda m, i: m.verify_erased(""), "text"),
    (lambda m, i: m.export_file("x", user_id="a", agent_id="b"), "agent_id"),
    (lambda m, i: m.backup(""), "path"),
    (lambda m, i: m.backup(m.path), "path"),
    (lambda m, i: m.export_file(m.path), "path"),
    (lambda m, i: m.import_file(m.path), "path"),
    (lambda m, i: m.backup("no/such/folder/copy.db"), "path"),
]


@pytest.mark.parametrize(("call", "field"), OTHER_CALLS, ids=range(len(OTHER_CALLS)))
def test_every_other_verb(memory: Mnemos, path: Path, call: Callable[[Mnemos, str], object], field: str) -> None:
    (added,) = memory.add("before")
    stored = dump(path)
    with pytest.raises(InvalidInput) as caught:
        call(memory, added.id)
    assert caught.value.field == field
    assert caught.value.mend
    assert dump(path) == stored


@pytest.mark.parametrize(
    ("keywords", "field"),
    [
        ({"path": ""}, "path"),
        ({"path": 7}, "path"),
        ({"path": "a\x00b"}, "path"),
        ({"embedder": "all-MiniLM"}, "embedder"),
        ({"clock": 5}, "clock"),
        ({"clock": lambda: NAIVE}, "clock"),
        ({"timezone": "Nowhere/Land"}, "timezone"),
        ({"count_tokens": 4}, "count_tokens"),
        ({"background": "yes"}, "background"),
    ],
)
def test_opening(path: Path, keywords: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Mnemos(**{"path": path, **keywords})
    assert caught.value.field == field
    assert not path.exists()


def test_sources_of_several_namespaces_are_refused(memory: Mnemos) -> None:
    (ana,), (ben,) = memory.add("a", user_id="ana"), memory.add("b", user_id="ben")
    with pytest.raises(InvalidInput, match="several namespaces"):
        memory.derive("both", sources=[ana.id, ben.id], recipe="r")


def test_a_million_character_line_is_kept_and_found(memory: Mnemos) -> None:
    line = "lorem ipsum dolor sit amet " * 37_037 + "the hidden xylophone stands in Gdansk"
    (added,) = memory.add(line)
    memory.add("Nothing of the sort.")
    (hit, *_) = memory.search("Where does the xylophone stand?")
    assert hit.memory.id == added.id
    assert hit.memory.text == line
    assert hit.passage is not None
    assert "xylophone" in line[slice(*hit.passage)]
    (unbroken,) = memory.add("z" * 1_000_000)
    assert memory.get(unbroken.id) == unbroken.__class__(**{**_fields(unbroken), "is_new": False})
    assert memory.check() == []


def _fields(memory: mnemos.Memory) -> dict[str, Any]:
    return {name: getattr(memory, name) for name in memory.__slots__}


@pytest.mark.parametrize(
    "text",
    [
        "\\u0000 is how JSON writes NUL",
        "C:\\\\u0000",
        "🙂‍↔️👩‍👩‍👧",
        "‏שלום עולם",
        "我昨天去了北京",
        "e\u0301",
        "\ufeffbom",
        "'; DROP TABLE log;--",
    ],
)
def test_odd_but_good_text_survives(memory: Mnemos, text: str) -> None:
    (added,) = memory.add({"content": text, "metadata": {"text": text}, "name": text[:20]})
    memory.put(text, {text: [text]})
    held, item = memory.get(added.id), memory.get_item(text)
    assert held is not None
    assert item is not None
    assert (held.text, held.metadata, item.value) == (text, {"text": text}, {text: [text]})
    assert memory.search(text).total == 2
    assert memory.check() == []


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_that_is_not_a_database(path: Path) -> None:
    path.write_bytes(b"Dear diary, this is no database. " * 100)
    before = path.read_bytes()
    with pytest.raises(NotAStore, match="not a Mnemos store"):
        Mnemos(path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_another_programs_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
    before = path.read_bytes()
    with pytest.raises(NotAStore, match="not a Mnemos store"):
        Mnemos(path)
    assert path.read_bytes() == before


def test_a_store_of_a_newer_release(path: Path) -> None:
    Mnemos(path).close()
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 99")
    before = dump(path)
    with pytest.raises(NewerSchema, match="upgrade with pip"):
        Mnemos(path)
    assert dump(path) == before


def test_a_damaged_file(path: Path) -> None:
    with Mnemos(path) as memory:
        memory.add([f"turn {n} " * 50 for n in range(200)])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])

    def read() -> None:
        with Mnemos(path) as memory:
            memory.check()
            memory.list(limit=1000)

    with pytest.raises(NotAStore, match="damaged"):
        read()


def test_check_tells_of_a_damaged_page(path: Path) -> None:
    with Mnemos(path) as memory:
        memory.add([f"turn {n} " * 50 for n in range(200)])
        assert memory.check() == []
    with closing(sqlite3.connect(path)) as raw:
        page = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'log_id'").fetchone()[0]
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 + 8 : page * 4096] = b"\xff" * 4088
    path.write_bytes(bytes(content))
    with Mnemos(path) as memory:
        assert any(problem.table == "file" for problem in memory.check())
        assert memory.list().total == 200, "what does not need the damaged index can still be read"


def test_a_folder_and_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(NotAStore, match="is a folder"):
        Mnemos(tmp_path)
    with pytest.raises(StoreError, match="does not exist; create"):
        Mnemos(tmp_path / "no" / "memory.db")
    assert os.listdir(tmp_path) == []


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.touch()
    with Mnemos(path) as memory:
        memory.add("x")
        assert memory.check() == []


def test_a_closed_store(path: Path) -> None:
    memory = Mnemos(path)
    (added,) = memory.add("x")
    memory.close()
    memory.close()
    for call in (
        lambda: memory.add("y"),
        lambda: memory.get(added.id),
        lambda: memory.search("x"),
        lambda: memory.list(),
        lambda: memory.delete(added.id),
        lambda: memory.check(),
        lambda: memory.maintain(),
        lambda: memory.stats(),
        lambda: memory.export_file(path.with_suffix(".jsonl")),
    ):
        with pytest.raises(StoreError, match="closed"):
            call()


def in_child(work: Callable[[], None]) -> str:
    """What a forked child says of its work: nothing, or the error."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # newer Pythons warn of forking beside the tokenizer's threads, which the child does not use
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        try:
            work()
        except BaseException:  # noqa: BLE001 - told to the parent
            os.write(writing, traceback.format_exc().encode()[-60_000:])
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(child, 0)
    return said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    with Mnemos(folder / "there.db") as memory:
        memory.add("before")
    for level in (tmp_path, *tmp_path.parents):
        if level.stat().st_uid == 0 and "pytest" in str(level):
            level.chmod(0o755)
    stored = dump(folder / "there.db")
    (folder / "there.db").chmod(0o644)
    folder.chmod(0o555)
    StaticEmbedder.bundled()

    def work() -> None:
        os.setuid(65534)
        for name in ("there.db", "new.db"):
            with pytest.raises(ReadOnlyStore, match="written"):
                Mnemos(folder / name)
        assert sorted(os.listdir(folder)) == ["there.db"]

    said = in_child(work)
    assert not said, said
    assert dump(folder / "there.db") == stored


def test_a_full_disk(path: Path) -> None:
    with Mnemos(path) as memory:
        memory.add("before")
    stored = dump(path)
    StaticEmbedder.bundled()

    def work() -> None:
        with Mnemos(path) as memory:
            resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
            with pytest.raises(StoreFull, match="free"):
                memory.add([f"turn {n} " * 100 for n in range(2_000)])
            assert [m.text for m in memory.list()] == ["before"]
            assert memory.add("a small one still fits")[0].is_new
            assert memory.check() == []
            assert len(memory.delete_all(namespace=("default",)).ids) == 2
            memory.add("before", metadata={"again": True})

    said = in_child(work)
    assert not said, said
    with Mnemos(path) as memory:
        assert [m.text for m in memory.list()] == ["before"]
        assert memory.check() == []
    assert stored["log"]


def test_a_file_that_may_not_grow(memory: Mnemos, path: Path) -> None:
    memory.add("before")
    with memory._store.db.plain() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    stored = dump(path)
    with pytest.raises(StoreFull, match="nothing was changed"):
        memory.add(["words " * 2_000 for _ in range(20)])
    assert dump(path) == stored
    with memory._store.db.plain() as connection:
        connection.execute("PRAGMA max_page_count = 1000000")
    memory.add(["words " * 2_000 for _ in range(20)])
    assert memory.check() == []
