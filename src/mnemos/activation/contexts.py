"""Contexts that were read whole are found again by the tokens that they begin with, and reused without loss.

What a causal model made of a context's beginning does not depend on what follows: a new context that begins in the same
way takes it as it is, up to the first token that differs (see `prefixes`). Which contexts there are is asked of the
store each time, so that none is used any more once a memory in it has gone or changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from mnemos.activation.models import Layers
from mnemos.activation.prefixes import PrefixTree
from mnemos.activation.shelf import Shelf
from mnemos.store.artifact_rows import Artifact


@dataclass(frozen=True, slots=True, eq=False)
class Beginning:
    """The beginning of a stored context."""

    length: int
    """Tokens."""
    layers: Layers
    """Keys that stand nowhere, and values, of those tokens."""
    artifact: Artifact


@dataclass(slots=True)
class Contexts:
    """The contexts of one model that are stored."""

    _tree: PrefixTree[Artifact] = field(default_factory=PrefixTree)
    _known: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Token ids of each artifact in the tree, by its id."""

    def beginning(self, shelf: Shelf, ids: Tensor, least: int) -> Beginning | None:
        """The longest beginning of some token ids that a stored context has too; None where it is shorter than `least`.

        Args:
            shelf: where they are stored.
            ids: of the context that is wanted, [tokens].
            least: tokens.
        """
        self._follow(shelf)
        length, artifact = self._tree.shared(ids.tolist())
        if artifact is None or length < least:
            return None
        block = shelf.open(artifact)
        if block is None:
            return None
        layers = [(keys[:, :length], values[:, :length]) for keys, values in block.layers]
        return Beginning(length, layers, artifact)

    def _follow(self, shelf: Shelf) -> None:
        """Know those that the store holds, and no others."""
        stored = shelf.contexts()
        if self._known.keys() - stored.keys():
            # two contexts may have the same words, and only one of them goes
            self._known = {one: ids for one, ids in self._known.items() if one in stored}
            self._tree = PrefixTree()
            for one, ids in self._known.items():
                self._tree.insert(ids, stored[one])
        for new in stored.keys() - self._known.keys():
            if ids := shelf.ids_of(stored[new]):
                self._known[new] = ids
                self._tree.insert(ids, stored[new])
