"""Numbers for what a fact is about: equal for words that differ in case, articles, punctuation or simple tense."""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

from mnemos.recall.words import fold, split

_ARTICLES = frozenset({"a", "an", "the", "some"})
_DENIALS = frozenset({"no", "not", "never", "longer"})
"""A denial is about the same matter as what it denies."""
_VERBS = {
    form: verb
    for verb, forms in {
        "be": "am is are was were been being", "have": "has had having", "do": "does did done doing",
        "live": "lived", "move": "moved moving", "work": "worked", "buy": "bought", "go": "goes went gone going",
        "get": "got gotten getting", "leave": "left leaving", "lose": "lost losing", "own": "owned",
        "like": "liked liking", "love": "loved loving", "hate": "hated hating", "study": "studied studies",
        "speak": "spoke spoken", "write": "wrote written writing", "win": "won winning", "run": "ran running",
        "make": "made making", "take": "took taken taking", "give": "gave given giving", "see": "saw seen",
        "teach": "taught", "sing": "sang sung", "play": "played", "marry": "married", "die": "died dies dying",
        "found": "founded", "create": "created", "employ": "employed", "begin": "began begun beginning",
        "keep": "kept", "drive": "drove driven driving", "ride": "rode ridden riding", "eat": "ate eaten",
        "grow": "grew grown", "meet": "met", "sell": "sold", "lead": "led", "hold": "held", "wear": "wore worn",
    }.items()
    for form in (*forms.split(), verb + "s", verb + "ing")
}  # fmt: skip


class Keys(NamedTuple):
    """The hashes under which a fact is found, each a non-negative 63-bit integer."""

    subject: int
    matter: int
    """Subject and relation together."""
    object: int


def keys(subject: str, relation: str, obj: str) -> Keys:
    """The hashes of a fact; the same on every machine and in every run."""
    who, what = plain(subject), plain(relation, verbs=True)
    return Keys(_hash("subject", who), _hash("matter", who, what), _hash("object", plain(obj)))


def subject_key(subject: str) -> int:
    """The hash of a subject alone."""
    return _hash("subject", plain(subject))


def plain(text: str, *, verbs: bool = False) -> str:
    """Words in lower case without articles and punctuation; with `verbs`, of any tense in the same form."""
    words = split(text)
    if verbs:
        words = [_VERBS.get(word, word) for word in words if word not in _DENIALS]
        words = words[1:] if len(words) > 1 and words[0] == "do" else words
    kept = [word for word in words if word not in _ARTICLES]
    return " ".join(kept or words) or fold(text).strip()


def _hash(*parts: str) -> int:
    digest = blake2b("\x1f".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
