"""Questions about a fact, made by rules of its relation; and in any case the one that works for every relation."""

from __future__ import annotations

from collections.abc import Iterator

from mnemos.facts.scene import THE_USER, kin_of

_FORMS = {
    "lives in": ("Where does {s} live?", "Where is {s}'s home?"),
    "comes from": ("Where does {s} come from?", "Where is {s} from?"),
    "grew up in": ("Where did {s} grow up?",),
    "was born in": ("Where was {s} born?",),
    "is moving to": ("Where is {s} moving to?",),
    "moved to": ("Where did {s} move to?",),
    "works at": ("Where does {s} work?", "Who does {s} work for?"),
    "works for": ("Who does {s} work for?", "Where does {s} work?"),
    "works as": ("What does {s} do for a living?", "What is {s}'s job?"),
    "studies at": ("Where does {s} study?",),
    "graduated from": ("Where did {s} graduate from?",),
    "went to": ("Where did {s} go?",),
    "visited": ("What did {s} visit?", "Where did {s} go?"),
    "is called": ("What is {s} called?", "What is {s}'s name?"),
    "is married to": ("Who is {s} married to?",),
    "is dating": ("Who is {s} dating?",),
    "met": ("Who did {s} meet?",),
    "has": ("What does {s} have?",),
    "is": ("What is {s}?",),
}
"""What is asked of relations that have a question of their own."""
_PAST = {"bought": "buy", "got": "get", "lost": "lose", "won": "win", "sold": "sell", "gave": "give", "took": "take"}
_BE = ("is", "was", "are", "were")
_MINE = (("{s}'s", "my"), ("does {s}", "do I"), ("did {s}", "did I"), ("is {s}", "am I"), ("was {s}", "was I"))


def questions(subject: str, relation: str, times: int = 4) -> list[str]:
    """Questions to which the object is the answer, the best first, at most so many.

    `Ana`, `lives in` gives `Where does Ana live?`, `Where is Ana's home?`, `Ana lives in what?`.
    """
    mine = _of_myself(relation) if subject == THE_USER else None
    return list(dict.fromkeys([*([mine] if mine else []), *_asked(subject, relation)]))[:times]


def who_question(relation: str, object: str) -> str | None:
    """The question to which the subject is the answer; None where it would not be asked of a person."""
    first = relation.partition(" ")[0]
    if relation == "is" or relation.endswith(" is") or not (first in _BE or _plain_verb(first)):
        return None
    return f"Who {relation} {object}?"


def _asked(subject: str, relation: str) -> Iterator[str]:
    for form in _FORMS.get(relation, ()):
        yield form.format(s=subject)
    yield from _by_shape(subject, relation)
    yield f"{subject} {relation} what?"


def _by_shape(subject: str, relation: str) -> Iterator[str]:
    """Questions made of how a relation is put together."""
    first, _, rest = relation.partition(" ")
    head, _, last = relation.rpartition(" ")
    if relation in _FORMS or not relation:
        return
    if head and last == "is":
        word = "Who" if kin_of(relation) else "What"
        yield f"{word} is {subject}'s {head}?"
        yield f"What do you know about {subject}'s {head}?"
    elif first in _BE and rest:
        yield f"What {first} {subject} {rest}?"
    elif first in _PAST:
        yield " ".join(f"What did {subject} {_PAST[first]} {rest}".split()) + "?"
    elif first.endswith("ed"):
        return
    elif (verb := _plain_verb(first)) is not None:
        yield " ".join(f"What does {subject} {verb} {rest}".split()) + "?"


def _plain_verb(word: str) -> str | None:
    """A verb of the third person without its ending; None where it has none."""
    if word == "does" or not word.isalpha():
        return None
    for ending, plain in (("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("shes", "sh"), ("goes", "go")):
        if word.endswith(ending) and len(word) > len(ending) + 1 - (ending == "goes"):
            return word.removesuffix(ending) + plain
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 2 else None


def _of_myself(relation: str) -> str | None:
    """How the user asks about themselves, where there is a form to ask in."""
    form = next(iter([*_FORMS.get(relation, ()), *_by_shape("{s}", relation)]), None)
    for theirs, own in _MINE:
        form = form and form.replace(theirs, own)
    return None if form is None or "{s}" in form else form
