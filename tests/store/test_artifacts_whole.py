"""Rows and files agree, whatever is cut off in the middle, taken away, full, or done by two processes at once."""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from artifacttools import MODEL, assert_in_step, block, folder, names, rows
from clock import Clock

from mnemos import Mnemos, MnemosError, NotFound, ReadOnlyStore, StoreFull
from mnemos.embed.static import StaticEmbedder
from mnemos.store import artifact_files
from mnemos.store.artifact_upkeep import sweep
from mnemos.store.checking import Problem

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
KILLS = 20


def fork() -> int:
    """A child with everything imported and loaded already."""
    StaticEmbedder.bundled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def in_child(work: Callable[[], None]) -> str:
    """What went wrong in a child that did some work; empty where nothing did."""
    reading, writing = os.pipe()
    child = fork()
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


def keep_until_killed(path: Path, pipe: int, seed: int) -> None:
    """Keep and delete, and tell of each once it is acknowledged."""
    rng = random.Random(seed)
    with Mnemos(path) as memory:
        while True:
            (one,) = memory.add(f"turn {rng.random()}", user_id="ana")
            content = rng.randbytes(rng.randrange(1, 60_000))
            made = block(memory, [one], content)
            os.write(pipe, f"K {made.id} {made.hash}\n".encode())
            if rng.random() < 0.5:
                os.write(pipe, f"? {made.id} {made.hash}\n".encode())
                memory.delete(one.id)
                os.write(pipe, f"D {made.id} {made.hash}\n".encode())


def test_whole_or_not_there_after_each_of_many_kills(path: Path) -> None:
    rng = random.Random(3)
    with Mnemos(path) as memory:
        memory.add("before")
    kept: dict[str, str] = {}
    gone: set[str] = set()
    for kill in range(KILLS):
        reading, writing = os.pipe()
        child = fork()
        if not child:
            try:
                keep_until_killed(path, writing, kill)
            finally:
                os._exit(1)
        os.close(writing)
        said, enough = b"", rng.randrange(1, 8)
        while said.count(b"\n") < enough:
            said += os.read(reading, 65536)
        time.sleep(rng.uniform(0.0, 0.02))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with open(reading, "rb") as pipe:
            lines = (said + pipe.read()).decode().splitlines(keepends=True)
        for line in (line for line in lines if line.endswith("\n")):
            what, artifact_id, name = line.split()
            if what == "K":
                kept[artifact_id] = name
            else:
                kept.pop(artifact_id, None)
            if what == "D":
                gone.add(artifact_id)
        with Mnemos(path) as memory:
            for one in memory.artifacts.find():
                assert artifact_files.content(memory.artifacts.path(one)) == (one.hash, one.bytes)
    assert kept
    assert gone
    with Mnemos(path) as memory:
        assert {one.id for one in memory.artifacts.find()} >= kept.keys()
        assert not {one.id for one in memory.artifacts.find()} & gone
        for unlocked in Path(f"{path}.d").glob(f".*{artifact_files.NEW}"):
            os.utime(unlocked, (0, 0))
        memory.maintain()
        assert_in_step(memory)
        assert memory.verify_erased("turn that was never told").clean


@pytest.mark.parametrize("moment", ["copied", "publish", "row"])
def test_killed_at_each_step_of_keeping(memory: Mnemos, path: Path, moment: str, tmp_path: Path) -> None:
    (one,) = memory.add("one")
    before = block(memory, [one], b"before")
    (tmp_path / "f").write_bytes(b"never whole")

    def die(*given: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    child = fork()
    if not child:
        with Mnemos(path) as other:
            if moment == "copied":
                artifact_files.os.fsync = die  # type: ignore[attr-defined]
            elif moment == "publish":
                artifact_files.os.replace = die  # type: ignore[attr-defined]
            else:
                artifact_files.sync = die  # type: ignore[assignment]
            other.artifacts.keep("activation", "kv", MODEL, [one], tmp_path / "f")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert memory.artifacts.find() == [before]
    assert len(names(memory)) > 1, "something is left behind"
    assert {problem.table for problem in memory.check()} == {"artifacts"}
    assert not memory.verify_erased("something else").clean
    memory.maintain()
    assert memory.verify_erased("something else").clean
    assert_in_step(memory)
    assert memory.artifacts.find() == [before]


def test_what_is_being_written_is_left_alone(memory: Mnemos, path: Path) -> None:
    (one,) = memory.add("one")
    with Mnemos(path) as other, memory.artifacts.scratch() as place:
        place.write_bytes(b"half")
        assert sweep(other._store.db) == 0
        assert other.check() == []
        assert other.verify_erased("one thing").clean
        other.reindex()
        place.write_bytes(b"whole")
        memory.artifacts.keep("activation", "kv", MODEL, [one], place)
    assert_in_step(memory)


def test_the_file_goes_after_the_row_even_if_the_process_ends_between(memory: Mnemos, path: Path) -> None:
    (one,) = memory.add("My sister Rita is vegan.")
    made = block(memory, [one], b"x")

    def work() -> None:
        artifact_files.remove = lambda *given: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]
        with Mnemos(path) as other:
            other.delete(one.id)

    in_child(work)
    assert memory.get(one.id) is None
    assert rows(path) == []
    assert names(memory) == {made.hash}
    assert memory.verify_erased("My sister Rita is vegan.").stray == (str(folder(memory) / made.hash),)
    assert memory.check() == [], "it is known, and waits"
    memory.add("a write")
    assert names(memory) == set()
    assert memory.verify_erased("My sister Rita is vegan.").clean


def test_check_says_and_reindex_mends(memory: Mnemos, tmp_path: Path) -> None:
    one, two, three, four = memory.add(["one", "two", "three", "four"])
    lost, cut, changed, good = (block(memory, [m], m.text.encode() * 9) for m in (one, two, three, four))
    place = folder(memory)
    (place / lost.hash).unlink()
    (place / cut.hash).write_bytes(b"tw")
    (place / changed.hash).write_bytes(b"eerht" * 9)
    (place / ("0" * 64)).write_bytes(b"nobody's")
    (place / "notes.txt").write_text("somebody else's")
    assert set(memory.check()) == {
        Problem("artifacts", lost.id, "its file is missing or cut short"),
        Problem("artifacts", cut.id, "its file is missing or cut short"),
        Problem("artifacts", changed.id, "its file holds something else than it did"),
        Problem("artifacts", "", f"{'0' * 64} is a file of no artifact"),
    }
    memory.maintain()
    assert memory.artifacts.find() == [good, changed], "maintain reads no file"
    assert names(memory) == {good.hash, changed.hash, "notes.txt"}
    memory.reindex()
    assert memory.artifacts.find() == [good]
    (place / "notes.txt").unlink()
    assert_in_step(memory)


def test_an_artifact_that_quotes_what_none_of_its_memories_says_is_stray(memory: Mnemos) -> None:
    secret = "the password of the harbour"
    one, two = memory.add([secret, "the dog"])
    block(memory, [one], b"ids and " + secret.encode())
    assert memory.verify_erased(secret).clean, "it is that memory's own"
    quoting = block(memory, [two], b"ids and " + secret.encode() + b"!")
    assert memory.verify_erased(secret).stray == (str(folder(memory) / quoting.hash),)
    memory.artifacts.drop([quoting.id])
    with memory.artifacts.scratch() as path:
        path.write_bytes(b"x")
        memory.artifacts.keep("activation", "kv", MODEL, [two], path, metadata={"said": secret})
    assert memory.verify_erased(secret).stray == ("table artifacts",)
    memory.delete(two.id)
    memory.delete(one.id)
    found = memory.verify_erased(secret)
    assert (found.live, found.stray) == ((), ())


def test_a_full_disk_leaves_the_store_as_it_was(memory: Mnemos, path: Path, tmp_path: Path) -> None:
    (one,) = memory.add("one")
    made = block(memory, [one], b"x")
    (tmp_path / "f").write_bytes(bytes(2_000_000))

    def work() -> None:
        with Mnemos(path) as other:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
            with pytest.raises(StoreFull, match="nothing was kept"):
                other.artifacts.keep("activation", "kv", MODEL, [one], tmp_path / "f")
            assert other.artifacts.find() == [made]
            assert_in_step(other)

    assert not in_child(work)
    assert_in_step(memory)


def test_no_room_for_the_row_takes_the_file_back(memory: Mnemos) -> None:
    (one,) = memory.add("one")
    made = block(memory, [one], b"x")
    with memory._store.db.plain() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    with memory.artifacts.scratch() as place:
        place.write_bytes(b"y")
        with pytest.raises(StoreFull):
            memory.artifacts.keep("activation", "kv", MODEL, [one], place, metadata={"long": "x" * 100_000})
    assert memory.artifacts.find() == [made]
    assert_in_step(memory)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can become somebody else")
def test_a_folder_that_cannot_be_written(memory: Mnemos, path: Path, tmp_path: Path) -> None:
    (one,) = memory.add("one")
    made = block(memory, [one], b"x")
    place = folder(memory)
    for level in (tmp_path, *tmp_path.parents):
        if level.stat().st_uid == 0 and "pytest" in str(level):
            level.chmod(0o755)
    tmp_path.chmod(0o777)
    for file in tmp_path.iterdir():
        if file.is_file():
            file.chmod(0o666)
    StaticEmbedder.bundled()
    memory.maintain()

    def work() -> None:
        os.setuid(65534)
        with Mnemos(path) as other:
            with pytest.raises(ReadOnlyStore, match="cannot be written"):
                block(other, [one], b"y")
            assert other.artifacts.find() == [made]
            assert other.delete(one.id).purge == "pending"
            assert other.maintain().purge == "pending"
            assert Problem("artifacts", "", f"{place} cannot be read") in other.check()
            assert other.verify_erased("something").stray == (str(place),)

    said = in_child(work)
    assert not said, said
    assert memory.get(one.id) is None
    assert names(memory) == {made.hash}
    assert memory.maintain().purge == "done"
    assert_in_step(memory)


def keep_and_delete(path: Path, name: str, pipe: Connection) -> None:
    """Keep, share, change and delete; tell what should be left."""
    rng = random.Random(name)
    left = set()
    try:
        with Mnemos(path) as memory:
            for n in range(16):
                (one,) = memory.add(f"{name} {n}", user_id="all")
                # few contents, so that both processes give and take the same files
                made = block(memory, [one], bytes([rng.randrange(3)]) * 1000)
                assert memory.artifacts.path(made).read_bytes()[:1]
                if rng.random() < 0.7:
                    memory.delete(one.id)
                else:
                    left.add(made.id)
                if n % 10 == 0:
                    memory.maintain()
            pipe.send(sorted(left))
    except (MnemosError, AssertionError, OSError):
        pipe.send(traceback.format_exc())


def test_two_processes_give_and_take_the_same_files(path: Path) -> None:
    StaticEmbedder.bundled()
    context = multiprocessing.get_context("fork")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pipes, workers = [], []
        for name in ("left", "right"):
            receiving, sending = context.Pipe(duplex=False)
            worker = context.Process(target=keep_and_delete, args=(path, name, sending))
            worker.start()
            pipes.append(receiving)
            workers.append(worker)
    told = [pipe.recv() for pipe in pipes]
    for worker in workers:
        worker.join()
    assert all(isinstance(ids, list) for ids in told), told
    with Mnemos(path) as memory:
        assert {one.id for one in memory.artifacts.find()} == {artifact_id for ids in told for artifact_id in ids}
        memory.maintain()
        assert_in_step(memory)


def test_another_process_sees_at_once_what_is_gone(memory: Mnemos, path: Path, clock: Clock) -> None:
    (one,) = memory.add("one")
    with Mnemos(path, clock=clock) as other:
        made = block(other, [one], b"x")
        assert memory.artifacts.find() == [made]
        memory.delete(one.id)
        assert other.artifacts.find() == []
        with pytest.raises(NotFound):
            other.artifacts.path(made)
        with pytest.raises(NotFound):
            block(other, [one], b"x")
        assert_in_step(other)
