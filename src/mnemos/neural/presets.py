"""Published models as choices of a `NeuralMemory`, each a few lines."""

from __future__ import annotations

from typing import Any

from mnemos.neural.layer import NeuralMemory


def gated_delta_net(dim: int, **choices: Any) -> NeuralMemory:
    """Gated DeltaNet: the delta rule with a decay for each head and token (Yang et al. 2024, Gated Delta Networks)."""
    return NeuralMemory(dim, **{"learner": "delta", "retention": "scalar", "conv": 4} | choices)
