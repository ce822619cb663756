"""A lesson: words after which other words are to be learned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lesson:
    """One example of which a model learns the answer, and not the prompt."""

    prompt: str
    """What stands before; empty where the whole text is learned."""
    answer: str
    """What is to come of it, without white space around it."""
    memories: tuple[str, ...]
    """Ids of the memories that it is made of."""
    is_question: bool = False
    """Whether the prompt asks, as a person would."""


def unique(lessons: Iterable[Lesson]) -> list[Lesson]:
    """Lessons in their order, each prompt and answer once: the first that has them."""
    found: dict[tuple[str, str], Lesson] = {}
    for lesson in lessons:
        found.setdefault((lesson.prompt, lesson.answer), lesson)
    return list(found.values())
