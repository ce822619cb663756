"""Read a JSON array of any length element by element, with no more in memory than the element at hand."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple, Protocol

from mnemos.errors import ImportFailed

CHUNK = 1 << 20
MAX_ELEMENT = 1 << 27
"""Characters in one element."""
_SPACE = re.compile(r"[ \t\r\n]*")
_CUT_TOKEN = re.compile(r"(t(ru?)?|f(a(ls?)?)?|n(ul?)?|-|[.eE][+-]?|\\?u?[0-9a-fA-F]{0,4})?\s*")
"""What may stand between an error and the end of what was read when only the end is missing."""


class Text(Protocol):
    """Anything that gives text by the piece."""

    def read(self, size: int, /) -> str:
        """At most `size` characters; nothing at the end."""
        ...


class Element(NamedTuple):
    """One value, and its place counted from one."""

    number: int
    value: Any


class _Window:
    """The part of the text that has been read and not yet used."""

    def __init__(self, text: Text, name: str) -> None:
        self.text = text
        self.name = name
        self.buffer = ""
        self.at = 0
        self.gone = 0
        self.ended = False
        self.element = 0
        self.decode = json.JSONDecoder().raw_decode

    def more(self) -> bool:
        """Drop what was used and read as much again as is left, at least a chunk."""
        if self.ended:
            return False
        self.gone += self.at
        rest = self.buffer[self.at :]
        piece = self.text.read(max(CHUNK, len(rest)))
        self.buffer, self.at = rest + piece, 0
        self.ended = not piece
        return not self.ended

    def next(self) -> str:
        """The next character that is not white space, without using it; empty at the end."""
        while True:
            found = _SPACE.match(self.buffer, self.at)
            self.at = found.end() if found else self.at
            if self.at < len(self.buffer):
                return self.buffer[self.at]
            if not self.more():
                return ""

    def take(self, *allowed: str) -> str:
        """Use the next character, which has to be one of these."""
        char = self.next()
        if char not in allowed or not char:
            raise self.cut_short() if not char else self.invalid(f"expected {' or '.join(allowed)}", self.at)
        self.at += 1
        return char

    def value(self) -> Any:
        """Use the next value."""
        self.next()
        while True:
            try:
                value, end = self.decode(self.buffer, self.at)
            except json.JSONDecodeError as error:
                if not self._is_cut(error):
                    raise self.invalid(error.msg, error.pos) from error
                if not self.more():
                    raise self.cut_short() from error
            except (RecursionError, ValueError) as error:
                raise self.invalid(str(error), self.at) from error
            else:
                # a number may go on in what has not been read yet
                whole = end < len(self.buffer) and self.buffer[end] not in ".eE"
                if whole or not self.more():
                    self.at = end
                    return value
            if len(self.buffer) - self.at > MAX_ELEMENT:
                raise self.invalid(f"one value is longer than {MAX_ELEMENT:,} characters", self.at)

    def _is_cut(self, error: json.JSONDecodeError) -> bool:
        """Whether reading on may mend the error."""
        if error.msg.startswith("Unterminated string") or error.pos >= len(self.buffer) - 1:
            return True
        return _CUT_TOKEN.fullmatch(self.buffer, error.pos) is not None

    def cut_short(self) -> ImportFailed:
        place = f" in the middle of element {self.element}" if self.element else ""
        end = self.gone + len(self.buffer)
        return ImportFailed(f"{self.name}: ends{place} (character {end:,}), so the file is cut short; export it again")

    def invalid(self, problem: str, at: int) -> ImportFailed:
        place = f" in element {self.element}" if self.element else ""
        return ImportFailed(f"{self.name}: not valid JSON at character {self.gone + at + 1:,}{place}: {problem}")


def read_elements(text: Text, name: str, keys: Collection[str] = ()) -> Iterator[Element]:
    """The elements of the array that the text is, or of the array under one of `keys` of the object that it is.

    An object without such a key is itself the one element. Errors name the file, the character and the element.
    """
    window = _Window(text, name)
    first = window.next()
    if first not in ("[", "{") or not first:
        raise window.cut_short() if not first else window.invalid("expected [ or {", window.at)
    if first == "[":
        yield from _array(window)
    elif keys:
        yield from _object(window, keys)
    else:
        window.element = 1
        yield Element(1, window.value())
    if window.next():
        raise window.invalid("text after the end", window.at)


def _array(window: _Window) -> Iterator[Element]:
    window.take("[")
    if window.next() == "]":
        window.take("]")
        return
    number = 0
    while True:
        number += 1
        window.element = number
        yield Element(number, window.value())
        if window.take(",", "]") == "]":
            window.element = 0
            return


def _object(window: _Window, keys: Collection[str]) -> Iterator[Element]:
    window.take("{")
    if window.next() == "}":
        window.take("}")
        return
    while True:
        key = window.value()
        window.take(":")
        if key in keys and window.next() == "[":
            yield from _array(window)
        else:
            window.value()
        if window.take(",", "}") == "}":
            return
