"""Gated memory units against their formula, over memories of several kinds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from torch import Tensor  # noqa: E402

from mnemos import InvalidInput  # noqa: E402
from mnemos.neural.attention import CausalAttention  # noqa: E402
from mnemos.neural.memory import MemoryLayer  # noqa: E402
from mnemos.neural.mixture import MixtureOfMemories  # noqa: E402
from mnemos.neural.presets import gated_delta_net  # noqa: E402
from mnemos.neural.shared import GatedMemoryUnit, SharedMemory, last_map, published  # noqa: E402

MEMORIES: dict[str, Callable[[], MemoryLayer]] = {
    "delta": lambda: gated_delta_net(8, heads=2, values=6, chunk=4),
    "attention": lambda: CausalAttention(8, heads=2),
    "window": lambda: CausalAttention(8, heads=2, window=3),
    "mixture": lambda: MixtureOfMemories(lambda: gated_delta_net(8, chunk=4)),
}


def made(kind: str) -> MemoryLayer:
    torch.manual_seed(0)
    return MEMORIES[kind]().double()


def tokens(length: int = 7, seed: int = 1) -> Tensor:
    return torch.randn(2, length, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", MEMORIES)
def test_what_is_published_is_what_the_last_map_gets(kind: str) -> None:
    memory, x = made(kind), tokens()
    said, y, _ = published(memory, x)
    last = last_map(memory)
    assert torch.allclose(y, memory(x)[0], atol=1e-12)
    assert torch.allclose(said if last is None else last(said), y, atol=1e-12)
    assert (last is None) == (kind == "mixture")
    assert last is None or not last._forward_pre_hooks
    assert published(memory, x[:, :0])[0].shape[:2] == (2, 0)


def test_a_unit_is_its_formula_and_looks_at_its_own_position() -> None:
    unit = GatedMemoryUnit(8, 6, is_normed=True).double()
    x, m = tokens(), torch.randn(2, 7, 6, dtype=torch.float64)
    y = unit(x, m)
    for row in range(2):
        for t in range(7):
            gate = unit.gate.weight @ x[row, t]
            product = m[row, t] * gate / (1 + torch.exp(-gate))
            normed = product / (product.square().mean() + 1e-6).sqrt()
            assert torch.allclose(y[row, t], unit.join.weight @ normed, atol=1e-12)


@pytest.mark.parametrize("kind", MEMORIES)
def test_a_shared_memory_is_the_plain_stack(kind: str) -> None:
    layer = SharedMemory(made(kind), units=2).double()
    x = tokens()
    y, _ = layer(x)
    said, answer, _ = published(layer.memory, layer.norms[0](x))
    hidden = x + answer
    hidden = hidden + layer.units[0](layer.norms[1](hidden), said)
    hidden = hidden + layer.units[1](layer.norms[2](hidden), said)
    assert torch.allclose(x + y, hidden, atol=1e-12)


@pytest.mark.parametrize("kind", MEMORIES)
def test_steps_and_pieces_are_the_whole(kind: str) -> None:
    layer, x = SharedMemory(made(kind), units=2).double(), tokens()
    whole, _ = layer(x)
    first, state = layer(x[:, :3])
    rest, _ = layer(x[:, 3:], state)
    assert torch.allclose(layer.unrolled(x)[0], whole, atol=1e-10)
    assert torch.allclose(torch.cat([first, rest], 1), whole, atol=1e-10)


def test_the_memory_learns_through_its_units() -> None:
    layer = SharedMemory(made("delta"), units=1).double()
    torch.nn.init.zeros_(layer.memory.join.weight)
    layer(tokens())[0].square().sum().backward()
    assert float(layer.memory.project.weight.grad.abs().max()) > 0


def test_a_memory_is_shared_with_someone() -> None:
    with pytest.raises(InvalidInput, match="units"):
        SharedMemory(made("delta"), units=0)
