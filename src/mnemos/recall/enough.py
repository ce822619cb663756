"""How likely the best memory has to be before a context says anything at all."""

from __future__ import annotations

import re

FEW = 100
"""In a scope of fewer memories scores say little, for what they are read from is what sets memories apart."""
NAMED = 0.25
"""In a small scope, the part of it that is enough where the memory speaks of one whom the question names."""
_NAME = re.compile(r"(?<=\s)[^\W\d_a-z][\w’'-]*[^\W_]")


def enough(question: str, text: str, memories: int, least: float) -> float:
    """The score at which the best memory is shown.

    Args:
        question: what is asked.
        text: the words of the best memory.
        memories: how many its scope holds, derived ones included.
        least: the score that is enough anywhere, 0 to 1.
    """
    if memories > FEW:
        return least
    names = {name.removesuffix("'s").removesuffix("’s").lower() for name in _NAME.findall(question)} - {"i"}
    return least * NAMED if any(re.search(rf"\b{re.escape(name)}\b", text.lower()) for name in names) else least
