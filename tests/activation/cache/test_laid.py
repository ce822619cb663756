"""Where tokens lie: whatever comes and goes, what is read is what a plain list holds, and little is left free."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mnemos.activation.cache.budgets import HIGHEST, best, ordered, ranks
from mnemos.activation.cache.held import Held, exactly
from mnemos.activation.cache.laid import ROOM

HEADS, SIZE = 3, 4


def nothing() -> Held:
    none = torch.empty(0, SIZE)
    return Held.nothing(1, HEADS, exactly(none, "keys", 0), exactly(none, "values", 0), {"mark": 0.0})


def read(held: Held) -> list[list[Tensor]]:
    """The keys of each head."""
    return [[*part] for part in torch.split(held.keys.read(), held.counts.flatten().tolist())]


@pytest.mark.parametrize("uneven", [False, True])
def test_what_is_read_is_what_a_list_holds(uneven: bool) -> None:
    chance = torch.Generator().manual_seed(5)
    first = torch.randn(1, HEADS, 90, SIZE, generator=chance)
    held = nothing().added(first, first + 1, torch.arange(90)[None], {"mark": 0.0})
    plain, storages = read(held), set()
    for step in range(90, 240):
        new = torch.randn(1, HEADS, 1, SIZE, generator=chance)
        held = held.added(new, new + 1, torch.tensor([[step]]), {"mark": 0.0})
        storages.add(held.keys.tensors()["exact"].data_ptr())
        plain = [[*head, new[0, number, 0]] for number, head in enumerate(plain)]
        scores = torch.randint(20, (1, HEADS, held.widest), generator=chance).float()
        going = torch.randint(3, (1, HEADS), generator=chance) if uneven else torch.full((1, HEADS), step % 5 > 0)
        order = ranks(scores.masked_fill(held.slots < 0, -torch.inf))[0]
        left = held.counts - going.long()
        plain = [[one for at, one in enumerate(head) if order[n, at] < left[0, n]] for n, head in enumerate(plain)]
        held = best(held, scores, left)
        assert held.counts[0].tolist() == [len(head) for head in plain]
        assert torch.equal(held.keys.read(), torch.stack([one for head in plain for one in head]))
        assert torch.equal(held.values.read(), held.keys.read() + 1)
        slots = len(held.keys.tensors()["exact"])
        assert slots - int(held.counts.sum()) <= 2 * (int(held.counts.sum()) // ROOM + HEADS)
    assert len(storages) < 30


def test_the_order_in_which_tokens_go_is_that_of_ranks() -> None:
    chance = torch.Generator().manual_seed(6)
    scores = torch.randint(-4, 5, (2, HEADS, 50), generator=chance) / 3
    scores[0, 0, :9] = torch.tensor([0.0, -0.0, torch.inf, -torch.inf, 1e-40, -1e-40, 3e38, -3e38, 0.0])
    numbers = ordered(scores)
    assert torch.equal(numbers.argsort(-1).flip(-1).argsort(-1), ranks(scores))
    assert all(len(row.unique()) == row.numel() and int(row.max()) < HIGHEST for row in numbers)
