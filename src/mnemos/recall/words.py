"""How a text falls into words, passages and cues, in any script."""

from __future__ import annotations

import re
import unicodedata
from enum import IntFlag
from itertools import pairwise

from mnemos.quoting import OPENING, own_parts

SHORT = 1200
"""A text of at most this weight (about 300 wordpieces) is one passage."""
PASSAGE = 800
"""The weight that a passage of a longer text is filled up to."""

_DENSE = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Scripts that put no space between words, or too few: read by single characters and pairs."""
_dense_run = re.compile(f"[{_DENSE}]+")
_word = re.compile(r"[^\W_]+")
_possessive = re.compile(r"['’]s\b")
_thousands = re.compile(r"(?<=\d),(?=\d{3}\b)")
_cut = re.compile(r"\n\s*\n|\n|(?<=[.!?…])[\"'”’)\]]*\s+|(?<=[。！？])")


class Cue(IntFlag):
    """What kind of thing a passage holds, as far as its surface shows."""

    QUESTION = 1
    NUMBER = 2
    TIME = 4
    NAME = 8
    FIRST_PERSON = 16
    SECOND_PERSON = 32
    GREETING = 64
    REASON = 128
    FEELING = 256
    LIKING = 512
    ADVICE = 1024
    IMAGE = 2048
    LINK = 4096
    INSTRUCTION = 8192
    ASIDE = 16384


_classes: dict[Cue, str] = {
    Cue.NUMBER: "two three four five six seven eight nine ten eleven twelve dozen hundred thousand once twice couple "
    "first second third both half",
    Cue.TIME: "yesterday today tonight tomorrow ago last next week weeks weekend month months year years day days "
    "morning evening monday tuesday wednesday thursday friday saturday sunday january february march april june july "
    "august september october november december since recently",
    Cue.FIRST_PERSON: "i im ive id ill my me we our us mine myself",
    Cue.SECOND_PERSON: "you your u ur yours youre youve",
    Cue.GREETING: "hey hi hello bye thanks thank wow haha hahaha lol ok okay yeah congrats",
    Cue.REASON: "because since cause cuz reason so helps help why",
    Cue.FEELING: "feel feels feeling felt happy sad proud excited nervous scared glad grateful thankful upset stressed "
    "anxious worried relieved amazing awesome",
    Cue.LIKING: "prefer favorite favourite like liked likes enjoy enjoyed enjoys love loved loves hate hated rather "
    "always never whenever",
    Cue.ADVICE: "recommend recommended recommendation recommendations suggest suggested suggestion suggestions should "
    "try tip tips advice",
    Cue.ASIDE: "btw actually speaking",
    Cue.LINK: "http https www",
    Cue.IMAGE: "image photo picture pic",
}
_word_cues: dict[str, int] = {}
for _cue, _members in _classes.items():
    for _member in _members.split():
        _word_cues[_member] = _word_cues.get(_member, 0) | _cue
_name = re.compile(r"[a-z,;:] [A-Z][a-z]{2}")
_instruction = re.compile(
    r"^\W*(?:please )?(?:always|never|whenever)\b|\b(?:always|never) .{3,80}\bwhen(?:ever)? i\b|"
    r"\bi (?:would )?prefer\b",
    re.IGNORECASE,
)


def word_cue(word: str) -> int:
    """The `Cue` bits that a single folded word gives."""
    if not word.isalpha():
        return int(Cue.NUMBER)
    return _word_cues.get(word, 0)


def text_cue(text: str, found: int) -> int:
    """The `Cue` bits that need more than a word, given those of the words."""
    bits = int(Cue.QUESTION) if "?" in text or "？" in text or "؟" in text else 0
    if _name.search(text):
        bits |= Cue.NAME
    if found & Cue.LIKING and _instruction.search(text):
        bits |= Cue.INSTRUCTION
    return bits | Cue.ASIDE if "y the way" in text else bits


def fold(text: str) -> str:
    """Case and accents removed, compatibility forms unified."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFC", "".join(c for c in plain if not unicodedata.combining(c)))


def split(text: str) -> list[str]:
    """The words of a text, folded; characters and pairs of characters where the script has no spaces."""
    plain = fold(text)
    if "'" in plain or "’" in plain:
        plain = _possessive.sub("", plain).replace("'", "").replace("’", "")
    if "," in plain:
        plain = _thousands.sub("", plain)
    if plain.isascii() or not _dense_run.search(plain):
        return _word.findall(plain)
    found = _word.findall(_dense_run.sub(" ", plain))
    for run in _dense_run.findall(plain):
        letters = [c for c in run if c.isalnum()]
        found += letters
        found += [a + b for a, b in pairwise(letters)]
    return found


def weight(text: str) -> int:
    """Length in characters, one of a dense script counting as four: about four times the wordpieces."""
    if text.isascii():
        return len(text)
    return len(text) + 3 * sum(len(run) for run in _dense_run.findall(text))


def passages(text: str) -> list[tuple[int, int]]:
    """Where the passages of a text begin and end: one span for a short text, several for a long one.

    What a text quotes from recall itself is in no passage, unless it says nothing else.
    """
    if OPENING in text:
        parts = own_parts(text)
        if parts and parts != [(0, len(text))]:
            return [(first + a, first + b) for first, last in parts for a, b in passages(text[first:last])]
    total = weight(text)
    if total <= SHORT:
        return [(0, len(text))]
    room = max(1, PASSAGE * len(text) // total)
    spans: list[tuple[int, int]] = []
    start = last = 0
    for end in _ends(text, room):
        if end - start > room:
            spans.append((start, last))
            start = last
        last = end
    spans.append((start, len(text)))
    return spans


def _ends(text: str, room: int) -> list[int]:
    """Ends of sentences and lines, with hard cuts so that no two are more than `room` apart."""
    ends: list[int] = []
    previous = 0
    for end in [*(match.end() for match in _cut.finditer(text)), len(text)]:
        while end - previous > room:
            previous = _space(text, previous, previous + room)
            ends.append(previous)
        if end > previous:
            ends.append(end)
            previous = end
    return ends


def _space(text: str, start: int, stop: int) -> int:
    """The last gap between words before `stop`, or `stop` where there is none."""
    at = max(text.rfind(" ", start + 1, stop), text.rfind("\n", start + 1, stop))
    return at + 1 if at > start else stop
