"""Durability and company: `kill -9`, several processes, several threads."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import select
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import warnings
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from clock import Clock

from mnemos import Mnemos, StoreBusy, StoreError
from mnemos.embed.static import StaticEmbedder
from mnemos.store import database, rawfile

KILLS = 200
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def fork() -> int:
    """A child with everything imported and loaded already."""
    StaticEmbedder.bundled()
    with warnings.catch_warnings():
        # newer Pythons warn of forking beside the tokenizer's threads, which the child does not use
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def write_until_killed(path: Path, pipe: int, seed: int) -> None:
    """Add, update, put and delete, and tell the pipe after each."""
    rng = random.Random(seed)
    with Mnemos(path) as memory:
        mine: list[str] = []
        for number in range(1_000_000):
            chance = rng.random()
            if chance < 0.7 or len(mine) < 3:
                count = rng.choice([1, 1, 1, 5])
                added = memory.add([f"turn {seed} {number} {part} of many" for part in range(count)])
                mine += [m.id for m in added]
                told = "".join(f"A {m.id} {m.text}\n" for m in added)
            elif chance < 0.8:
                changed = memory.update(rng.choice(mine), text=f"changed {seed} {number}")
                told = f"A {changed.id} {changed.text}\n"
            elif chance < 0.9:
                item = memory.put(f"key {seed} {number}", {"words": f"item {seed} {number}"})
                told = f"A {item.id} {item.text}\n"
            else:
                gone = mine.pop(rng.randrange(len(mine)))
                # a deletion may be on disk without having been acknowledged: it is announced first
                os.write(pipe, f"? {gone}\n".encode())
                memory.delete(gone)
                told = f"D {gone}\n"
            os.write(pipe, told.encode())


def read_some(pipe: int, seconds: float, patience: float = 0.0) -> bytes:
    """What comes within some seconds, counted from the first of it where there is patience to wait for that."""
    select.select([pipe], [], [], patience)
    said, end = b"", time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([pipe], [], [], left)[0]:
            piece = os.read(pipe, 65536)
            if not piece:
                break
            said += piece
    return said


def test_no_acknowledged_write_is_lost_in_200_kills(path: Path) -> None:
    rng = random.Random(7)
    held: dict[str, str] = {}
    gone: set[str] = set()
    doubtful: set[str] = set()
    for kill in range(KILLS):
        reading, writing = os.pipe()
        child = fork()
        if not child:
            try:
                write_until_killed(path, writing, kill)
            finally:
                os._exit(1)
        os.close(writing)
        # every other child is let open the store first, however slow the machine is
        said = read_some(reading, rng.uniform(0.0, 0.12), patience=30.0 * (kill % 2))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while piece := os.read(reading, 65536):
            said += piece
        os.close(reading)
        # what was cut off in the middle of a line was written before it was told
        for line in said.decode().splitlines(keepends=True):
            if line.endswith("\n"):
                what, memory_id, *words = line.rstrip("\n").split(" ", 2)
                if what == "A":
                    held[memory_id] = words[0]
                else:
                    held.pop(memory_id, None)
                    (gone if what == "D" else doubtful).add(memory_id)
    assert len(held) > KILLS, "the children had too little time to write"
    with Mnemos(path) as memory:
        for memory_id, text in held.items():
            found = memory.get(memory_id)
            assert found is not None, f"lost: {text}"
            if not found.text.startswith("changed"):
                assert found.text == text
        assert not [memory_id for memory_id in gone if memory.get(memory_id) is not None]
        assert memory.check() == []
        assert memory.maintain().purge == "done"
        assert {m.id for m in memory.list(limit=100_000)} >= held.keys()


def add_many(path: Path, name: str, pipe: Connection) -> None:
    try:
        with Mnemos(path) as memory:
            pipe.send([memory.add(f"{name} {n}", user_id="all")[0].id for n in range(60)])
    except StoreError as error:
        pipe.send(repr(error))


def test_two_processes_write_at_once_and_open_a_new_file_at_once(path: Path) -> None:
    StaticEmbedder.bundled()
    context = multiprocessing.get_context("fork")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pipes, workers = [], []
        for name in ("left", "right", "middle"):
            receiving, sending = context.Pipe(duplex=False)
            worker = context.Process(target=add_many, args=(path, name, sending))
            worker.start()
            sending.close()
            pipes.append(receiving)
            workers.append(worker)
    told = []
    for pipe in pipes:
        with pipe:
            told.append(pipe.recv())
    for worker in workers:
        worker.join()
        worker.close()
    assert all(isinstance(ids, list) for ids in told), told
    with Mnemos(path) as memory:
        listed = memory.list(user_id="all", limit=1000)
        assert {m.id for m in listed} == {memory_id for ids in told for memory_id in ids}
        for name in ("left", "right", "middle"):
            assert [m.text for m in listed if m.text.startswith(name)] == [f"{name} {n}" for n in range(60)]
        assert memory.check() == []


def test_a_reader_sees_what_another_connection_writes(path: Path, clock: Clock) -> None:
    with Mnemos(path, clock=clock) as writer, Mnemos(path, clock=clock) as reader:

        def seen(**where: object) -> set[str]:
            found = {hit.memory.text for hit in reader.search("Rita", **where)}  # type: ignore[arg-type]
            assert found == {m.text for m in reader.list(**where)}  # type: ignore[arg-type]
            return found

        assert seen() == set()
        (first,) = writer.add("Rita is vegan.")
        assert seen() == {"Rita is vegan."}
        (second,) = writer.add("Rita has a dog.")
        assert seen() == {"Rita is vegan.", "Rita has a dog."}
        writer.update(first.id, text="Rita eats fish.")
        assert seen() == {"Rita eats fish.", "Rita has a dog."}
        fact = writer.derive("Rita is kind to fish and dogs.", sources=[first.id, second.id], recipe="r")
        assert [m.id for m in reader.list(kinds=["fact"])] == [fact.id]
        assert [hit.memory.id for hit in reader.search("Rita", kinds=["fact"])] == [fact.id]
        writer.delete(fact.id)
        assert reader.search("Rita", kinds=["fact"]).total == 0
        writer.delete(first.id)
        assert seen() == {"Rita has a dog."}
        writer.put("k", {"v": "Rita's cat"}, ttl=60)
        assert seen() == {"Rita has a dog.", "Rita's cat"}
        writer.put("k", {"v": "Rita's parrot"}, ttl=60)
        assert seen() == {"Rita has a dog.", "Rita's parrot"}
        clock.tick(30)
        writer.get_item("k")
        clock.tick(40)
        assert seen() == {"Rita has a dog.", "Rita's parrot"}, "refreshed by the other process"
        clock.tick(60)
        assert seen() == {"Rita has a dog."}
        writer.maintain()
        writer.reindex()
        assert seen() == {"Rita has a dog."}
        writer.delete_all(namespace=("default",))
        assert seen() == set()
        writer.add("Rita is back.")
        assert seen() == {"Rita is back."}


def test_looking_at_the_file_does_not_let_go_of_its_locks(path: Path) -> None:
    other = "import sys; from mnemos import Mnemos; m = Mnemos(sys.argv[1]); m.add('from another'); m.close()"
    before = dict(rawfile._kept)
    with Mnemos(path) as memory, Mnemos(path) as second:
        (added,) = memory.add("to be deleted")
        second.add("kept")
        memory.delete(added.id)
        assert memory.verify_erased("to be deleted").clean
        second.close()
        # were the locks gone, the other process would think itself alone, and take the write-ahead log with it
        subprocess.run([sys.executable, "-c", other, path], check=True)
        assert path.with_name(path.name + "-wal").exists()
        memory.add("acknowledged")
        with Mnemos(path) as third:
            assert [m.text for m in third.list()] == ["kept", "from another", "acknowledged"]
            assert third.check() == []
    assert not path.with_name(path.name + "-wal").exists()
    assert rawfile._kept == before


def test_a_writer_that_takes_too_long_is_reported(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 50)
    with Mnemos(path) as memory, closing(sqlite3.connect(path, isolation_level=None)) as other:
        memory.add("before")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy, match="another process"):
            memory.add("during")
        assert [m.text for m in memory.list()] == ["before"]
        other.execute("ROLLBACK")
        memory.add("after")
        assert [m.text for m in memory.list()] == ["before", "after"]


def test_threads_share_one_memory(memory: Mnemos) -> None:
    failures: list[BaseException] = []

    def work(name: int) -> None:
        try:
            for number in range(25):
                (added,) = memory.add(f"thread {name} says {number}", user_id="all")
                assert memory.search(f"thread {name}", user_id="all").total > 0
                memory.update(added.id, metadata={"n": number})
                memory.put(f"{name}", {"n": f"{number}"}, user_id="all")
                if number % 5 == 0:
                    memory.delete(added.id)
                memory.list(user_id="all", known_at="2030-01-01T00:00:00Z")
                assert memory.get_item(f"{name}", user_id="all") is not None
        except BaseException as error:  # noqa: BLE001 - told to the test
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert memory.list(user_id="all", kinds=["turn"]).total == 6 * 20
    assert memory.check() == []


def test_the_background_thread_does_the_work(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mnemos.maintenance.POLL_SECONDS", 0.01)
    clock = Clock()
    with Mnemos(path, clock=clock, background=True) as memory:
        memory.put("k", "short lived", ttl=1)
        clock.tick(2)
        deadline = time.monotonic() + 30
        while b"short lived" in path.read_bytes() or memory.stats().memories or _rows(path):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert not [thread for thread in threading.enumerate() if thread.name == "mnemos-maintain"]


def _rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as raw:
        return int(raw.execute("SELECT count(*) FROM memories").fetchone()[0])


def test_no_thread_is_started_unasked(memory: Mnemos) -> None:
    before = threading.active_count()
    memory.add("x")
    memory.search("x")
    memory.maintain()
    assert threading.active_count() == before


def test_async_twins(path: Path) -> None:
    async def work() -> None:
        with Mnemos(path) as memory:
            added = await asyncio.gather(*(memory.aadd(f"turn {n}", user_id="ana") for n in range(10)))
            assert len({m.id for (m,) in added}) == 10
            assert (await memory.asearch("turn", user_id="ana", limit=3)).more == 7
            assert (await memory.alist(user_id="ana")).total == 10
            assert (await memory.aget(added[0][0].id)) is not None
            changed = await memory.aupdate(added[0][0].id, text="changed")
            assert changed.text == "changed"
            await memory.aput("k", 1)
            assert (await memory.aget_item("k")) is not None
            assert (await memory.acontext("turn", user_id="ana")).tokens >= 0
            assert len(await memory.ahistory(changed.id)) == 2
            assert (await memory.adelete(changed.id)).ids == (changed.id,)
            assert (await memory.astats(user_id="ana")).memories == 9
            assert await memory.acheck() == []
            with pytest.raises(ValueError, match="blank"):
                await memory.asearch(" ")
        with pytest.raises(StoreError, match="closed"):
            await memory.aadd("late")

    asyncio.run(work())


def test_a_store_that_somebody_makes_just_now_is_not_anothers(path: Path) -> None:
    class Overtaken:
        def __init__(self) -> None:
            self.connection = sqlite3.connect(path)

        def execute(self, statement: str) -> Any:
            found = self.connection.execute(statement).fetchall()
            Mnemos(path).close()
            return SimpleNamespace(fetchone=lambda: found[0])

    overtaken: Any = Overtaken()
    with closing(overtaken.connection):
        database._refuse_foreign(overtaken, path)


def test_every_verb_has_an_async_twin() -> None:
    verbs = [name for name in dir(Mnemos) if callable(getattr(Mnemos, name)) and not name.startswith("_")]
    sync = [name for name in verbs if not (name.startswith("a") and name[1:] in verbs)]
    assert [name for name in sync if f"a{name}" not in verbs] == [
        *("asking", "close", "export_lines", "import_steps", "item_vectors", "transaction")
    ]
