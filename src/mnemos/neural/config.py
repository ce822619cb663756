"""What a `MemoryLM` is made of: one description for each layer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from transformers import PreTrainedConfig

from mnemos.errors import InvalidInput
from mnemos.neural.mixers import Described, named, spelled

GMU = "gmu"
"""The mixer that has no memory of its own: it reads what that of an earlier layer said."""


class MemoryLMConfig(PreTrainedConfig):  # type: ignore[no-untyped-call]
    """Settings of a `MemoryLM`, saved as `config.json`.

    Args:
        vocab_size: how many tokens there are; 256 reads bytes.
        hidden_size: width of tokens.
        layers: for each layer the name of its mixer, or a mapping: `mixer` and its choices; `feed`, which stands where
            an MLP does, a name or a mapping of its own (`swiglu` where nothing is said, `none` for none); `engram`, a
            mapping of choices of `ngrams.Engram`, which is then read before the mixer. The mixer `gmu` has one choice,
            `of`, the number of the earlier layer whose memory it shares.
        balance: how much the imbalance of mixtures counts in the loss.
        initializer_range: standard deviation of the vectors with which tokens are read, at first; layers begin as
            their own modules say. Small ones let what the first layers find be heard: at width 64, recall of 8 pairs is
            learned with 0.02, and not with 1.
        tie_word_embeddings: whether tokens are read and said with the same vectors.

    Raises:
        InvalidInput: a size that is not positive, or a layer that names something unknown; it says which.
    """

    model_type = "mnemos-memory-lm"

    def __init__(
        self,
        vocab_size: int = 256,
        hidden_size: int = 64,
        layers: Sequence[Described] = ("gated-delta-net", "gated-delta-net"),
        balance: float = 0.01,
        initializer_range: float = 0.02,
        tie_word_embeddings: bool = False,
        **more: Any,
    ) -> None:
        for name, value in (("vocab_size", vocab_size), ("hidden_size", hidden_size)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InvalidInput(name, f"is {value!r}", "give a whole number from 1 on")
        if isinstance(layers, str | Mapping) or not layers:
            raise InvalidInput("layers", "is no list of layers", 'give one description for each: ["delta-net"]')
        self.vocab_size, self.hidden_size, self.balance = vocab_size, hidden_size, balance
        self.initializer_range = initializer_range
        self.layers = [described(layer, number) for number, layer in enumerate(layers)]
        self.num_hidden_layers = len(self.layers)
        more.pop("num_hidden_layers", None)
        super().__init__(**{"tie_word_embeddings": tie_word_embeddings, **more})


def described(layer: Described, number: int) -> dict[str, Any]:
    """A layer as a mapping that JSON can hold, with its mixer and feed named.

    Raises:
        InvalidInput: it names something unknown, or shares the memory of no earlier layer.
    """
    place = f"layers[{number}]"
    whole = spelled(layer)
    if whole.get("mixer") == GMU:
        of = whole.get("of")
        if isinstance(of, bool) or not isinstance(of, int) or not 0 <= of < number:
            raise InvalidInput(f"{place}.of", f"is {of!r}", "give the number of an earlier layer")
        if unknown := whole.keys() - {"mixer", "of", "feed", "engram"}:
            raise InvalidInput(f"{place}.{min(unknown)}", "is no choice of a gmu", "it has of")
    else:
        named(whole, "mixer", place)
    named(whole.setdefault("feed", "swiglu"), "feed", f"{place}.feed")
    if not isinstance(whole.get("engram", {}), Mapping):
        raise InvalidInput(f"{place}.engram", "is no mapping of choices", 'give some, or {} for {"engram": {}}')
    try:
        return dict(json.loads(json.dumps(whole)))
    except TypeError as error:
        raise InvalidInput(place, f"cannot be written as JSON ({error})", "give names, numbers and mappings") from error
