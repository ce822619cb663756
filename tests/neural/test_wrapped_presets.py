"""Every published preset inside every wrapper: steps are the whole, padding is nothing, states are kept and loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
torch.set_num_threads(1)

from torch import Tensor  # noqa: E402

from mnemos import InvalidInput  # noqa: E402
from mnemos.neural import state as states  # noqa: E402
from mnemos.neural.caching import CachedMemory  # noqa: E402
from mnemos.neural.layer import NeuralMemory  # noqa: E402
from mnemos.neural.memory import MemoryLayer  # noqa: E402
from mnemos.neural.mixture import MixtureOfMemories  # noqa: E402
from mnemos.neural.presets import PRESETS, preset  # noqa: E402
from mnemos.neural.shared import SharedMemory  # noqa: E402
from mnemos.neural.tree import tensors  # noqa: E402

Wrap = Callable[[Callable[[], MemoryLayer]], MemoryLayer]
WRAPPERS: dict[str, Wrap] = {
    "mixture": lambda make: MixtureOfMemories(make, count=2, top=1, is_shared=False),
    "shared": lambda make: SharedMemory(make(), units=1),
    "cached": lambda make: CachedMemory(make(), how="gated", segment=3),
    "sparse": lambda make: CachedMemory(make(), how="sparse", segment=2, top=1, restarts=True),
}
ANY = ("mixture", "shared")
"""Wrappers of every layer; the others cache the state of one."""
COMPOSED = {name for name in PRESETS if not isinstance(preset(name, 8), NeuralMemory)}
PAIRS = [(wrapper, name) for wrapper in WRAPPERS for name in PRESETS if wrapper in ANY or name not in COMPOSED]


def wrapped(wrapper: str, name: str) -> MemoryLayer:
    torch.manual_seed(0)

    def make() -> MemoryLayer:
        return preset(name, 8, chunk=1)

    return WRAPPERS[wrapper](make).double()


def tokens(length: int = 5) -> Tensor:
    return torch.randn(2, length, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", sorted(COMPOSED))
def test_a_layer_made_of_several_is_not_cached(name: str) -> None:
    with pytest.raises(InvalidInput, match="memory"):
        CachedMemory(preset(name, 8))  # type: ignore[arg-type]


@pytest.mark.parametrize(("wrapper", "name"), PAIRS)
def test_steps_are_the_whole_and_a_loaded_state_goes_on(wrapper: str, name: str, tmp_path: Path) -> None:
    layer, x = wrapped(wrapper, name), tokens()
    with torch.no_grad():
        whole, end = layer(x)
        walked, walked_to = layer.unrolled(x)
        assert torch.allclose(walked, whole, atol=1e-9)
        assert all(torch.allclose(a, b, atol=1e-9) for a, b in zip(tensors(walked_to), tensors(end), strict=True))
        _, half = layer(x[:, :3])
        states.save(half, tmp_path / "half.safetensors", layer)
        loaded = states.load(tmp_path / "half.safetensors", layer)
        assert torch.equal(layer(x[:, 3:], loaded)[0], layer(x[:, 3:], half)[0])
        assert torch.allclose(layer(x[:, 3:], loaded)[0], whole[:, 3:], atol=1e-9)
