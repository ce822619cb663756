"""What is asked of a language model, and what asking costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mnemos.errors import LanguageModelError


class TooLong(LanguageModelError):
    """The question, or the answer, is longer than the model takes; half of it may do."""


class Question(NamedTuple):
    """What is asked: rules, quoted data, and the shape of the answer."""

    name: str
    rules: str
    data: str
    schema: Mapping[str, Any]


class Usage(NamedTuple):
    """What one call cost. `estimated` where the endpoint did not say."""

    model: str
    prompt_tokens: int
    completion_tokens: int
    cost: float
    estimated: bool


Spend = Callable[[Usage], None]
Ask = Callable[[Question], Mapping[str, Any]]
"""Something that answers a question with JSON of its shape; raises LanguageModelError."""
