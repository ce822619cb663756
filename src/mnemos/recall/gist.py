"""The sentences of an ordinary text that say most about a question: what is shown of it where room is scarce.

Greetings, praise and questions back are most of what talk consists of and little of what is asked for later. Whole
sentences are left out, then clauses of long ones, and "…" stands for them. A clause that denies or restricts ("but",
"if", "not") stays with what it restricts. (The idea of RECOMP's extractive compressor, with
a count of telling words in the place of its trained one: https://arxiv.org/abs/2310.04408. The counts are ours.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

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
_MET = 100_000
"""Words whose worth is kept."""
_SPARED = 1.25
"""A piece that tells so many times what the text does on average stays, however short it is."""
_END = r"(?<=[.!?…])[\"'”’)\]*]*\s+|(?<=\n)\n*|(?<=[。！？])"
"""What follows the sign that ends a sentence."""
_SENTENCE = re.compile(rf"[.!?…\n。！？](?:{_END})")
_CLAUSE = re.compile(
    rf"[.!?…\n。！？,;:，；：\s–—-](?:{_END}|(?<=[,;:])\s+|(?<=[，；：])|(?<=\s)(?=(?:so|because|which|while)\s)|"
    r"(?<=\s[–—-])(?=\s))"
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


class _Piece:
    """A sentence or a clause: its words, and what each of them tells on average, once that is known."""

    __slots__ = ("lower", "said", "tells", "words")

    def __init__(self, said: str) -> None:
        self.said = said
        self.lower = said.lower()
        self.words = word_list(said)
        self.tells: float | None = None


class _Worth(dict[str, float]):
    """What a word tells whatever is asked; filled as words are met."""

    def __missing__(self, word: str) -> float:
        if len(self) > _MET:
            self.clear()
        self[word] = worth = _is_telling(word) + _NUMBER * word.isdigit()
        return worth


_worth = _Worth()


class Gist:
    """Cuts texts to what tells most about one question, whose words begin with `stems`."""

    def __init__(self, stems: Sequence[str]) -> None:
        self._stems = tuple(stems)
        self._asked = re.compile("|".join(map(re.escape, stems))) if stems else None

    def cut(self, text: str, kept: float = KEPT) -> str:
        """A text in one line without its least telling parts; at least the share `kept` of its words stays."""
        sentences = _pieces(text, _SENTENCE)
        total = sum(len(sentence.words) for sentence in sentences)
        if total < SHORT:
            return one_line(text)
        shown = self._chosen(sentences, kept * total, set(range(len(sentences))), sentences)
        clauses: list[_Piece] = []
        held: set[int] = set()
        for number, sentence in enumerate(sentences):
            if number not in shown:
                clauses.append(sentence)
                continue
            before = len(clauses)
            clauses += _pieces(sentence.said, _CLAUSE) if _CLAUSE.search(sentence.said) else (sentence,)
            held.update(range(before, len(clauses)))
        loose = [piece for piece in clauses if len(piece.words) >= RUN and _RESTRICTS.isdisjoint(piece.words)]
        return _joined(clauses, self._chosen(clauses, kept * total, held, loose))

    def _chosen(self, pieces: Sequence[_Piece], least: float, shown: set[int], loose: Sequence[_Piece]) -> set[int]:
        """The numbers of the pieces that stay, of those `shown`, when the least telling of the `loose` ones are left
        out.

        A piece that tells more than most stays, however short it is.
        """
        spare = _words_in_runs(pieces, shown) - least
        small = {id(piece) for piece in loose if len(piece.words) <= spare}
        if not small:
            return shown
        worth = {number: self._tells(pieces[number]) for number in shown}
        words = sum(len(pieces[number].words) for number in shown)
        usual = sum(value * len(pieces[number].words) for number, value in worth.items()) / max(1, words)
        for number in sorted((one for one in shown if id(pieces[one]) in small), key=worth.__getitem__):
            if worth[number] > _SPARED * usual:
                break
            rest = shown - {number}
            if rest and _words_in_runs(pieces, rest) >= least:
                shown = rest
        return shown

    def _tells(self, piece: _Piece) -> float:
        if piece.tells is None:
            piece.tells = self._telling(piece)
        return piece.tells

    def _telling(self, piece: _Piece) -> float:
        said, words = piece.said, piece.words
        if len(words) <= _ADDRESS and words and words[0] in _SMALL_TALK:
            return 0.0
        worth = sum(map(_worth.__getitem__, words))
        worth += _NAME * len([1 for w in said.split()[1:] if w[0].isupper() and len(w) > 2 and w[1] not in "'’"])
        if self._asked is not None and self._asked.search(piece.lower):
            asking = {word for word in words if word.startswith(self._stems) and _is_telling(word)}
            worth += _ASKED * len({stem for word in asking for stem in self._stems if word.startswith(stem)})
        if said.rstrip().endswith(("?", "？")):
            worth *= _QUESTION
        return worth / max(1, len(words))


def _is_telling(word: str) -> bool:
    return word not in COMMON and word not in _SMALL_TALK and len(word) > 1


def _pieces(text: str, end: re.Pattern[str]) -> list[_Piece]:
    cuts = [0, *(match.end() for match in end.finditer(text)), len(text)]
    return [_Piece(said) for start, stop in pairwise(cuts) if (said := text[start:stop]) and not said.isspace()]


def _words_in_runs(pieces: Sequence[_Piece], shown: set[int]) -> int:
    """Words that are left in runs long enough to be read as shown."""
    total = run = 0
    for number, piece in enumerate(pieces):
        if number in shown:
            run += len(piece.words)
            continue
        total, run = total + (run if run >= RUN else 0), 0
    return total + (run if run >= RUN else 0)


def _joined(pieces: Sequence[_Piece], shown: set[int]) -> str:
    parts: list[str] = []
    for number, piece in enumerate(pieces):
        if number in shown:
            parts.append(one_line(piece.said))
        elif not parts or parts[-1] != "…":
            parts.append("…")
    return " ".join(parts)
