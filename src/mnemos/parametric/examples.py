"""Lessons as token ids, in every form in which a model may be asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mnemos.errors import InvalidInput
from mnemos.parametric.lesson import Lesson

IGNORED = -100
"""The label of a token that is not learned."""


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids, of which those from `start` on are learned."""

    ids: tuple[int, ...]
    start: int
    """At least 1: nothing stands before the first token from which it could be learned."""


def prompts_for(question: str, tokenizer: Any) -> list[str]:
    """The forms in which a question is put to a model: as it is, and as a chat where the tokenizer knows how.

    The last is the one to ask in.
    """
    if not getattr(tokenizer, "chat_template", None):
        return [question]
    asked = [{"role": "user", "content": question}]
    return [question, tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)]


def examples(lessons: Iterable[Lesson], tokenizer: Any, longest: int) -> list[list[Example]]:
    """For each lesson its examples, one for each form of its prompt; none where the tokenizer lacks its words.

    Args:
        lessons: what is to be learned.
        tokenizer: the model's own.
        longest: tokens of an example; what is longer is cut off.

    Raises:
        InvalidInput: the tokenizer has no token that ends a text.
    """
    end = getattr(tokenizer, "eos_token_id", None)
    if end is None:
        raise InvalidInput("tokenizer", "has no token that ends a text (eos_token)", "set tokenizer.eos_token")
    return [list(_forms(lesson, tokenizer, end, longest)) for lesson in lessons]


def _forms(lesson: Lesson, tokenizer: Any, end: int, longest: int) -> Iterator[Example]:
    asks = lesson.is_question and not _has_marks(lesson, tokenizer)
    prompts = prompts_for(lesson.prompt, tokenizer) if asks else [lesson.prompt]
    for number, prompt in enumerate(prompts):
        is_chat = number > 0
        gap = "" if is_chat or not prompt or lesson.answer.startswith("'") else " "
        before = _ids(prompt, tokenizer, is_chat=is_chat)
        whole = _ids(prompt + gap + lesson.answer.strip(), tokenizer, is_chat=is_chat)
        if getattr(tokenizer, "unk_token_id", None) in whole:
            continue
        before, whole = _unended(before, end), _unended(whole, end)
        shared = next((at for at, (a, b) in enumerate(zip(before, whole, strict=False)) if a != b), len(before))
        ids = (*whole, end)[:longest]
        start = max(1, min(shared, len(whole)))
        if start < len(ids):
            yield Example(tuple(ids), start)


def _has_marks(lesson: Lesson, tokenizer: Any) -> bool:
    """Whether a memory's words hold a mark of the model's own, which in a chat would end or change the turn."""
    words = f"{lesson.prompt}\n{lesson.answer}"
    return any(mark and mark in words for mark in tokenizer.get_added_vocab())


def _ids(text: str, tokenizer: Any, *, is_chat: bool) -> list[int]:
    """Token ids; what looks like a mark of the model's own is one in a chat's template, and words anywhere else."""
    return list(tokenizer(text, add_special_tokens=not is_chat, split_special_tokens=not is_chat)["input_ids"])


def _unended(ids: list[int], end: int) -> list[int]:
    """Ids without an end that a tokenizer puts behind every text."""
    return ids[:-1] if len(ids) > 1 and ids[-1] == end else ids


def batch(chosen: Sequence[Example], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Ids, mask and labels, each [examples, tokens]; padded on the right."""
    width = max(len(one.ids) for one in chosen)
    ids = torch.zeros(len(chosen), width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, IGNORED)
    for row, one in enumerate(chosen):
        read = torch.tensor(one.ids)
        ids[row, : len(read)] = read
        mask[row, : len(read)] = 1
        labels[row, one.start : len(read)] = read[one.start :]
    return ids.to(device), mask.to(device), labels.to(device)
