"""Subject, relation and object of a short statement about others, without a list of relations.

Two statements that differ only in their object are one subject and relation, whatever the relation. So what is sought
is where the object begins: after the verb and the words that belong to it ("is located in the city of …", "plays the
position of …", "was founded by …"). Everything before it is the matter, and the subject is the name in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from mnemos.recall.marks import unmarked

LONGEST = 240
"""Characters; a longer sentence says more than one thing."""
MOST_WORDS = 32

_ARTICLES = frozenset({"the", "a", "an"})
_BE = frozenset({"is", "are", "was", "were", "became", "remains", "becomes"})
_HAVE = frozenset({"has", "have", "had"})
_ADVERBS = frozenset("also now currently still formerly originally previously primarily mainly officially best".split())
_PREPOSITIONS = frozenset("of in at on by to for from with as into under near within against about over".split())
_JOINING = frozenset(
    "and or de la le les du des dos das do di del della el al bin ibn y i e von van der den da zu af &".split()
)
_SMALL = _ARTICLES | _PREPOSITIONS | {*_JOINING}
_NOT_VERBS = frozenset(
    "this as his its us yes was is has less plus thus always perhaps across besides towards whose those these"
    " series species news class address access process press business boss bus cross glass loss dress always".split()
)
_MANY = re.compile(
    r"(?:visited|went|goes|bought|met|saw|wrote|writes|won|ate|made|read|watched|attended|likes?|liked|loves?|loved|"
    r"enjoys?|enjoyed|knows?|knew|hates?|hated|has|had|have|owns?|owned|includes?|included|contains?|contained|"
    r"(?:is|are|was|were) (?:friends? (?:of|with)|interested in|allergic to|afraid of|"
    r"called|known as|one of|part of))\b"
)
_PERSONAL = re.compile(
    r"(?:^|(?:^|(?<= ))(?:[^A-Z\s]\S*|\S+[,;:]) )(?:I|You|We|My|Our|Your)(?=['’]| [a-z])|"
    r"\b(?:i(?=['’]| [a-z])|me|my|mine|we|us|our|ours|you|your|yours|y'all|u)\b(?! [A-Z])"
)
_UNCERTAIN = re.compile(
    r"\b(?:if|would|could|should|might|may|maybe|perhaps|probably|will|shall|can|cannot|must|let's|please|"
    r"do|does|did|not|never|what|whom|why|how|said|says|think|thinks|because|but|when|while)\b|n't\b"
)
_ASKING = frozenset("who what which where when why how whose".split())
_POINTING = frozenset("it this that these those he she they there here what such so then".split())
_word = re.compile(r"\S+")
_end = re.compile(r"[.!]+\s*$")
_proper = re.compile(r"[^\W_]*[A-ZÀ-Þ0-9]|[^\x00-\u024f]")


class Frame(NamedTuple):
    """What a statement says of whom."""

    subject: str
    relation: str
    object: str
    single: bool
    """Whether one object at a time is expected; so for every relation that does not say otherwise."""


def read_frame(text: str) -> Frame | None:
    """The frame of one short declarative statement about others; None for anything else."""
    said = unmarked(text.strip()).strip()
    if not said or len(said) > LONGEST or said[-1] in "?？:;," or "\n" in said:
        return None
    body = _clean_end(said)
    words = _word.findall(body)
    if not 3 <= len(words) <= MOST_WORDS or (_points(words[0]) and not _is_name(words[1])):
        return None
    if words[0] not in {"The", "the", "A", "An", "a", "an"} and (
        words[1] in {"all", "any", "some", "each"} or (words[1] in _ARTICLES and not _is_name("".join(words[2:3])))
    ):
        return None
    lower = " ".join(word for word in words if not word[:1].isupper())
    if _PERSONAL.search(body) or _UNCERTAIN.search(lower) or "; " in body or re.search(r"[.!?] \S", _initials(body)):
        return None
    if words[1] in {"it", "me", "him", "her", "them", "sure", "up"} or re.search(r", [a-z]", body):
        return None
    if words[0].lower() in _ASKING and not _is_name(words[1]):
        return None
    place = _object_start(words)
    if place is None or place[1] >= len(words):
        return None
    verb, start = place
    subject, rest = _subject(words[:verb])
    if not subject:
        return None
    said_of = " ".join(words[verb:start])
    obj = " ".join(words[start:]).strip(" \"'“”‘’")
    if not obj:
        return None
    bare = said_of in _BE and not rest
    if bare and _is_name(obj) and (title := re.match(r"The (\w.*?) of ((?:the )?[A-Z].*)", subject)):
        subject, rest = title[2], [title[1], "of"]
    single = _MANY.match(said_of) is None and not (bare and not _is_name(obj) and not re.search(r"\d", obj))
    return Frame(subject, " ".join([*rest, said_of]), obj, single)


def _points(word: str) -> bool:
    return word.lower().strip("\"'“‘,") in _POINTING


def _clean_end(said: str) -> str:
    """Without the full stop, but with the dot of "Inc." where another one followed it."""
    return said[:-1] if re.search(r"\w\.\.$", said) else _end.sub("", said)


def _initials(text: str) -> str:
    """The text without the dots of initials and titles, which end no sentence."""
    return re.sub(r"\b(?:[A-Z]|Mr|Mrs|Ms|Dr|St|Jr|Sr|Inc|Ltd|Co|Corp|vs|No|Mt|Ft|F\.C|A\.F\.C|\w\.\w)\.", "", text)


def _object_start(words: Sequence[str]) -> tuple[int, int] | None:
    """Where the verb stands and where the object begins, as word numbers."""
    if words[0] in {"The", "the", "A", "An"} and len(words) > 2 and not _is_name(words[1]):
        found = [at for at, word in enumerate(words) if at > 1 and word in _BE]
        for at in reversed(found):
            if _settled(words, at):
                return at, _after_verb(words, at)
    for at in range(1, len(words) - 1):
        if _is_verb(words, at, plural=False):
            return at, _after_verb(words, at)
    for at in range(1, len(words) - 1):
        if _is_verb(words, at, plural=True):
            start = _after_verb(words, at)
            if words[start - 1] == "of" or (start < len(words) and _is_name(words[start])):
                return at, start
    return None


def _settled(words: Sequence[str], at: int) -> bool:
    """Whether the "is" at a place can be the main verb: something follows, and it is not inside "where X is …"."""
    before = words[max(0, at - 8) : at]
    inside = {"where", "which", "that", "who", "whom"} & set(before)
    later = any(word in _BE for word in words[at + 1 :])
    return at + 1 < len(words) and not (inside and later)


def _is_verb(words: Sequence[str], at: int, plural: bool) -> bool:
    """Whether a verb stands here; with `plural`, also a word in -s after a common noun, which may be a plural."""
    word, before, after = words[at], words[at - 1], words[at + 1]
    if word in _BE or word in _HAVE:
        return before.lower() not in _ARTICLES
    if not word.isalpha() or not word.islower() or word in _NOT_VERBS | _SMALL | _ADVERBS or before in _SMALL:
        return False
    if not word.endswith(("s", "ed")) and word not in _IRREGULAR:
        return False
    if word.endswith("s") and not plural and not _is_name(before):
        return False
    return after in _PREPOSITIONS or after in _ARTICLES or _is_name(after) or after[:1].isdigit()


_IRREGULAR = frozenset(
    "went met saw wrote won ate made read ran led held sang taught grew fought sold spoke drew built left".split()
)


def _after_verb(words: Sequence[str], verb: int) -> int:
    """Where the object begins after a verb: past its participle, its preposition, and "the city of"."""
    at = verb + 1
    while at < len(words) - 1 and words[at] in _ADVERBS:
        at += 1
    if words[verb] in _BE | _HAVE and at < len(words) - 1:
        at = _past_participle(words, at)
    if at < len(words) - 1 and words[at] in _PREPOSITIONS:
        at += 1
    return _past_class(words, at)


def _past_participle(words: Sequence[str], at: int) -> int:
    """Past "founded by", "married to", "famous for", "been in": lower-case words up to a preposition."""
    for ahead in range(at, min(at + 3, len(words) - 1)):
        word = words[ahead]
        if word in _PREPOSITIONS:
            return ahead
        if not (word.isalpha() and word.islower()) or word in _ARTICLES:
            return at
    return at


def _past_class(words: Sequence[str], at: int) -> int:
    """Past "the city of", "a citizen of", "the position of": an article and a noun that "of" ties to a name."""
    if at >= len(words) - 2 or words[at] not in _ARTICLES:
        return at
    for ahead in range(at + 1, min(at + 6, len(words) - 1)):
        if words[ahead] == "of" and ahead > at + 1:
            return ahead + 1
        if not words[ahead].replace("-", "").isalpha() or not words[ahead].islower():
            return at
    return at


def _subject(words: Sequence[str]) -> tuple[str, list[str]]:
    """The name that the words before the verb are about, and the words that are left for the relation."""
    if not words:
        return "", []
    owner = next((at for at, word in enumerate(words[:-1]) if word.endswith(("'s", "’s", "s'", "s’"))), None)
    common = words[0].lower() in _ARTICLES and len(words) > 1 and not _is_name(words[1])
    if owner is not None and not common and all(word.islower() for word in words[owner + 1 :]):
        name = " ".join(words[: owner + 1])
        return re.sub(r"['’]s?$", "", name), list(words[owner + 1 :])
    if not common:
        return " ".join(words).strip(" \"'“”‘’"), []
    first = next((at for at in range(1, len(words)) if _is_name(words[at])), None)
    if first is None:
        tied = next((at for at in range(2, len(words) - 1) if words[at] in _PREPOSITIONS), None)
        return (" ".join(words[1:]), []) if tied is None else (" ".join(words[tied + 1 :]), list(words[1 : tied + 1]))
    last = max(at for at in range(first, len(words)) if _is_name(words[at]))
    if first > 1 and words[first - 1] in {"the", "The"} and words[first - 2] in _PREPOSITIONS:
        first -= 1
    return " ".join(words[first : last + 1]).strip(" \"'“”‘’"), [*words[1:first], *words[last + 1 :]]


def _is_name(word: str) -> bool:
    return _proper.match(word.lstrip("\"'“‘(")) is not None
