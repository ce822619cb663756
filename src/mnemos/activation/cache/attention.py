"""The attention function through which a model looks at what a `MemoryCache` holds.

It is registered beside the library's own under a name of its own. Where a layer's keys come from another cache, or from
none, it hands everything on to the function that the model had before, and so does its mask.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from mnemos.activation.cache.layer import LAYER, MemoryLayer
from mnemos.activation.cache.looking import Asked
from mnemos.errors import InvalidInput

BASES = ("sdpa", "eager")
PREFIX = "mnemos_"
UNKNOWN = ("position_bias", "s_aux")
"""What some models want of attention, and is not done here."""
Found = tuple[Tensor, Tensor | None]


class Columns(int):
    """A number of columns, told by a `MemoryCache` to whoever makes a mask for it."""


def switched_on(model: PreTrainedModel) -> None:
    """Have a model look through this module's attention; what it computes with other caches stays the same.

    Raises:
        InvalidInput: its attention cannot be chosen, or is of a kind that is not known here.
    """
    base = str(model.config._attn_implementation)
    if base.startswith(PREFIX):
        return
    if base not in BASES:
        problem = f"attends by {base}, which a memory cache cannot stand in for"
        raise InvalidInput("model", problem, 'load it with attn_implementation="sdpa"')
    name = f"{PREFIX}{base}"
    AttentionInterface.register(name, _attention_over(base))
    AttentionMaskInterface.register(name, _mask_over(base))
    if model._can_set_attn_implementation():
        model.set_attn_implementation(name)
    if not is_on(model):
        problem = f"({model.config.model_type}) computes attention in its own way, at which a cache cannot look"
        raise InvalidInput("model", problem, "use one that follows the attention interface of transformers")


def is_on(model: PreTrainedModel) -> bool:
    """Whether a model looks through this module's attention."""
    return str(model.config.get_text_config()._attn_implementation).startswith(PREFIX)


def _attention_over(base: str) -> Callable[..., Found]:
    def attend(
        module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **wanted: Any
    ) -> Found:
        """Attention over what a memory cache's layer holds; that of the library for other keys."""
        layer: MemoryLayer | None = getattr(key, LAYER, None)
        if layer is None:
            return _plain(base, module)(module, query, key, value, attention_mask, **wanted)
        try:
            asked = _asked(module, query, attention_mask, wanted)
        except InvalidInput:
            layer.forgo()
            raise
        return layer.attend(asked).transpose(1, 2).contiguous(), None

    return attend


def _asked(module: nn.Module, query: Tensor, mask: Tensor | None, wanted: dict[str, Any]) -> Asked:
    """What is asked, in our words.

    Raises:
        InvalidInput: it asks for what cannot be done over a memory cache.
    """
    strange = [name for name in UNKNOWN if wanted.get(name) is not None]
    if strange:
        raise InvalidInput("model", f"attends with {', '.join(strange)}", "use another cache with this model")
    if wanted.get("dropout"):
        raise InvalidInput("model", "is in training, with dropout in its attention", "call model.eval()")
    if torch.is_grad_enabled() and query.requires_grad:
        problem = "is asked for gradients, which do not flow through what a memory cache holds"
        raise InvalidInput("model", problem, "read under torch.no_grad(), or train with another cache")
    if mask is not None and mask.dim() != 2:
        problem = f"has {mask.dim()} dimensions; which keys it means cannot be told once some are gone"
        raise InvalidInput("attention_mask", problem, "give one of [rows, tokens]")
    scaling = wanted.get("scaling")
    places = wanted.get("position_ids")
    return Asked(
        query,
        float(query.shape[-1] ** -0.5 if scaling is None else scaling),
        wanted.get("softcap"),
        mask,
        None if places is None or places.dim() != 2 else places.expand(len(query), -1),
    )


def _plain(base: str, module: nn.Module) -> Callable[..., Found]:
    """The library's function; the eager one is each model's own."""
    if base == "eager":
        own: Callable[..., Found] = sys.modules[type(module).__module__].eager_attention_forward
        return own
    known: Callable[..., Found] = ALL_ATTENTION_FUNCTIONS[base]
    return known


def _mask_over(base: str) -> Callable[..., Any]:
    def mask(*, q_length: int, kv_length: int, attention_mask: Tensor | None = None, **wanted: Any) -> Any:
        """Which of the new tokens are no padding, for a memory cache; the library's mask for another.

        The rest of a mask follows from the positions of what each head holds.
        """
        if not isinstance(kv_length, Columns):
            plain = ALL_MASK_ATTENTION_FUNCTIONS[base]
            return plain(q_length=q_length, kv_length=kv_length, attention_mask=attention_mask, **wanted)
        if wanted.get("use_vmap"):
            problem = "sees more or less than what came before, which a memory cache cannot follow"
            raise InvalidInput("model", problem, "use another cache with this model")
        if attention_mask is None:
            return None
        if attention_mask.shape[-1] != kv_length:
            problem = f"is of {attention_mask.shape[-1]} tokens, and the cache has read {kv_length} with these"
            raise InvalidInput("attention_mask", problem, "give one for all tokens so far, padding 0")
        real = attention_mask[:, -q_length:]
        return None if bool(torch.all(real)) else real.bool()

    return mask
