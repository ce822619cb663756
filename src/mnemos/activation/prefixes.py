"""A radix tree over token ids: which stored sequences does a new one begin with?

What a causal model made of a text's first tokens does not depend on those that follow, so that an exact prefix is
reused without loss (as in Zheng et al. 2024, "SGLang: Efficient Execution of Structured Language Model Programs").
Sequences that begin alike share their path; an edge holds as many tokens as no sequence ends or parts within.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from mnemos.errors import InvalidInput

V = TypeVar("V")
Ids = tuple[int, ...]


class Found(NamedTuple, Generic[V]):
    """The longest stored sequence that another one begins with."""

    length: int
    """Its tokens; 0 where there is none."""
    values: list[V]
    """The value of each stored sequence along the path to it, the shortest first, its own last."""


class Shared(NamedTuple, Generic[V]):
    """The longest beginning that another sequence shares with any stored one."""

    length: int
    """Tokens that are alike."""
    value: V | None
    """Of a stored sequence that begins so; it may go on differently. None where nothing is alike."""


@dataclass(slots=True)
class _Node(Generic[V]):
    """Where sequences end or part. Below every node but the root, or in it, is a value."""

    edge: Ids = ()
    """The tokens that lead to it from the node above."""
    kept: list[V] = field(default_factory=list)
    """The value of the sequence that ends here, if one does."""
    below: dict[int, _Node[V]] = field(default_factory=dict)
    """The next nodes by the first token of their edges."""


class PrefixTree(Generic[V]):
    """Values by token ids. Not safe for several threads at once."""

    def __init__(self) -> None:
        self._root: _Node[V] = _Node()
        self._count = 0

    def __len__(self) -> int:
        """How many sequences are stored."""
        return self._count

    def insert(self, ids: Iterable[int], value: V) -> None:
        """Store a value under a sequence, in place of any that is there.

        Raises:
            InvalidInput: the sequence is empty.
        """
        whole = _tuple(ids)
        if not whole:
            raise InvalidInput("ids", "an empty sequence is a prefix of everything", "give one or more token ids")
        node, at = self._root, 0
        while at < len(whole):
            child = node.below.get(whole[at])
            if child is None:
                child = node.below[whole[at]] = _Node(whole[at:])
            alike = _alike(child.edge, whole, at)
            if alike < len(child.edge):
                child = node.below[whole[at]] = _parted(child, alike)
            node, at = child, at + alike
        self._count += not node.kept
        node.kept = [value]

    def longest(self, ids: Iterable[int]) -> Found[V]:
        """The longest stored sequence that these ids begin with, and the shorter ones on the way to it."""
        length, values = 0, []
        for node, at, alike in self._path(_tuple(ids)):
            if alike == len(node.edge) and node.kept:
                length = at + alike
                values.append(node.kept[0])
        return Found(length, values)

    def shared(self, ids: Iterable[int]) -> Shared[V]:
        """The longest beginning of these ids that any stored sequence has too: its cache, cut there, can be used."""
        end: tuple[_Node[V], int] | None = None
        for node, at, alike in self._path(_tuple(ids)):
            end = (node, at + alike)
        if end is None:
            return Shared(0, None)
        node, length = end
        while not node.kept:
            node = next(iter(node.below.values()))
        return Shared(length, node.kept[0])

    def remove(self, ids: Iterable[int]) -> bool:
        """Take a sequence out; whether it was there. Those that it begins, and that begin with it, stay."""
        whole = _tuple(ids)
        path = [self._root]
        for node, at, alike in self._path(whole):
            if alike == len(node.edge) and at + alike <= len(whole):
                path.append(node)
        node = path[-1]
        if sum(len(each.edge) for each in path) != len(whole) or not node.kept:
            return False
        node.kept = []
        self._count -= 1
        if not node.below:
            del path[-2].below[node.edge[0]]
            path.pop()
        _joined(path[-1], self._root)
        return True

    def _path(self, whole: Ids) -> Iterator[tuple[_Node[V], int, int]]:
        """The nodes that a sequence leads to: each with where its edge begins and how many of its tokens are alike."""
        node, at = self._root, 0
        while at < len(whole) and (child := node.below.get(whole[at])) is not None:
            alike = _alike(child.edge, whole, at)
            yield child, at, alike
            if alike < len(child.edge):
                return
            node, at = child, at + alike


def _tuple(ids: Iterable[int]) -> Ids:
    return tuple(map(int, ids))


def _alike(edge: Ids, whole: Ids, at: int) -> int:
    """How many tokens of an edge are those of a sequence from some place on."""
    here = whole[at : at + len(edge)]
    if here == edge:
        return len(edge)
    pairs = enumerate(zip(edge, here, strict=False))
    return next((place for place, (mine, theirs) in pairs if mine != theirs), len(here))


def _parted(node: _Node[V], after: int) -> _Node[V]:
    """A new node within an edge, above the old one."""
    upper: _Node[V] = _Node(node.edge[:after])
    node.edge = node.edge[after:]
    upper.below[node.edge[0]] = node
    return upper


def _joined(node: _Node[V], root: _Node[V]) -> None:
    """A node where nothing ends and nothing parts becomes one with the node below it."""
    if node is root or node.kept or len(node.below) != 1:
        return
    (child,) = node.below.values()
    node.edge, node.kept, node.below = node.edge + child.edge, child.kept, child.below
