"""A cache of `transformers` that keeps what its policy keeps.

    cache = MemoryCache(model, policy="streaming", budget=0.25)
    out = model.generate(**tokenizer(text, return_tensors="pt"), past_key_values=cache)

Tokens that go are freed: what is left is gathered, head by head, into new storage. Those that stay keep their places,
and so does what comes after them, as if nothing had gone.
"""

from __future__ import annotations

import weakref
from typing import Any

from torch import Tensor
from transformers import Cache, PreTrainedModel

from mnemos.activation.cache.attention import Columns, is_on, switched_on
from mnemos.activation.cache.budgets import Budget, Spread, Uniform
from mnemos.activation.cache.layer import MemoryLayer, Rules
from mnemos.activation.cache.policy import Policy, read_policy
from mnemos.activation.cache.turning import Turning
from mnemos.activation.models import SLIDING, Decoder, _layer_types
from mnemos.errors import InvalidInput


class MemoryCache(Cache):
    """What a model keeps of a batch of texts, ready as `past_key_values`.

    It works with `generate` (greedy, sampling, beams), with padding on either side, and goes on over several calls.
    What was padding when it was read is never held. Decoding that takes tokens back (an assistant, prompt lookup) is
    refused.

    Args:
        model: a causal model of `transformers` whose layers are all attention. From here on it looks through an
            attention function that computes the same for every other cache.
        policy: what stays, by name or as an object.
        budget: how much: a share of the tokens that a row has read, above 0 and up to 1 (all); or a whole number of
            tokens per head, 2 or more. Layers that look back over a window hold no more than it.
        spread: how that is shared out between layers and heads; None: every head gets the same.

    Raises:
        InvalidInput: the model's attention cannot be followed, or an argument cannot be accepted.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        policy: str | Policy = "full",
        budget: float = 1.0,
        *,
        spread: Spread | None = None,
    ) -> None:
        self.policy = read_policy(policy)
        self.budget = Budget(budget)
        config = model.config.get_text_config()
        if model.config.is_encoder_decoder:
            raise InvalidInput("model", "reads with an encoder", "use a model that only decodes")
        rotation = Decoder(model).rotation if self.policy.rotates or self.policy.moves else None
        turning = Turning(rotation, config) if rotation and self.policy.moves else None
        kinds = _layer_types(config, config.num_hidden_layers)
        switched_on(model)
        self._model = weakref.ref(model)
        layers: list[Any] = [
            MemoryLayer(
                Rules(
                    policy=self.policy,
                    budget=self.budget,
                    spread=spread or Uniform(),
                    rotation=rotation,
                    turning=turning,
                    layer=number,
                    layers=len(kinds),
                    window=int(config.sliding_window) if kind == SLIDING else None,
                    kind=kind,
                )
            )
            for number, kind in enumerate(kinds)
        ]
        super().__init__(layers=layers)

    @property
    def bytes(self) -> int:
        """What it holds in memory: keys, values, positions and what the policy notes."""
        tensors = [tensor for layer in self._layers() for tensor in layer.tensors]
        storages = [tensor.untyped_storage() for tensor in tensors]
        return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())

    @property
    def kept(self) -> list[list[list[list[int]]]]:
        """The positions that are held, by layer, row and head; padding is not counted."""
        return [layer.kept for layer in self._layers()]

    @property
    def seen(self) -> Tensor:
        """Tokens that each row has read, padding not counted, [rows], on the CPU."""
        return self._layers()[0].seen

    def get_mask_sizes(self, query_length: int, layer_idx: int) -> tuple[int, int]:
        """For how many tokens, and from which on, a layer needs a mask.

        Raises:
            InvalidInput: the model no longer looks through the attention function of this cache.
        """
        model = self._model()
        if model is None or not is_on(model):
            problem = "looks through another attention function than when the cache was made"
            raise InvalidInput("model", problem, "make a new cache for it")
        length, offset = super().get_mask_sizes(query_length, layer_idx)
        return Columns(length), offset

    def activate_past_recording(self) -> None:
        """Refuse to take tokens back later: what went to make room for them would be gone.

        Raises:
            InvalidInput: always.
        """
        problem = "cannot take tokens back, as decoding with an assistant or prompt lookup does"
        raise InvalidInput("past_key_values", problem, "generate without assistant_model and prompt_lookup_num_tokens")

    def _layers(self) -> list[MemoryLayer]:
        layers: Any = self.layers
        held: list[MemoryLayer] = layers
        return held
