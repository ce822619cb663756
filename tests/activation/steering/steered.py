"""Texts, a vector of any directions, and what a model goes on with."""

from __future__ import annotations

import torch
from models_built import tokens
from torch import Tensor
from transformers import PreTrainedModel

from mnemos.activation.steering import ControlVector
from mnemos.activation.steering.directions import Direction

TEXTS = [tokens(count, count) for count in (9, 4, 12)]


def vector(*layers: int, seed: int = 0, width: int = 32) -> ControlVector:
    """Any directions."""
    chance = torch.Generator().manual_seed(seed)
    units = torch.randn(len(layers), width, generator=chance)
    made = {layer: Direction(unit / unit.norm(), 3.0) for layer, unit in zip(layers, units, strict=True)}
    return ControlVector("any", made, "mean", "last")


def greedy(model: PreTrainedModel, given: dict[str, Tensor], **more: object) -> Tensor:
    """The next five tokens of each row, [rows, 5]."""
    length = given["input_ids"].shape[1]
    out = model.generate(**given, max_new_tokens=5, min_new_tokens=5, do_sample=False, **more)
    return out[:, length:]
