"""Short statements about others as facts: a note or turn that says one thing and nothing about its speaker."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mnemos.facts.dates import moments
from mnemos.facts.frames import LONGEST, Frame, read_frame
from mnemos.facts.scene import speaker_of
from mnemos.facts.statement import Statement
from mnemos.recall.marks import unmarked
from mnemos.records import Memory

MOST_LINES = 400
_talk = re.compile(
    r"[!\[\]…]|\b(?:i|you|we|they|he|she|it|that|there)['’](?:m|re|ve|ll|d|s)\b|"
    r"^\w+ing (?:to|out|up|the|an?|in|on|with|for|and|some|more|different)\b|"
    r"^(?:yeah|yes|no|ok|okay|hey|hi|thanks|sure|great|well|nice|cool|sounds|wow|note|glad|good|all|both|some|most|"
    r"having|being|nothing|everything|something)(?:,| (?-i:[a-z]))",
    re.IGNORECASE,
)
"""What is said in passing, not stated."""
_lines = re.compile(r"[^\n]+")
_sentence_end = re.compile(r"(?<=[a-z0-9\])][.!]) +(?=[A-Z])")


def framed(memory: Memory) -> Iterator[Statement]:
    """The statements about others in a memory that holds nothing else; a machine's turn holds none."""
    if memory.kind not in {"turn", "note", "document", "fact"} or _by_machine(memory):
        return
    lines = [found for found in _lines.finditer(memory.text) if found[0].strip()]
    if memory.kind != "document" and len(lines) > MOST_LINES:
        return
    frames = [(line, read_frame(line[0])) for line in lines]
    if memory.kind == "turn" and not all(frame is not None and _is_stated(line[0], frame) for line, frame in frames):
        return
    for line, frame in frames:
        if frame is not None and len(line[0]) <= LONGEST:
            text = unmarked(line[0]).strip()
            times = moments(frame.object, memory.happened_at)
            valid_at = times[-1].start if len(times) == 1 and times[0].span[0] > 0 else None
            yield Statement(
                text, frame.subject, frame.relation, frame.object, frame.single, valid_at,
                start=line.start(), end=line.end(),
            )  # fmt: skip


_LOOSE = frozenset({"has", "had", "have", "has to", "have to", "had to", "is like", "is also like", "are like"})


def _is_stated(line: str, frame: Frame) -> bool:
    """Whether a line of a turn is a statement, and not something said in passing."""
    said = unmarked(line.strip())
    if _talk.search(said) or frame.relation in _LOOSE or not (frame.single or " " in frame.relation):
        return False
    return said[-1] == "." or said.startswith("The ") or (said[0].isupper() and frame.relation.endswith((" of", " by")))


def _by_machine(memory: Memory) -> bool:
    return speaker_of(memory) is None and memory.kind == "turn" and (memory.role is not None or bool(memory.speaker))
