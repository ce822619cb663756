"""Names in texts, without a model: from capitals, from words around them, and from what is known elsewhere.

A capital in the middle of a sentence is evidence; at its start it is none, and a name there is believed only where
lists, a cue, the rest of the batch or the store confirm it. Precise rather than complete.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from mnemos.entities.cues import NAMING, names_someone, tell_kind
from mnemos.entities.lexicon import Kind, Lexicon
from mnemos.entities.tokens import Token, Words
from mnemos.entities.wordlists import (
    AMBIGUOUS,
    PARTICLES,
    PEOPLES,
    PLACE_HEADS,
    SPEAKING,
    STOP,
    THING_HEADS,
    TITLES,
)
from mnemos.recall.words import fold

LONGEST = 7
"""Words of the longest name."""
_SINGLE, _SEVERAL, _FIRST, _ACTING = 0.3, 1.0, 0.5, 2.5
"""How namelike a word has to be: alone, in a longer name, as its first word at a sentence's start, before a verb."""
_COMPASS = frozenset("new great old big little".split())
"""Never names by themselves, but beginnings of names in the middle of a sentence."""
_OFTEN, _OFTEN_LARGE, _MOSTLY = 2, -1.5, 2
"""From so many capitals in the middle of sentences on, and so much more often than in small letters, less is asked."""
_BEING = frozenset("is was has had did does will would went came got and".split())
_QUOTED = re.compile(r"[\"“]([^\"“”\n]{2,70}?)[\"”]|(?<![*\w])\*([^*\n]{2,70}?)\*(?![*\w])")
_WORKS = re.compile(
    r"\b(?:book|novel|memoir|movie|film|song|album|show|series|game|poem|play|podcast|read|reading|watch|watched|"
    r"watching|listen|listening|called|titled|named|finished|painting|article|paper|title)\b[^.!?\n]{0,25}$",
    re.IGNORECASE,
)
_SMALL = frozenset("a an the of and in on at to for from with by or as is into de la le".split())


class Name(NamedTuple):
    """A name in a text, as it is written there."""

    name: str
    kind: Kind
    start: int
    end: int
    told: bool
    """Whether something said of what kind it is; else it is guessed."""


class _Candidate(NamedTuple):
    first: int
    last: int
    sure: bool


def plain(name: str) -> str:
    """A name by which equal names are recognised: folded, without punctuation and possessive endings."""
    words = re.findall(r"[^\W_]+", re.sub(r"['’]s\b", "", fold(name)).replace("'", "").replace("’", ""))
    return " ".join(words)


class Reader:
    """Reads the names of some texts together, so that one can confirm what stands in another."""

    def __init__(self, texts: Sequence[str], lexicon: Lexicon | None = None) -> None:
        self.lexicon = lexicon or Lexicon.bundled()
        self.words = [Words(text) for text in texts]
        self.lexicon.read({t.word for words in self.words for t in words.tokens if not t.text.islower()})
        self._small = Counter(t.word for words in self.words for t in words.tokens if t.text.islower())
        self._large = Counter(word for words in self.words for word in _lone_capitals(words.tokens))
        self._candidates = [list(self._gather(words)) for words in self.words]

    def asked(self) -> set[str]:
        """Plain names by which the store may know what is mentioned: single words and the longer candidates."""
        found = {token.word.replace("'", "") for words in self.words for token in words.tokens}
        for words, candidates in zip(self.words, self._candidates, strict=True):
            for one in candidates:
                found.add(plain(_text(words, one.first, one.last)))
                found.add(plain(_text(words, one.first + 1, one.last)))
        return found - STOP

    def names(self, known: Mapping[str, Kind]) -> list[list[Name]]:
        """The names of each text; `known` holds plain names that are known already."""
        votes: dict[str, Counter[Kind]] = {}
        for words, candidates in zip(self.words, self._candidates, strict=True):
            for one in candidates:
                if one.sure:
                    kind, told = tell_kind(words, one.first, one.last, self.lexicon)
                    name = plain(_text(words, one.first, one.last))
                    votes.setdefault(name, Counter())[kind] += 1 + 2 * told
        confirmed = {name: max(kinds, key=lambda kind: kinds[kind]) for name, kinds in votes.items()} | dict(known)
        return [
            self._read(words, candidates, known, confirmed)
            for words, candidates in zip(self.words, self._candidates, strict=True)
        ]

    def _gather(self, words: Words) -> Iterator[_Candidate]:
        place = 0
        tokens = words.tokens
        while place < len(tokens):
            last = self._run(tokens, place)
            if last is None:
                place += 1
                continue
            found = self._weigh(words, place, last)
            if found is not None:
                yield found
            place = last + 1

    def _run(self, tokens: Sequence[Token], first: int) -> int | None:
        """Where a run of capitalised words ends that begins here; None where none does."""
        if not self._opens(tokens, first):
            return None
        last = first
        while last + 1 < len(tokens) and last - first < LONGEST:
            if tokens[last].owns and not self._title_goes_on(tokens, last):
                break
            step = last + 1
            while step < len(tokens) and step - last < 3 and tokens[step].joined and tokens[step].text in PARTICLES:
                step += 1
                if step < len(tokens) and tokens[step].text == "the" and tokens[step - 1].text == "of":
                    step += 1
            if step >= len(tokens) or not tokens[step].joined or not self._continues(tokens, step):
                break
            last = step
        return last

    def _opens(self, tokens: Sequence[Token], place: int) -> bool:
        token = tokens[place]
        if token.word in TITLES:
            return self._follows(tokens, place) and (token.capital or token.initial)
        if token.word in STOP:
            return token.word in _COMPASS and not token.begins and token.capital and self._follows(tokens, place)
        if token.shouted:
            return token.word in self.lexicon.listed or self._follows(tokens, place)
        return token.capital or (token.initial and self._follows(tokens, place))

    def _follows(self, tokens: Sequence[Token], place: int) -> bool:
        step = place + 1
        return step < len(tokens) and tokens[step].joined and (
            self._continues(tokens, step) and (tokens[step].capital or tokens[step].initial)
        )  # fmt: skip

    def _continues(self, tokens: Sequence[Token], place: int) -> bool:
        token = tokens[place]
        if token.word in STOP and token.word not in THING_HEADS | PLACE_HEADS:
            return False
        return token.capital or token.initial or (token.shouted and len(token.text) < 6)

    def _title_goes_on(self, tokens: Sequence[Token], place: int) -> bool:
        """Whether a possessive is part of a name: "Queen's Park", not "Rita's Honda"."""
        step = place + 1
        return tokens[step].word in PLACE_HEADS | THING_HEADS and tokens[step].capital

    def _weigh(self, words: Words, first: int, last: int) -> _Candidate | None:
        tokens = words.tokens
        while first < last and tokens[first].begins and self._is_common(tokens[first]):
            first += 1
            while tokens[first].text in PARTICLES:
                first += 1
            if first == last and self._score(tokens[first]) < _SEVERAL:
                return None
            if tokens[first].joined:
                break
        headline = any(start <= tokens[first].start < end for start, end in words.headlines)
        if first == last and (tokens[first].word in PEOPLES | TITLES or tokens[first].initial):
            return None
        begins = tokens[first].begins or headline
        if names_someone(words, first, last) and not headline:
            return _Candidate(first, last, True)
        sure = self._is_name(words, first, last, begins)
        return _Candidate(first, last, sure)

    def _is_common(self, token: Token) -> bool:
        return token.word not in TITLES and not token.initial and self._score(token) < _FIRST

    def _is_name(self, words: Words, first: int, last: int, begins: bool) -> bool:
        tokens = words.tokens[first : last + 1]
        if first == last:
            return self._single(words, first, begins)
        if tokens[0].word in TITLES:
            return True
        core = [t for t in tokens if t.text not in PARTICLES and t.word not in PEOPLES and not t.initial]
        scores = [self._score(token) for token in core]
        if not scores:
            return False
        headed = core[-1].word in PLACE_HEADS | THING_HEADS
        if headed and not begins and len(tokens) > 2:
            return True
        need = _SEVERAL - 1.5 * headed + 0.7 * begins
        return max(scores) >= need and not (begins and all(self._small[t.word] for t in core))

    def _single(self, words: Words, place: int, begins: bool) -> bool:
        token = words.tokens[place]
        score = self._score(token)
        listed = token.word in self.lexicon.listed and token.word not in AMBIGUOUS
        large, small = self._large[token.word], self._small[token.word]
        if small and not listed and large <= _MOSTLY * small:
            return False
        if listed:
            return True
        if begins:
            following = words.after(place)
            if token.word.endswith("ly"):
                return False
            acts = bool(following) and following[0] in SPEAKING | _BEING
            return acts and score >= _ACTING and token.word not in AMBIGUOUS
        return score >= (_SINGLE if large < _OFTEN else _OFTEN_LARGE)

    def _score(self, token: Token) -> float:
        return self.lexicon.namelike(token.word)

    def _read(
        self, words: Words, candidates: Iterable[_Candidate], known: Mapping[str, Kind], confirmed: Mapping[str, Kind]
    ) -> list[Name]:
        names: list[Name] = list(_works(words))
        taken = [(name.start, name.end) for name in names]
        for one in candidates:
            for first, last in ((one.first, one.last), (one.first + 1, one.last)):
                name = _text(words, first, last)
                start, end = words.tokens[min(first, one.last)].start, words.tokens[last].end
                if first > last or any(start < e and s < end for s, e in taken):
                    break
                token = words.tokens[first]
                doubted = plain(name) not in known and token.word in self._small and self._is_common(token)
                if not one.sure and first == last and doubted:
                    break
                if (one.sure and first == one.first) or plain(name) in confirmed:
                    kind, told = tell_kind(words, first, last, self.lexicon)
                    if not told:
                        kind = confirmed.get(plain(name), kind)
                    names.append(Name(name, kind, start, end, told))
                    taken.append((start, end))
                    break
        names += self._in_small_letters(words, confirmed, taken)
        return sorted(names, key=lambda name: name.start)

    def _in_small_letters(
        self, words: Words, known: Mapping[str, Kind], taken: Sequence[tuple[int, int]]
    ) -> Iterator[Name]:
        """Known names that are written carelessly: "rita called"."""
        for place, token in enumerate(words.tokens):
            if not token.text.islower() or len(token.text) < 3 or known.get(token.word) not in ("person", "animal"):
                continue
            if token.word in STOP | AMBIGUOUS | PEOPLES or self._score(token) < _SEVERAL:
                continue
            if not any(start <= token.start < end for start, end in taken):
                kind, told = tell_kind(words, place, place, self.lexicon)
                yield Name(token.text, kind if told else known[token.word], token.start, token.end, told)


def _lone_capitals(tokens: Sequence[Token]) -> Iterator[str]:
    """Words with a capital between words without one."""
    for before, token, after in zip(tokens, tokens[1:], [*tokens[2:], None], strict=False):
        alone = not before.capital and (after is None or not (after.joined and after.capital))
        if token.capital and token.joined and not token.begins and alone:
            yield token.word


def _text(words: Words, first: int, last: int) -> str:
    """A name as it is written, on one line."""
    if first > last:
        return ""
    return " ".join(words.text[words.tokens[first].start : words.tokens[last].end].split())


def _works(words: Words) -> Iterator[Name]:
    """Titles in quotation marks or stars that something says to be a book, a film, a song."""
    for match in _QUOTED.finditer(words.text):
        title = match[1] or match[2]
        parts = re.findall(r"[^\W_][\w'’-]*", title)
        large = [part for part in parts if part.lower() not in _SMALL]
        if not 1 <= len(parts) <= 9 or not large or not all(part[0].isupper() or part[0].isdigit() for part in large):
            continue
        if title != title.strip() or title[-1] in ",.;:" or not title[0].isupper() or title.isupper():
            continue
        cue = _WORKS.search(words.text[max(0, match.start() - 60) : match.start()])
        by = re.match(r"\s*(?:by [A-Z]|\(\d{4}\))", words.text[match.end() :])
        if (cue is not None or by is not None) and (
            len(large) > 1 or (cue and cue[0].split()[0].lower() not in NAMING)
        ):
            start = match.start(1) if match[1] else match.start(2)
            yield Name(title, "thing", start, start + len(title), True)


__all__ = ["Name", "Reader", "plain"]
