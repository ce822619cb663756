"""What a rule is: a pattern over one sentence, and the statement that its match makes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from mnemos.facts.vocabulary import (
    ADVERB,
    DIETS,
    END,
    ILLNESSES,
    INTOLERANT,
    KINSHIP,
    LONG_END,
    MARK,
    NUMBER,
    PERSON,
    PHRASE,
    PROPER,
    THING,
)

Takes = Literal["place", "name", "thing", "phrase", "taste", "any"]
"""What may stand as the object: `place`, `name` need capitals; `thing`, `phrase`, `taste` must mean something alone."""
When = Literal["at", "since", "until", "none"]
"""What a time beside the match says: when it happened, since when it holds, when it ended, or nothing."""

_PIECES: Mapping[str, str] = {
    "I": r"(?P<s>\b(?:i|we)(?=[ ']|m\b|ve\b|ll\b|d\b))",
    "S": rf"(?P<s>(?:\b(?:i|we|he|she)|\b(?:my|our) {KINSHIP}(?: {PERSON})?|\b(?:mum|mom|dad)"
    rf"|{PERSON})(?=[ ']|m\b|ve\b))",
    "M": r"(?P<s>\bmy\b)",
    "BE": r"(?:'m| am|m\b|'re| are|'s| is)(?! not\b|n't)",
    "HAVE": r"(?: have| has|'ve|'s|ve\b)?",
    "GOT": r"(?:(?:'ve|'s|ve\b)(?: got)?| have(?: got)?| has(?: got)?| got)",
    "ADV": ADVERB,
    "PLACE": rf"(?P<o>{PROPER})",
    "NAME": rf"(?P<o>{PERSON})",
    "PROPER": PROPER,
    "PERSON": PERSON,
    "THING": THING,
    "PHRASE": PHRASE,
    "MARK": MARK,
    "END": END,
    "LONGEND": LONG_END,
    "NUMBER": rf"(?P<o>{NUMBER})",
    "NUM": NUMBER,
    "KIN": rf"(?P<kin>{KINSHIP})",
    "ILLNESS": rf"(?P<o>{ILLNESSES})\b",
    "DIET": rf"(?P<o>{DIETS})\b",
    "INTOLERANT": rf"(?P<o>{INTOLERANT})\b",
    "SO": r"(?:^|(?<=[.,;!] ))(?:(?:so|and|well|yeah|yes|ok|hey|update|also|btw|finally|just|guess what),? )*",
}
_piece = re.compile(r"<([A-Z]+)>")


def expand(pattern: str) -> re.Pattern[str]:
    """A pattern with its `<PIECES>` put in; letters match in any case but where a name is meant."""
    return re.compile(_piece.sub(lambda found: _PIECES[found[1]], pattern), re.IGNORECASE)


@dataclass(frozen=True)
class Rule:
    """One rule. Groups of its pattern: `s` whose it is (`I`, where there is none), `o` the object."""

    needs: frozenset[str]
    """Words of which one is in every sentence that matches; `0` stands for any digit."""
    pattern: re.Pattern[str]
    relation: str
    """In the third person and the present: `lives in`. May name other groups: `number of {what}`."""
    say: str
    """The statement: `{s} {relation} {o}`; a time is put after it."""
    takes: Takes
    single: bool
    when: When
    negated: bool
    fixed: str | None
    """The object, where the pattern does not hold it."""
    check: Callable[[Mapping[str, str]], bool] | None
    """A last look at the groups."""
    after: re.Pattern[str] | None
    """What the sentence before must hold."""


def rule(
    needs: str,
    pattern: str,
    relation: str,
    say: str | None = None,
    *,
    takes: Takes = "phrase",
    single: bool = False,
    when: When = "none",
    negated: bool = False,
    fixed: str | None = None,
    check: Callable[[Mapping[str, str]], bool] | None = None,
    after: str | None = None,
) -> Rule:
    """A rule from readable parts; without `say` it says subject, relation and object."""
    return Rule(
        frozenset(needs.split()),
        expand(pattern),
        relation,
        say or ("{s} " + relation + " {o}"),
        takes,
        single,
        when,
        negated,
        fixed,
        check,
        None if after is None else re.compile(after, re.IGNORECASE),
    )
