"""Baselines and segment memories go on from a file as if nothing had happened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
torch.set_num_threads(1)

from segmented import leaves, same  # noqa: E402

from mnemos.neural.attention import CausalAttention  # noqa: E402
from mnemos.neural.hmt import HMT  # noqa: E402
from mnemos.neural.lstm import LSTM  # noqa: E402
from mnemos.neural.memoria import Memoria  # noqa: E402
from mnemos.neural.memory import MemoryLayer  # noqa: E402
from mnemos.neural.slots import LM2, Memformer  # noqa: E402
from mnemos.neural.state import StateRefused, forked, load, save  # noqa: E402

LAYERS: dict[str, Callable[[], MemoryLayer]] = {
    "attention": lambda: CausalAttention(8, heads=2, window=5, conv=4),
    "lstm": lambda: LSTM(8),
    "lm2": lambda: LM2(8, slots=3, segment=4, conv=4),
    "memformer": lambda: Memformer(8, slots=3, segment=4),
    "hmt": lambda: HMT(8, segment=4, sensory=2, shelf=3),
    "memoria": lambda: Memoria(8, segment=4, working=2, short=3, life=3.0),
}


@pytest.mark.parametrize("tokens", [0, 3, 24, 26])
@pytest.mark.parametrize("name", LAYERS)
def test_a_state_goes_on_from_its_file(name: str, tokens: int, tmp_path: Path) -> None:
    torch.manual_seed(23)
    layer, x = LAYERS[name]().double(), torch.randn(2, tokens + 7, 8, dtype=torch.float64)
    _, state = layer(x[:, :tokens])
    save(state, tmp_path / "state", layer)
    found = load(tmp_path / "state", layer)
    assert same(found, state)
    assert [leaf.dtype for leaf in leaves(found)] == [leaf.dtype for leaf in leaves(state)]
    assert torch.allclose(layer(x[:, tokens:], found)[0], layer(x[:, tokens:], state)[0], atol=1e-12)
    with pytest.raises(StateRefused):
        load(tmp_path / "state", LAYERS[name]().double())


@pytest.mark.parametrize("name", LAYERS)
def test_a_fork_goes_its_own_way(name: str) -> None:
    torch.manual_seed(29)
    layer, x = LAYERS[name]().double(), torch.randn(1, 13, 8, dtype=torch.float64)
    _, state = layer(x)
    tails = torch.randn(3, 9, 8, dtype=torch.float64)
    y, _ = layer(tails, forked(state, 3))
    for tail, said in zip(tails, y, strict=True):
        assert torch.allclose(layer(tail[None], state)[0][0], said, atol=1e-10)
