"""No path leads out of `/memories`, and no two spellings of a path are two files."""

from __future__ import annotations

import posixpath
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mnemos.compat.memory_paths import MAX_DEPTH, MAX_NAME_BYTES, MAX_PATH_BYTES, ROOT, CommandRefused, read_path

OUT = [
    "/memories/..",
    "/memories/../../../etc/passwd",
    "/memories/a/../../b",
    "/memories/./a",
    "/memories/...",
    "/memories/.. /a",
    "/memories/%2e%2e/etc",
    "/memories/%2E%2e%2Fetc",
    "/memories/%252e%252e/etc",
    "/memories/%25252525252525252525252e",
    "/memories/..%2fetc",
    "/memories/a%2fb",
    "/memories/a%5c..%5cb",
    "/memories/a%00b",
    "/memories/%c0%ae%c0%ae/etc",
    "/memories/%c0%afetc",
    "/memories/\uff0e\uff0e/etc",
    "/memories/\u2025/etc",
    "/memories/a\uff0fb",
    "/memories/a\u2100b",
    "/memories/%2e\uff0e/etc",
]


@pytest.mark.parametrize("path", OUT)
def test_what_would_lead_out_is_refused(path: str) -> None:
    with pytest.raises(CommandRefused, match="would escape /memories directory"):
        read_path(path)


@pytest.mark.parametrize("path", ["", "/", "/etc/passwd", "memories/a", "/memoriesx", "/MEMORIES/a", "//memories", "~"])
def test_what_is_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(CommandRefused, match="Path must start with /memories"):
        read_path(path)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/memories/a\\b", "backslash"),
        ("/memories/..\\..\\etc", "backslash"),
        ("/memories/a\x00b", "cannot be seen"),
        ("/memories/a\nb", "cannot be seen"),
        ("/memories/a\u202ecod.exe", "cannot be seen"),
        ("/memories/.\u200b./etc", "cannot be seen"),
        ("/memories/\ud800", "cannot be seen"),
        ("/memories/ a", "begins or ends with a space"),
        ("/memories/a /b", "begins or ends with a space"),
        ("/memories" + "/a" * (MAX_DEPTH + 1), "deeper"),
        ("/memories/" + "é" * 128, "too long"),
        ("/memories" + "/" + "/".join(["a" * 200] * 6), "too long"),
        (None, "must be text"),
        (["/memories/a"], "must be text"),
    ],
)
def test_what_is_no_plain_path_is_refused(path: object, said: str) -> None:
    with pytest.raises(CommandRefused, match=said):
        read_path(path)


def test_a_refusal_quotes_a_path_cut_and_without_what_cannot_be_seen() -> None:
    with pytest.raises(CommandRefused) as refused:
        read_path("/etc/\u202e" + "x" * 5_000)
    assert len(str(refused.value)) < 400
    with pytest.raises(CommandRefused, match=r"a\\u202eb"):
        read_path("/memories/a\u202eb")


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/memories", "/memories"),
        ("/memories/", "/memories"),
        ("/memories/a/", "/memories/a"),
        ("/memories//a///b", "/memories/a/b"),
        ("/memories/cafe\u0301.md", "/memories/café.md"),
        ("/memories/日本語/メモ.md", "/memories/日本語/メモ.md"),
        ("/memories/.hidden/a..b", "/memories/.hidden/a..b"),
        ("/memories/50%decrease 100%.md", "/memories/50%decrease 100%.md"),
        ("/memories/½ ﬁ.md", "/memories/½ ﬁ.md"),
    ],
)
def test_what_a_path_means(path: str, meant: str) -> None:
    assert read_path(path) == meant


pieces = st.sampled_from(
    [
        *("/", "//", ".", "..", "...", "%2e", "%2E", "%252e", "%2f", "%5c", "%00", "%c0%ae", "%", "%zz", "\\"),
        *("\x00", "\n", "\uff0e", "\uff0f", "\u2025", "\u202e", "\u200b", "\ud800", " ", "~", "C:", "file://"),
        *("memories", "/memories", "etc", "passwd", "a", "é", "e\u0301", "℀", "日"),
    ]
)
hostile = st.one_of(st.text(max_size=40), st.lists(pieces, max_size=12).map("".join))


@given(hostile.map(lambda rest: f"{ROOT}/{rest}") | hostile)
@example("/memories/\u0300")
@example("/memories/a/\u0338b")
def test_whatever_is_read_stays_inside_in_its_one_form(path: str) -> None:
    try:
        read = read_path(path)
    except CommandRefused as refused:
        str(refused).encode()
        return
    assert read == ROOT or read.startswith(f"{ROOT}/")
    assert posixpath.normpath(read) == read
    assert posixpath.normpath(unicodedata.normalize("NFKC", read)).startswith(ROOT)
    assert read_path(read) == read
    assert len(read.encode()) <= MAX_PATH_BYTES
    assert all(len(name.encode()) <= MAX_NAME_BYTES for name in read.split("/"))
