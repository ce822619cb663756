"""Which memories are meant, in which order they are read, and as which tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from mnemos.activation.shelf import System
from mnemos.arguments import read_count
from mnemos.errors import InvalidInput, NotFound
from mnemos.records import Hit, Memory
from mnemos.rendering import render

PAGE = 1000
"""Memories that are listed at a time."""
Order = Literal["reading", "given"]


class Texts:
    """The memories of a store, as tokens of one tokenizer.

    Args:
        memory: the store.
        tokenizer: of `transformers`.
        opening: words that stand before all memories, after the model's first token.
    """

    def __init__(self, memory: System, tokenizer: Any, opening: str) -> None:
        self._memory = memory
        self.tokenizer = tokenizer
        first = [] if tokenizer.bos_token_id is None else [int(tokenizer.bos_token_id)]
        self._opening = (*first, *self.ids_of(opening))

    def opening(self, sinks: int) -> tuple[int, ...]:
        """The tokens that stand first: the whole opening, or none where no sinks are wanted."""
        return self._opening if read_count(sinks, "sinks", 0) else ()

    def ids_of(self, words: str) -> list[int]:
        """The tokens of some words, without any that a tokenizer puts around them."""
        ids: list[int] = self.tokenizer(words, add_special_tokens=False)["input_ids"] if words else []
        return list(ids)

    def of(self, memory: Memory) -> Tensor:
        """The tokens of a memory, [tokens]; none where it says nothing. No word of it is taken for a special token."""
        words = render(memory)
        ids = self.tokenizer(words, add_special_tokens=False, split_special_tokens=True)["input_ids"] if words else []
        return torch.tensor(ids, dtype=torch.int64)

    def found(self, asked: Sequence[Hit | Memory | str]) -> list[Memory]:
        """The memories that are meant, as the store has them now, each once.

        Raises:
            NotFound: one of them is unknown.
            InvalidInput: something is no hit, memory or id.
        """
        if isinstance(asked, str) or not isinstance(asked, Sequence):
            raise InvalidInput("hits", f"is a {type(asked).__name__}", "give a list of hits, memories or ids")
        found: dict[str, Memory] = {}
        for place, one in enumerate(asked):
            memory_id = one.memory.id if isinstance(one, Hit) else one.id if isinstance(one, Memory) else one
            if not isinstance(memory_id, str):
                raise InvalidInput(f"hits[{place}]", f"is a {type(one).__name__}", "give a hit, a memory or an id")
            memory = self._memory.get(memory_id)
            if memory is None:
                raise NotFound(f"hits[{place}]", memory_id)
            found[memory.id] = memory
        return list(found.values())

    def listed(self, where: Mapping[str, Any]) -> list[Memory]:
        """The memories that `memory.list` tells, all of them."""
        found: list[Memory] = []
        page = self._memory.list(limit=PAGE, **where)
        while page:
            found += page
            page = self._memory.list(limit=PAGE, after=page.end, **where)
        return found

    def ordered(self, memories: Sequence[Memory], order: Order) -> list[Memory]:
        """Memories as they came to be known, or as they were given."""
        if order not in ("reading", "given"):
            raise InvalidInput("order", f"{str(order)[:20]!r} is unknown", "use 'reading' or 'given'")
        if order == "given":
            return list(memories)
        known = {memory.id: memory for memory in memories}
        return [known[one] for one in self._memory.artifacts.in_reading_order(list(known)) if one in known]
