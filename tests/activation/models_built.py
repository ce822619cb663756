"""Tiny models of real families, with random weights that are large enough for every layer to matter."""

from __future__ import annotations

from collections.abc import Callable

import torch
from transformers import (
    AutoModelForCausalLM,
    CohereConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GemmaConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen3Config,
    Qwen3NextConfig,
)

VOCAB = 97
SMALL = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
}
GROUPED = {**SMALL, "num_key_value_heads": 2}
SHORT = {**GROUPED, "max_position_embeddings": 16}


def llama(**rope: object) -> Callable[[], PreTrainedConfig]:
    """A Llama whose positions are scaled in some way."""
    return lambda: LlamaConfig(**GROUPED, rope_parameters={"rope_theta": 10000.0, **rope})


FAMILIES: dict[str, Callable[[], PreTrainedConfig]] = {
    "llama": llama(rope_type="default"),
    "llama linear": llama(rope_type="linear", factor=2.0),
    "llama llama3": llama(
        rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16
    ),
    "llama yarn": llama(rope_type="yarn", factor=4.0, original_max_position_embeddings=16),
    "qwen2": lambda: Qwen2Config(**GROUPED),
    "qwen2 sliding": lambda: Qwen2Config(**GROUPED, use_sliding_window=True, sliding_window=6, max_window_layers=2),
    "qwen3": lambda: Qwen3Config(**GROUPED, head_dim=8),
    "mistral": lambda: MistralConfig(**GROUPED, sliding_window=7),
    "gemma": lambda: GemmaConfig(**SMALL, num_key_value_heads=1, head_dim=8),
    "gemma2": lambda: Gemma2Config(**SMALL, num_key_value_heads=1, head_dim=8, sliding_window=6),
    "gemma3": lambda: Gemma3TextConfig(**SMALL, num_key_value_heads=1, head_dim=8, sliding_window=6),
    "phi3": lambda: Phi3Config(**GROUPED),
    "gpt-neox": lambda: GPTNeoXConfig(**SMALL, rotary_pct=0.25),
}


def dynamic() -> PreTrainedConfig:
    """A Llama whose frequencies depend on the length of the text, from 16 tokens on."""
    return LlamaConfig(**SHORT, rope_parameters={"rope_theta": 10000.0, "rope_type": "dynamic", "factor": 2.0})


REFUSED: dict[str, tuple[Callable[[], PreTrainedConfig], str]] = {
    "gpt2": (lambda: GPT2Config(vocab_size=VOCAB, n_embd=32, n_layer=2, n_head=4), "learned absolute positions"),
    "cohere": (lambda: CohereConfig(**GROUPED), "rotates its keys in a way that is not known"),
    "qwen3-next": (lambda: Qwen3NextConfig(**GROUPED, head_dim=8, num_experts=0), "linear_attention"),
}


def build(config: PreTrainedConfig, seed: int = 0) -> PreTrainedModel:
    """A model of this configuration, the same for the same seed."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.mul_(3)
    return model


def tokens(count: int, seed: int) -> torch.Tensor:
    """Token ids that are nothing special, [count]."""
    return torch.randint(3, VOCAB, (count,), generator=torch.Generator().manual_seed(seed))
