"""Gradients by replay against those of one backward pass, and what it saves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from mnemos.errors import InvalidInput  # noqa: E402
from mnemos.neural.attention import CausalAttention  # noqa: E402
from mnemos.neural.hmt import HMT  # noqa: E402
from mnemos.neural.lstm import LSTM  # noqa: E402
from mnemos.neural.memoria import Memoria  # noqa: E402
from mnemos.neural.memory import MemoryLayer  # noqa: E402
from mnemos.neural.replay import replay  # noqa: E402
from mnemos.neural.slots import LM2, Memformer  # noqa: E402
from mnemos.neural.tree import mapped, tensors  # noqa: E402

LAYERS: dict[str, Callable[[], MemoryLayer]] = {
    "attention": lambda: CausalAttention(8, heads=2, window=5, conv=4),
    "lstm": lambda: LSTM(8),
    "lm2": lambda: LM2(8, slots=3, segment=4),
    "memformer": lambda: Memformer(8, slots=3, segment=4),
    "hmt": lambda: HMT(8, segment=4, sensory=2, shelf=3),
    "memoria": lambda: Memoria(8, segment=4, working=2, short=3, life=3.0),
}


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(19)


@pytest.mark.parametrize("size", [4, 7, 40])
@pytest.mark.parametrize("name", LAYERS)
def test_gradients_are_those_of_one_reading(name: str, size: int) -> None:
    layer = LAYERS[name]().double()
    x = torch.randn(2, 22, 8, dtype=torch.float64, requires_grad=True)
    aim = torch.randn(2, 22, 8, dtype=torch.float64)
    whole = (layer(x)[0] - aim).square().sum()
    whole.backward()
    expected = [part.grad.clone() for part in [x, *layer.parameters()]]
    layer.zero_grad()
    x.grad = None
    total = replay(layer, layer.start, x, lambda said, part: (said - aim[:, part]).square().sum(), size)
    assert torch.allclose(total.double(), whole.detach())
    for part, gradient in zip([x, *layer.parameters()], expected, strict=True):
        assert gradient.any()
        assert torch.allclose(part.grad, gradient, atol=1e-9)


def test_only_one_piece_is_held_at_a_time() -> None:
    """The largest number of values that are saved for one backward pass: far fewer than for all at once."""
    layer, x, saved, most = Memformer(16, segment=16), torch.randn(1, 256, 16), 0, 0

    def read(part: torch.Tensor, state: object) -> tuple[torch.Tensor, object]:
        nonlocal saved
        saved = 0
        return layer(part, state)

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal saved, most
        saved += tensor.numel()
        most = max(most, saved)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        replay(read, layer.start, x, lambda said, part: said.square().sum(), 256)
        whole, most = most, 0
        replay(read, layer.start, x, lambda said, part: said.square().sum(), 16)
    assert most < whole / 10


def test_a_loss_on_the_last_piece_alone_reaches_the_first() -> None:
    layer = LSTM(4)
    x = torch.randn(1, 12, 4, requires_grad=True)
    replay(layer, layer.start, x, lambda said, part: said.sum() * (part.start == 9), 3)
    assert x.grad[:, 0].any()


class Pair(NamedTuple):
    one: torch.Tensor
    rest: object


@dataclass(frozen=True)
class Kept:
    one: torch.Tensor
    none: None = None


def test_trees_keep_their_shape() -> None:
    tree = Pair(torch.ones(2), {"a": [torch.ones(1), None], "b": (Kept(torch.zeros(3)),)})
    doubled = mapped(lambda tensor: tensor * 2, tree)
    assert [tensor.tolist() for tensor in tensors(doubled)] == [[2.0, 2.0], [2.0], [0.0] * 3]
    assert isinstance(doubled, Pair)
    assert isinstance(doubled.rest["b"][0], Kept)
    assert tree.one.tolist() == [1.0, 1.0]
    with pytest.raises(InvalidInput, match="str is no part"):
        mapped(lambda tensor: tensor, [tree, "text"])


def test_pieces_that_cannot_be_are_refused() -> None:
    layer = LSTM(4)
    for x, size, field in ((torch.randn(1, 3, 4), 0, "size"), (torch.randn(1, 0, 4), 2, "x")):
        with pytest.raises(InvalidInput) as refused:
            replay(layer, layer.start, x, lambda said, part: said.sum(), size)
        assert refused.value.field == field
