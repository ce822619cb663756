"""Where the layers of a causal model are, and what is around them: the one place that knows the families' names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from mnemos.errors import InvalidInput

LAYERS = ("layers", "h")
"""What families call the list of their layers."""
ATTENTIONS = ("self_attn", "attention", "attn")
"""What they call a layer's attention."""
Change = Callable[[Tensor], Tensor | None]
"""Given what a module puts out, [rows, tokens, width]: what is to go on in its place; None: the same."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A model's layers, from the first to the last."""

    model: PreTrainedModel
    base: Any
    """The decoder without its head."""
    layers: Sequence[nn.Module]
    attentions: Sequence[nn.Module]
    """The attention of each layer; what it puts out is added to the residual stream, in some through a norm."""
    width: int
    """Channels of a hidden state."""

    @property
    def device(self) -> torch.device:
        """Where token ids are given to the model."""
        return self.model.device

    def number(self, layer: object, field: str = "layer") -> int:
        """A layer's number from 0; from the end where it is negative.

        Raises:
            InvalidInput: the model has no such layer.
        """
        count = len(self.layers)
        if isinstance(layer, bool) or not isinstance(layer, int) or not -count <= layer < count:
            raise InvalidInput(
                field, f"{str(layer)[:40]} is no layer of {count}", f"give a number from 0 to {count - 1}"
            )
        return layer % count

    def numbers(self, layers: int | Iterable[int], field: str = "layers") -> tuple[int, ...]:
        """Several layers, each once, in ascending order.

        Raises:
            InvalidInput: there are none, or one is no layer of the model.
        """
        given = [layers] if isinstance(layers, int) else list(layers)
        if not given:
            raise InvalidInput(field, "are none", "name one or more layers")
        return tuple(sorted({self.number(one, f"{field}[{place}]") for place, one in enumerate(given)}))


def stack_of(model: PreTrainedModel) -> Stack:
    """The layers of a model of Llama's, GPT-NeoX's or GPT-2's build (so Qwen, Mistral, Gemma, Phi-3 and others).

    Raises:
        InvalidInput: its layers are not where such a model has them.
    """
    wrapped: Any = model
    bare: Any = wrapped.get_base_model() if hasattr(model, "get_base_model") else model
    base: Any = getattr(bare, "base_model", None)
    layers = next(
        (getattr(base, name) for name in LAYERS if isinstance(getattr(base, name, None), nn.ModuleList)), None
    )
    attentions = [_attention(layer) for layer in layers or ()]
    found = [one for one in attentions if one is not None]
    if layers is None or not found or len(found) < len(attentions):
        kind = getattr(getattr(model, "config", None), "model_type", type(model).__name__)
        problem = f"({kind}) has no list of layers with an attention each"
        raise InvalidInput(
            "model", problem, "use a causal model such as Llama, Qwen, Mistral, Gemma, Phi-3 or GPT-NeoX"
        )
    return Stack(bare, base, layers, found, int(bare.config.get_text_config().hidden_size))


def _attention(layer: nn.Module) -> nn.Module | None:
    found = (getattr(layer, name, None) for name in ATTENTIONS)
    return next((one for one in found if isinstance(one, nn.Module)), None)


def read_number(field: str, value: object, mend: str) -> float:
    """A finite number.

    Raises:
        InvalidInput: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise InvalidInput(field, f"{str(value)[:40]!r} is no number", mend)
    return float(value)


@contextmanager
def changed(changes: Iterable[tuple[nn.Module, Change]]) -> Iterator[None]:
    """Within the block, what modules put out is changed; afterwards nothing of it is left, whatever happened.

    Args:
        changes: modules, each with what is done to its output. Of several for one module the first is done first.
    """
    with ExitStack() as hooks:
        for module, change in changes:
            hooks.callback(module.register_forward_hook(_hook(change)).remove)
        yield


def _hook(change: Change) -> Callable[[nn.Module, Any, Any], Any]:
    def hook(module: nn.Module, given: Any, output: Any) -> Any:
        hidden = output[0] if isinstance(output, tuple) else output
        made = change(hidden)
        if made is None:
            return None
        return (made, *output[1:]) if isinstance(output, tuple) else made

    return hook


def own_positions(stack: Stack) -> nn.Module | None:
    """Positions for `undisturbed` that remember no other text; None where the model learned them."""
    rotary = getattr(stack.base, "rotary_emb", None)
    return None if rotary is None else deepcopy(rotary)


@contextmanager
def undisturbed(stack: Stack, positions: nn.Module | None) -> Iterator[None]:
    """Within the block the model is read by us: without gradients and dropout, with positions of our own.

    Frequencies that change with the length of a text (dynamic NTK, LongRoPE) are kept in the model; so that the
    reading leaves no trace in them, it is done with others. Afterwards the model is as it was.

    Args:
        stack: the model's layers.
        positions: from `own_positions`.
    """
    rotary, modes = getattr(stack.base, "rotary_emb", None), [(one, one.training) for one in stack.model.modules()]
    if positions is not None:
        stack.base.rotary_emb = positions
    stack.model.train(False)
    try:
        with torch.no_grad():
            yield
    finally:
        if positions is not None:
            stack.base.rotary_emb = rotary
        for module, mode in modes:
            module.training = mode
