"""One sentence under the rules: who is meant, whether it is asserted, what the object is, and when it was."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from mnemos.facts.dates import LEADING, Moment, moments
from mnemos.facts.objects import acceptable, completed, tidy
from mnemos.facts.rule import Rule
from mnemos.facts.scene import Scene
from mnemos.facts.sentences import Sentence
from mnemos.facts.statement import Statement
from mnemos.facts.triggers import Triggers
from mnemos.facts.vocabulary import ADVERB, ONE_ONLY
from mnemos.times import to_micros

OF_PERSONS = frozenset(
    {
        "lives in", "works at", "works as", "is allergic to", "diet is", "age is", "is moving to", "marital status is",
        "was born in", "comes from", "is married to", "is dating", "had a child", "grew up in", "studies at",
    }
)  # fmt: skip
"""Relations that only persons have: any name can be their subject."""
NEAR = 45
"""Characters between what is said and a time that goes with it."""

_unreal = re.compile(r"\b(?:if|unless|imagine|suppose|supposing|pretend|pretending|wish|wished)\b", re.IGNORECASE)
_doubtful = re.compile(
    r"\b(?:whether|would|could|might|maybe|perhaps|says?|saying|said|told|tells|asks?|asked|thinks?|thought|guess|"
    r"dream(?:t|ed|s)?|hopes?|hoping|wants?|wanted|wonder|wondering|when|once|until|before|after|as though|like if|"
    r"in case|example|e\.g|let's say|joke|story|character|lyrics|song goes|not sure|what|how|why|who|whose|claims?|"
    r"believes?|apparently|supposedly|rumou?r)\b|i'd\b",
    re.IGNORECASE,
)
_denied = re.compile(
    r"\b(?:just kidding|jk|kidding|not really|i wish|in my dreams|yeah right|as if|/s)\b", re.IGNORECASE
)
_clause = re.compile(r"[,;:.]|\b(?:but|so)\b| - |—|\band (?=i\b)", re.IGNORECASE)
_owned = re.compile(r"^(?:their|our|my) (?=\w)", re.IGNORECASE)
_FIRST = frozenset({"i", "we", "he", "she"})
_BEFORE = frozenset(
    "and but so because cause 'cause cuz since also then now plus or yeah yes well oh hey honestly actually though "
    "although while as know lately recently currently personally ok okay again today tonight yesterday think course "
    "btw way believe guess just still always lol haha yep sure right anyway too general before summer winter "
    "spring".split()
)
"""Words after which a clause can begin with "I"."""
_WITH = frozenset("of with to for from like than by at about on in as the a an my our his her their that".split())
"""Words after which a name is no subject."""
_base = re.compile(
    rf"{ADVERB} (?:like|love|enjoy|live|work|have|hate|prefer|own|drive|play|speak|study|"
    rf"take|adore|make|earn|go|plan|"
    r"eat|dislike|intend|come|'ve)\b",
    re.IGNORECASE,
)
_breaks = re.compile(r"[.;:!?]|\b(?:and|but|so|because|which|who|when|while|if|i|we|he|she|it)\b", re.IGNORECASE)
_ARTICLES = frozenset({"the", "a", "an"})
_BOUNDS = frozenset({"by", "until", "till", "before", "after", "from", "of"})


class Reading:
    """One sentence of a turn."""

    def __init__(self, scene: Scene, sentence: Sentence) -> None:
        self._scene = scene
        self._sentence = sentence
        self._text = sentence.text

    def statements(self, rules: Triggers) -> Iterator[Statement]:
        """What the sentence says, rule by rule."""
        if _denied.search(self._text):
            return
        speaker = self._scene.speaker
        for name, kin in self._scene.meet(self._text):
            yield self._made(f"{name} is {speaker}'s {kin}", speaker, f"{kin} is", name, single=kin in ONE_ONLY)
        for rule in rules.fitting(self._text):
            for match in rule.pattern.finditer(self._text):
                if statement := self._read(rule, match):
                    yield statement

    def _read(self, rule: Rule, match: re.Match[str]) -> Statement | None:
        groups = _groups(match)
        subject = self._subject(rule, match, groups.get("s", "i"))
        if subject is None or not self._is_asserted(rule, match):
            return None
        moment, obj = self._moment(rule, match, groups["o"])
        found = completed(obj, self._text, self._end(match), rule.takes, dated=moment is not None)
        if found is None:
            return None
        groups["o"] = found = tidy(self._without_name(found))
        groups["dated"] = "yes" if moment else ""
        groups["planned"] = "yes" if moment and moment.start > self._now else ""
        if not acceptable(found, rule.takes) or (rule.check is not None and not rule.check(groups)):
            return None
        named = {name: _owned.sub("", tidy(value)) for name, value in groups.items() if name not in {"s", "o", "verb"}}
        named["verb"] = verb = " ".join(groups["verb"].lower().split())
        named["verbs"] = verb + ("es" if verb.endswith(("ch", "sh", "s", "x", "o")) else "s")
        if any(name in named and not acceptable(named[name], "what") for name in ("what", "of", "old", "thing")):
            return None
        text = rule.say.format(s=subject, o=found, **named)
        if groups.get("s", "").lower() == "we" and rule.relation.startswith("number of"):
            text = text.replace(f"{subject} has", f"{subject} and others have", 1)
        if moment and rule.when != "none":
            text = f"{text} {_when(rule, moment)}"
        return self._made(
            text,
            subject,
            rule.relation.format(**named),
            found,
            single=rule.single and not self._is_one_of_many(subject),
            valid_at=moment.start if moment and rule.when in {"at", "since"} else None,
            invalid_at=moment.start if moment and rule.when == "until" else None,
            negated=rule.negated,
        )

    def _subject(self, rule: Rule, match: re.Match[str], said: str) -> str | None:
        """Who is meant, where the verb's subject stands here, and not the end of "the book that I"."""
        if match.groupdict().get("s"):
            before = self._text[: match.start("s")].rstrip()
            last = before.rpartition(" ")[2].lower()
            if said.lower() not in _FIRST and _base.match(self._text, match.end("s")):
                return None
            if before and before[-1] not in ',;:.!?—–()-"' and last not in _BEFORE:
                owned = said.lower() in _FIRST or said.lower().startswith(("my ", "our "))
                if last in _WITH if not owned else all(time.span[1] != len(before) for time in self._moments):
                    return None
        return self._scene.who(said, certain=rule.relation in OF_PERSONS)

    def _is_one_of_many(self, subject: str) -> bool:
        """Whether a subject is "Ana's friend", who may be another one each time."""
        owner = f"{self._scene.speaker}'s "
        return subject.startswith(owner) and subject.removeprefix(owner) not in ONE_ONLY

    def _is_asserted(self, rule: Rule, match: re.Match[str]) -> bool:
        before = self._text[: match.start()]
        if rule.after is not None and not rule.after.search(self._scene.last):
            return False
        return not (_unreal.search(before) or _doubtful.search(_clause.split(before)[-1]))

    def _moment(self, rule: Rule, match: re.Match[str], obj: str) -> tuple[Moment | None, str]:
        """The time that goes with a match, and the object without it."""
        if rule.when == "none" and rule.takes == "any":
            return None, obj
        start, end = self._start(match), self._end(match)
        found = leading = None
        for time in self._moments:
            bound = self._text[: time.span[0]].rstrip().rpartition(" ")[2].lower()
            if bound in _ARTICLES and self._text[slice(*time.span)].isdigit():
                continue
            if bound in _BOUNDS and not (bound == "from" and rule.when == "since"):
                if bound != "by" or not rule.relation.startswith("plans"):
                    continue
                time = time._replace(words="by " + time.words.partition(" ")[2])
            if time.span[0] >= end:
                if time.span[0] - end <= NEAR and not _breaks.search(self._text[end : time.span[0]]):
                    found = found or time
            elif time.span[0] > start:
                obj = LEADING.sub("", self._text[start : time.span[0]]).strip(" ,")
                found = time
            elif time.span[1] <= match.start() <= time.span[1] + 4 and rule.when == "at":
                before = LEADING.sub("", self._text[: time.span[0]]).rstrip()
                leading = time if not before or before[-1] in ".,;!" or before.split()[-1].lower() in _BEFORE else None
        if found is None and leading is None and rule.after is not None:
            earlier = moments(self._scene.last, self._scene.happened_at)
            leading = earlier[0] if len(earlier) == 1 else None
        return found or leading, obj

    @cached_property
    def _moments(self) -> list[Moment]:
        return moments(self._text, self._scene.happened_at)

    @property
    def _now(self) -> int:
        return to_micros(self._scene.happened_at) if self._scene.happened_at else 0

    def _start(self, match: re.Match[str]) -> int:
        return match.start(_object_group(match))

    def _end(self, match: re.Match[str]) -> int:
        return match.end(_object_group(match))

    def _without_name(self, obj: str) -> str:
        """Without the name of whom the turn speaks to, where it stands last."""
        rest, _, last = obj.rpartition(" ")
        return rest if rest and last in self._scene.names else obj

    def _made(self, text: str, subject: str, relation: str, obj: str, **more: Any) -> Statement:
        said = " ".join(text.split())
        start, end = self._sentence.start, self._sentence.end
        return Statement(said[:1].upper() + said[1:], subject, relation, obj, start=start, end=end, **more)


def _when(rule: Rule, moment: Moment) -> str:
    if rule.when == "since" and "{s} moved" not in rule.say and moment.words.startswith(("on ", "in ")):
        return "since " + moment.words.partition(" ")[2]
    return moment.words


def _object_group(match: re.Match[str]) -> str:
    return next(name for name in ("o", "o2", "o3") if match.groupdict().get(name))


def _groups(match: re.Match[str]) -> dict[str, str]:
    """The groups that matched; of `o`, `o2` and so on the one that did."""
    groups = {name: value for name, value in match.groupdict().items() if value is not None}
    for name in ("s", "o"):
        for other in (name + "2", name + "3"):
            if other in groups:
                groups.setdefault(name, groups.pop(other))
    if groups.get("s", "").lower() == "my":
        groups["s"] = "i"
    groups.setdefault("verb", "")
    return groups
