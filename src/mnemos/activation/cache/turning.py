"""Keys that are moved to other places while they are held, at every step and so without delay."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor

from mnemos.activation.rotation import Angles, Rotation, put_on, take_off
from mnemos.errors import InvalidInput

UNSTEADY = ("dynamic", "longrope")
"""Kinds of positions whose frequencies change with the length of the text."""


class Turning:
    """The rotary positions of a model whose frequencies stay the same.

    Args:
        rotation: the model's.
        settings: its configuration.

    Raises:
        InvalidInput: its frequencies change with the length of the text.
    """

    def __init__(self, rotation: Rotation, settings: Any) -> None:
        rope: dict[str, Any] = getattr(settings, "rope_parameters", None) or {}
        kinds = {str(own.get("rope_type")) for own in (rope, *rope.values()) if isinstance(own, dict)}
        for kind in sorted(kinds & set(UNSTEADY)):
            problem = f"moves keys, and this model's frequencies change with the length ({kind})"
            raise InvalidInput("policy", problem, "use one that leaves keys in place, as StreamingLLM(close=False)")
        self._rotation = rotation
        like = rotation.fresh(torch.device("cpu"))
        self._is_typed = "layer_type" in inspect.signature(like.forward).parameters
        self._rotaries: dict[torch.device, Any] = {}

    def moved(self, keys: Tensor, old: Tensor, new: Tensor, kind: str) -> Tensor:
        """Keys that stood at some positions, put at others.

        Args:
            keys: [tokens, dimensions].
            old: where they stand, [tokens].
            new: where they shall stand, [tokens].
            kind: of the attention layer.
        """
        return put_on(take_off(keys, self._angles(old, kind)), self._angles(new, kind))

    @torch.no_grad()
    def _angles(self, positions: Tensor, kind: str) -> Angles:
        device = positions.device
        if device not in self._rotaries:
            # one for each device over which a model's layers are spread
            self._rotaries[device] = self._rotation.fresh(device)
        told = {"layer_type": kind} if self._is_typed else {}
        cos, sin = self._rotaries[device](torch.zeros(1, device=positions.device), positions[None], **told)
        return Angles(cos[0].float(), sin[0].float())


def side_by_side(positions: Tensor, at: Tensor) -> Tensor:
    """Places without gaps, counted back from the first query, which stays where it is; [rows, heads, held].

    Args:
        positions: of what is held, [rows, heads, held], ascending; -1 where there is no token.
        at: the position of each query, [rows, queries]; -1: padding.
    """
    nobody = torch.iinfo(at.dtype).max
    first = at.masked_fill(at < 0, nobody).amin(1)[:, None, None]
    first = first.masked_fill(first == nobody, 0)
    before = ((positions >= 0) & (positions < first)).sum(-1, keepdim=True)
    slots = torch.arange(positions.shape[-1], device=positions.device).expand_as(positions)
    return torch.where(positions < first, first - before + slots, positions)
