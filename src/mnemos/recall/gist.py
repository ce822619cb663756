"""The sentences of an ordinary text that say most about a question: what is shown of it where room is scarce.

Greetings, praise and questions back are most of what talk consists of and little of what is asked for later. Whole
sentences are left out, never words of one, and "…" stands for them. (The idea of RECOMP's extractive compressor, with
a count of telling words in the place of its trained one: https://arxiv.org/abs/2310.04408. The counts are ours.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from itertools import pairwise
from typing import NamedTuple

from mnemos.recall.excerpt import COMMON, one_line, word_list

KEPT = 0.62
"""The share of a text's words that are kept at least."""
SHORT = 10
"""A text of fewer words is not cut."""
RUN = 3
"""Words in a row that have to stand together to count as shown."""

_ASKED, _NAME, _NUMBER, _QUESTION = 3.0, 1.0, 1.5, 0.35
"""What a word of the question, a capital inside a sentence and a number add to a telling word's 1; and the factor of a
sentence that asks."""
_END = re.compile(r"(?<=[.!?…])[\"'”’)\]*]*\s+|\n+|(?<=[。！？])")
_SMALL_TALK = frozenset(
    "absolutely agree amazing appreciate awesome believe bet bye care congrats congratulations cool definitely don "
    "excited fantastic glad good great happy hear hello hey hi hope im inspiring impressive keep know let ll love "
    "lovely nice no oh ok okay proud re really right see so soon sound sounds sure take talk thank thanks thats "
    "totally up ve wait way well wonderful wow yeah yes".split()
)


class _Sentence(NamedTuple):
    said: str
    words: list[str]


def gist(text: str, stems: Sequence[str], kept: float = KEPT) -> str:
    """A text in one line without its least telling sentences; at least the share `kept` of its words stays.

    `stems` are beginnings of the question's words.
    """
    cuts = [0, *(match.end() for match in _END.finditer(text)), len(text)]
    sentences = [_Sentence(text[start:end], word_list(text[start:end])) for start, end in pairwise(cuts)]
    sentences = [sentence for sentence in sentences if sentence.said.strip()]
    total = sum(len(sentence.words) for sentence in sentences)
    spare = (1 - kept) * total
    shown = set(range(len(sentences)))
    small = [number for number in shown if len(sentences[number].words) <= spare]
    if total < SHORT or len(sentences) == 1 or not small:
        return one_line(text)
    for number in sorted(small, key=lambda number: _worth(sentences[number], tuple(stems))):
        rest = shown - {number}
        if _words_in_runs(sentences, rest) >= kept * total:
            shown = rest
    return _joined(sentences, shown)


def _worth(sentence: _Sentence, stems: tuple[str, ...]) -> float:
    """What each word of a sentence tells, on average."""
    worth = 0.0
    asked: set[str] = set()
    for word in sentence.words:
        if word not in COMMON and word not in _SMALL_TALK and len(word) > 1:
            worth += 1
            if word.isdigit():
                worth += _NUMBER
            if stems and word.startswith(stems):
                asked.update(stem for stem in stems if word.startswith(stem))
        elif word.isdigit():
            worth += _NUMBER
    for word in sentence.said.split()[1:]:
        if word[0].isupper() and len(word) > 2 and word[1] not in "'’":
            worth += _NAME
    worth += _ASKED * len(asked)
    if sentence.said.rstrip().endswith(("?", "？")):
        worth *= _QUESTION
    return worth / max(1, len(sentence.words))


def _words_in_runs(sentences: Sequence[_Sentence], shown: Set[int]) -> int:
    """Words that are left in runs long enough to be read as shown."""
    total = run = 0
    for number, sentence in enumerate(sentences):
        if number in shown:
            run += len(sentence.words)
            continue
        total, run = total + (run if run >= RUN else 0), 0
    return total + (run if run >= RUN else 0)


def _joined(sentences: Sequence[_Sentence], shown: Set[int]) -> str:
    parts: list[str] = []
    for number, sentence in enumerate(sentences):
        if number in shown:
            parts.append(one_line(sentence.said))
        elif not parts or parts[-1] != "…":
            parts.append("…")
    return " ".join(parts)
