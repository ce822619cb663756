"""Product keys, Memory+ and PEER against a look at every key, one token and head after the other."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from torch import Tensor  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812

from mnemos import InvalidInput  # noqa: E402
from mnemos.neural.experts import PEER  # noqa: E402
from mnemos.neural.keys import KeyedLookup, ProductKeyMemory, ProductKeys, usage  # noqa: E402


def tokens(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def every(keys: ProductKeys, query: Tensor, head: int) -> Tensor:
    """The scores of all side² keys for one query."""
    first, second = keys.halves[head]
    whole = torch.stack([torch.cat([one, other]) for one in first for other in second])
    return whole @ query


@pytest.mark.parametrize(("side", "top", "heads"), [(1, 1, 1), (4, 4, 2), (12, 5, 3), (30, 1, 1)])
def test_the_best_keys_are_the_best_of_all(side: int, top: int, heads: int) -> None:
    torch.manual_seed(side)
    keys, queries = ProductKeys(6, side, top, heads).double(), tokens(2, 5, heads, 6)
    scores, places = keys(queries)
    for at in [(row, n, head) for row in range(2) for n in range(5) for head in range(heads)]:
        best, where = every(keys, queries[at], at[-1]).topk(top)
        assert torch.allclose(scores[at], best)
        assert torch.equal(places[at], where)


def chosen(lookup: KeyedLookup, token: Tensor) -> list[tuple[Tensor, int]]:
    """(weight, place) of all heads for one token, by looking at every key."""
    found: list[tuple[Tensor, int]] = []
    for head, query in enumerate(lookup.to_query(token).view(lookup.heads, -1)):
        scores, places = every(lookup.keys, lookup.norm(query), head).topk(lookup.keys.top)
        found += zip(scores.softmax(0), places.tolist(), strict=True)
    return found


@pytest.mark.parametrize("is_gated", [True, False])
def test_a_memory_is_the_loop(is_gated: bool) -> None:
    torch.manual_seed(0)
    layer = ProductKeyMemory(8, side=5, top=3, heads=2, key_dim=6, is_gated=is_gated).double()
    x = tokens(2, 4, 8)
    got = layer(x)
    for row in range(2):
        for n in range(4):
            read = sum(weight * layer.values.weight[place] for weight, place in chosen(layer.lookup, x[row, n]))
            if layer.gate is not None and layer.to_answer is not None:
                read = layer.to_answer.weight @ (read * F.silu(layer.gate.weight @ x[row, n]))
            assert torch.allclose(got[row, n], read, atol=1e-12)


def test_experts_are_the_loop() -> None:
    torch.manual_seed(0)
    layer = PEER(8, side=5, top=3, heads=2, key_dim=6).double()
    x = tokens(2, 4, 8)
    got = layer(x)
    for row in range(2):
        for n in range(4):
            said = torch.zeros(8, dtype=torch.float64)
            for weight, place in chosen(layer.lookup, x[row, n]):
                said += weight * F.gelu(layer.inward.weight[place] @ x[row, n]) * layer.outward.weight[place]
            assert torch.allclose(got[row, n], said, atol=1e-12)


@pytest.mark.parametrize("kind", [ProductKeyMemory, PEER])
def test_gradients_are_those_of_differences(kind: type[ProductKeyMemory] | type[PEER]) -> None:
    torch.manual_seed(0)
    layer = kind(4, side=3, top=2, heads=1, key_dim=4).double()
    x = tokens(3, 4, seed=2).requires_grad_()
    names = [name for name, _ in layer.named_parameters()]
    own = tuple(one.detach().clone().requires_grad_() for one in layer.parameters())

    def called(x: Tensor, *own: Tensor) -> Tensor:
        said: Tensor = torch.func.functional_call(layer, dict(zip(names, own, strict=True)), (x,))
        return said

    assert torch.autograd.gradcheck(called, (x, *own))


def test_only_rows_that_were_read_learn() -> None:
    torch.manual_seed(0)
    layer = ProductKeyMemory(8, side=10, top=2, heads=1, key_dim=6)
    x = torch.randn(1, 3, 8)
    layer(x).sum().backward()
    assert layer.values.weight.grad is not None
    learned = layer.values.weight.grad.abs().sum(1).nonzero().flatten().tolist()
    assert sorted(learned) == sorted(set(layer.lookup(x)[1].flatten().tolist()))


def test_a_memory_learns_by_heart() -> None:
    torch.manual_seed(0)
    layer, x, wanted = (
        ProductKeyMemory(16, side=16, top=4, heads=2, key_dim=16),
        torch.randn(64, 16),
        torch.randn(64, 4),
    )
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.02)
    for _ in range(150):
        optimiser.zero_grad()
        loss = F.mse_loss(layer(x)[:, :4], wanted)
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.02, "a linear map of 16 to 4 cannot hold 64 random answers"


def test_a_table_can_be_shared_between_layers() -> None:
    first = ProductKeyMemory(8, side=5, top=3)
    second = ProductKeyMemory(8, side=5, top=3, values=first.values)
    assert second.values.weight is first.values.weight
    with pytest.raises(InvalidInput, match="values"):
        ProductKeyMemory(8, side=6, top=3, values=first.values)


def test_usage_is_even_or_not() -> None:
    weights = torch.full((4, 1, 2), 0.5)
    assert usage(weights, torch.arange(8).view(4, 1, 2), 8) == pytest.approx((1.0, 0.0))
    assert usage(weights, torch.zeros(4, 1, 2, dtype=torch.int64), 8) == pytest.approx((0.125, math.log(8)))


def test_sizes_that_do_not_fit_are_refused() -> None:
    for dim, side, top, field in [(5, 4, 2, "dim"), (4, 4, 5, "top"), (4, 4, 0, "top")]:
        with pytest.raises(InvalidInput, match=field):
            ProductKeys(dim, side, top)
