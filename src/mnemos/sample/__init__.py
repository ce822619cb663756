"""The sample history: a year of one person's chats, and six questions to ask of it.

Maeve Kinsella is made up, and so is everybody around her; we wrote every word ourselves. What she and the assistant
say stands in `tools/sample/*.md`, and `tools/build_sample.py` turns it into the ChatGPT export beside this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid5

IDS = UUID("6d6e656d-6f73-8000-8000-73616d706c65")
"""The name space of the sample's ids, so that building it again gives the same ones."""

ASKED_AT = datetime(2026, 6, 15, 9, 0, tzinfo=UTC)
"""When the six questions are asked: the morning after the last chat."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question, what kind it is, and the marks of the turns that truly answer it (none: never said)."""

    kind: str
    text: str
    marks: tuple[str, ...] = ()

    @property
    def answers(self) -> frozenset[str]:
        """The message ids, as in the export, of the turns that answer."""
        return frozenset(turn_id(mark) for mark in self.marks)


QUESTIONS = (
    Question("a single fact", "What is my mum allergic to?", ("mum-allergy", "mum-allergy-sheet")),
    Question(
        "several sessions together",
        "What presents have I got for people?",
        ("gift-binoculars", "gift-radio", "gift-knife", "gift-blanket", "gift-blanket-given", "gift-bowl"),
    ),
    Question("a date", "When did I pass my driving test?", ("driving-passed",)),
    Question("a preference", "Which seat do I like on a plane?", ("seat-plane", "seat-plane-echo")),
    Question("something that changed", "What is my phone number now?", ("new-phone", "new-phone-text")),
    Question("something never said", "Which musical instrument did I learn at school?"),
)


def history_file() -> Path:
    """Where the sample's `conversations.json` stands."""
    return Path(__file__).with_name("conversations.json")


def turn_id(mark: str) -> str:
    """The message id of the turn that carries this mark in `tools/sample`."""
    return str(uuid5(IDS, f"turn/{mark}"))
