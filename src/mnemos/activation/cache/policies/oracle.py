"""What is known to be needed is kept: the other end, where places of answers, or what comes after, are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor
from transformers import PreTrainedModel

from mnemos.activation.cache.policy import Policy, Shown, registered
from mnemos.errors import InvalidInput


@registered
class Oracle(Policy):
    """Keeps what it was told, at prefill and at decoding; what room is left goes to the latest tokens.

    Args:
        positions: of a row's tokens, padding not counted: one list for all rows, or one list for each.
        later: of each layer, how much the queries from the n-th token behind a prompt on look at each token,
            [rows, heads, tokens behind the prompt, tokens]; what is looked at most stays. `foreseeing` makes it.

    Raises:
        InvalidInput: a position is negative, or there are lists for other rows than are read.
    """

    name = "oracle"

    def __init__(
        self, positions: Sequence[int] | Sequence[Sequence[int]] = (), *, later: Sequence[Tensor] = ()
    ) -> None:
        given: list[Any] = list(positions)
        self._each = bool(given) and not isinstance(given[0], int)
        lists = [list(one) for one in given] if self._each else [given]
        if any(isinstance(one, bool) or not isinstance(one, int) or one < 0 for some in lists for one in some):
            raise InvalidInput("positions", "are not positions of tokens", "give whole numbers, 0 or more")
        self._lists: list[list[int]] = lists
        self._later = tuple(later)

    @classmethod
    @torch.no_grad()
    def foreseeing(cls, model: PreTrainedModel, text: Tensor, prompt: int) -> Self:
        """One that has read the texts to their ends before, with everything kept.

        Args:
            model: whose cache it will be for.
            text: what will be read, [rows, tokens], none of them padding.
            prompt: how many of the tokens will be read at once, at least 1; the others follow.

        Raises:
            InvalidInput: no token follows the prompt.
        """
        if not 0 < prompt < text.shape[1]:
            raise InvalidInput("prompt", f"{prompt} of {text.shape[1]} tokens", "give fewer, at least 1")
        heads = model.config.get_text_config().num_key_value_heads
        before = model.config._attn_implementation
        model.set_attn_implementation("eager")
        try:
            told = model(input_ids=text, output_attentions=True, use_cache=False).attentions
        finally:
            model.set_attn_implementation(before)
        seen = (one[:, :, prompt:].float().unflatten(1, (heads, -1)).sum(2) for one in told)
        return cls(later=[one.flip(2).cumsum(2).flip(2) for one in seen])

    def scores(self, shown: Shown) -> Tensor:
        """1 for what is wanted, 0 for the rest; or how much it will be looked at."""
        if self._later:
            return self._foreseen(shown)
        rows = shown.rows.tolist() if self._each else [0] * len(shown.rows)
        if max(rows, default=0) >= len(self._lists):
            problem = f"has lists for {len(self._lists)} rows, and {max(rows) + 1} are read"
            raise InvalidInput("positions", problem, "give one for each, or one for all")
        wanted = [torch.isin(shown.positions[at], _tensor(self._lists[row], shown)) for at, row in enumerate(rows)]
        return torch.stack(wanted).float()

    def _foreseen(self, shown: Shown) -> Tensor:
        later = self._later[shown.layer][shown.rows]
        steps, tokens = later.shape[2:]
        step = (shown.seen - (tokens - steps)).clamp(0, steps - 1)
        left = later[torch.arange(len(step)), :, step].to(shown.positions.device)
        return left.gather(-1, shown.positions.clamp(0, tokens - 1))


def _tensor(numbers: list[int], shown: Shown) -> Tensor:
    return torch.tensor(numbers, dtype=shown.positions.dtype, device=shown.positions.device)
