"""From a turn to its facts: every rule over every sentence that its speaker asserts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice

from mnemos.facts import (
    rules_changes,
    rules_events,
    rules_health,
    rules_home,
    rules_numbers,
    rules_people,
    rules_plans,
    rules_taste,
    rules_things,
    rules_work,
)
from mnemos.facts.dates import LEADING, Moment, moments
from mnemos.facts.framed import framed
from mnemos.facts.keys import keys
from mnemos.facts.objects import acceptable, tidy
from mnemos.facts.rule import Rule
from mnemos.facts.scene import Scene, speaker_of
from mnemos.facts.sentences import Sentence, sentences
from mnemos.facts.statement import Statement
from mnemos.facts.vocabulary import ADVERB, ONE_ONLY
from mnemos.records import Memory

MOST = 24
"""Facts read from one memory; a text that yields more is a list that nobody says of themselves."""
RULES: tuple[Rule, ...] = (
    *rules_home.RULES,
    *rules_work.RULES,
    *rules_people.RULES,
    *rules_things.RULES,
    *rules_taste.RULES,
    *rules_health.RULES,
    *rules_plans.RULES,
    *rules_numbers.RULES,
    *rules_events.RULES,
    *rules_changes.RULES,
)
_unreal = re.compile(r"\b(?:if|unless|imagine|suppose|supposing|pretend|pretending|wish|wished)\b", re.IGNORECASE)
_doubtful = re.compile(
    r"\b(?:whether|would|could|might|maybe|perhaps|"
    r"say|says|saying|said|told|tells|asks?|asked|thinks?|thought|guess|dream(?:t|ed|s)?|hopes?|hoping|wants?|wanted|"
    r"wonder|wondering|when|once|until|before|after|as though|like if|in case|example|e\.g|let's say|joke|story|"
    r"character|lyrics|song goes|not sure|what|how|why|who|whose|claims?|believes?|apparently|supposedly|rumou?r)\b|i'd\b",
    re.IGNORECASE,
)
_denied = re.compile(
    r"\b(?:just kidding|jk|kidding|not really|i wish|in my dreams|yeah right|as if|/s)\b", re.IGNORECASE
)
OF_PERSONS = frozenset(
    {"lives in", "works at", "works as", "is allergic to", "diet is", "age is", "is moving to", "marital status is",
     "was born in", "comes from", "is married to", "is dating", "had a child", "grew up in", "studies at"}
)  # fmt: skip
_FIRST = frozenset({"i", "we", "he", "she"})
_BEFORE = frozenset(
    "and but so because cause 'cause cuz since also then now plus or yeah yes well oh hey honestly actually though although "
    "while as know lately recently currently personally ok okay again today tonight yesterday think course btw way "
    "believe guess just still always lol haha yep sure right anyway too general before summer winter spring".split()
)
_WITH = frozenset("of with to for from like than by at about on in as the a an my our his her their that".split())
_base = re.compile(
    rf"{ADVERB} (?:like|love|enjoy|live|work|have|hate|prefer|own|drive|play|speak|study|take|adore|make|earn|go|plan|"
    r"eat|dislike|intend|come|'ve)\b",
    re.IGNORECASE,
)
_list = re.compile(r"(?:, [\w'-]+(?: [\w'-]+){0,2})*,? and [\w'-]+(?: [\w'-]+){0,2}(?=[.;!?)]|$)")
_owning = re.compile(r"\b(?:my|our) ", re.IGNORECASE)
_NEAR = 45
"""Characters between what is said and a time that goes with it."""


def extract(memory: Memory, before: Sequence[Memory] = (), known: Mapping[str, str] | None = None) -> list[Statement]:
    """The facts that a memory states, in order; none from a machine's turn.

    `before`: the turns before it in its session, whose names it may go on using. `known`: by name, what other people
    are to its speaker, as facts tell: `Rita` is a `sister`.
    """
    whole = list(framed(memory))
    found: dict[tuple[int, int, bool], Statement] = {}
    for read in islice(_statements(memory, before, known or {}), MOST):
        statement = next((one for one in whole if _covers(one, read)), read)
        number = keys(statement.subject, statement.relation, statement.object)
        found.setdefault((number.matter, number.object, statement.negated), statement)
    for one in whole:
        number = keys(one.subject, one.relation, one.object)
        found.setdefault((number.matter, number.object, one.negated), one)
    return list(found.values())


def _covers(whole: Statement, part: Statement) -> bool:
    """Whether a statement says all of what a rule read of it, and more."""
    return (
        whole.object.startswith(part.object)
        and whole.start <= part.start
        and keys(whole.subject, whole.relation, "").matter == keys(part.subject, part.relation, "").matter
    )


def _statements(memory: Memory, before: Sequence[Memory], known: Mapping[str, str]) -> Iterator[Statement]:
    speaker = speaker_of(memory)
    if speaker is not None and memory.kind in {"turn", "note", "document", "fact"}:
        scene = Scene(speaker, memory.happened_at, dict(known))
        for earlier in before:
            if earlier.speaker:
                scene.names.add(earlier.speaker)
            if speaker_of(earlier) == speaker:
                if _owning.search(earlier.text):
                    for sentence in sentences(earlier.text):
                        scene.meet(sentence.text)
        scene.people.clear()
        for sentence in sentences(memory.text):
            yield from _Reading(scene, sentence).statements()
            scene.last = sentence.text


class _Reading:
    """One sentence under all rules."""

    def __init__(self, scene: Scene, sentence: Sentence) -> None:
        self.scene = scene
        self.sentence = sentence
        self.text = sentence.text

    @cached_property
    def moments(self) -> list[Moment]:
        return moments(self.text, self.scene.happened_at)

    def statements(self) -> Iterator[Statement]:
        """What the sentence says, rule by rule."""
        if _denied.search(self.text):
            return
        speaker = self.scene.speaker
        for name, kin in self.scene.meet(self.text):
            yield self._made(f"{name} is {speaker}'s {kin}", speaker, f"{kin} is", name, single=kin in ONE_ONLY)
        for rule in RULES:
            if rule.hint.search(self.text):
                for match in rule.pattern.finditer(self.text):
                    if statement := self._read(rule, match):
                        yield statement

    def _read(self, rule: Rule, match: re.Match[str]) -> Statement | None:
        groups = _groups(match)
        said = groups.get("s", "i")
        subject = self.scene.who(said, certain=rule.relation in OF_PERSONS)
        before = self.text[: match.start()]
        if subject is None or _unreal.search(before) or _doubtful.search(_last_clause(before)):
            return None
        if rule.after is not None and not rule.after.search(self.scene.last):
            return None
        if "s" in match.groupdict() and match["s"] and not self._is_subject(said, match):
            return None
        obj, moment = self._object(rule, match, groups)
        if obj is None:
            return None
        groups["o"] = obj = (
            obj.lower() if obj.isupper() and rule.takes == "any" and obj.isalpha() and len(obj) > 4 else obj
        )
        if moment is not None and moment.start > self._now:
            groups["planned"] = "yes"
        if rule.check is not None and not rule.check(groups):
            return None
        if rule.relation == "plans to" and " " not in obj:
            return None
        named = {name: tidy(value) for name, value in groups.items() if name not in {"s", "o", "verb"}}
        named["verb"] = " ".join(groups["verb"].lower().split())
        if any(name in named and not acceptable(named[name], "what") for name in ("what", "of", "old")):
            return None
        relation = rule.relation.format(**named)
        text = rule.say.format(s=subject, o=obj, relation=relation, **named)
        text = text.replace(rule.relation, relation)
        valid_at = moment.start if moment and rule.when in {"at", "since"} else None
        invalid_at = moment.start if moment and rule.when == "until" else None
        if moment and rule.when != "none":
            text = f"{text} {_preposition(rule, moment)}"
        return self._made(
            text, subject, relation, obj, single=rule.single, valid_at=valid_at, invalid_at=invalid_at,
            negated=rule.negated,
        )  # fmt: skip

    def _is_subject(self, said: str, match: re.Match[str]) -> bool:
        """Whether the verb's subject stands here, and not the end of "the book that I" or of "with my sister"."""
        before = self.text[: match.start("s")].rstrip()
        last = before.rpartition(" ")[2].lower()
        if said.lower() not in _FIRST and _base.match(self.text, match.end("s")):
            return False
        if not before or before[-1] in ',;:.!?—–()-"' or last in _BEFORE:
            return True
        if said.lower() not in _FIRST and not said.lower().startswith(("my ", "our ")):
            return last not in _WITH
        return any(time.span[1] == len(before) for time in self.moments)

    def _without_name(self, obj: str) -> str:
        """Without the name of whom the turn speaks to, where it stands last."""
        rest, _, last = obj.rpartition(" ")
        return rest if rest and last in self.scene.names else obj

    @property
    def _now(self) -> int:
        from mnemos.times import to_micros

        return to_micros(self.scene.happened_at) if self.scene.happened_at else 0

    def _made(self, text: str, subject: str, relation: str, obj: str, **more: object) -> Statement:
        said = " ".join(text.split())
        return Statement(
            said[:1].upper() + said[1:], subject, relation, obj,
            start=self.sentence.start, end=self.sentence.end, **more,  # type: ignore[arg-type]
        )  # fmt: skip

    def _object(self, rule: Rule, match: re.Match[str], groups: Mapping[str, str]) -> tuple[str | None, Moment | None]:
        """The object, cut where a time begins, and the time that goes with the match."""
        obj = groups.get("o")
        if obj is None:
            return None, None
        start, end = next(match.span(name) for name in ("o", "o2", "o3") if match.groupdict().get(name))
        if rule.when == "none" and rule.takes == "any":
            return (tidy(obj) if acceptable(tidy(obj), rule.takes) else None), None
        moment = leading = None
        for time in self.moments:
            said = self.text[: time.span[0]].rstrip().rpartition(" ")[2].lower()
            if said in _BOUNDS and not (said == "by" and rule.relation.startswith("plans")):
                continue
            if time.span[0] >= end and time.span[0] - end <= _NEAR and _joined(self.text[end : time.span[0]]):
                moment = moment or time
            elif start < time.span[0] < end:
                obj = LEADING.sub("", self.text[start : time.span[0]]).strip(" ,")
                moment = time
            elif time.span[1] <= match.start() and match.start() - time.span[1] <= 4 and rule.when == "at":
                before = LEADING.sub("", self.text[: time.span[0]]).rstrip()
                leading = time if not before or before[-1] in ".,;!" or before.split()[-1].lower() in _BEFORE else None
        moment = moment or leading
        if moment is None and rule.after is not None:
            earlier = moments(self.scene.last, self.scene.happened_at)
            moment = earlier[0] if len(earlier) == 1 else None
        if rule.takes != "any" and _CUT_OFF.match(self.text, end):
            return None, None
        if obj.endswith("'s") and self.text[end : end + 1] == " ":
            return None, None
        if rule.takes in {"taste", "phrase"} and moment is None:
            if more := _list.match(self.text, end):
                obj += more[0] if acceptable(tidy(more[0]), rule.takes) else ""
            elif self.text[end : end + 1] == "," and (
                (rule.takes == "taste" and " " not in obj) or (_HALF.search(obj) and _GOES_ON.match(self.text, end))
            ):
                return None, None
        obj = self._without_name(obj)
        cleaned = tidy(obj)
        return (cleaned if acceptable(cleaned, rule.takes) else None), moment


def _last_clause(before: str) -> str:
    return re.split(r"[,;:.]|\b(?:but|so)\b| - |—|\band (?=i\b)", before)[-1]


_CUT_OFF = re.compile(
    r" (?:this|these|that|those) (?!week|month|year|morning|evening|afternoon|summer|weekend|time)", re.I
)
_HALF = re.compile(r"\b(?:an?|the|their|my|more|very|really) \w+$", re.IGNORECASE)
_GOES_ON = re.compile(
    r", (?!and\b|but\b|so\b|which\b|i\b|it\b|because\b|or\b|that\b|who\b|then\b|with\b|especially\b)\w", re.I
)
"""An adjective and a comma: the noun comes later ("a safe, inviting place")."""
_BOUNDS = frozenset({"by", "until", "till", "before", "after"})


def _joined(between: str) -> bool:
    """Whether the words between a statement and a time leave them in one clause."""
    return (
        re.search(r"[.;:!?]|\b(?:and|but|so|because|which|who|when|while|if|i|we|he|she|it)\b", between, re.I) is None
    )


def _preposition(rule: Rule, moment: Moment) -> str:
    if rule.when == "since" and "{s} moved" not in rule.say and moment.words.startswith(("on ", "in ")):
        return "since " + moment.words.split(" ", 1)[1]
    return moment.words


def _groups(match: re.Match[str]) -> dict[str, str]:
    groups = {name: value for name, value in match.groupdict().items() if value is not None}
    for name in ("s", "o"):
        for other in (name + "2", name + "3"):
            if other in groups:
                groups.setdefault(name, groups.pop(other))
    if groups.get("s", "").lower() == "my":
        groups["s"] = "i"
    groups.setdefault("prep", "")
    groups.setdefault("verb", "")
    return groups
