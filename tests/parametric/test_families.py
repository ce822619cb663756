"""Other models than Llama: learned biases, convolutions for linear layers, tied embeddings, sixteen bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from test_adapters import bits, told
from town import Town, asked_home, homes
from transformers import (
    AutoModelForCausalLM,
    GemmaConfig,
    GPT2Config,
    GPTNeoXConfig,
    Phi3Config,
    PreTrainedConfig,
    Qwen2Config,
)

from mnemos import Mnemos
from mnemos.parametric import AdapterMemory

SMALL = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 2,
}
FAMILIES: dict[str, Callable[[int], PreTrainedConfig]] = {
    "qwen2": lambda words: Qwen2Config(vocab_size=words, num_key_value_heads=2, **SMALL),
    "gemma, tied": lambda words: GemmaConfig(vocab_size=words, num_key_value_heads=1, head_dim=8, **SMALL),
    "phi3": lambda words: Phi3Config(vocab_size=words, num_key_value_heads=2, **SMALL),
    "gpt-neox": lambda words: GPTNeoXConfig(vocab_size=words, rotary_pct=0.25, **SMALL),
    "gpt2, dropout": lambda words: GPT2Config(
        vocab_size=words, n_embd=32, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=2, pad_token_id=2
    ),
}


@torch.no_grad()
def scores(town: Town, model: Any) -> torch.Tensor:
    return model(**town.tokenizer(asked_home(homes(1)[0][0]), return_tensors="pt")).logits.float()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_an_adapter_is_learned_merged_and_rolled_back(
    town: Town, memory: Mnemos, family: str, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(FAMILIES[family](town.words)).to(dtype).train()
    before = bits(model)
    adapters = AdapterMemory(memory, model, town.tokenizer)
    ids, reports = told(memory, homes(2)), []
    made = [adapters.train(ids, fresh=True, lr=1e-2, epochs=6, progress=reports.append) for _ in range(2)]
    assert made[0].hash == made[1].hash, "dropout, where there is any, is off"
    assert made[1].metadata["loss"] < reports[0].loss * 0.98
    assert bits(model) == before
    model.eval()
    plain = scores(town, model)
    adapters.load(made[1])
    beside = scores(town, model)
    assert (beside - plain).abs().max() > 0.02
    adapters.merge()
    assert bits(model) != before
    assert (scores(town, model) - beside).abs().max() < (1e-4 if dtype == torch.float32 else 0.2)
    adapters.roll_back()
    assert bits(model) == before
    assert torch.equal(scores(town, model), plain)
