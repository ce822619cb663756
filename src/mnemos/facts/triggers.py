"""Which rules can match a sentence at all: found by one look at each of its words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mnemos.facts.rule import Rule

_word = re.compile(r"[a-zà-ÿ]+|'[a-z]+|\d")


class Triggers:
    """Rules by the words of which they need one."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._by_word: dict[str, list[int]] = {}
        for place, rule in enumerate(self._rules):
            for word in rule.needs:
                self._by_word.setdefault(word, []).append(place)

    def fitting(self, sentence: str) -> list[Rule]:
        """The rules that may match, in their order."""
        found: set[int] = set()
        for word in set(_word.findall(sentence.lower())):
            found.update(self._by_word.get("0" if word.isdigit() else word, ()))
        return [self._rules[place] for place in sorted(found)]
