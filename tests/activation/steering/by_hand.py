"""A forward pass walked by hand, layer by layer, in which anything can be added anywhere: slow, and plain to see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from models_built import FAMILIES, GROUPED, SMALL, VOCAB
from torch import Tensor
from transformers import GPT2Config, Phi3Config, PreTrainedModel, Qwen2Config

WALKED = ("llama", "qwen2", "qwen3", "mistral", "gemma", "gemma2", "gemma3", "phi3", "gpt-neox", "gpt2")
"""Families that are steered."""
FAMILIES = {
    **FAMILIES,
    "gpt2": lambda: GPT2Config(
        vocab_size=VOCAB, n_embd=32, n_layer=4, n_head=4, n_positions=64, bos_token_id=0, eos_token_id=1
    ),
}
__all__ = [
    "FAMILIES",
    "GROUPED",
    "SMALL",
    "WALKED",
    "Phi3Config",
    "Qwen2Config",
    "causal",
    "left_padded",
    "state",
    "walk",
]
Nothing: Callable[[int, Tensor], Tensor] = lambda number, hidden: hidden  # noqa: E731


def causal(count: int, window: int | None) -> Tensor:
    """What each token may look at, [1, 1, tokens, tokens], added to scores."""
    mask = torch.full((count, count), torch.finfo(torch.float32).min)
    for row in range(count):
        for column in range(row + 1):
            if window is None or row - column < window:
                mask[row, column] = 0.0
    return mask[None, None]


@torch.no_grad()
def walk(
    model: PreTrainedModel,
    ids: Tensor,
    after_layer: Callable[[int, Tensor], Tensor] = Nothing,
    after_attention: Callable[[int, Tensor], Tensor] = Nothing,
) -> Tensor:
    """Logits of one text, [tokens, vocabulary], with what is changed after layers and attentions on the way.

    The attention's output is changed where the layer takes it from, by a method put over `forward` and taken off again.
    """
    base: Any = model.base_model
    at = torch.arange(len(ids))[None]
    config = model.config
    if config.model_type == "gpt2":
        hidden = base.wte(ids[None]) + base.wpe(at)
        layers, norm = base.h, base.ln_f
    else:
        hidden = base.get_input_embeddings()(ids[None])
        layers, norm = base.layers, getattr(base, "norm", None) or base.final_layer_norm
    for number, layer in enumerate(layers):
        attention = next(getattr(layer, name) for name in ("self_attn", "attention", "attn") if hasattr(layer, name))
        kind = getattr(config, "layer_types", None)
        is_sliding = kind[number] == "sliding_attention" if kind else bool(getattr(config, "sliding_window", None))
        mask = causal(len(ids), config.sliding_window if is_sliding else None)
        extra: dict[str, Any] = {"attention_mask": mask}
        if hasattr(base, "rotary_emb"):
            per_layer = config.model_type == "gemma3_text"
            turned = base.rotary_emb(hidden, at, kind[number]) if per_layer else base.rotary_emb(hidden, at)
            extra |= {"position_embeddings": turned, "position_ids": at}
        own = attention.forward

        def instead(*args: Any, _own: Any = own, _number: int = number, **kwargs: Any) -> Any:
            out, *rest = _own(*args, **kwargs)
            return (after_attention(_number, out), *rest)

        attention.forward = instead
        out = layer(hidden, **extra)
        del attention.forward
        hidden = after_layer(number, out[0] if isinstance(out, tuple) else out)
    logits = model.get_output_embeddings()(norm(hidden))[0]
    cap = getattr(config, "final_logit_softcapping", None)
    return torch.tanh(logits / cap) * cap if cap else logits


def left_padded(texts: list[Tensor], pad: int = 2) -> dict[str, Tensor]:
    """Texts as one batch, filled up on their left."""
    width = max(map(len, texts))
    ids = torch.full((len(texts), width), pad)
    mask = torch.zeros(len(texts), width, dtype=torch.int64)
    for row, text in enumerate(texts):
        ids[row, width - len(text) :] = text
        mask[row, width - len(text) :] = 1
    return {"input_ids": ids, "attention_mask": mask}


def state(model: PreTrainedModel) -> dict[str, Any]:
    """All of a model that steering could have touched: bytes, hooks, modes, attributes and settings."""
    tensors = [*model.named_parameters(), *model.named_buffers()]
    return {
        "tensors": {name: (id(one), one._version, one.detach().clone()) for name, one in tensors},
        "hooks": {
            name: [len(getattr(module, kind)) for kind in sorted(vars(module)) if kind.endswith(("_hooks", "_kwargs"))]
            for name, module in model.named_modules()
        },
        "modes": [module.training for module in model.modules()],
        "names": {name: (id(module), sorted(vars(module))) for name, module in model.named_modules()},
        "config": model.config.to_dict(),
        "generation": model.generation_config.to_dict(),
    }


def same_state(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether nothing has changed, bit by bit."""
    tensors, others = one["tensors"], other["tensors"]
    alike = tensors.keys() == others.keys() and all(
        mine[:2] == others[name][:2] and torch.equal(mine[2], others[name][2]) for name, mine in tensors.items()
    )
    return alike and all(one[key] == other[key] for key in one if key != "tensors")
