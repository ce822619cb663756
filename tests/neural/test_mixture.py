"""Mixture-of-Memories against a loop over tokens and memories that touches only those that are chosen."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from torch import Tensor  # noqa: E402

from mnemos import InvalidInput  # noqa: E402
from mnemos.neural.memory import MemoryLayer  # noqa: E402
from mnemos.neural.mixture import MixtureOfMemories, Routing, balance, imbalance  # noqa: E402
from mnemos.neural.presets import gated_delta_net  # noqa: E402


def mixture(conv: int = 0, **choices: Any) -> MixtureOfMemories:
    torch.manual_seed(0)
    return MixtureOfMemories(lambda: gated_delta_net(8, heads=2, conv=conv, chunk=4), **choices).double()


def tokens(batch: int = 3, length: int = 11, seed: int = 1) -> Tensor:
    return torch.randn(batch, length, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def leaves(state: Any) -> list[Tensor]:
    if isinstance(state, Tensor):
        return [state]
    return [leaf for part in state or () for leaf in leaves(part)]


def loop(layer: MixtureOfMemories, x: Tensor) -> Tensor:
    """One row of tokens [length, dim]: each token goes to the memories it is routed to, and to no other."""
    memories = [one for one in layer.memories if isinstance(one, MemoryLayer)]
    states: dict[Any, Any] = {one: one.start(1) for one in [*memories, layer.shared] if one is not None}
    said = []
    for token in x:
        odds = (layer.router.weight @ token).softmax(0)
        chosen = odds.argsort(descending=True)[: layer.top].tolist()
        y = torch.zeros_like(token)
        for number in chosen:
            answer, states[memories[number]] = memories[number].step(token[None], states[memories[number]])
            y = y + odds[number] / odds[chosen].sum() * answer[0]
        if layer.shared is not None:
            answer, states[layer.shared] = layer.shared.step(token[None], states[layer.shared])
            y = y + answer[0]
        said.append(y)
    return torch.stack(said)


@pytest.mark.parametrize("choices", [{}, {"is_shared": False}, {"count": 3, "top": 1}, {"count": 2, "top": 2}])
def test_a_mixture_is_the_loop(choices: dict[str, Any]) -> None:
    layer, x = mixture(**choices), tokens()
    got, _ = layer(x)
    for row in range(3):
        assert torch.allclose(got[row], loop(layer, x[row]), atol=1e-10)


@pytest.mark.parametrize("conv", [0, 4])
def test_steps_and_pieces_are_the_whole(conv: int) -> None:
    layer, x = mixture(conv), tokens()
    whole, end = layer(x)
    walked, walked_to = layer.unrolled(x)
    first, state = layer(x[:, :5])
    rest, then = layer(x[:, 5:], state)
    assert torch.allclose(walked, whole, atol=1e-10)
    assert torch.allclose(torch.cat([first, rest], 1), whole, atol=1e-10)
    for one in (walked_to, then):
        assert all(torch.allclose(a, b, atol=1e-10) for a, b in zip(leaves(one), leaves(end), strict=True))


def test_a_memory_that_is_not_chosen_keeps_what_it_has_bit_for_bit() -> None:
    layer, x = mixture(), tokens(1)
    _, before = layer(x[:, :10])
    _, after = layer(x[:, 10:], before)
    chosen = layer.route(x[:, 10]).weights[0] > 0
    assert chosen.tolist().count(True) == 2
    for number, was_chosen in enumerate(chosen.tolist()):
        one, other = before.memories[number].memory, after.memories[number].memory
        assert torch.equal(one, other) != was_chosen
    assert not torch.equal(before.shared.memory, after.shared.memory)


def test_what_is_not_written_changes_no_memory() -> None:
    layer, x = mixture(), tokens()
    write = torch.ones(3, 11, dtype=torch.float64)
    write[0, 6:] = 0
    _, state = layer(x, write=write)
    _, short = layer(x[:1, :6])
    for memory, other in zip([*state.memories, state.shared], [*short.memories, short.shared], strict=True):
        assert torch.allclose(memory.memory[:1], other.memory, atol=1e-10)


def test_the_router_learns_from_the_answers() -> None:
    layer, x = mixture(), tokens()
    layer(x)[0].square().sum().backward()
    assert layer.router.weight.grad is not None
    assert float(layer.router.weight.grad.abs().min()) > 0
    assert layer.route(x).weights.gt(0).any((0, 1)).tolist() == [
        bool(one.project.weight.grad.any()) for one in layer.memories
    ]


def test_imbalance_is_one_when_all_are_alike_and_their_number_when_one_gets_all() -> None:
    even = torch.eye(4).expand(5, 4, 4)
    assert float(imbalance(Routing(even, torch.full((5, 4, 4), 0.25)))) == pytest.approx(1.0)
    alone = torch.zeros(5, 3, 4)
    alone[..., 2] = 1
    assert float(imbalance(Routing(alone, alone))) == pytest.approx(4.0)


def test_balance_adds_up_mixtures_once_and_evens_out_the_routing() -> None:
    layer, x = mixture(is_shared=False), tokens(2, 40)
    with torch.no_grad():
        layer.router.weight[0] += x.mean((0, 1)) * 20
    layers, lone = torch.nn.Sequential(layer, mixture(is_shared=False)), imbalance(layer.route(x))
    layers[0](x), layers[1](x)
    both = balance(layers)
    assert float(both.detach()) == pytest.approx(float((lone + imbalance(layers[1].route(x))).detach()))
    assert float(balance(layers)) == 0
    optimiser = torch.optim.Adam(layer.router.parameters(), lr=0.1)
    for _ in range(20):
        optimiser.zero_grad()
        layer(x)
        balance(layer).backward()
        optimiser.step()
    assert float(imbalance(layer.route(x)).detach()) < 1.05 < float(lone.detach())
    layer.eval()
    layer(x)
    assert float(balance(layer)) == 0, "only training asks for balance"


def test_more_than_there_are_cannot_be_chosen() -> None:
    for top in (0, 5):
        with pytest.raises(InvalidInput, match="top"):
            mixture(top=top)
