"""Steering a model by its hidden states: control vectors, conditions, injected memories, context against weights.

Needs `pip install "mnemos[torch]"`.
"""

from __future__ import annotations

from mnemos.activation.steering.conditions import Condition, Rule
from mnemos.activation.steering.injecting import inject
from mnemos.activation.steering.library import Steering
from mnemos.activation.steering.reliance import Reliance
from mnemos.activation.steering.steer import Steered, steer
from mnemos.activation.steering.vectors import ControlVector, VectorDamaged, VectorRefused

__all__ = [
    "Condition",
    "ControlVector",
    "Reliance",
    "Rule",
    "Steered",
    "Steering",
    "VectorDamaged",
    "VectorRefused",
    "inject",
    "steer",
]
