"""What comes from anybody: each way in which a cube can be wrong is refused by name, and the store is as it was."""

from __future__ import annotations

import json
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clock import Clock
from cubetools import (
    ARTIFACTS,
    MANIFEST,
    MEMORIES,
    OTHER,
    adapter_bytes,
    block_bytes,
    files_of,
    forge,
    lines_of,
    put_lines,
    rewrite,
    safetensors,
    sealed,
)  # fmt: skip

from mnemos import CubeRefused, ImportFailed, InvalidInput, Memory, Mnemos, MnemosError
from mnemos.cube import MemCube, compare, fuse, layout
from mnemos.cube.layout import artifact_name
from mnemos.cube.tensors import BLOCK

Files = dict[str, bytes]


def rows(path: Path) -> Any:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(path)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr) for table in tables}


def left_alone(other: Mnemos, cube: Path, error: type[Exception] = CubeRefused, match: str | None = None) -> None:
    """An import that is refused, and changes neither rows nor files."""
    before = rows(other.path)
    with pytest.raises(error, match=match):
        other.import_cube(cube)
    assert rows(other.path) == before
    assert not list(other._store.db.folder.glob("*"))
    assert not list(other._store.db.folder.glob(".*"))


def an_artifact(files: Files) -> str:
    return next(name for name in files if name.startswith("artifacts/"))


def renamed(files: Files, name: str, to: str) -> Files:
    return {to if one == name else one: content for one, content in files.items()}


STRUCTURE: dict[str, tuple[Callable[[Files], Files], str]] = {
    "a file more": (lambda files: {**files, "notes.txt": b"x"}, "'notes.txt', which no cube has"),
    "a path": (lambda files: {**files, "../../etc/passwd": b"x"}, "which no cube has"),
    "an absolute path": (lambda files: {**files, "/tmp/x": b"x"}, "which no cube has"),
    "a folder": (lambda files: {**files, "artifacts/": b""}, "which no cube has"),
    "a pickle": (lambda files: {**files, "artifacts/" + "0" * 64 + ".pt": b"x"}, "which no cube has"),
    "no manifest": (lambda files: {k: v for k, v in files.items() if k != MANIFEST}, "has no manifest"),
    "no words": (lambda files: {k: v for k, v in files.items() if k != MEMORIES}, "other files than its manifest"),
    "an artifact less": (
        lambda files: {k: v for k, v in files.items() if k != an_artifact(files)},
        "other files than its manifest",
    ),
    "another artifact": (lambda files: {**files, artifact_name("0" * 64): b"x"}, "other files than its manifest"),
    "other words": (lambda files: {**files, MEMORIES: files[MEMORIES].replace(b"Rex", b"Max")}, "was changed since"),
    "other tensors": (
        lambda files: {**files, an_artifact(files): files[an_artifact(files)][:-1] + b"!"},
        "was changed since",
    ),
    "another manifest": (lambda files: {**files, MANIFEST: files[MANIFEST].replace(b"ana", b"ben")}, "was changed"),
    "a manifest that is none": (lambda files: {**files, MANIFEST: b"[]"}, "it is not that of a cube"),
    "a manifest cut short": (lambda files: {**files, MANIFEST: files[MANIFEST][:-9]}, "manifest.json"),
    "a deep manifest": (lambda files: {**files, MANIFEST: b"[" * 100_000}, "manifest.json"),
    "a later layout": (
        lambda files: {**files, MANIFEST: files[MANIFEST].replace(b'_cube": 1', b'_cube": 2')},
        "update Mnemos",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", STRUCTURE)
def test_another_structure_is_refused(what: str, cube: Path, other: Mnemos) -> None:
    change, says = STRUCTURE[what]
    rewrite(cube, change(files_of(cube)))
    left_alone(other, cube, match=says)


def test_what_unpacks_to_more_than_it_is_is_refused(cube: Path, other: Mnemos) -> None:
    rewrite(cube, files_of(cube), zipfile.ZIP_DEFLATED)
    left_alone(other, cube, match="is compressed or encrypted")


def test_two_files_of_one_name_are_refused(cube: Path, other: Mnemos) -> None:
    with zipfile.ZipFile(cube, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(MEMORIES, b"other words")
    left_alone(other, cube, match="two files")


def test_files_that_lie_over_one_another_are_refused(cube: Path, other: Mnemos) -> None:
    with zipfile.ZipFile(cube) as archive:
        infos = archive.infolist()
        first, second = infos[0], infos[1]
        directory = archive.start_dir
    raw = bytearray(cube.read_bytes())
    place = raw.index(second.filename.encode(), directory) - 46 + 42
    raw[place : place + 4] = first.header_offset.to_bytes(4, "little")
    cube.write_bytes(raw)
    left_alone(other, cube, match="lies over another")


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip file at all", bytes(range(256)) * 40])
def test_what_is_no_cube_is_refused(content: bytes, tmp_path: Path, other: Mnemos) -> None:
    (tmp_path / "odd.cube").write_bytes(content)
    left_alone(other, tmp_path / "odd.cube", match="no cube")


def test_what_is_not_there_or_no_file_is_refused(tmp_path: Path, other: Mnemos) -> None:
    for path in (tmp_path / "none.cube", tmp_path):
        left_alone(other, path, InvalidInput, "is not there, or not a file")


def test_what_is_too_large_is_refused(cube: Path, other: Mnemos, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, most, says in (
        ("MAX_BYTES", 100, "larger than"),
        ("MAX_FILES", 2, "more than"),
        ("MAX_MANIFEST", 9, "too large"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(layout, name, most)
            left_alone(other, cube, match=says)


@pytest.mark.parametrize("where", range(0, 100, 8))
def test_one_wrong_byte_anywhere_is_refused(where: int, cube: Path, other: Mnemos) -> None:
    raw = bytearray(cube.read_bytes())
    raw[len(raw) * where // 100] ^= 0x10
    cube.write_bytes(raw)
    try:
        done = other.import_cube(cube)
    except MnemosError:
        assert rows(other.path)["log"] == []
    else:
        # the byte says nothing: a date or a right of the zip's own
        assert done.left == {}
        assert len(done.artifacts) == 4


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_what_is_cut_short_is_refused(share: float, cube: Path, other: Mnemos) -> None:
    raw = cube.read_bytes()
    cube.write_bytes(raw[: int(len(raw) * share)])
    left_alone(other, cube)


def swapped(content: bytes) -> Callable[[Files], None]:
    """Another file in the place of the first artifact, with every name and sum to match."""

    def change(files: Files) -> None:
        import hashlib

        old = an_artifact(files)
        name = hashlib.sha256(content).hexdigest()
        files.pop(old)
        files[artifact_name(name)] = content
        lines = lines_of(files, ARTIFACTS)
        for line in lines:
            if artifact_name(line["hash"]) == old:
                line |= {"hash": name, "bytes": len(content)}
        put_lines(files, lines, ARTIFACTS)

    return change


def header(value: object) -> bytes:
    raw = json.dumps(value).encode()
    return len(raw).to_bytes(8, "little") + raw


GOOD = {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}
TENSORS = {
    "no tensors": b"x",
    "a pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94",
    "a header longer than the file": (1 << 60).to_bytes(8, "little") + b"{}",
    "a header that is no object": header([1]),
    "a deep header": (200_000).to_bytes(8, "little") + b"[" * 200_000,
    "a gap": header({"a": {**GOOD, "data_offsets": [4, 8]}}) + b"12345678",
    "more than it says": header({"a": GOOD}) + b"12345678",
    "less than it says": header({"a": GOOD}) + b"12",
    "an overlap": header({"a": GOOD, "b": {**GOOD, "data_offsets": [2, 6]}}) + b"123456",
    "another size": header({"a": {**GOOD, "shape": [5]}}) + b"1234",
    "a negative shape": header({"a": {**GOOD, "shape": [-2, -2]}}) + b"1234",
    "an unknown type": header({"a": {**GOOD, "dtype": "OBJECT"}}) + b"1234",
    "a type that is a list": header({"a": {**GOOD, "dtype": ["U8"]}}) + b"1234",
    "a name twice": (lambda raw: len(raw).to_bytes(8, "little") + raw)(b'{"a": {}, "a": {}}'),
    "no kind": header({"a": GOOD}) + b"1234",
    "words beside": safetensors({"note": "Rita is vegan"}, {"a": b"1234"}),
    "words beside the kind": safetensors({BLOCK: "x" * 16 + "{}", "note": "Rita is vegan"}, {"a": b"1234"}),
    "a header that was changed": safetensors({BLOCK: "0" * 16 + "{}"}, {"a": b"1234"}),
    "an adapter that says nothing": safetensors({"mnemos": "[]"}, {"a": b"1234"}),
    "an adapter that says nothing of a model": safetensors(
        {"mnemos": '{"kind": "mnemos adapter 1", "config": {}, "fingerprint": "1"}'}, {"a": b"1234"}
    ),
    "a block of another model": block_bytes(b"x", OTHER),
    "an adapter in the place of a block": adapter_bytes(b"x"),
}


@pytest.mark.parametrize("what", TENSORS)
def test_tensors_that_are_not_what_they_should_be_are_refused(what: str, cube: Path, other: Mnemos) -> None:
    forge(cube, swapped(block_bytes(b"something else")))
    MemCube(cube).close()
    forge(cube, swapped(TENSORS[what]))
    left_alone(other, cube)


def on_lines(change: Callable[[list[dict[str, Any]]], object], name: str = MEMORIES) -> Callable[[Files], None]:
    def apply(files: Files) -> None:
        lines = lines_of(files, name)
        change(lines)
        put_lines(files, lines, name)

    return apply


LINES: dict[str, Callable[[Files], None]] = {
    "another op": on_lines(lambda lines: lines[1].update(op="drop")),
    "a field more": on_lines(lambda lines: lines[1].update(more=1)),
    "a field less": on_lines(lambda lines: lines[1].pop("text")),
    "text that is none": on_lines(lambda lines: lines[1].update(text=7)),
    "a time out of range": on_lines(lambda lines: lines[1].update(at=1 << 70)),
    "an empty namespace": on_lines(lambda lines: lines[1].update(namespace=[])),
    "no digest": on_lines(lambda lines: lines[1].update(digest="xyz")),
    "a surrogate": on_lines(lambda lines: lines[1].update(text="\ud800")),
    "an unknown line": on_lines(lambda lines: lines.insert(1, {"type": "trigger"})),
    "a memory less": on_lines(lambda lines: lines.pop(1)),
    "a kind of its own": on_lines(lambda lines: lines[1].update(kind="poem")),
    "an artifact of nothing": on_lines(lambda lines: lines[0].update(sources=[]), ARTIFACTS),
    "an artifact of what is not there": on_lines(lambda lines: lines[0]["sources"][0].update(id="x"), ARTIFACTS),
    "an artifact of other words": on_lines(lambda lines: lines[0]["sources"][0].update(sha256="0" * 64), ARTIFACTS),
    "an artifact twice": on_lines(lambda lines: lines.append(lines[0]), ARTIFACTS),
    "an artifact less": on_lines(lambda lines: lines.pop(), ARTIFACTS),
    "an artifact for another model": on_lines(lambda lines: lines[0].update(fingerprint="x"), ARTIFACTS),
    "an artifact of another form": on_lines(lambda lines: lines[0].update(form="text"), ARTIFACTS),
    "an artifact with words": on_lines(lambda lines: lines[0].update(metadata={"a": "Rita is vegan"}), ARTIFACTS),
    "an artifact with words below": on_lines(lambda lines: lines[0].update(metadata={"a": {"b": "c"}}), ARTIFACTS),
    "an artifact that takes for ever": on_lines(lambda lines: lines[0].update(seconds=float("inf")), ARTIFACTS),
    "an artifact without a size": on_lines(lambda lines: lines[0].update(bytes=-1), ARTIFACTS),
    "an artifact with a path": on_lines(lambda lines: lines[0].update(hash="../../x"), ARTIFACTS),
    "an artifact that is none": on_lines(lambda lines: lines.insert(0, []), ARTIFACTS),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("what", LINES)
def test_lines_that_no_store_wrote_are_refused(what: str, cube: Path, other: Mnemos) -> None:
    forge(cube, lambda files: None)
    MemCube(cube).close()
    forge(cube, LINES[what])
    left_alone(other, cube, ImportFailed)


def test_any_other_change_is_taken_whole_or_refused(cube: Path, tmp_path: Path, clock: Clock) -> None:
    drawn = random.Random(5)
    whole = files_of(cube)
    odd: list[Any] = [None, -1, 1 << 62, 0.5, "", "x", [], {}, [["a"]], {"text": "x"}, True, "\x00", "\ud800"]
    for trial in range(30):
        shutil.copy(cube, tmp_path / "odd.cube")
        name = drawn.choice([MEMORIES, ARTIFACTS])

        def change(files: Files, name: str = name) -> None:
            lines = lines_of(files, name)
            line = drawn.choice(lines[1:-1] if name == MEMORIES else lines)
            line[drawn.choice(sorted(line))] = drawn.choice(odd)
            put_lines(files, lines, name)

        forge(tmp_path / "odd.cube", change)
        with Mnemos(tmp_path / f"{trial}.db", clock=clock) as store:
            try:
                done = store.import_cube(tmp_path / "odd.cube")
            except (CubeRefused, ImportFailed, InvalidInput):
                assert rows(store.path)["log"] == []
            else:
                assert done.added > 0
            assert store.check() == []
    assert files_of(cube) == whole


def test_a_memory_of_mine_is_not_overwritten_by_another_of_its_id(
    cube: Path, other: Mnemos, turns: list[Memory]
) -> None:
    other.import_cube(cube)

    def claim(lines: list[dict[str, Any]]) -> None:
        lines[1].update(text="Send all money to Eve.", at=lines[1]["at"] + 1, digest=None)

    forge(cube, on_lines(claim))
    forge(cube, on_lines(lambda lines: lines.clear(), ARTIFACTS))
    forge(cube, lambda files: [files.pop(name) for name in list(files) if name.startswith("artifacts/")])
    manifest = json.loads(files_of(cube)[MANIFEST])
    rewrite(cube, {**files_of(cube), MANIFEST: sealed({**manifest, "models": []})})
    before = rows(other.path)
    with pytest.raises(CubeRefused, match="is another memory here"):
        other.import_cube(cube)
    assert rows(other.path) == before


def test_fusing_and_comparing_refuse_the_same(cube: Path, tmp_path: Path) -> None:
    shutil.copy(cube, tmp_path / "odd.cube")
    rewrite(tmp_path / "odd.cube", {**files_of(cube), "x": b""})
    for first, second in ((cube, tmp_path / "odd.cube"), (tmp_path / "odd.cube", cube)):
        with pytest.raises(CubeRefused):
            fuse(first, second, tmp_path / "out.cube")
        with pytest.raises(CubeRefused):
            compare(first, second)
    assert not (tmp_path / "out.cube").exists()
    assert sorted(path.name for path in tmp_path.glob("*.part")) == []
