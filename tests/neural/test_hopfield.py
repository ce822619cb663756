"""Hopfield memories against plain loops, softmax attention and what the paper proves."""

from __future__ import annotations

from itertools import pairwise

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from torch import Tensor  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812

from mnemos import InvalidInput  # noqa: E402
from mnemos.neural.hopfield import (  # noqa: E402
    Hopfield,
    HopfieldPooling,
    HopfieldStore,
    associate,
    energy,
    retrieve,
)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def loop(state: Tensor, patterns: Tensor, beta: float, steps: int) -> Tensor:
    """One state [width], one pattern after the other."""
    for _ in range(steps):
        powers = [torch.exp(beta * (pattern * state).sum()) for pattern in patterns]
        state = sum((power / sum(powers)) * pattern for power, pattern in zip(powers, patterns, strict=True))
    return state


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_retrieval_is_the_loop(steps: int) -> None:
    states, patterns = drawn(2, 3, 8), drawn(2, 6, 8, seed=1)
    got = retrieve(states, patterns, beta=0.7, steps=steps, tolerance=0.0)
    for row in range(2):
        for n in range(3):
            assert torch.allclose(got[row, n], loop(states[row, n], patterns[row], 0.7, steps), atol=1e-12)


def test_one_step_is_softmax_attention() -> None:
    states, patterns = drawn(2, 3, 8), drawn(2, 6, 8, seed=1)
    assert torch.allclose(retrieve(states, patterns), F.scaled_dot_product_attention(states, patterns, patterns))


def test_energy_falls_with_every_update_and_is_never_negative() -> None:
    states, patterns = drawn(4, 16), drawn(10, 16, seed=1)
    levels = [energy(retrieve(states, patterns, beta=0.3, steps=n, tolerance=0.0), patterns, 0.3) for n in range(1, 9)]
    assert all(bool((later <= earlier + 1e-12).all()) for earlier, later in pairwise(levels))
    assert bool((levels[0] - levels[-1] > 1e-3).all())
    assert bool((levels[-1] >= 0).all())


def test_an_update_goes_down_the_energy() -> None:
    state, patterns = drawn(1, 8).requires_grad_(), drawn(5, 8, seed=1)
    (slope,) = torch.autograd.grad(energy(state, patterns, 0.5).sum(), state)
    assert torch.allclose(state - slope, retrieve(state, patterns, beta=0.5), atol=1e-12)


def test_many_more_patterns_than_dimensions_come_back_from_noise() -> None:
    patterns = F.normalize(drawn(1000, 32), dim=-1)
    noisy = patterns[:100] + 0.05 * drawn(100, 32, seed=1)
    assert torch.allclose(retrieve(noisy, patterns, beta=100.0, steps=5), patterns[:100], atol=1e-3)


def test_a_small_beta_brings_back_the_average_of_all() -> None:
    states, patterns = drawn(2, 8), drawn(7, 8, seed=1)
    mean = patterns.mean(0).expand(2, -1)
    assert torch.allclose(retrieve(states, patterns, beta=1e-9, steps=3), mean, atol=1e-6)


def test_what_is_at_rest_stays() -> None:
    patterns = F.normalize(drawn(5, 8), dim=-1)
    states = torch.stack([patterns[0], drawn(8, seed=1)])
    loose = associate(states, patterns, beta=200.0, steps=50, tolerance=1e9)
    assert torch.equal(loose, associate(retrieve(states, patterns, beta=200.0), patterns, beta=200.0))
    settled = retrieve(states, patterns, beta=200.0, steps=50)
    assert torch.allclose(retrieve(settled, patterns, beta=200.0), settled, atol=1e-3)


def test_patterns_left_out_are_not_there() -> None:
    states, patterns = drawn(2, 3, 8), drawn(2, 6, 8, seed=1)
    keep = torch.tensor([[True] * 4 + [False] * 2, [True] * 6])
    got = retrieve(states, patterns, steps=3, keep=keep)
    assert torch.allclose(got[0], retrieve(states[0], patterns[0, :4], steps=3))
    assert torch.allclose(got[1], retrieve(states[1], patterns[1], steps=3))
    with pytest.raises(InvalidInput, match="keep"):
        retrieve(states, patterns, keep=torch.zeros(2, 6, dtype=torch.bool))


def test_gradients_through_updates_are_those_of_differences() -> None:
    states, patterns = drawn(2, 4).requires_grad_(), drawn(3, 4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda s, p: retrieve(s, p, beta=0.9, steps=3, tolerance=0.0), (states, patterns))


def test_heads_are_the_loop() -> None:
    torch.manual_seed(0)
    layer = Hopfield(8, heads=2, steps=3, beta=0.8, tolerance=0.0).double()
    states, patterns = drawn(2, 3, 8), drawn(2, 5, 8, seed=1)
    query = layer.to_state(layer.asking(states))
    key, value = layer.to_pattern(layer.stored(patterns)), layer.to_value(layer.stored(patterns))
    read = torch.zeros_like(states)
    for row in range(2):
        for n in range(3):
            for at in (slice(0, 4), slice(4, 8)):
                state = loop(query[row, n, at], key[row, :, at], 0.8, 2)
                powers = [torch.exp(0.8 * (one * state).sum()) for one in key[row, :, at]]
                read[row, n, at] = sum(p / sum(powers) * v for p, v in zip(powers, value[row, :, at], strict=True))
    assert torch.allclose(layer(states, patterns), layer.to_answer(read), atol=1e-12)


def test_pooling_does_not_know_the_order_and_its_questions_learn() -> None:
    torch.manual_seed(0)
    pool = HopfieldPooling(8, 2, heads=2).double()
    patterns = drawn(3, 6, 8)
    keep = torch.tensor([[True] * 6, [True] * 3 + [False] * 3, [True] * 6])
    pooled = pool(patterns, keep)
    assert pooled.shape == (3, 2, 8)
    assert torch.allclose(pooled[1], pool(patterns[1:2, [2, 0, 1]])[0], atol=1e-12)
    pooled.sum().backward()
    assert pool.states.grad is not None


def test_a_store_brings_back_what_was_written_and_forgets_the_oldest() -> None:
    store = HopfieldStore(16, 4, is_static=True, beta=50.0, steps=5)
    first, later = F.normalize(drawn(4, 16), dim=-1).float(), F.normalize(drawn(2, 16, seed=1), dim=-1).float()
    store.store(first[:3])
    assert torch.allclose(store(first[None, :3] + 0.02)[0], first[:3], atol=1e-3)
    store.store(first[3:])
    store.store(later)
    assert torch.allclose(store(later[None])[0], later, atol=1e-3)
    assert torch.allclose(store(first[None, 2:])[0], first[2:], atol=1e-3)
    assert not torch.allclose(store(first[None, :2])[0], first[:2], atol=0.1)
    copy = HopfieldStore(16, 4, is_static=True, beta=50.0, steps=5)
    copy.load_state_dict(store.state_dict())
    assert torch.equal(copy(later[None]), store(later[None]))


@pytest.mark.parametrize("patterns", [torch.zeros(5, 16), torch.zeros(2, 8), torch.full((1, 16), torch.nan)])
def test_a_store_refuses_what_it_cannot_hold(patterns: Tensor) -> None:
    store = HopfieldStore(16, 4)
    before = store.patterns.clone()
    with pytest.raises(InvalidInput, match="patterns"):
        store.store(patterns)
    assert torch.equal(store.patterns, before)


def test_odd_arguments_are_refused() -> None:
    with pytest.raises(InvalidInput, match="steps"):
        retrieve(drawn(1, 4), drawn(2, 4), steps=0)
    with pytest.raises(InvalidInput, match="heads"):
        Hopfield(8, heads=3)
    with pytest.raises(InvalidInput, match="heads"):
        Hopfield(8, heads=2, is_static=True)
