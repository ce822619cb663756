"""The sentences of an ordinary text that say most about a question: what is shown of it where room is scarce.

Greetings, praise and questions back are most of what talk consists of and little of what is asked for later. Whole
sentences are left out, then clauses of long ones, and "…" stands for them. A clause that denies or restricts ("but",
"if", "not") stays with what it restricts. (The idea of RECOMP's extractive compressor, with
a count of telling words in the place of its trained one: https://arxiv.org/abs/2310.04408. The counts are ours.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from itertools import pairwise
from typing import NamedTuple

from mnemos.recall.excerpt import COMMON, one_line, word_list

KEPT = 0.6
"""The share of a text's words that are kept at least."""
SHORT = 10
"""A text of fewer words is not cut."""
RUN = 3
"""Words in a row that have to stand together to count as shown."""

_ASKED, _NAME, _NUMBER, _QUESTION = 3.0, 1.0, 1.5, 0.35
"""What a word of the question, a capital inside a sentence and a number add to a telling word's 1; and the factor of a
sentence that asks."""
_ADDRESS = 4
"""A piece of at most so many words that begins with small talk tells nothing ("Thanks, Rita!")."""
_SPARED = 1.25
"""A piece that tells so many times what the text does on average stays, however short it is."""
_SENTENCE = re.compile(r"(?<=[.!?…])[\"'”’)\]*]*\s+|\n+|(?<=[。！？])")
_CLAUSE = re.compile(
    rf"{_SENTENCE.pattern}|(?<=[,;:])\s+|(?<=[，；：])|\s(?=(?:so|because|which|while)\s)|(?<=\s)[-–—](?=\s)"
)
_RESTRICTS = frozenset(
    "although but cannot except hardly if instead neither never no nobody none nor not nothing only or rather t than "
    "though unless until whether without".split()
)
_SMALL_TALK = frozenset(
    "absolutely agree amazing appreciate awesome believe bet bye care congrats congratulations cool definitely don "
    "excited fantastic glad good great happy hear hello hey hi hope im inspiring impressive keep know let ll love "
    "lovely nice no oh ok okay proud re really right see so soon sound sounds sure take talk thank thanks thats "
    "totally up ve wait way well wonderful wow yeah yes".split()
)


class _Piece(NamedTuple):
    said: str
    words: list[str]


def gist(text: str, stems: Sequence[str], kept: float = KEPT) -> str:
    """A text in one line without its least telling parts; at least the share `kept` of its words stays.

    `stems` are beginnings of the question's words.
    """
    sentences = _pieces(text, _SENTENCE)
    total = sum(len(sentence.words) for sentence in sentences)
    if total < SHORT:
        return one_line(text)
    shown = _chosen(sentences, tuple(stems), kept * total, sentences)
    clauses: list[_Piece] = []
    held: set[int] = set()
    for number, sentence in enumerate(sentences):
        parts = _pieces(sentence.said, _CLAUSE) if number in shown else [sentence]
        if number in shown:
            held.update(range(len(clauses), len(clauses) + len(parts)))
        clauses += parts
    loose = [piece for piece in clauses if len(piece.words) >= RUN and not _RESTRICTS.intersection(piece.words)]
    return _joined(clauses, _chosen(clauses, tuple(stems), kept * total, loose, held))


def _pieces(text: str, end: re.Pattern[str]) -> list[_Piece]:
    cuts = [0, *(match.end() for match in end.finditer(text)), len(text)]
    found = [_Piece(text[start:stop], word_list(text[start:stop])) for start, stop in pairwise(cuts)]
    return [piece for piece in found if piece.said.strip()]


def _chosen(
    pieces: Sequence[_Piece],
    stems: tuple[str, ...],
    least: float,
    loose: Sequence[_Piece],
    shown: Set[int] | None = None,
) -> Set[int]:
    """The numbers of the pieces that stay, of those `shown`, when the least telling of the `loose` ones are left out.

    A piece that tells more than most stays, however short it is.
    """
    shown = set(range(len(pieces))) if shown is None else shown
    spare = _words_in_runs(pieces, shown) - least
    free = {id(piece) for piece in loose}
    small = [number for number in shown if len(pieces[number].words) <= spare and id(pieces[number]) in free]
    worth = {number: _worth(pieces[number], stems) for number in (shown if small else ())}
    words = sum(len(pieces[number].words) for number in worth)
    usual = sum(value * len(pieces[number].words) for number, value in worth.items()) / max(1, words)
    for number in sorted(small, key=lambda number: worth[number]):
        if worth[number] > _SPARED * usual:
            break
        rest = shown - {number}
        if rest and _words_in_runs(pieces, rest) >= least:
            shown = rest
    return shown


def _worth(piece: _Piece, stems: tuple[str, ...]) -> float:
    """What each word of a piece tells, on average."""
    if len(piece.words) <= _ADDRESS and piece.words and piece.words[0] in _SMALL_TALK:
        return 0.0
    worth = 0.0
    asked: set[str] = set()
    for word in piece.words:
        if word not in COMMON and word not in _SMALL_TALK and len(word) > 1:
            worth += 1
            if word.isdigit():
                worth += _NUMBER
            if stems and word.startswith(stems):
                asked.update(stem for stem in stems if word.startswith(stem))
        elif word.isdigit():
            worth += _NUMBER
    for word in piece.said.split()[1:]:
        if word[0].isupper() and len(word) > 2 and word[1] not in "'’":
            worth += _NAME
    worth += _ASKED * len(asked)
    if piece.said.rstrip().endswith(("?", "？")):
        worth *= _QUESTION
    return worth / max(1, len(piece.words))


def _words_in_runs(pieces: Sequence[_Piece], shown: Set[int]) -> int:
    """Words that are left in runs long enough to be read as shown."""
    total = run = 0
    for number, piece in enumerate(pieces):
        if number in shown:
            run += len(piece.words)
            continue
        total, run = total + (run if run >= RUN else 0), 0
    return total + (run if run >= RUN else 0)


def _joined(pieces: Sequence[_Piece], shown: Set[int]) -> str:
    parts: list[str] = []
    for number, piece in enumerate(pieces):
        if number in shown:
            parts.append(one_line(piece.said))
        elif not parts or parts[-1] != "…":
            parts.append("…")
    return " ".join(parts)
