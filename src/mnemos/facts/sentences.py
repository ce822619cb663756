"""The sentences of a turn that its speaker asserts: no code, no pasted or quoted text, no questions."""

from __future__ import annotations

import re
from typing import NamedTuple

from mnemos.recall.marks import unmarked

LONGEST = 20_000
"""Characters of a text that are read."""
LONGEST_SENTENCE = 600
"""A longer sentence is a list, a table or a paste, and is passed over."""


class Sentence(NamedTuple):
    """One assertion, with single spaces and straight apostrophes, and where it stands in the text."""

    text: str
    start: int
    end: int


_code = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.DOTALL)
_line_noise = re.compile(r"(?m)^[ \t]*(?:>|\||#|\$ |at \w+\.|import |from \w+ import |def |class |\{|\}|//|<).*$")
_inline = re.compile(r"\[(?:image|photo|file|audio|video)\b[^\]]*\]|https?://\S+|<[^<>\n]{1,80}>")
_quoted = re.compile(r"\"[^\"\n]{1,600}\"|“[^”\n]{1,600}”|(?<!\w)'[^'\n]{12,300}'(?!\w)")
_backticks = re.compile(r"`[^`\n]*`")
_title = re.compile(r"[^\s!?](?:[^.!?\n]|\.\w){0,45}")
_letter = re.compile(r"(?im)^[ \t]*(?:dear\b.{0,40},|subject:|to whom it may concern).*", re.DOTALL)
_order = re.compile(
    r"^\W*(?:(?:please|pls|now|ok|hey|hi|can you|could you|would you|help me|i want you to|i'd like you to)[, ]+)*"
    r"(?:(?:re)?write|rephrase|act|pretend|imagine|translate|summari[sz]e|paraphrase|proofread|correct|edit|continue|"
    r"complete|analy[sz]e|classify|improve|draft|compose|generate|you are|you're|role-?play|extract|convert|"
    r"answer as|respond as|fix)\b",
    re.IGNORECASE,
)
_pasted = re.compile(r":[ \t]*\n|\n\s*\n|:\s*(?=[\"“'\[(])")
_cut = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|\n+|(?<=[。！？])|\s{1,64}(?=[•●])")
_abbreviation = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|mt|ft|jr|sr|vs|etc|approx|no|inc|ltd|e\.g|i\.e|a\.m|p\.m|u\.s|[A-Z])\.)$",
    re.IGNORECASE,
)
_asks = re.compile(
    r"(?:,|;|—|–|\s-|\band|\bbut|\bso|^)\s*(?:and |but |so |or |also |then |any |just "
    r")*(?:what|what's|whats|who|who's|where|"
    r"when|why|how|how's|which|whose|can|could|would|will|do|does|did|don't|is|are|am|was|"
    r"were|isn't|aren't|have you|has|"
    r"had|should|shall|may|got any|any|right|ok|okay|eh|huh|know any|you know|wanna|tell "
    r"me|remind me|help me|i wonder|"
    r"i was wondering|i'm wondering|im wondering|wondering|curious)\b",
    re.IGNORECASE,
)
_spaces = re.compile(r"\s+")


def sentences(text: str) -> list[Sentence]:
    """What a text asserts, sentence by sentence, in order."""
    text = text[:LONGEST]
    if _order.match(text) and (pasted := _pasted.search(text)):
        text = text[: pasted.start()]
    masked = text
    for noise in (_code, _letter, _line_noise, _inline):
        masked = noise.sub(_blank, masked)
    masked = _quoted.sub(_without_speech, _backticks.sub(_without_speech, masked))
    found: list[Sentence] = []
    start = 0
    for cut in [*_cut.finditer(masked), None]:
        end = len(masked) if cut is None else cut.start()
        if cut is not None and "\n" not in cut[0] and _abbreviation.search(masked[max(0, end - 8) : end]):
            continue
        if sentence := _sentence(masked, start, end):
            found.append(sentence)
        start = end if cut is None else cut.end()
    return found


def _sentence(text: str, start: int, end: int) -> Sentence | None:
    said = _spaces.sub(" ", text[start:end].replace("’", "'").replace("‘", "'")).strip()
    said = _calm(unmarked(said))
    if "?" in said:
        said = _before_question(said)
    if len(said) < 4 or len(said) > LONGEST_SENTENCE or not any(c.isalpha() for c in said):
        return None
    return Sentence(said, start, end)


def _calm(said: str) -> str:
    """What is shouted, in lower case."""
    upper, lower = sum(map(str.isupper, said)), sum(map(str.islower, said))
    return said.lower() if upper > 1.5 * lower and said.count(" ") > 1 else said


def _before_question(said: str) -> str:
    """What is asserted before the question begins ("I moved to Porto, where should I eat?"); empty if nothing is."""
    asks = _asks.search(said)
    return "" if asks is None or asks.start() == 0 else said[: asks.start()].rstrip(" ,;—–-") + "."


def _without_speech(match: re.Match[str]) -> str:
    """A quoted title without its marks; what somebody said is left out."""
    inside = match[0][1:-1]
    short = _title.fullmatch(inside) and len(inside.split()) <= 6 and not re.search(r"\b[Ii]\b", inside)
    return f" {inside} " if short else _blank(match)


def _blank(match: re.Match[str]) -> str:
    """Spaces of the same length, so that places stay where they are; a line's end stays a line's end."""
    return "".join("\n" if c == "\n" else " " for c in match[0][:-1]) + ("\n" if match[0].endswith("\n") else " ")
