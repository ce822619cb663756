"""What Mnemos needs of a `transformers` model: its layers, its positions, and the keys and values of a text.

The one place that follows the changes of that library's cache and decoder interfaces.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel

from mnemos.activation.rotation import Rotation, put_on, take_off
from mnemos.errors import InvalidInput

FULL, SLIDING = "full_attention", "sliding_attention"
Layers = list[tuple[Tensor, Tensor]]
"""Keys and values of each layer, each [heads, tokens, dimensions]."""


class Decoder:
    """A causal model with rotary positions, ready to be read from and written to layer by layer.

    Args:
        model: a `transformers` causal language model. It is used as it is, and left as it was.

    Raises:
        InvalidInput: its positions are learned or of another kind, or its layers are not all attention.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self.config = model.config.get_text_config()
        base = _decoder(model)
        self.layers: Sequence[nn.Module] = base.layers
        self.layer_types = layer_types(self.config, len(base.layers))
        self.rotation = Rotation(base.rotary_emb)
        self._prove()

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        """The type of its keys and values."""
        return self.model.dtype

    def window(self, layer: int) -> int | None:
        """How many tokens a layer looks back, itself included; None: all."""
        return int(self.config.sliding_window) if self.layer_types[layer] == SLIDING else None

    @torch.no_grad()
    def read(self, ids: Tensor, start: int = 0) -> Layers:
        """The keys and values of a text that stands alone, rotated to its places.

        Args:
            ids: token ids, [tokens].
            start: the place of the first token.
        """
        cache = DynamicCache()
        places = torch.arange(start, start + len(ids), device=self.device)
        with self.at_rest() as base:
            base(input_ids=ids[None].to(self.device), position_ids=places[None], past_key_values=cache, use_cache=True)
        read: Any = cache.layers
        return [(layer.keys[0], layer.values[0]) for layer in read]

    @contextmanager
    def at_rest(self) -> Iterator[Any]:
        """The decoder without its head, in evaluation mode, with positions that remember no other text.

        Afterwards it is as it was.
        """
        base, modes = self.model.base_model, [(one, one.training) for one in self.model.modules()]
        rotary = base.rotary_emb
        base.rotary_emb = self.rotation.fresh(self.device)
        self.model.train(False)
        try:
            yield base
        finally:
            base.rotary_emb = rotary
            for module, mode in modes:
                module.training = mode

    def placed(self, layers: Layers, positions: Tensor, length: int) -> Layers:
        """Keys that stand nowhere, put at their places; values as they are."""
        return [
            (put_on(keys, self.rotation.angles(positions, length, kind)), values)
            for (keys, values), kind in zip(layers, self.layer_types, strict=True)
        ]

    def unplaced(self, layers: Layers, positions: Tensor, length: int) -> Layers:
        """Keys without their places; the inverse of `placed`."""
        return [
            (take_off(keys, self.rotation.angles(positions, length, kind)), values)
            for (keys, values), kind in zip(layers, self.layer_types, strict=True)
        ]

    def mask(self, rows: Tensor, length: int, window: int | None) -> Tensor:
        """What rows may look at among so many tokens: themselves and what came before, [1, 1, rows, length], added."""
        places = torch.arange(length, device=rows.device)
        seen = places[None] <= rows[:, None]
        if window is not None:
            seen &= places[None] > rows[:, None] - window
        hidden = torch.finfo(self.dtype).min
        return torch.zeros(seen.shape, dtype=self.dtype, device=rows.device).masked_fill(~seen, hidden)[None, None]

    def cache(self, layers: Layers) -> DynamicCache:
        """A cache of the library's own kind that holds copies of these keys and values."""
        cache = DynamicCache(config=self.model.config)
        for number, (keys, values) in enumerate(layers):
            cache.update(keys[None].clone(), values[None].clone(), number)
        return cache

    def _prove(self) -> None:
        """See on four tokens that rotation here is the model's.

        Raises:
            InvalidInput: it is not.
        """
        ids = torch.arange(4, device=self.device) % self.config.vocab_size
        at = torch.arange(4, device=self.device)
        here, there = self.read(ids), self.read(ids, start=5)
        moved = self.placed(self.unplaced(here, at, 4), at + 5, 9)
        # only the first layer: those above see what sinks and windows leave of it
        (mine, _), (theirs, _) = moved[0], there[0]
        far = (mine.float() - theirs.float()).abs().max() / theirs.float().abs().max().clamp_min(1e-6)
        if far > _slack(self.dtype):
            kind = self.config.model_type
            raise InvalidInput(
                "model", f"({kind}) rotates its keys in a way that is not known", "use a model with Llama's rotary form"
            )


def _slack(dtype: torch.dtype) -> float:
    return 1e-4 if dtype in (torch.float32, torch.float64) else 0.05


def _decoder(model: PreTrainedModel) -> Any:
    base, kind = model.base_model, model.config.model_type
    if not hasattr(base, "rotary_emb"):
        learned = any("position" in name or name.endswith("wpe") for name, _ in base.named_modules())
        problem = "learned absolute positions" if learned else "no rotary positions"
        mend = "a block cannot be moved in it; use a model with rotary positions (Llama, Qwen, Mistral, Gemma, Phi-3)"
        raise InvalidInput("model", f"({kind}) has {problem}", mend)
    if not hasattr(base, "layers"):
        raise InvalidInput("model", f"({kind}) keeps its layers elsewhere", "use a decoder with a list `layers`")
    return base


def layer_types(config: Any, count: int) -> tuple[str, ...]:
    """Which attention each of so many layers has: "full_attention" or "sliding_attention"."""
    window = getattr(config, "sliding_window", None)
    types = getattr(config, "layer_types", None) or [SLIDING if window else FULL] * count
    strange = sorted(set(types) - {FULL, SLIDING})
    if strange:
        problem = f"({config.model_type}) has layers of the kind {', '.join(strange)}, which keep no keys and values"
        raise InvalidInput("model", problem, "use a model whose layers are all attention")
    return tuple(SLIDING if kind == SLIDING and window else FULL for kind in types)
