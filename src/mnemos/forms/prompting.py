"""The tokens that a model is given of memories as words, and of the question after them.

Without a chat template: the model's first token, the line that says that what follows is quoted, a line for each
memory, and the question. Where keys and values come first they hold that beginning, and the lines go on from there.
With a chat template the quoted lines stand in the user's message, before the question, and keys and values before the
whole chat. Without any memory the question stands alone, as `AdapterMemory` teaches it. No word of a memory is ever
taken for one of the model's own marks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mnemos.quoting import CLOSING
from mnemos.records import Memory
from mnemos.rendering import OPENING_LINE, render

PLACE = "\u2042quoted\u2042"
"""Stands in a chat template where the lines of memories come."""
END = f"{CLOSING}\n\n"


class Prompter:
    """Writes prompts for one tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._has_chat = bool(getattr(tokenizer, "chat_template", None))
        first = [] if tokenizer.bos_token_id is None else [int(tokenizer.bos_token_id)]
        self.opening = (*first, *self._ids(OPENING_LINE))
        """What stands before memories: the same that `KVMemory` reads its blocks after."""

    def line(self, memory: Memory) -> list[int]:
        """The tokens of a memory; none where it says nothing."""
        words = render(memory)
        return list(self._tokenizer(words, add_special_tokens=False, split_special_tokens=True)["input_ids"])

    def frame(self, *, after_blocks: bool) -> int:
        """Tokens that text takes beside its lines."""
        if self._has_chat:
            return len(self._ids(OPENING_LINE)) + len(self._ids(END))
        return 0 if after_blocks else len(self.opening)

    def prompt(self, question: str, lines: Sequence[Sequence[int]] = (), *, after_blocks: bool = False) -> list[int]:
        """The tokens to be read.

        Args:
            question: what is asked.
            lines: of memories, as tokens.
            after_blocks: whether keys and values stand before it, which begin with the opening.
        """
        if self._has_chat:
            return self._chat(question, lines, after_blocks=after_blocks)
        if after_blocks or lines:
            return [*(() if after_blocks else self.opening), *_joined(lines), *self._ids(question)]
        ids: list[int] = list(self._tokenizer(question)["input_ids"])
        return ids[:-1] if len(ids) > 1 and ids[-1] == self._tokenizer.eos_token_id else ids

    def _chat(self, question: str, lines: Sequence[Sequence[int]], *, after_blocks: bool) -> list[int]:
        said = f"{OPENING_LINE}{PLACE}{END}{question}" if lines else question
        messages = [{"role": "user", "content": said}]
        whole = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        if after_blocks and self._tokenizer.bos_token:
            whole = whole.removeprefix(self._tokenizer.bos_token)
        head, _, tail = whole.partition(PLACE) if lines else ("", "", whole)
        return [*self._ids(head), *_joined(lines), *self._ids(tail)]

    def _ids(self, words: str) -> list[int]:
        return list(self._tokenizer(words, add_special_tokens=False)["input_ids"]) if words else []


def _joined(lines: Sequence[Sequence[int]]) -> list[int]:
    return [one for line in lines for one in line]
