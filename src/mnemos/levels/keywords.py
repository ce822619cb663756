"""What some texts are about, in a few of their own words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence

from mnemos.levels.sentences import content, prose

Weigh = Callable[[Sequence[str]], Sequence[float]]
"""How much a word tells, by how rare it is."""

SHARE = 0.4
"""Share of the texts that a word stands in to count as common to them; at least two."""
_WORD = re.compile(r"[^\W\d_]{3,}(?:[-'’][^\W\d_]{2,})*|[\u0e00-\u9fff\uac00-\ud7ff]{2,}")

_IMAGES = frozenset({"image", "photo", "picture"})
"""What chat exports say of attachments."""


def keywords(texts: Sequence[str], weigh: Weigh, count: int = 4, without: Collection[str] = ()) -> list[str]:
    """The words that most of the texts have in common and that tell most, as they are written most often.

    None of those in `without`, however they are written.
    """
    left_out = {word for name in without for word in content(name)} | _IMAGES
    shared: Counter[str] = Counter()
    forms: dict[str, Counter[str]] = {}
    for text in texts:
        words = [
            (_stem(told[0]), written)
            for written in _WORD.findall(prose(text))
            if (told := content(written)) and told[0] not in left_out
        ]
        shared.update({stem for stem, _ in words})
        for stem, written in words:
            forms.setdefault(stem, Counter())[written] += 1
    least = max(2, round(SHARE * len(texts))) if len(texts) > 1 else 1
    often = [stem for stem, texts_with in shared.items() if texts_with >= least]
    if not often:
        return []
    weights = dict(zip(often, weigh([forms[stem].most_common(1)[0][0] for stem in often]), strict=True))
    best = sorted(often, key=lambda stem: (-shared[stem] * weights[stem] ** 2, stem))[:count]
    return [_form(forms[stem]) for stem in best]


def _stem(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _form(forms: Counter[str]) -> str:
    """How a word is written most often; a name keeps its capital."""
    return forms.most_common(1)[0][0]
