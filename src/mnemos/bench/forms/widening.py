"""A trained model inside a wider one: it says the same, and costs what a model of that width costs.

What a small model takes to read is less than what a program around it takes, so that nothing can be learned from it
about when it pays to have read before. In the wider one the small one's weights stand in a corner, and everything else
is zero; zeros are multiplied like other numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM


@torch.no_grad()
def widened(model: LlamaForCausalLM, times: int) -> LlamaForCausalLM:
    """A model that is so many times as wide and has so many times as many heads, in evaluation mode.

    Args:
        model: one head or more, no biases; it is not changed.
        times: from 1.
    """
    config = LlamaConfig.from_dict(model.config.to_dict())
    config.hidden_size *= times
    config.intermediate_size *= times
    config.num_attention_heads *= times
    config.num_key_value_heads = config.num_attention_heads
    config.head_dim = model.config.head_dim
    config.rms_norm_eps = model.config.rms_norm_eps / times
    wide = LlamaForCausalLM(config)
    old = model.state_dict()
    for name, weight in wide.state_dict().items():
        is_norm = weight.dim() == 1
        weight.zero_()
        _corner(weight, old[name]).copy_(old[name] / times**0.5 if is_norm else old[name])
    wide.train(False)
    return wide


def _corner(weight: Tensor, old: Tensor) -> Tensor:
    """The part of a weight that a smaller one fills."""
    return weight[tuple(slice(length) for length in old.shape)]
