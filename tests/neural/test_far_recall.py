"""Segment memories learn to keep what attention within a segment cannot see: one token, two segments back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from torch import nn  # noqa: E402
from torch.nn.functional import cross_entropy, rms_norm  # noqa: E402

from mnemos.neural.attention import CausalAttention  # noqa: E402
from mnemos.neural.hmt import HMT  # noqa: E402
from mnemos.neural.memoria import Memoria  # noqa: E402
from mnemos.neural.memory import MemoryLayer  # noqa: E402
from mnemos.neural.slots import LM2, Memformer  # noqa: E402

TOKENS, DIM, KINDS = 12, 16, 4
LAYERS: dict[str, tuple[Callable[[], MemoryLayer], int]] = {
    "lm2": (lambda: LM2(DIM, slots=4, segment=4), 60),
    "memformer": (lambda: Memformer(DIM, slots=4, segment=4), 80),
    "hmt": (lambda: HMT(DIM, segment=4, head=2, sensory=2, shelf=8), 120),
    "memoria": (lambda: Memoria(DIM, segment=4, working=2, short=8, life=6.0), 80),
}


def learnt(layer: MemoryLayer, steps: int) -> float:
    """Share of right answers, after so many batches, to: which of four kinds was the second token?

    In every other batch it is the sixth that is asked for, since Memoria learns from the next segment alone.
    """
    names, answer = nn.Embedding(2 * KINDS + 1, DIM), nn.Linear(DIM, KINDS)
    optimiser = torch.optim.Adam([*layer.parameters(), *names.parameters(), *answer.parameters()], lr=1e-2)

    def asked(batch: int, place: int) -> tuple[torch.Tensor, torch.Tensor]:
        ids, kind = torch.randint(KINDS + 1, 2 * KINDS + 1, (batch, TOKENS)), torch.randint(KINDS, (batch,))
        ids[:, place], ids[:, -1] = kind, KINDS
        x = rms_norm(names(ids), (DIM,))
        return answer((x + layer(x)[0])[:, -1]), kind

    for at in range(steps):
        loss = cross_entropy(*asked(16, (1, 5)[at % 2]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        said, kind = asked(512, 1)
    return float((said.argmax(-1) == kind).double().mean())


@pytest.mark.parametrize("name", LAYERS)
def test_a_token_two_segments_back_is_remembered(name: str) -> None:
    torch.manual_seed(0)
    make, steps = LAYERS[name]
    assert learnt(make(), steps) > 0.9


def test_a_window_cannot() -> None:
    torch.manual_seed(0)
    assert learnt(CausalAttention(DIM, window=6), 60) < 0.4
