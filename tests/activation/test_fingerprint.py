"""Two models have one fingerprint exactly where they read the same words in the same way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from models_built import FAMILIES, build, llama
from peft import LoraConfig, get_peft_model
from tokenizers import normalizers, pre_tokenizers
from tokenizers_built import pairs, words
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedModel
from transformers.tokenization_python import PythonBackend

from mnemos import InvalidInput
from mnemos.activation.fingerprint import Fingerprint, differences, fingerprint_of
from mnemos.activation.sums import quick_sum
from mnemos.activation.tokenizers import tokenizer_hash

TOKENIZER = words()
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")
"""What `peft` asks of a newer `transformers`."""


def of(model: PreTrainedModel, tokenizer: Any = TOKENIZER) -> Fingerprint:
    return fingerprint_of(model, tokenizer)


def tiny(seed: int = 0) -> PreTrainedModel:
    return build(FAMILIES["llama"](), seed)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_copy_elsewhere_is_the_same_model(family: str, tmp_path: Path) -> None:
    model = build(FAMILIES[family]())
    before = of(model)
    assert of(build(FAMILIES[family]())) == before
    model.save_pretrained(tmp_path)
    again = of(AutoModelForCausalLM.from_pretrained(tmp_path))
    assert differences(before, again) == []
    assert again.digest == before.digest
    assert again.name != before.name
    assert Fingerprint.from_json(again.to_json()) == again


def test_families_differ_in_their_digests() -> None:
    assert len({of(build(config())).digest for config in FAMILIES.values()}) == len(FAMILIES)


def test_reading_changes_nothing(tmp_path: Path) -> None:
    model = build(llama(rope_type="dynamic", factor=2.0)())
    before = of(model)
    with torch.no_grad():
        model(torch.arange(90)[None])
    assert of(model) == before


CHANGES: dict[str, Any] = {
    "in place": lambda model: model.lm_head.weight.data[3, 4].add_(0.5),
    "a row through data": lambda model: model.model.embed_tokens.weight.data[90].mul_(1.5),
    "two rows swapped": lambda model: model.model.embed_tokens.weight.data.copy_(
        model.model.embed_tokens.weight.data[torch.arange(96, -1, -1)]
    ),
    "another tensor": lambda model: setattr(
        model.model.norm, "weight", torch.nn.Parameter(model.model.norm.weight * 2)
    ),
    "the smallest step": lambda model: model.model.norm.weight.data[0].copy_(
        torch.nextafter(model.model.norm.weight.data[0], torch.tensor(9.0))
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_noticed_however_it_was_made_and_so_is_its_end(change: str) -> None:
    model = tiny()
    before = of(model)
    kept = {name: weight.clone() for name, weight in model.state_dict().items()}
    CHANGES[change](model)
    after = of(model)
    assert [said.partition(":")[0] for said in differences(before, after)] == ["weights"]
    fresh = tiny()
    fresh.load_state_dict(model.state_dict())
    assert of(fresh) == after, "what was kept of the last time does not show"
    model.load_state_dict(kept)
    assert of(model) == before


def test_a_training_step_is_noticed() -> None:
    model = tiny()
    before = of(model)
    step = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.arange(9)[None], labels=torch.arange(9)[None]).loss.backward()
    step.step()
    assert of(model).weights != before.weights


def adapted(model: PreTrainedModel, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    settings = LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    return get_peft_model(model, settings)


def test_adapters_count_while_they_are_on() -> None:
    before = of(tiny())
    model = adapted(tiny())
    on = of(model)
    assert [said.partition(":")[0] for said in differences(before, on)] == ["adapter"]
    assert of(model.base_model.model) == on, "the model inside is the same one"
    assert of(adapted(tiny(), seed=1)).adapter != on.adapter
    with model.disable_adapter():
        assert of(model) == before
    assert of(model) == on
    torch.manual_seed(5)
    model.add_adapter("other", LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
    assert of(model) == on, "one that is not in use is nothing"
    model.set_adapter("other")
    assert of(model).adapter not in ("none", on.adapter)
    model.set_adapter("default")
    assert of(model) == on


def test_an_adapters_name_is_nothing_and_its_scale_is_something() -> None:
    model, named = adapted(tiny()), tiny()
    torch.manual_seed(0)
    settings = LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    assert of(get_peft_model(named, settings, adapter_name="ana")) == of(model)
    before = of(model)
    for module in model.modules():
        if isinstance(getattr(module, "scaling", None), dict):
            module.scaling["default"] *= 2
    assert differences(before, of(model))


def test_a_merged_adapter_is_noticed_and_a_taken_out_one_leaves_nothing() -> None:
    before = of(tiny())
    model = adapted(tiny())
    model.merge_adapter()
    merged = of(model)
    assert merged.adapter == "none"
    assert merged.weights != before.weights
    assert of(adapted(tiny()).merge_and_unload()) == merged
    assert of(adapted(tiny()).unload()) == before


SETTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "theta": (
        {"rope_parameters": {"rope_theta": 500000.0, "rope_type": "default"}},
        "RoPE settings: rope_parameters.rope_theta was 10000.0, is 500000.0",
    ),
    "scaling": (
        {"rope_parameters": {"rope_theta": 10000.0, "rope_type": "linear", "factor": 2.0}},
        "RoPE settings: rope_parameters.factor was not set, is 2.0, rope_parameters.rope_type was default, is linear",
    ),
    "zero": ({"logits_to_nothing": 0}, "model settings: logits_to_nothing was not set, is 0"),
    "norm": ({"rms_norm_eps": 1e-5}, "model settings: rms_norm_eps was 1e-06, is 1e-05"),
    "activation": ({"hidden_act": "gelu"}, "model settings: hidden_act was silu, is gelu"),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_that_differ_are_named(setting: str) -> None:
    changed, said = SETTINGS[setting]
    model = tiny()
    other = AutoModelForCausalLM.from_config(LlamaConfig(**{**model.config.to_dict(), **changed}))
    other.load_state_dict(model.state_dict())
    assert differences(of(other), of(model)) == [said]
    assert of(other).digest != of(model).digest


def test_window_type_and_number_type_are_named() -> None:
    sliding, plain = of(build(FAMILIES["qwen2 sliding"]())), of(build(FAMILIES["qwen2"]()))
    assert "attention window" in " ".join(differences(sliding, plain))
    assert differences(of(tiny().to(torch.float16)), of(tiny()))[0] == (
        "number type (dtype): made with float32, this is float16"
    )
    said = differences(of(build(FAMILIES["gemma"]())), of(tiny()))
    assert "model type: made with llama, this is gemma" in said


def test_what_does_not_change_reading_is_left_out() -> None:
    model = tiny()
    before = of(model)
    model.config.use_cache = False
    model.config.pad_token_id = 7
    model.config.attention_dropout = 0.5
    model.train()
    assert of(model) == before


def test_weights_that_are_not_loaded_are_refused() -> None:
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(FAMILIES["llama"]())
    with pytest.raises(InvalidInput, match="not loaded"):
        of(model)


def test_what_is_no_fingerprint_is_not_taken_for_one() -> None:
    good = of(tiny()).to_json()
    for wrong in ("", "{}", "[]", "3", good[:-1], good.replace('"dtype": "float32"', '"dtype": 3')):
        with pytest.raises(ValueError, match=r"fingerprint|Expecting|delimiter"):
            Fingerprint.from_json(wrong)


def test_tokenizers_differ_by_what_gives_ids() -> None:
    merges = [("a", "b"), ("b", "c")]
    made = [words(), words(lower=False), words("more"), pairs(merges), pairs(merges[::-1])]
    added = words()
    added.add_special_tokens({"additional_special_tokens": ["<memory>"]})
    hashes = [tokenizer_hash(one) for one in (*made, added)]
    assert len(set(hashes)) == len(hashes)
    assert tokenizer_hash(words()) == hashes[0]


def test_a_tokenizer_in_use_or_loaded_again_is_the_same(tmp_path: Path) -> None:
    tokenizer = words()
    before = tokenizer_hash(tokenizer)
    tokenizer(["ana is", "rita"], padding=True, truncation=True, max_length=2)
    assert tokenizer_hash(tokenizer) == before
    tokenizer.save_pretrained(tmp_path)
    assert tokenizer_hash(type(tokenizer).from_pretrained(tmp_path)) == before


def test_a_change_of_a_tokenizer_is_noticed() -> None:
    tokenizer = words()
    seen = {tokenizer_hash(tokenizer)}
    tokenizer.backend_tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    seen.add(tokenizer_hash(tokenizer))
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    seen.add(tokenizer_hash(tokenizer))
    tokenizer.add_tokens(["mnemos"])
    seen.add(tokenizer_hash(tokenizer))
    assert len(seen) == 4


class Letters(PythonBackend):
    """A slow tokenizer: a token for every letter."""

    def __init__(self, letters: str = "abc", **switches: Any) -> None:
        self.letters = letters
        super().__init__(**switches)

    @property
    def vocab_size(self) -> int:
        return len(self.letters)

    def get_vocab(self) -> dict[str, int]:
        return {letter: number for number, letter in enumerate(self.letters)}

    def _convert_token_to_id(self, token: str) -> int:
        return self.letters.index(token)


def test_slow_tokenizers_are_told_apart_too() -> None:
    made = [Letters(), Letters("abd"), Letters("acb"), Letters(do_lower_case=True)]
    assert len({tokenizer_hash(one) for one in made}) == len(made)
    assert tokenizer_hash(Letters()) == tokenizer_hash(made[0])
    with pytest.raises(InvalidInput, match="tokenizer"):
        tokenizer_hash(object())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.uint8, torch.bool])
@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 70001])
def test_a_quick_sum_notices_every_change_of_one_byte(dtype: torch.dtype, count: int) -> None:
    tensor = torch.randint(0, 2, (count,)).to(dtype)
    before = quick_sum(tensor)
    assert quick_sum(tensor.clone()) == before
    assert quick_sum(torch.cat([tensor, tensor])[count:]) == before, "wherever its bytes are"
    for place in {0, count // 2, count - 1} if count else ():
        other = tensor.clone()
        other[place] = 1 - other[place].to(torch.int32)
        assert quick_sum(other) != before
    assert quick_sum(torch.cat([tensor, tensor[:1]])) != before or not count


def test_a_quick_sum_notices_pages_in_each_others_place() -> None:
    tensor = torch.arange(40000)
    swapped = torch.cat([tensor[8192:16384], tensor[:8192], tensor[16384:]])
    assert quick_sum(tensor) != quick_sum(swapped)
