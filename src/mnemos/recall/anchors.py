"""Times named by an event: "before I moved", "after my trip to Rome", "when I lived in Porto"."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Relation = Literal["before", "after", "during"]


class EventAnchor(NamedTuple):
    """An event that a question sets its time by; what it is, the memories must say."""

    relation: Relation
    """Whether the time asked about comes before the event, after it, or is the event's own."""
    event: str
    """The event in the question's words, e.g. `my trip to Rome`."""
    span: tuple[int, int]
    """Where the whole phrase stands, `before` and the like included."""


_RELATIONS: dict[str, Relation] = {"before": "before", "prior to": "before", "until": "before", "till": "before"}
_RELATIONS |= {"after": "after", "since": "after", "once": "after", "as soon as": "after"}
_RELATIONS |= {"when": "during", "while": "during", "during": "during"}

_CUE = re.compile(
    r"(?<![\w'-])(?:(before|until|till|after|since|once|while|during)|(prior\s+to|as\s+soon\s+as)|(when))(?![\w'-])",
    re.IGNORECASE,
)
_END = re.compile(
    r",(?!\d)|[;?!\n()]|[.](?:\s|$)|\s[-–—]+\s|"
    r"\s(?=(?:and\s+)?(?:before|until|after|since|when|while|during|prior\s+to|as\s+soon\s+as|what|which|who|where|"
    r"how|why|did|does|have\s+i|had\s+i|do\s+i|can\s+you)\b)",
    re.IGNORECASE,
)
_AND = re.compile(r"\s+and\s+", re.IGNORECASE)
_ASKING = re.compile(
    r"\s+(?:did|do|does|is|was|were|will|would|can|could|should|shall|has|have|had|are|am|exactly|else|in\s+the)\b",
    re.IGNORECASE,
)
_REASON = re.compile(
    r"\s+(?:i'm|i\s+am|i've|i\s+have|i\s+(?:like|love|need|want|hate|prefer|can't|don't)|you|we're|we\s+are|it's|it\s+is|"
    r"he's|she's|they're|there|then\b)",
    re.IGNORECASE,
)
_VERBS_WITH_AFTER = re.compile(
    r"\b(?:look\w*|tak(?:e|es|en|ing)|took|nam(?:e|ed|ing)|call(?:ed)?|ask\w*|go(?:es|ing)?|went|sought|chas\w+|"
    r"model\w*|tak\w+\s+care)\s+$",
    re.IGNORECASE,
)
_POINTERS = frozenset(
    "that this then it all long now which noon midnight dark dawn hours once again too a the my our to time and or "
    "where how why our chats chat conversations conversation sessions messages".split()
)
_CLOCK = re.compile(r"\d[\d:.]*\s*[ap]\.?m\b|\d[\d:.]*$|noon\b|midnight\b|how\b", re.IGNORECASE)


def find_anchors(text: str) -> list[EventAnchor]:
    """The events that a question sets its time by, in order; clock times are left out, dates are not."""
    anchors: list[EventAnchor] = []
    for cue in _CUE.finditer(text):
        if anchors and cue.start() < anchors[-1].span[1]:
            continue
        if anchor := _read(text, cue):
            anchors.append(anchor)
    return anchors


def _read(text: str, cue: re.Match[str]) -> EventAnchor | None:
    word = " ".join(cue[0].lower().split())
    if not text[cue.end() : cue.end() + 1].isspace() or _is_no_anchor(text, cue, word):
        return None
    stop = _END.search(text, cue.end() + 1)
    end = stop.start() if stop else len(text)
    if text[: cue.start()].rstrip().lower().endswith("between") and (pair := _AND.search(text, cue.end(), end)):
        end = pair.start()
    event = text[cue.end() : end].strip()
    words = re.findall(r"\w+", event.lower())
    if not words or (len(words) < 3 and set(words) <= _POINTERS) or _CLOCK.match(event):
        return None
    start = text.index(event, cue.end())
    return EventAnchor(_RELATIONS[word], event, (cue.start(), start + len(event)))


def _is_no_anchor(text: str, cue: re.Match[str], word: str) -> bool:
    """Whether the cue asks ("when did"), gives a reason ("since I like"), or belongs to a verb ("look after")."""
    if word == "when":
        return _ASKING.match(text, cue.end()) is not None
    if word == "since":
        return _REASON.match(text, cue.end()) is not None
    if word == "after":
        return _VERBS_WITH_AFTER.search(text[max(0, cue.start() - 24) : cue.start()]) is not None
    if word == "once":
        return re.match(r"\s+(?:i|we|he|she|they|my|the|our)\b", text[cue.end() :], re.IGNORECASE) is None
    return False
