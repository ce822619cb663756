"""A cache of `transformers` that keeps what its policy keeps.

    cache = MemoryCache(model, policy="streaming", budget=0.25)
    out = model.generate(**tokenizer(text, return_tensors="pt"), past_key_values=cache)

Tokens that go are freed: what is left is gathered, head by head, into new storage. Those that stay keep their places,
and so does what comes after them, as if nothing had gone.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from pathlib import Path
from types import FunctionType
from typing import Any, Self

import torch
from torch import Tensor
from transformers import Cache, PreTrainedModel

from mnemos.activation.cache.attention import Columns, is_on, switched_on
from mnemos.activation.cache.budgets import Budget, Spread, Uniform
from mnemos.activation.cache.held import Storing
from mnemos.activation.cache.layer import MemoryLayer, Rules
from mnemos.activation.cache.noting import told
from mnemos.activation.cache.policy import Policy, read_policy
from mnemos.activation.cache.quantisers import read_storing
from mnemos.activation.cache.reading.layer import layer_of
from mnemos.activation.cache.reading.rest import Rest
from mnemos.activation.cache.reading.retrieval import Retrieval
from mnemos.activation.cache.reading.surprise import watched
from mnemos.activation.cache.saving import RECIPE, load, save
from mnemos.activation.cache.turning import Turning
from mnemos.activation.fingerprint import fingerprint_of
from mnemos.activation.models import SLIDING, Decoder, layer_types
from mnemos.activation.shelf import System
from mnemos.errors import InvalidInput
from mnemos.records import Memory
from mnemos.store.artifact_rows import Artifact


class MemoryCache(Cache):
    """What a model keeps of a batch of texts, ready as `past_key_values`.

    It works with `generate` (greedy, sampling, beams), with padding on either side, and goes on over several calls.
    What was padding when it was read is never held. Decoding that takes tokens back (an assistant, prompt lookup) is
    refused, and so is reading with gradients: call the model under `torch.no_grad()`, as `generate` does.

    Args:
        model: a causal model of `transformers` whose layers are all attention. From here on it looks through an
            attention function that computes the same for every other cache.
        policy: what stays, by name or as an object.
        budget: how much: a share of the tokens that a row has read, above 0 and up to 1 (all); or a whole number of
            tokens per head, 2 or more. Layers that look back over a window hold no more than it.
        spread: how that is shared out between layers and heads; None: every head gets the same.
        quantise: how keys and values are kept: "int8", "int4" or an object such as `KIVI(bits=4)`; None: exactly as the
            model made them.
        rest: where a policy that reads lays old tokens to rest: a folder, in which a temporary file is made that goes
            with the cache; None: memory, off any accelerator. For such a policy the budget says how many tokens a step
            looks at; none goes.

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
        quantise: str | Storing | None = None,
        rest: str | Path | Rest | None = None,
    ) -> None:
        self.policy = read_policy(policy)
        self.budget = Budget(budget)
        _fitting(self.policy, coded=quantise is not None, shared=spread is not None, rests=rest is not None)
        spread, store = spread or Uniform(), read_storing(quantise)
        self._made = {
            "policy": _described(self.policy),
            "budget": str(budget),
            "spread": _described(spread),
            "storage": _described(store),
        }
        rules = self._rules(model, spread, store)
        switched_on(model)
        self._model = weakref.ref(model)
        self.rest = rest if isinstance(rest, Rest) else Rest(rest)
        layers: list[Any] = [layer_of(one, self.rest) for one in rules]
        super().__init__(layers=layers)
        if isinstance(self.policy, Retrieval) and self.policy.surprises:
            watched(model, self)
        if self.policy.tokens:
            told(model, self)

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
        self._looking()
        length, offset = super().get_mask_sizes(query_length, layer_idx)
        return Columns(length), offset

    def save(
        self, memory: System, tokenizer: Any, sources: Sequence[str | Memory], *, seconds: float = 0.0
    ) -> Artifact:
        """Keep what it holds in a store, as an artifact of the memories that were read; it goes when one of them goes.

        Args:
            memory: the store.
            tokenizer: the model's.
            sources: the memories, or their ids.
            seconds: that reading took: what takes long to read again is kept longest.

        Raises:
            InvalidInput: it has read nothing, or a memory has changed since it was read.
            NotFound: a memory is gone.
        """
        fingerprint = fingerprint_of(self._looking(), tokenizer)
        with memory.artifacts.scratch() as path:
            save(self._layers(), self._made, fingerprint, path)
            metadata = {"tokens": self.get_seq_length(), **self._made}
            return memory.artifacts.keep(
                "activation", RECIPE, fingerprint.digest, sources, path, metadata=metadata, seconds=seconds
            )

    def resume(self, memory: System, tokenizer: Any, artifact: Artifact) -> Self:
        """Hold what was saved, and go on from there.

        Args:
            memory: the store.
            tokenizer: the model's.
            artifact: what `save` returned, or `memory.artifacts.find(recipe="kv-cache")` finds.

        Raises:
            InvalidInput: this cache has read something already.
            BlockRefused: another model made it, or a cache that was made otherwise; each difference is named.
            BlockDamaged: the file is damaged.
            NotFound: the artifact is gone: a memory that was read was deleted or changed.
        """
        if self.get_seq_length():
            raise InvalidInput("cache", "has read something already", "resume with a new one")
        model = self._looking()
        like = torch.empty(0, dtype=model.dtype, device=model.device)
        path = memory.artifacts.path(artifact)
        load(self._layers(), self._made, fingerprint_of(model, tokenizer), path, like)
        memory.artifacts.used([artifact.id])
        return self

    def activate_past_recording(self) -> None:
        """Refuse to take tokens back later: what went to make room for them would be gone.

        Raises:
            InvalidInput: always.
        """
        problem = "cannot take tokens back, as decoding with an assistant or prompt lookup does"
        raise InvalidInput("past_key_values", problem, "generate without assistant_model and prompt_lookup_num_tokens")

    def _rules(self, model: PreTrainedModel, spread: Spread, store: Storing) -> list[Rules]:
        """What each layer goes by.

        Raises:
            InvalidInput: the model has layers, or positions, that do not go with the policy.
        """
        config = model.config.get_text_config()
        if model.config.is_encoder_decoder:
            raise InvalidInput("model", "reads with an encoder", "use a model that only decodes")
        rotation = Decoder(model).rotation if self.policy.rotates or self.policy.moves else None
        turning = Turning(rotation, config) if rotation and self.policy.moves else None
        kinds = layer_types(config, config.num_hidden_layers)
        if model._is_stateful:
            kind = config.model_type
            raise InvalidInput("model", f"({kind}) keeps a state, no keys and values", "use a model of attention alone")
        return [
            Rules(
                policy=self.policy,
                budget=self.budget,
                spread=spread,
                rotation=rotation,
                turning=turning,
                store=store,
                layer=number,
                layers=len(kinds),
                window=int(config.sliding_window) if kind == SLIDING else None,
                kind=kind,
            )
            for number, kind in enumerate(kinds)
        ]

    def _looking(self) -> PreTrainedModel:
        model = self._model()
        if model is None or not is_on(model):
            problem = "is gone, or looks through another attention function than when the cache was made"
            raise InvalidInput("model", problem, "make a new cache for it")
        return model

    def _layers(self) -> list[MemoryLayer]:
        layers: Any = self.layers
        held: list[MemoryLayer] = layers
        return held


def _fitting(policy: Policy, *, coded: bool, shared: bool, rests: bool) -> None:
    """See that a policy can do with what else was asked for.

    Args:
        policy: which.
        coded: whether keys and values are to be quantised.
        shared: whether the budget is to be shared out unevenly.
        rests: whether there is a place for old tokens.

    Raises:
        InvalidInput: it cannot.
    """
    reads = isinstance(policy, Retrieval)
    if policy.merges and coded:
        problem = "would have values that are coded already be coded again"
        raise InvalidInput("quantise", problem, "merge without it, or quantise under another policy")
    if reads and coded:
        raise InvalidInput("quantise", f"what rests under {policy.name} is kept as it was made", "leave it out")
    if reads and shared:
        raise InvalidInput("spread", f"{policy.name} reads as much in every layer and head", "leave it out")
    if rests and not reads:
        raise InvalidInput("rest", f"{policy.name} lets tokens go, and lays none to rest", "leave it out")


def _described(part: object) -> str:
    """What something is, and how it is set, in words that are the same for the same."""
    if isinstance(part, FunctionType):
        return part.__qualname__
    settings = ", ".join(f"{name.strip('_')}={value}" for name, value in sorted(vars(part).items()))
    return f"{type(part).__qualname__}({settings})"
