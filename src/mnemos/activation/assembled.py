"""A cache that holds memories, as `generate` of `transformers` takes it.

`generate` takes the tokens that it is given for the whole text, and counts their places from 0. So the memories stand
*before* the text, at the places -n to -1: rotary attention knows only how far apart two tokens are, and the cache says
of itself that it is as long as the text, and only to whoever makes a mask that more stands before it. Then
`generate(**tokenizer(question, return_tensors="pt"), past_key_values=cache)` is right as it stands, with beams and
samples too, and a text that goes on (question, answer, next question) is given whole, as always.

Where frequencies change with the length of the text (dynamic scaling, longrope) places are not only relative; there the
memories stand at 0 to n - 1, and what follows has to say its places and mask itself: see `following`.

Written for the caches of transformers 5.23: beside `models` the only module that follows their changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedConfig

from mnemos.activation.models import Layers
from mnemos.errors import InvalidInput


class Place(NamedTuple):
    """Where a memory stands among the tokens of a cache."""

    id: str
    start: int
    end: int
    """The place after its last token."""


class Assembled(DynamicCache):
    """Memories in a cache, ready as `past_key_values`.

    What is read after them is added to it; whenever `generate` begins it holds the memories alone again, so that one
    cache answers any number of questions.
    """

    ids: Tensor
    """Token ids of what it holds: the opening, then the memories, [tokens], on the CPU."""
    places: tuple[Place, ...]
    """Each memory's tokens, in reading order."""
    cost: float
    """The share of the later blocks' (token, layer) pairs that were computed again."""
    exact: int
    """Tokens at the beginning that are as in a full reading without any repair."""
    encoded: tuple[str, ...]
    """Ids of the memories that had no block, and were read on the way."""
    seconds: float
    """That it took to put together."""

    def __init__(self, config: PreTrainedConfig, layers: Layers, ids: Tensor, *, before: bool) -> None:
        """Hold keys and values; they are not copied, and not changed either.

        Args:
            config: of the model.
            layers: keys at their places (-n to -1 where they stand before the text, else 0 to n - 1), and values.
            ids: their token ids, [n].
            before: whether they stand before the text.
        """
        super().__init__(config=config)
        self.ids = ids.to("cpu", torch.int64)
        self.places = ()
        self.cost, self.exact, self.encoded, self.seconds = 0.0, 0, (), 0.0
        self._before = before
        self._expected: int | None = None
        self._windows: dict[int, tuple[Tensor, Tensor]] = {}
        if len(ids):
            for number, layer in enumerate(self._kept()):
                self._fill(number, layer, *layers[number])
        self.rewind()

    @property
    def memory_ids(self) -> tuple[str, ...]:
        """Ids of the memories that it holds, in reading order."""
        return tuple(place.id for place in self.places)

    @property
    def stands_before(self) -> bool:
        """Whether `generate` may be given a text alone; else it needs what `following` makes of it."""
        return self._before

    @property
    def bytes(self) -> int:
        """What its keys and values take where the model computes, with what was read after the memories."""
        kept = [layer for layer in self._kept() if layer.is_initialized]
        return sum(one.numel() * one.element_size() for layer in kept for one in (layer.keys, layer.values))

    def rewind(self) -> None:
        """Hold the memories alone again, as when it was made."""
        self._expected = None
        for number, layer in enumerate(self._kept()):
            if not len(self.ids):
                layer.reset()
            elif number in self._windows:
                layer.keys, layer.values = self._windows[number]
                layer.cumulative_length, layer.record_past = len(self.ids), False
            elif layer.is_initialized:
                layer.keys = layer.keys[:1, :, : len(self.ids)]
                layer.values = layer.values[:1, :, : len(self.ids)]

    def following(self, texts: Sequence[Sequence[int]], device: torch.device) -> dict[str, Tensor]:
        """What `generate` or the model is given of texts that follow the memories; right for every model.

        Args:
            texts: token ids of each text of a batch; shorter ones are filled up on their left.
            device: of the model.

        Returns:
            `input_ids` and `position_ids`, [texts, tokens], and `attention_mask`, [texts, memory tokens + tokens].

        Raises:
            InvalidInput: a text is empty; or they differ in length, and layers look back over a window, in which what
                fills up the shorter ones would count.
        """
        if not texts or not min(map(len, texts)):
            raise InvalidInput("question", "has no tokens", "ask something")
        width = max(map(len, texts))
        if self._windows and width > min(map(len, texts)):
            problem = "they differ in length, and this model looks back over a window"
            raise InvalidInput("question", problem, "ask them one by one, or those of one length together")
        lengths = torch.tensor([[len(text)] for text in texts])
        columns = torch.arange(width)[None]
        said = columns >= width - lengths
        ids = torch.zeros(len(texts), width, dtype=torch.int64)
        ids[said] = torch.tensor([one for text in texts for one in text])
        start = 0 if self._before else len(self.ids)
        seen = torch.ones(len(texts), len(self.ids), dtype=torch.int64)
        self._expected = width
        made = {
            "input_ids": ids,
            "attention_mask": torch.cat([seen, said.long()], 1),
            "position_ids": (columns - (width - lengths)).clamp_min(0) + start,
        }
        return {name: tensor.to(device) for name, tensor in made.items()}

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Add keys and values of a layer; the memories are seen by every text of a batch."""
        layer = self._kept()[layer_idx]
        if layer.is_initialized and layer.keys.shape[0] < key_states.shape[0]:
            layer.batch_repeat_interleave(key_states.shape[0] // layer.keys.shape[0])
        return super().update(key_states, value_states, layer_idx, *args, **kwargs)

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """How long the text is that it holds; memories that stand before it do not count."""
        return super().get_seq_length(layer_idx) - (len(self.ids) if self._before else 0)

    def get_query_offset(self, layer_idx: int = 0) -> int:
        """How many tokens the next one may look back at, memories included."""
        return super().get_seq_length(layer_idx)

    def get_mask_sizes(self, query_length: int, layer_idx: int) -> tuple[int, int]:
        """For how many tokens, and from which on, a layer needs a mask.

        Raises:
            InvalidInput: a text was given without its places where it has to say them.
        """
        first = super().get_seq_length(layer_idx) == len(self.ids)
        if not self._before and first and query_length != self._expected:
            problem = "this model's frequencies change with the length, so that a text has to say its places"
            raise InvalidInput("inputs", problem, "give **kv.inputs(cache, question)")
        return super().get_mask_sizes(query_length, layer_idx)

    @property
    def _is_user_defined(self) -> bool:
        """Set by `generate` when it begins with a cache that it was given."""
        return True

    @_is_user_defined.setter
    def _is_user_defined(self, value: bool) -> None:
        expected = self._expected
        self.rewind()
        self._expected = expected

    def _fill(self, number: int, layer: Any, keys: Tensor, values: Tensor) -> None:
        """Give a layer its memories, without the copy that `update` would make; a window holds its last ones alone."""
        keys, values = keys[None], values[None]
        if layer.is_sliding:
            seen = layer.sliding_window - 1
            self._windows[number] = keys[:, :, -seen:].clone(), values[:, :, -seen:].clone()
        layer.lazy_initialization(keys, values)
        layer.keys, layer.values = keys, values

    def _kept(self) -> list[Any]:
        layers: list[Any] = self.layers
        return layers
