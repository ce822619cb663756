"""A second reading beside a generation: the same answers after other prompts, with a cache of its own."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from transformers import DynamicCache

from mnemos.activation.steering.stack import Stack, own_positions, undisturbed
from mnemos.errors import InvalidInput


class SecondReading:
    """What a model would say next, had it been asked in another way.

    Args:
        stack: the model's layers; it is left as it is.
        questions: `input_ids` and, where they are padded, `attention_mask`, [rows, tokens].

    Raises:
        InvalidInput: they are none, or a row is empty.
    """

    def __init__(self, stack: Stack, questions: Mapping[str, Tensor]) -> None:
        self._stack = stack
        self._ids, self._mask = _left(questions)
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self._cache: DynamicCache | None = None
        self._said: Tensor | None = None
        self._positions = own_positions(self._stack)

    def scores(self, said: Tensor) -> Tensor:
        """The logits of the next token after the questions and what was said since.

        What was said before need not be read again, also where rows have changed their places among those of one
        question, as beams do.

        Args:
            said: token ids of each row, [rows, tokens]; rows that belong to one question stand together.

        Returns:
            [rows, vocabulary], float32.

        Raises:
            InvalidInput: there are not as many rows for each question.
        """
        rows, count = said.shape
        if rows % len(self._ids):
            problem = f"are {len(self._ids)}, the batch has {rows} rows"
            raise InvalidInput("questions", problem, "give one for each prompt")
        said = said.to(self._stack.device)
        before = self._before(said)
        if before is None or self._cache is None:
            self._cache, fresh = DynamicCache(config=self._stack.model.config), self._asked(said)
        else:
            if not torch.equal(before, torch.arange(rows, device=before.device)):
                self._cache.reorder_cache(before)  # type: ignore[arg-type]
            fresh = said[:, -1:]
        self._said = said.clone()
        mask = self._mask.repeat_interleave(rows // len(self._ids), 0)
        mask = torch.cat([mask, mask.new_ones(rows, count)], 1)
        places = (mask.cumsum(1) - 1).clamp_min(0)[:, -fresh.shape[1] :]
        with undisturbed(self._stack, self._positions):
            out = self._stack.model(
                input_ids=fresh,
                attention_mask=mask,
                position_ids=places,
                past_key_values=self._cache,
                use_cache=True,
                logits_to_keep=1,
            )
        logits: Tensor = out.logits[:, -1].float()
        return logits

    def _asked(self, said: Tensor) -> Tensor:
        return torch.cat([self._ids.repeat_interleave(len(said) // len(self._ids), 0), said], 1)

    def _before(self, said: Tensor) -> Tensor | None:
        """Which of the rows that were read each row goes on with, [rows]; None: the whole has to be read."""
        if self._said is None or self._said.shape != (len(said), said.shape[1] - 1):
            return None
        group = torch.arange(len(said), device=said.device) // (len(said) // len(self._ids))
        alike = (said[:, None, :-1] == self._said[None]).all(-1) & (group[:, None] == group[None])
        # a row that stays where it is goes on with itself
        alike = alike.float() + torch.eye(len(said), device=said.device) * alike
        found = alike.max(1)
        return found.indices if bool((found.values > 0).all()) else None


def _left(questions: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Token ids and mask, [rows, tokens], with all padding on the left."""
    ids = questions.get("input_ids") if isinstance(questions, Mapping) else None
    if not isinstance(ids, Tensor) or ids.dim() != 2:
        raise InvalidInput("questions", "have no input_ids", "give what the tokenizer gives, with return_tensors='pt'")
    mask = questions.get("attention_mask")
    mask = torch.ones_like(ids) if mask is None else mask
    if mask.shape != ids.shape or not bool(mask.any(1).all()):
        raise InvalidInput("questions", "have a row without tokens, or a mask of another shape", "give one or more")
    order = mask.bool().int().argsort(dim=1, stable=True)
    width = int(mask.bool().sum(1).max())
    return ids.gather(1, order)[:, -width:], mask.bool().to(ids.dtype).gather(1, order)[:, -width:]
