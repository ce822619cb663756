"""Control vectors as memories: learned from pairs of examples in the store, kept beside them, gone with them.

    steering = Steering(memory, model, tokenizer)
    steering.learn("formal", [(polite, rude), (kind, unkind)], layers=6)
    with steer(model, steering.recall("formal"), strength=2.0):
        model.generate(**inputs)

An example is the words of a memory, as they stand. When one of them is changed or deleted, the vector that was made
of it is deleted in the same transaction, whoever does it: there is no vector of examples that are no longer there.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from mnemos.activation.fingerprint import Fingerprint, differences, fingerprint_of
from mnemos.activation.shelf import System
from mnemos.activation.steering.conditions import Condition, Measure
from mnemos.activation.steering.directions import Method, direction_of
from mnemos.activation.steering.fitting import best_condition
from mnemos.activation.steering.stack import stack_of
from mnemos.activation.steering.states import Tokens, read_tokens, states_of
from mnemos.activation.steering.vectors import ControlVector, VectorDamaged, VectorRefused, load, save
from mnemos.activation.texts import Texts
from mnemos.errors import InvalidInput, NotFound, StoreError
from mnemos.records import Hit, Memory, Namespace
from mnemos.store.artifact_rows import Artifact

RECIPE = "control-vector"
"""Of artifacts that are made here."""
Example = Hit | Memory | str
"""A memory, or its id."""


class Steering:
    """The control vectors of one store for one model.

    Args:
        memory: the store; vectors are kept beside it.
        model: a causal model of `transformers`; it is left as it is.
        tokenizer: the model's own.
        before: words that stand before each example, as a chat template has them; special tokens count as such.
        after: words that stand after each.

    Raises:
        InvalidInput: the model's layers cannot be found.
    """

    def __init__(
        self, memory: System, model: PreTrainedModel, tokenizer: Any, *, before: str = "", after: str = ""
    ) -> None:
        self._memory = memory
        self._stack = stack_of(model)
        self._texts = Texts(memory, tokenizer, before)
        self._after = tuple(self._texts.ids_of(after))

    @property
    def fingerprint(self) -> Fingerprint:
        """What the model is at this moment."""
        return fingerprint_of(self._stack.model, self._texts.tokenizer)

    def learn(
        self,
        name: str,
        pairs: Sequence[tuple[Example, Example]],
        *,
        layers: int | Sequence[int] | None = None,
        method: Method = "mean",
        tokens: Tokens = "last",
    ) -> ControlVector:
        """Make a vector of pairs of examples, and keep it in place of the one that had its name.

        Args:
            name: under which it is recalled.
            pairs: memories of one namespace: what to steer towards, and what to steer away from, alike in all else.
                A memory may be in several pairs.
            layers: at whose output it is read and will be added; None: the middle one.
            method: see `directions`.
            tokens: which tokens of an example are looked at.

        Raises:
            InvalidInput: there are no pairs, they do not differ, or are of several namespaces; or a memory has changed
                while it was read.
            NotFound: a memory is unknown.
        """
        begun = time.perf_counter()
        name, tokens = _read_name(name), read_tokens(tokens)
        chosen = self._stack.numbers(len(self._stack.layers) // 2 if layers is None else layers)
        positive, negative = (self._texts_of([pair[side] for pair in _read_pairs(pairs)]) for side in (0, 1))
        sources = list({one.id: one for pair in zip(positive, negative, strict=True) for one in pair}.values())
        known = {one.id: place for place, one in enumerate(sources)}
        states = states_of(self._stack, [self._ids(one) for one in sources], chosen, tokens)
        ups, downs = ([known[one.id] for one in side] for side in (positive, negative))
        vector = ControlVector(
            name=name,
            directions={
                layer: direction_of(states[ups, at], states[downs, at], method) for at, layer in enumerate(chosen)
            },
            method=method,
            tokens=tokens,
            fingerprint=self.fingerprint,
            sources=tuple(known),
        )
        artifact = self._keep(vector, sources, list(zip(ups, downs, strict=True)), time.perf_counter() - begun)
        before = self._found(name, artifact.namespace)
        self._memory.artifacts.drop(
            [one.id for one in before if one.fingerprint == artifact.fingerprint and one.id != artifact.id]
        )
        return vector

    def recall(self, name: str, namespace: Namespace | None = None) -> ControlVector:
        """A vector that was learned.

        Args:
            name: as it was learned under.
            namespace: of its examples; None: whichever has it.

        Raises:
            InvalidInput: none has this name (any more), or vectors of several namespaces do.
            VectorRefused: another model's has; each difference is named.
            VectorDamaged: its file was damaged.
        """
        found = self._found(_read_name(name), namespace)
        mine = [one for one in found if one.fingerprint == self.fingerprint.digest]
        if len({one.namespace for one in mine}) > 1:
            raise InvalidInput("name", "is that of vectors of several namespaces", "give the namespace")
        if not mine and found:
            raise VectorRefused(self._differences(found[0]))
        if not mine:
            raise InvalidInput("name", f"no vector is called {name[:40]!r}", "learn it; it goes when an example goes")
        vector = self._load(mine[0])
        self._memory.artifacts.used([mine[0].id])
        return vector

    def names(self, namespace: Namespace | None = None) -> list[str]:
        """The vectors that are kept for this model, in the order of the alphabet."""
        mine = self.fingerprint.digest
        return sorted({str(one.metadata["name"]) for one in self._found(None, namespace) if one.fingerprint == mine})

    def drop(self, name: str, namespace: Namespace | None = None) -> int:
        """Delete a vector, for whatever model it was made; the examples stay. Returns how many there were."""
        return self._memory.artifacts.drop([one.id for one in self._found(_read_name(name), namespace)])

    def condition(
        self,
        vector: ControlVector,
        holds: Sequence[Example],
        fails: Sequence[Example],
        *,
        measure: Measure = "projected",
        tokens: Tokens = "mean",
    ) -> Condition:
        """The condition that tells examples apart best by a vector: in which layer, from which threshold, which side.

        Args:
            vector: what the condition looks for.
            holds: memories for which it is to hold.
            fails: memories for which it is not.
            measure: how a state is compared with the vector, see `conditions`.
            tokens: which tokens of a text are looked at.
        """
        tokens = read_tokens(tokens)
        states = [
            states_of(self._stack, [self._ids(one) for one in self._texts_of(side)], vector.layers, tokens)
            for side in (holds, fails)
        ]
        return best_condition(vector, states[0], states[1], measure=measure, tokens=tokens)

    def _texts_of(self, asked: Sequence[Example]) -> list[Memory]:
        """The memories that are meant, as often as they are."""
        known = {one.id: one for one in self._texts.found(asked)}
        ids = [one.memory.id if isinstance(one, Hit) else one.id if isinstance(one, Memory) else one for one in asked]
        return [known[one] for one in ids]

    def _ids(self, memory: Memory) -> Tensor:
        tokenizer = self._texts.tokenizer
        said = tokenizer(memory.text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        if not said:
            raise InvalidInput("examples", f"memory {memory.id} says nothing", "give examples with words")
        return torch.tensor([*self._texts.opening(1), *said, *self._after], dtype=torch.int64)

    def _keep(
        self, vector: ControlVector, sources: list[Memory], pairs: list[tuple[int, int]], seconds: float
    ) -> Artifact:
        artifacts = self._memory.artifacts
        told = {"name": vector.name, "pairs": pairs, "layers": list(vector.layers), "method": vector.method}
        with artifacts.scratch() as path:
            digest = save(vector, path).digest
            return artifacts.keep("activation", RECIPE, digest, sources, path, metadata=told, seconds=seconds)

    def _found(self, name: str | None, namespace: Namespace | None) -> list[Artifact]:
        found = self._memory.artifacts.find(form="activation", recipe=RECIPE, namespace=namespace)
        return [one for one in found if name is None or one.metadata.get("name") == name]

    def _load(self, artifact: Artifact) -> ControlVector:
        try:
            return load(self._memory.artifacts.path(artifact), artifact.sources)
        except (NotFound, StoreError) as error:
            raise VectorDamaged(f"the vector's file cannot be read: {error}") from error

    def _differences(self, artifact: Artifact) -> list[str]:
        found = self._load(artifact).fingerprint
        assert found is not None
        return differences(self.fingerprint, found)


def _read_name(name: object) -> str:
    if not isinstance(name, str) or not name.strip():
        raise InvalidInput("name", f"{str(name)[:40]!r} is no name", "give a word or two")
    return name.strip()


def _read_pairs(pairs: Sequence[tuple[Example, Example]]) -> list[tuple[Example, Example]]:
    if isinstance(pairs, str) or not isinstance(pairs, Sequence) or not pairs:
        raise InvalidInput("pairs", "are none", "give pairs of memories that differ in what is meant")
    for place, pair in enumerate(pairs):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise InvalidInput(f"pairs[{place}]", "is no pair", "give two memories: towards, and away from")
    return [(one, other) for one, other in pairs]
