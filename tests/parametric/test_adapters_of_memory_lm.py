"""The other forms on a `MemoryLM`: adapters are learned on its linear maps; blocks of keys and values are refused."""

from __future__ import annotations

import pytest
import torch
from test_adapters import bits
from town import Town, asked_home, homes, told

from mnemos import Mnemos
from mnemos.activation.models import Decoder
from mnemos.errors import InvalidInput
from mnemos.neural.config import MemoryLMConfig
from mnemos.neural.lm import MemoryLM
from mnemos.parametric import AdapterMemory


@pytest.fixture
def model(town: Town) -> MemoryLM:
    torch.manual_seed(0)
    layers = [{"mixer": "gated-delta-net", "heads": 2}, {"mixer": "titans", "heads": 2, "chunk": 4}, "attention"]
    return MemoryLM(MemoryLMConfig(town.words, 32, layers)).eval()


@torch.no_grad()
def scores(town: Town, model: MemoryLM) -> torch.Tensor:
    ids = town.tokenizer(asked_home(homes(1)[0][0]), return_tensors="pt")["input_ids"]
    return model(ids).logits


def test_an_adapter_is_learned_on_its_linear_maps_merged_and_rolled_back(
    town: Town, memory: Mnemos, model: MemoryLM
) -> None:
    before, plain = bits(model), scores(town, model)
    adapters = AdapterMemory(memory, model, town.tokenizer)
    ids, reports = told(memory, homes(2)), []
    made = adapters.train(ids, lr=1e-2, epochs=6, progress=reports.append)
    assert made.metadata["loss"] < reports[0].loss * 0.98
    assert bits(model) == before
    adapters.load(made)
    beside = scores(town, model)
    assert (beside - plain).abs().max() > 0.02
    adapters.merge()
    torch.testing.assert_close(scores(town, model), beside, atol=1e-4, rtol=1e-3)
    adapters.roll_back()
    assert bits(model) == before


def test_it_has_no_blocks_of_keys_and_values(model: MemoryLM) -> None:
    with pytest.raises(InvalidInput):
        Decoder(model)
