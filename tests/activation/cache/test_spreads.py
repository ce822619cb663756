"""How room is shared out: all of it, and no more."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from plain import PlainSpread
from plain_spreads import PlainAdaKV, PlainPyramidKV

from mnemos.activation.cache import AdaKV, PyramidKV
from mnemos.errors import InvalidInput


@pytest.mark.parametrize(("slope", "window"), [(20, 32), (20, 0), (2.5, 7), (1, 3)])
def test_a_pyramid_is_as_large_as_a_block(slope: float, window: int) -> None:
    spread, plain = PyramidKV(slope, window), PlainPyramidKV(slope, window, PlainSpread())
    for layers in (2, 3, 28):
        for seen in (50, 100, 1001):
            for room in (1, 2, 31, 33, 40, 50, 90, 500):
                rooms = [
                    int(spread.rooms(torch.tensor([room]), torch.tensor([seen]), at, layers)) for at in range(layers)
                ]
                assert sum(rooms) == room * layers
                assert rooms == [plain.room(room, seen, at, layers) for at in range(layers)]
                assert min(rooms) >= 1
                assert room >= seen or max(rooms) <= seen
                assert all(low >= high - 1 for low, high in pairwise(rooms))


def test_a_pyramid_narrows_to_its_top() -> None:
    rooms = [int(PyramidKV(20, 8).rooms(torch.tensor([108]), torch.tensor([1000]), at, 3)) for at in range(3)]
    assert rooms == [8 + 195, 8 + 100, 8 + 5]
    assert int(PyramidKV().rooms(torch.tensor([7]), torch.tensor([9]), 0, 1)) == 7


def test_rows_do_not_touch_each_other() -> None:
    room, seen = torch.tensor([40, 3, 60, 60]), torch.tensor([100, 7, 60, 70])
    each = [PyramidKV(5, 4).rooms(room[row : row + 1], seen[row : row + 1], 1, 6) for row in range(4)]
    assert torch.equal(PyramidKV(5, 4).rooms(room, seen, 1, 6), torch.cat(each))


def test_heads_that_need_more_get_more() -> None:
    scores = torch.tensor([[[0.9, 0.8, 0.7, 0.6, 0.5], [0.4, 0.3, 0.2, 0.1, 0.05]]])
    counts, room = torch.tensor([[5, 5]]), torch.tensor([3])
    assert AdaKV(0).counts(scores, room, counts).tolist() == [[5, 1]]
    assert AdaKV(0.4).counts(scores, room, counts).tolist() == [[5, 1]]
    assert AdaKV(0.7).counts(scores, room, counts).tolist() == [[4, 2]]
    assert AdaKV(1).counts(scores, room, counts).tolist() == [[3, 3]]


def test_what_is_to_go_goes_though_there_is_room() -> None:
    low = -torch.inf
    scores = torch.tensor([[[0.9, low, 0.7, low, low], [low, low, low, 0.1, 0.05]]])
    assert AdaKV().counts(scores, torch.tensor([4]), torch.tensor([[5, 5]])).tolist() == [[2, 2]]
    assert AdaKV(1).counts(scores, torch.tensor([5]), torch.tensor([[5, 5]])).tolist() == [[2, 2]]
    wanted = torch.tensor([[[torch.inf, low, low, low], [torch.inf] * 4]])
    assert AdaKV(0.5).counts(wanted, torch.tensor([2]), torch.tensor([[4, 4]])).tolist() == [[1, 3]]


def test_heads_get_what_they_get_by_hand() -> None:
    torch.manual_seed(1)
    for floor in (0.0, 0.2, 0.5, 1.0):
        scores = torch.randint(0, 12, (5, 3, 9)).double()
        for room in range(1, 10):
            found = AdaKV(floor).counts(scores, torch.full((5,), room), torch.full((5, 3), 9))
            for row in range(5):
                lists = [dict(enumerate(one)) for one in scores[row].tolist()]
                assert found[row].tolist() == [len(one) for one in PlainAdaKV(floor).picked(lists, room)]
            assert (found.sum(1) == room * 3).all()


@pytest.mark.parametrize("make", [lambda: AdaKV(1.5), lambda: PyramidKV(0.5), lambda: PyramidKV(window=-1)])
def test_what_is_no_spread_is_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(InvalidInput):
        make()


def test_a_single_token_goes_as_one_of_many_would() -> None:
    torch.manual_seed(2)
    for floor in (0.0, 0.4, 1.0):
        for _ in range(30):
            scores = torch.randint(0, 9, (4, 3, 6)).double()
            held = torch.randint(2, 7, (4, 3))
            scores = scores.masked_fill(torch.arange(6) >= held[..., None], -torch.inf)
            room = (held.sum(1) - 1) // 3
            found = AdaKV(floor).counts(scores, room, held)
            for row in range(4):
                lists = [dict(enumerate(one[one > -torch.inf].tolist())) for one in scores[row]]
                assert found[row].tolist() == [len(one) for one in PlainAdaKV(floor).picked(lists, int(room[row]))]
            one_over = held.sum(1) == room * 3 + 1
            if one_over.any():
                alone = AdaKV(floor).counts(scores[one_over], room[one_over], held[one_over])
                assert torch.equal(alone, found[one_over])
