"""How the console writes things: what others wrote is escaped, secrets and sources are marked, times are UTC."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from markupsafe import Markup, escape

from mnemos.records import Namespace

_SECRET = re.compile(r"\[secret: ([^\]\n]{1,60})\]")
_HIDDEN = re.compile("[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of what follows: shown, so that they deceive nobody."""
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")
_WORD = re.compile(r"\w{3,}")
LONGEST = 320
"""Characters of a text in a list."""


def written(text: str, marked: Iterable[tuple[int, int]] = ()) -> Markup:
    """Words of a memory as HTML: escaped, masked secrets and some ranges of characters marked."""
    spans = sorted({(begin, end, "") for begin, end in marked if begin < end} | set(_secrets(text)))
    parts: list[Markup] = []
    at = 0
    for begin, end, secret in spans:
        if begin < at:
            continue
        parts.append(_plain(text[at:begin]))
        if secret:
            parts.append(Markup('<span class="secret" title="masked: {0}">{0}</span>').format(secret))
        else:
            parts.append(Markup("<mark>{}</mark>").format(_plain(text[begin:end])))
        at = end
    return Markup().join([*parts, _plain(text[at:])])


def _secrets(text: str) -> Iterable[tuple[int, int, str]]:
    return ((match.start(), match.end(), match[1]) for match in _SECRET.finditer(text))


def _plain(text: str) -> Markup:
    """Escaped, with what cannot be seen made visible."""
    return Markup(_HIDDEN.sub(lambda hidden: f'<span class="hidden">{_code(hidden)}</span>', escape(text)))


def seen(value: object) -> object:
    """What a template writes, with what cannot be seen made visible; what is HTML already stays as it is."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return _HIDDEN.sub(_code, value)
    return value


def _code(hidden: re.Match[str]) -> str:
    return f"U+{ord(hidden[0]):04X}"


def excerpt(text: str, most: int = LONGEST) -> str:
    """A text on one line, cut at a word."""
    line = " ".join(text.split())
    if len(line) <= most:
        return line
    return line[:most].rpartition(" ")[0][-most:] + " …" if " " in line[:most] else line[:most] + "…"


def quoted_in(text: str, telling: str) -> list[tuple[int, int]]:
    """Where sentences of a text stand that another text repeats word by word."""
    return [(begin, end) for begin, end in _sentences(text) if end - begin > 3 and text[begin:end] in telling]


def day(moment: datetime | None) -> str:
    """A date in UTC; a dash where it is unknown."""
    return "–" if moment is None else moment.astimezone(UTC).date().isoformat()


def clock(moment: datetime | None) -> str:
    """A date and a time in UTC, to the minute."""
    return "–" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def percent(share: float) -> str:
    """A share in per cent; what is next to nothing says so."""
    return "< 1 %" if 0 < share < 0.01 else f"{100 * share:.0f} %"


def size(count: float) -> str:
    """A number of bytes as people read it."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if count >= 10 or unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


def named(namespace: Namespace) -> str:
    """A namespace as one text: labels joined by `/`; `%` and `/` inside them as in addresses."""
    return "/".join(label.replace("%", "%25").replace("/", "%2F") for label in namespace)


def read_named(text: str) -> Namespace:
    """The namespace of such a text; empty labels are left out."""
    labels = (label.replace("%2F", "/").replace("%2f", "/").replace("%25", "%") for label in text.split("/"))
    return tuple(label for label in labels if label.strip())


def telling(text: str, told: str) -> list[tuple[int, int]]:
    """Where the sentence of a text stands that shares most words with what was read from it."""
    wanted = set(_WORD.findall(told.lower()))
    best: list[tuple[int, int]] = []
    most = 0
    for begin, end in _sentences(text):
        shared = len(wanted & set(_WORD.findall(text[begin:end].lower())))
        if shared > most:
            best, most = [(begin, end)], shared
    return best


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    """Where each sentence begins and ends, without the blanks around it."""
    for match in _SENTENCE.finditer(text):
        words = match[0]
        yield match.end() - len(words.lstrip()), match.start() + len(words.rstrip())
