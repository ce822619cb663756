"""The sentences of a turn that can stand by themselves: prose only, each on one line, in the speaker's words."""

from __future__ import annotations

import re
from functools import lru_cache

from mnemos.recall.words import fold, split, weight

ALONE = 2
"""Words that say something, from which on a sentence can stand alone; a shorter one takes the next with it."""
LONGEST = 220
"""Characters of a sentence that is shown whole; a longer one is cut at a clause."""

_FENCE = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.S)
_TABLE = re.compile(r"^\s{0,64}\|.*$|^\s{0,64}[-=|+ ]{4,}$", re.M)
_MARK = re.compile(r"^\s{0,64}(?:#{1,6}\s+|>+\s*|[-*•+]\s+|\(?\d{1,2}[.)]\s+|[A-D]\)\s+)", re.M)
_STYLE = re.compile(r"(\*\*|__|`)(?=\S)(.{1,2000}?)(?<=\S)\1")
_LINK = re.compile(r"!?\[([^\]\n]{1,1000})\]\([^)\s]{1,2000}\)|https?://\S+")
_END = re.compile(r"\n+|(?<=[.!?…])[\"'”’)\]]*\s+|(?<=[。！？])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|rd|sr|jr|vs|etc|approx|no|fig|e\.g|i\.e|a\.m|p\.m|jan|feb|mar|apr|jun|jul|aug|sept?|"
    r"oct|nov|dec|fri|sat|sun|mon|tue|wed|thu)|\b[A-Z])\.$",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"(?<=[,;:–—)])\s+")
_SPACE = re.compile(r"\s+")
COMMON = frozenset(
    "a about after again ago all also always am an and another any anything are arent as at away back be because been "
    "before being better big both but by came can cant come could couldnt day days did didnt do does doesnt doing "
    "done dont down each else enough even ever every everyone everything feel few find first for found from full gave "
    "get gets getting give given go goes going gone good got great had half hard has hasnt have havent having he "
    "heard hed help her here hers hes him his how i id if ill im in into is isnt it itd itll its ive just keep kind "
    "knew know last later least left less let lets like little long look looks lot lots made make makes making many "
    "may maybe me mean might mine more most much must my need needs never new next nice no not nothing now of off oh "
    "ok okay old on once one only or other others ought our ours out over own part people per place please point put "
    "quite rather read ready really right said same saw say says see seen sent she shes should shouldnt since so some "
    "someone something soon still stuff such sure take taken tell than thank thanks that thats the their them then "
    "there theres these they theyre theyve thing things think this those though thought three through time times to "
    "today told tomorrow too took top totally try turn two under until up upon us use used very want wants was wasnt "
    "way we week weeks well went were werent weve what whats when where whether which while who whole why will with "
    "wont work works would wouldnt wow write wrote yeah year years yes yet you youd youll your youre yours "
    "youve".split()
)
"""Words that say nothing of what a text is about."""


def prose(text: str) -> str:
    """A text without code, tables, marks of structure and addresses."""
    plain = _TABLE.sub("", _FENCE.sub("\n", text))
    plain = _LINK.sub(lambda found: found[1] or "", _MARK.sub("", plain))
    return _STYLE.sub(r"\2", plain)


def sentences(text: str) -> list[str]:
    """The sentences of a text's prose, in order, short ones with what follows; none where there is no prose."""
    return list(_sentences(text))


@lru_cache(2048)
def _sentences(text: str) -> tuple[str, ...]:
    found: list[str] = []
    plain = prose(text)
    start, joined = 0, False
    for end in [*(match.end() for match in _END.finditer(plain)), len(plain)]:
        part = plain[start:end]
        if end < len(plain) and "\n" not in part and _ABBREVIATION.search(part.rstrip()):
            continue
        start = end
        line = _SPACE.sub(" ", part).strip()
        if not any(letter.isalpha() for letter in line):
            continue
        if found and joined and len(found[-1]) + len(line) < LONGEST and len(content(found[-1])) < ALONE:
            found[-1] += f" {line}"
        else:
            found.append(line)
        joined = "\n" not in part
    return tuple(found)


def shortened(sentence: str, room: int = LONGEST) -> str:
    """A sentence of at most about `room` characters; a longer one ends at a clause, or a word, with "…"."""
    limit = max(20, room * len(sentence) // max(1, weight(sentence)))
    if len(sentence) <= limit:
        return sentence
    ends = [match.start() for match in _CLAUSE.finditer(sentence, limit // 2, limit)]
    end = ends[-1] if ends else sentence.rfind(" ", limit // 2, limit)
    return sentence[: end if end > 0 else limit].rstrip(" ,;:–—") + " …"


def content(text: str) -> list[str]:
    """The words of a text that say what it is about, folded, in order."""
    return [word for word in split(text) if word not in COMMON and (len(word) > 1 or not word.isascii())]


__all__ = ("COMMON", "LONGEST", "content", "fold", "prose", "sentences", "shortened")
