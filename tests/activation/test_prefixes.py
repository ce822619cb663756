"""A prefix tree answers as a plain dictionary would, asked one sequence after the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemos import InvalidInput
from mnemos.activation.prefixes import Found, PrefixTree, Shared, _Node

SEQUENCES = st.lists(st.integers(0, 2), max_size=9).map(tuple)
STORED = SEQUENCES.filter(bool)
STEPS = st.lists(st.tuples(st.booleans(), STORED, st.integers()), max_size=40)
Plain = dict[tuple[int, ...], int]


def alike(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    return next(
        (place for place in range(min(len(one), len(other))) if one[place] != other[place]), min(len(one), len(other))
    )


def nodes(node: _Node[int]) -> Iterator[_Node[int]]:
    for child in node.below.values():
        yield child
        yield from nodes(child)


def check(tree: PrefixTree[int], plain: Plain, asked: tuple[int, ...]) -> None:
    ends = [length for length in range(len(asked) + 1) if asked[:length] in plain]
    assert tree.longest(asked) == Found(ends[-1] if ends else 0, [plain[asked[:length]] for length in ends])
    best = max((alike(asked, stored) for stored in plain), default=0)
    length, value = tree.shared(asked)
    assert length == best
    covering = {value for stored, value in plain.items() if alike(asked, stored) == best}
    assert value in covering if best else value is None


@settings(max_examples=120, deadline=None)
@given(STEPS, SEQUENCES)
def test_it_answers_as_trying_every_stored_sequence_does(
    steps: list[tuple[bool, tuple[int, ...], int]], asked: tuple[int, ...]
) -> None:
    tree: PrefixTree[int] = PrefixTree()
    plain: Plain = {}
    for adds, ids, value in steps:
        if adds:
            tree.insert(ids, value)
            plain[ids] = value
        else:
            assert tree.remove(ids) == (plain.pop(ids, None) is not None)
        assert len(tree) == len(plain)
        check(tree, plain, asked)
        check(tree, plain, ids)
    for stored in plain:
        check(tree, plain, stored)
    for node in nodes(tree._root):
        assert node.edge, "no node stands for nothing"
        assert node.kept or len(node.below) > 1, "nor between one node and the next"
    for stored in list(plain):
        assert tree.remove(stored)
    assert not tree._root.below, "all of it is let go"


def test_parts_of_one_text_are_found_in_order() -> None:
    tree: PrefixTree[str] = PrefixTree()
    tree.insert([7, 1, 2], "rules")
    tree.insert([7, 1, 2, 3, 4], "rules and Ana")
    tree.insert([7, 1, 2, 3, 9], "rules and Rita")
    assert tree.longest([7, 1, 2, 3, 4, 5, 6]) == Found(5, ["rules", "rules and Ana"])
    assert tree.longest([7, 1, 2, 3]) == Found(3, ["rules"])
    assert tree.longest([7, 1]) == Found(0, [])
    assert tree.shared([7, 1, 2, 3, 9, 9]) == Shared(5, "rules and Rita")
    assert tree.shared([7, 1, 5]) == Shared(2, "rules")
    assert tree.shared([8]) == Shared(0, None)


def test_long_sequences_and_deep_paths_are_no_trouble() -> None:
    tree: PrefixTree[int] = PrefixTree()
    ids = list(range(8192))
    lengths = list(range(5, 8000, 15))
    for length in lengths:
        tree.insert(ids[:length], length)
    assert tree.longest(ids) == Found(lengths[-1], lengths)
    assert tree.remove(ids[:2000])
    assert tree.longest(ids[:2000]).length == 1985


def test_an_empty_sequence_is_refused_where_it_would_be_stored() -> None:
    tree: PrefixTree[int] = PrefixTree()
    with pytest.raises(InvalidInput, match="ids"):
        tree.insert([], 1)
    assert not tree.remove([])
    assert tree.longest([]) == Found(0, [])


def test_tensors_are_sequences_too() -> None:
    torch = pytest.importorskip("torch")
    tree: PrefixTree[int] = PrefixTree()
    tree.insert(torch.tensor([4, 5]), 1)
    assert tree.longest([4, 5, 6]) == Found(2, [1])
