"""The words that a model reads of a memory, in whatever form it reads them: one line, dated, with who said it.

[2026-03-02] Ana: My sister Rita is vegan.

It is quoted as data. Whatever a memory says, it stays in its line; whoever changes what is read here changes the
triggers that drop what was made of it (`store.schema_artifacts`).
"""

from __future__ import annotations

import re

from mnemos.quoting import OPENING
from mnemos.records import Memory

OPENING_LINE = f"{OPENING}\n"
"""What stands before the memories."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def render(memory: Memory) -> str:
    """A memory's line, with its line feed; empty where it says nothing.

    The date is that of `happened_at`; the name is the speaker, or the role, or the kind where it is no turn. What is no
    longer true says until when it was.
    """
    words = _one_line(memory.text)
    if not words:
        return ""
    date = "" if memory.happened_at is None else f"[{memory.happened_at.date().isoformat()}] "
    name = _one_line(memory.speaker or memory.role or (memory.kind if memory.kind != "turn" else ""))[:60]
    until = "" if memory.invalid_at is None else f" (until {memory.invalid_at.date().isoformat()})"
    return f"{date}{name}: {words}{until}\n" if name else f"{date}{words}{until}\n"


def _one_line(text: str) -> str:
    return " ".join(_CONTROL.sub(" ", text).split())
