"""From hits to a block for a prompt: dated, cited, in reading order, inside a token budget, nothing said twice.

The budget is spent where it tells most: likely hits that are short come first, every text is cut to the sentences that
say most about the question (`recall.gist`, and `recall.excerpt` for long ones), and what room is left at the end gives
the best hits their other words back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from mnemos.embed.static import StaticEmbedder
from mnemos.quoting import OPENING as OPENING
from mnemos.recall.excerpt import Focus, one_line, word_list
from mnemos.recall.gist import Gist
from mnemos.recall.layout import Line, in_reading_order, line_of, render
from mnemos.records import Context
from mnemos.store.candidates import Candidate
from mnemos.times import from_micros

EXCERPT = 64
"""Words that are shown of a longer text where many memories compete for the budget."""
WHOLE = 100
"""A text of at most this many words is cut between sentences only."""
FLOOR = 0.002
"""A hit that scores less is left out, however much room there is."""
SAME = 0.8
"""Share of an item's three-word runs that make it a repeat of another."""
FRAME = 14
"""Tokens that a header, a name and a citation take, about."""
LEAST = 12
"""A budget's rest of fewer tokens is left alone."""
PATIENCE = 6
"""Lines in a row that may turn out too long before the block counts as full."""
CUT = "…"
"""Stands for what is left out of a text."""
THRIFT = 0.75
"""How much length counts against a hit: 0 takes the likeliest first, 1 what is likeliest for each token."""


def compose(
    query: str,
    hits: Sequence[Candidate],
    *,
    budget: int,
    count_tokens: Callable[[str], int],
    threshold: float = 0.0,
) -> Context:
    """The block that tells most about a question in at most `budget` tokens, as `count_tokens` counts them.

    Empty (false, without text) where the best hit scores below `threshold`, for then nothing is known, and where the
    budget is too small for anything.
    """
    hits = [hit for hit in hits if hit.score >= FLOOR]
    if not hits or max(hit.score for hit in hits) < threshold:
        return Context("", 0)
    filler = _Filler(query, budget, count_tokens)
    filler.fill(hits)
    filler.restore()
    adds_up = isinstance(getattr(count_tokens, "__self__", None), StaticEmbedder)
    lines = filler.lines
    while lines:
        ordered = in_reading_order(lines)
        text = render(ordered)
        # the bundled tokenizer cuts at white space, so that the tokens of the lines are those of the block
        tokens = filler.tokens(lines) if adds_up and len(lines) < 100 else count_tokens(text)
        if tokens <= budget:
            return Context(text, tokens, tuple(line.item for line in ordered))
        lines = _without(lines, tokens - budget)
    return Context("", 0)


def _without(lines: list[Line], tokens: int) -> list[Line]:
    """All but the least valuable lines, at least one, that hold so many tokens."""
    kept = list(lines)
    while kept and tokens > 0:
        tokens -= kept.pop().cost
    return kept


class _Filler:
    """Fills the budget, taking first what is likeliest to matter for its length."""

    def __init__(self, query: str, budget: int, count_tokens: Callable[[str], int]) -> None:
        self._focus = Focus(query)
        self._gist = Gist(self._focus.stems)
        self._count = count_tokens
        self._budget = budget
        self._headers: dict[tuple[str, str], int] = {}
        self._seen: dict[tuple[str, ...], list[Line]] = {}
        self._opening = count_tokens(OPENING)
        self._left = budget - self._opening
        self.lines: list[Line] = []
        """What is shown, most valuable first."""

    def tokens(self, lines: Sequence[Line]) -> int:
        """The tokens of some of the lines, their headers and the opening."""
        headers = sum(self._headers[group] for group in {line.group for line in lines})
        return self._opening + headers + sum(line.cost for line in lines)

    def fill(self, hits: Sequence[Candidate]) -> None:
        """Take the best hit, then the best for their length, until nothing more fits."""
        words, whole = self._lengths(len(hits))
        misses = 0
        best = max(hits, key=lambda hit: hit.score)
        for hit in [best, *sorted((hit for hit in hits if hit is not best), key=_value, reverse=True)]:
            if self._left < LEAST or misses > PATIENCE:
                return
            if min(words, len(hit.text) // 8) > self._left:
                continue
            text = self._shown(hit, words, whole)
            line = line_of(hit, text, word_list(text))
            if line is None:
                continue
            common = self._common(line)
            if not self._is_told(line, common):
                misses = 0 if self._add(line, common) else misses + 1

    def restore(self) -> None:
        """Show the best hits with all their words, as far as the rest of the budget goes."""
        share = max(EXCERPT, self._left // max(1, len(self.lines)))
        for line in sorted(self.lines, key=lambda line: -line.memory.score):
            if self._left < LEAST:
                return
            if CUT not in line.text:
                continue
            text = self._shown(line.memory, 2 * share, 2 * share, cut=False)
            if len(text) <= len(line.text):
                continue
            longer = line_of(line.memory, text, word_list(text))
            if longer is None:
                continue
            cost = self._count(longer.row(10))
            if cost - line.cost <= self._left:
                self._left -= cost - line.cost
                line.text, line.runs, line.cost = text, longer.runs, cost

    def _lengths(self, hits: int) -> tuple[int, int]:
        """Words shown of a long text, and words of a text that is not long."""
        words = max(EXCERPT, int(0.6 * self._budget / hits))
        whole = max(WHOLE, words * 4 // 3)
        room = int(0.6 * (self._left - FRAME))
        return (words, whole) if words <= room else (max(8, room), max(8, room))

    def _shown(self, hit: Candidate, words: int, whole: int, *, cut: bool = True) -> str:
        text = hit.text
        if len(text) > 16 * whole or len(word_list(text)) > whole:
            shown = self._focus.cut(text, words, hit.passage)
        else:
            shown = self._gist.cut(text) if cut else one_line(text)
        return f"{shown} {past}" if (past := _past(hit)) and shown else shown

    def _is_told(self, line: Line, common: Counter[Line]) -> bool:
        """Whether one line of the block says all this already; it then names this memory too."""
        for other, count in common.items():
            if count >= SAME * len(line.runs):
                other.cite(line.ids)
                return True
        return False

    def _common(self, line: Line) -> Counter[Line]:
        """Lines of the block that have runs of words in common with this one, and how many."""
        seen = self._seen
        return Counter(other for run in line.runs if run in seen for other in seen[run] if other.shown)

    def _add(self, line: Line, common: Counter[Line]) -> bool:
        """Add a line, in the place of those that say only a part of it, if it fits."""
        parts = [other for other, count in common.items() if count >= SAME * len(other.runs)]
        header = 0 if line.group in self._headers else self._count(line.group[1])
        line.cost = self._count(line.row(10))
        if line.cost + header > self._left + sum(part.cost for part in parts):
            return False
        for part in parts:
            line.cite(part.ids)
            part.shown = False
            self.lines.remove(part)
            self._left += part.cost
        self._left -= line.cost + header
        self._headers.setdefault(line.group, header)
        for run in line.runs:
            self._seen.setdefault(run, []).append(line)
        self.lines.append(line)
        return True


def _past(memory: Candidate) -> str:
    """Until when what is no longer true was, so that nobody reads it as current."""
    until = from_micros(memory.invalid_at)
    return "" if until is None else f"(until {until.date().isoformat()})"


def _value(hit: Candidate) -> float:
    """How likely a hit matters, for what it costs to show it."""
    words = len(hit.text) / 5.5 if hit.text.isascii() else len(hit.text) / 3
    return float(hit.score / (FRAME + min(words, EXCERPT)) ** THRIFT)
