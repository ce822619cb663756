"""What a model has seen of a namespace's memories, and in which form it has seen each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mnemos.records import FormName


@dataclass(frozen=True, slots=True)
class Seen:
    """The memories that one question was answered with, as ids; none is in two forms."""

    text: tuple[str, ...] = ()
    """Read as words, in reading order."""
    activation: tuple[str, ...] = ()
    """Put before them as keys and values, in reading order."""
    parametric: tuple[str, ...] = ()
    """Known by the adapter that was on."""
    adapter: str | None = None
    """The artifact that it is; None: none was on."""
    tokens: int = 0
    """That were read as text, with what quotes them, and without the question."""
    bytes: int = 0
    """Of the cache that the keys and values took, before the question."""
    cost: float = 0.0
    """The share of the later blocks that was read again when they were joined, 0 to 1."""

    @property
    def forms(self) -> Mapping[str, FormName]:
        """The form in which each memory was seen, by id."""
        found: dict[str, FormName] = dict.fromkeys(self.parametric, "parametric")
        found |= dict.fromkeys(self.activation, "activation")
        return found | dict.fromkeys(self.text, "text")
