"""Mnemos' own export: what is written is read back, and a file that is not whole is refused."""

from __future__ import annotations

import io
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemos.errors import ImportFailed, InvalidInput
from mnemos.io import jsonl
from mnemos.io.jsonl import export_file, read_export
from mnemos.io.source import open_bundle

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ENTRIES = st.lists(
    st.dictionaries(TEXT, st.none() | st.booleans() | st.integers() | TEXT | st.lists(TEXT, max_size=2), max_size=4),
    max_size=5,
)
SAMPLE = [
    {"type": "entry", "text": "My sister Rita is vegan. 🥦", "at": 1},
    {"type": "entry", "text": "line\nbreak \u2028 שלום", "at": 2},
    {"type": "derived", "end": True, "lines": 3},
]


def read(path: Path) -> list[dict[str, Any]]:
    with open_bundle(path) as bundle:
        return list(read_export(bundle, path.name))


@given(ENTRIES)
@settings(max_examples=50, deadline=None)
def test_entries_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, entries: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "property.jsonl"
    report = export_file(entries, path)
    assert read(path) == entries
    assert (report.lines, report.bytes, report.path) == (len(entries), path.stat().st_size, str(path))


def test_a_stream_gets_the_same_bytes_as_a_file(tmp_path: Path) -> None:
    stream = io.BytesIO()
    report = export_file(SAMPLE, stream, namespaces=[("user", "ana")])
    export_file(SAMPLE, tmp_path / "out.jsonl", namespaces=[("user", "ana")])
    assert stream.getvalue() == (tmp_path / "out.jsonl").read_bytes()
    assert (report.lines, report.bytes, report.path) == (3, len(stream.getvalue()), None)
    assert json.loads(stream.getvalue().splitlines()[0])["namespaces"] == [["user", "ana"]]


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    export_file(SAMPLE, path)
    data = path.read_bytes()
    for length in range(1, len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(ImportFailed):
            read(path)


def test_a_file_with_any_byte_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    export_file(SAMPLE, path)
    data = path.read_bytes()
    end = data.rindex(b'"sha256":"') + 74
    for place in range(end):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(ImportFailed):
            read(path)


def test_a_line_left_out_or_added_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    export_file(SAMPLE, path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2] + lines[3:]))
    with pytest.raises(ImportFailed, match="holds 2 entries where its last line counts 3"):
        read(path)
    path.write_bytes(b"".join([*lines, *lines]))
    with pytest.raises(ImportFailed, match="line 5: says that it is the last, but more follows"):
        read(path)


def test_a_newer_format_says_to_update(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text('{"mnemos_export": 2, "mnemos": "9.1.0"}\n{"x": 1}\n{"end": true, "lines": 1, "sha256": ""}\n')
    with pytest.raises(ImportFailed, match=r"written by Mnemos 9\.1\.0 in format 2.*update Mnemos"):
        read(path)


@pytest.mark.parametrize("line", [b"not json", b"[1]", b'{"a":', b"\xff\xfe{}", b"[" * 100_000])
def test_a_line_that_is_no_entry_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(b'{"mnemos_export": 1}\n' + line + b'\n{"end": true, "lines": 1, "sha256": ""}\n')
    with pytest.raises(ImportFailed, match=r"out\.jsonl, line 2"):
        read(path)


def test_progress_is_told_in_bytes(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    export_file(({"n": number} for number in range(5_000)), path)
    told: list[tuple[int, int]] = []
    with open_bundle(path) as bundle:
        assert len(list(read_export(bundle, path.name, lambda *at: told.append(at)))) == 5_000
    assert told[-1] == (path.stat().st_size, path.stat().st_size)
    assert told == sorted(told)


def failing() -> Iterator[dict[str, Any]]:
    yield {"n": 1}
    raise RuntimeError("the store went away")


def test_an_export_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    export_file(SAMPLE, path)
    before = path.read_bytes()
    with pytest.raises(RuntimeError):
        export_file(failing(), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["out.jsonl"]


def test_an_export_is_for_its_owner_only(tmp_path: Path) -> None:
    export_file(SAMPLE, tmp_path / "out.jsonl")
    assert stat.S_IMODE((tmp_path / "out.jsonl").stat().st_mode) == 0o600


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="path: cannot be written"):
        export_file(SAMPLE, tmp_path / "missing" / "out.jsonl")
    (tmp_path / "folder").mkdir()
    with pytest.raises(Exception, match="could not be written"):
        export_file(SAMPLE, tmp_path / "folder")
    assert os.listdir(tmp_path) == ["folder"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space"), open("/dev/full", "wb", buffering=0) as stream:
        export_file(SAMPLE, stream)


def test_it_is_told_apart_from_plain_messages(read: Callable[..., Any], tmp_path: Path) -> None:
    export_file(SAMPLE, tmp_path / "out.jsonl")
    assert read(tmp_path / "out.jsonl").format == jsonl.NAME
