"""Which time a question asks about, and whether it asks for one present value."""

from __future__ import annotations

import re
from enum import Enum


class Tense(Enum):
    """What a question wants to know, as far as time goes."""

    THEN = "then"
    """How something was at an earlier time: what is newer must not outrank what is asked for."""
    VALUE = "value"
    """What something is at present: how many, how much, when, which."""
    WHETHER = "whether"
    """Whether something is so: have I, do we, is my."""
    OPEN = "open"
    """Anything else: a story, an event, a list, advice."""


_then = re.compile(
    r"\bused to\b|\b(?:originally|initially|formerly|previously|at first|in the past|back then|no longer)\b|"
    r"\bhistory of\b|"
    r"\b(?:my|our|your|his|her|their|\w+['’]s) (?:\w+ )?(?:original|initial|previous|former|first|old|earlier|past)\b|"
    r"\b(?:did|was|were|had)\b.*\b(?:before|first|earlier)\b|\bbefore (?:\w+ing|the|i|we|he|she|they|that|it|my|our)\b|"
    r"\b(?:ago|back when)\b|\blast (?:year|month|week|spring|summer|autumn|fall|winter)\b|"
    r"\b(?:in|during|until|since|by|as of|around) (?:\w+ )?(?:19|20)\d\d\b",
    re.IGNORECASE,
)
_past = re.compile(
    r"\b(?:did|was|were|had|mentioned|said|told|between|different|order|summar\w+|changed?|evolved?|developed|"
    r"progress(?:ed)?|over time)\b",
    re.IGNORECASE,
)
_value = re.compile(
    r"\b(?:how (?:many|much|long|far|old|often|tall|big|high)|what|which|when|where|who|whose)\b.*?"
    r"\b(?:is|are|am|do|does|have|has|should|will|can|must)\b|\b(?:what|who|where|when)['’]s\b",
    re.IGNORECASE,
)
_whether = re.compile(r"^\W*(?:have|has|do|does|am|is|are)\b", re.IGNORECASE)
_request = re.compile(
    r"\b(?:can|could|would) (?:you|i|we)\b|\b(?:suggest|recommend)|\bi should\b|\bshould i\b(?! (?:plan|aim))",
    re.IGNORECASE,
)


def tense(question: str) -> Tense:
    """Which time an English question asks about; in other languages it is `OPEN`."""
    if _then.search(question):
        return Tense.THEN
    if _past.search(question):
        return Tense.OPEN
    if _whether.search(question):
        return Tense.WHETHER
    return Tense.VALUE if _value.search(question) and not _request.search(question) else Tense.OPEN
