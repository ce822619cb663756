"""Files that are sent: a form is read alike however it is cut, and what is odd in it is refused."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_multipart.exceptions import FormParserError

from mnemos.errors import InvalidInput
from mnemos.serve.jobs.receiving import FILE, _Form

BOUNDARY = b"--x7"


def form(*parts: tuple[str, str | None, bytes]) -> bytes:
    body = b""
    for name, file, data in parts:
        named = f'; filename="{file}"' if file is not None else ""
        body += b"--" + BOUNDARY + f'\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode()
        body += data + b"\r\n"
    return body + b"--" + BOUNDARY + b"--\r\n"


def read(body: bytes, cuts: Sequence[int] = ()) -> _Form:
    sink = _Form(BOUNDARY)
    places = sorted({cut % (len(body) + 1) for cut in cuts} | {0, len(body)})
    for start, end in pairwise(places):
        sink.take(body[start:end])
    sink.end()
    return sink


@given(
    data=st.binary(max_size=300) | st.lists(st.sampled_from([b"\r\n", b"----x7", b"--", b"\r", b"a"])).map(b"".join),
    cuts=st.lists(st.integers(0, 1000), max_size=20),
)
def test_a_form_is_read_alike_however_it_is_cut(data: bytes, cuts: list[int]) -> None:
    if b"\r\n--" + BOUNDARY in b"\r\n" + data:
        return
    sink = read(form(("user_id", None, "Zoë".encode()), (FILE, "été.txt", data), ("namespace", None, b"a")), cuts)
    assert (sink.name, bytes(sink.waiting)) == ("été.txt", data)
    assert sink.fields == {"user_id": ["Zoë"], "namespace": ["a"]}


@given(st.binary(max_size=200))
def test_whatever_comes_is_a_form_or_refused(body: bytes) -> None:
    try:
        sink = read(body)
    except (FormParserError, InvalidInput):
        return
    assert not sink.waiting or sink.name is not None


@pytest.mark.parametrize("field", ["other", ""])
def test_a_file_under_another_name_is_refused(field: str) -> None:
    with pytest.raises(InvalidInput, match="is a file") as caught:
        read(form((field, "a.txt", b"x")))
    assert caught.value.field == (field or "body")


def test_a_form_that_never_ends_is_refused() -> None:
    with pytest.raises(FormParserError, match="breaks off"):
        read(form((FILE, "a.txt", b"x"))[:-6])
