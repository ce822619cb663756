"""What others wrote, on the console's pages: it is shown as it was written, and never becomes markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from console_pages import EVIL, PAGES, Browser, browsing, words
from hypothesis import given
from hypothesis import strategies as st
from live_server import Serving

from mnemos.records import Hit, Memory
from mnemos.serve.console.bars import whys
from mnemos.serve.console.differ import compare
from mnemos.serve.console.words import excerpt, named, read_named, written

FIELDS = re.compile(r' value="[^"]*"|<textarea.*?</textarea>', re.S)
"""What is sent back as it is."""


def test_nothing_that_was_written_becomes_markup(serving: Serving) -> None:
    with serving.server.tenants.use("default") as memory:
        hostile = (
            EVIL,
            "a\x1b[31m\x07bell",
            "\u2066\u202e turned",
            "x" * 40_000,
            "<" * 3000,
            "<!--",
            "]]>",
            "é" * 5000,
        )
        for text in hostile:
            memory.add(
                {"role": "user", "content": text, "name": EVIL[:60], "happened_at": "2026-01-01T00:00:00Z"},
                namespace=(EVIL, "a/b%2F"),
                session_id=EVIL[:60],
                metadata={EVIL: [EVIL]},
            )
        memory.add(f"My sister <b>Rita</b> is vegan. {EVIL}", namespace=(EVIL, "a/b%2F"))
        changed = memory.list(limit=1, namespace=(EVIL, "a/b%2F"))[0]
        memory.update(changed.id, text=f"{EVIL} and more")
        memory.link(changed.id, memory.list(namespace=(EVIL, "a/b%2F"))[1].id, "<b>")
        memory.maintain()
        ids = [one.id for one in memory.list(namespace=(EVIL, "a/b%2F"))]
    with browsing(serving) as browser:
        paths = [*PAGES, *(f"/ui/memory/{one}" for one in ids), "/ui/graph?who=%3Cscript%3E", "/ui/levels?who=%3Cb%3E"]
        for path in paths:
            shown = browser.get(path)
            assert not re.search(r"<script>|<img|<b>Rita|onerror=alert\(2\)>", shown), path
            assert not re.search(r"[\x1b\x07\u202e\u2066]", FIELDS.sub("", shown)), path
            assert len(shown) < 400_000
        assert "<script>alert(1)</script>" in words(browser.get("/ui?q=alert")).replace("U+202E", "")


def test_hostile_addresses_have_pages(page: Browser) -> None:
    for bad in ("\x00", "%ff%fe", "../../etc/passwd", "a" * 5000, "'; DROP TABLE log;--", "😀", "\u202e"):
        try_everywhere(page, bad)


def try_everywhere(page: Browser, bad: str) -> None:
    for path in ("/ui", "/ui/timeline", "/ui/levels", "/ui/graph", "/ui/forgetting", "/ui/levels/below"):
        for name in ("q", "who", "since", "keep", "ns", "kind", "page", "id", "said", "policy", "trust", "budget"):
            answer = page.client.get(
                path, params={name: bad, **({"q": "a"} if name in ("kind", "since", "trust") else {})}
            )
            assert answer.status_code in (200, 404, 422), (path, name)
            assert "<html" in answer.text
    if "/" not in bad:
        assert page.client.get("/ui/memory/" + bad.replace("\x00", "%00")).status_code in (404, 422)


class Reader(HTMLParser):
    """The text and the tags of a piece of HTML."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.tags = "", set[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags |= {tag, *(name for name, _ in attrs)}

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Cf"))), st.integers(0, 30), st.integers(0, 30))
def test_words_are_read_as_they_were_written(text: str, begin: int, end: int) -> None:
    reader = Reader()
    reader.feed(str(written(text, [(begin, end)])))
    reader.close()
    assert reader.text == re.sub(r"\[secret: ([^\]\n]{1,60})\]", r"\1", text)
    assert reader.tags <= {"mark", "span", "class", "title"}


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_comparison_holds_both_texts(before: str, after: str) -> None:
    pieces = compare(before, after)
    assert "".join(piece.text for piece in pieces if piece.kind != "new") == before
    assert "".join(piece.text for piece in pieces if piece.kind != "gone") == after


@given(
    st.lists(st.text(st.characters(exclude_categories=("Cs",)), min_size=1).filter(str.strip), min_size=1, max_size=4)
)
def test_a_namespace_is_read_as_it_is_written(labels: list[str]) -> None:
    assert read_named(named(tuple(labels))) == tuple(labels)


def test_long_texts_are_cut_in_lists() -> None:
    assert excerpt("a b " * 1000, 20) == "a b a b a b a b a b …"
    assert len(excerpt("x" * 1000, 20)) == 21


def test_long_texts_are_compared_by_lines_and_longer_ones_not_at_all() -> None:
    long = [f"w{number} is\n" for number in range(3000)]
    changed = compare("x " + "".join(long) + "x", "y " + "".join(long).replace("w7 is", "w7 was") + "y")
    assert [piece.text for piece in changed if piece.kind == "gone"] == ["x w0 is\n", "w7 is\n", "x"]
    assert [piece.kind for piece in compare("a\n" * 5000, "b\n" * 5000)] == ["gone", "new"]


def test_what_repeats_is_compared_in_a_moment() -> None:
    assert [piece.kind for piece in compare("a b " * 990, "a c " * 990)] == ["same", "gone", "new", "same"]


def test_bars_share_one_scale() -> None:
    memory = Memory.__new__(Memory)
    hits = [
        Hit(memory, 0.5, {"level": -1.0, "words": 2.0, "session": -1.0}),
        Hit(memory, 0.1, {"level": -1.0, "words": 0.5}),
    ]
    strong, weak = whys(hits)
    assert [(bar.x, bar.width, bar.zero) for bar in strong.bars] == [(33.33, 66.67, 33.33), (0.0, 33.33, 33.33)]
    assert [bar.width for bar in weak.bars] == [16.67]
    assert (strong.base, strong.logit) == ("−1.00", "+0.00")
