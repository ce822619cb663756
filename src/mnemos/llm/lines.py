"""Memories as a model is shown them: quoted data, each under a short label by which it can be cited."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from mnemos.facts.scene import speaker_of
from mnemos.stages import own
from mnemos.store.rows import Stored

_ESCAPED = re.compile("[<\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
PIECE = 6_000
"""Characters of one memory under one label; longer ones are shown in pieces."""


class Line(NamedTuple):
    """One memory, or a piece of a long one, under a label."""

    label: str
    num: int
    text: str
    speaker: str | None
    happened_at: datetime | None
    until: datetime | None = None
    """When it ceased to be true."""


def lines_of(memories: Iterable[Stored], prefix: str) -> list[Line]:
    """Memories as lines, without what they quote from recall, labelled `prefix` and a count from 1."""
    lines: list[Line] = []
    for num, memory, _ in map(own, memories):
        name = speaker_of(memory) or memory.speaker or memory.role
        for piece in _pieces(memory.text):
            label = f"{prefix}{len(lines) + 1}"
            began = memory.valid_at or memory.happened_at
            lines.append(Line(label, num, piece, name, began, memory.invalid_at))
    return lines


def quoted(lines: Sequence[Line]) -> str:
    """Lines as JSON, one each: nothing in a text can end its quotation, or pass for a mark of a model's own.

    `<` is written as an escape, because many models take `<|…|>` in any place for a change of speaker.
    """
    return "\n".join(
        quoted_json(
            {
                "id": line.label,
                **({"date": f"{line.happened_at:%Y-%m-%d (%A)}"} if line.happened_at else {}),
                **({"no longer true since": f"{line.until:%Y-%m-%d}"} if line.until else {}),
                **({"speaker": line.speaker} if line.speaker else {}),
                "text": line.text,
            }
        )
        for line in lines
    )


def quoted_json(row: Mapping[str, Any]) -> str:
    """One line of JSON in which `<` and every character that ends a line or is not seen are escapes."""
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(row, ensure_ascii=False))


def _pieces(text: str) -> list[str]:
    if not text.strip():
        return []
    pieces = []
    while len(text) > PIECE:
        cut = max(text.rfind("\n", PIECE // 2, PIECE), text.rfind(". ", PIECE // 2, PIECE) + 1)
        cut = cut if cut > 0 else PIECE
        pieces.append(text[:cut])
        text = text[cut:]
    return [*pieces, text]
