"""What cannot work is refused by name, with what to do instead."""

from __future__ import annotations

import pytest
import torch
from caches_built import memory, model, policy, said, texts
from models_built import REFUSED, VOCAB, build, dynamic, tokens
from transformers import AutoModelForCausalLM, BloomConfig, LlamaConfig, PreTrainedConfig, T5Config
from transformers.models.t5 import T5ForConditionalGeneration

from mnemos.activation.cache import MemoryCache, Oracle, Policy, StreamingLLM
from mnemos.errors import InvalidInput

GPT2, COHERE, MIXED = (REFUSED[name][0] for name in ("gpt2", "cohere", "qwen3-next"))


def small() -> PreTrainedConfig:
    return LlamaConfig(
        vocab_size=VOCAB, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
    )


@pytest.mark.parametrize("config", [GPT2, COHERE], ids=["gpt2", "cohere"])
@pytest.mark.parametrize("kind", ["random", "heavy", "sinks in place"])
def test_models_whose_keys_cannot_be_moved_work_where_nothing_moves_them(config: object, kind: str) -> None:
    other = build(config())  # type: ignore[operator]
    other.config.eos_token_id = other.generation_config.eos_token_id = None
    text = texts()[0]
    torch.testing.assert_close(
        said(other, text, MemoryCache(other, policy(kind))), said(other, text), rtol=0, atol=1e-5
    )
    cache = MemoryCache(other, policy(kind), 0.3)
    said(other, text, cache)
    assert all(len(head) == 5 for layer in cache.kept for row in layer for head in row)


@pytest.mark.parametrize("config", [GPT2, COHERE, dynamic], ids=["gpt2", "cohere", "dynamic"])
def test_a_policy_that_moves_keys_is_refused_where_they_cannot_be_moved(config: object) -> None:
    other = build(config())  # type: ignore[operator]
    with pytest.raises(InvalidInput) as refused:
        MemoryCache(other, "streaming")
    assert refused.value.field in ("model", "policy")


def test_layers_that_are_no_attention_are_refused() -> None:
    with pytest.raises(InvalidInput, match="linear_attention"):
        MemoryCache(build(MIXED()))


def test_a_model_with_attention_of_its_own_is_refused() -> None:
    bloom = AutoModelForCausalLM.from_config(BloomConfig(vocab_size=VOCAB, hidden_size=32, n_layer=2, n_head=4))
    with pytest.raises(InvalidInput, match=r"bloom.*in its own way"):
        MemoryCache(bloom)


def test_an_encoder_is_refused() -> None:
    t5 = T5ForConditionalGeneration(T5Config(vocab_size=VOCAB, d_model=16, d_kv=4, d_ff=16, num_layers=1, num_heads=2))
    with pytest.raises(InvalidInput, match="encoder"):
        MemoryCache(t5)


def test_decoding_that_takes_tokens_back_is_refused() -> None:
    text = texts()[0]
    with pytest.raises(InvalidInput, match="assistant or prompt lookup"):
        model("llama").generate(
            text, past_key_values=memory("llama", "full"), prompt_lookup_num_tokens=3, max_new_tokens=4
        )
    with pytest.raises(InvalidInput, match="assistant"):
        model("llama").generate(
            text, past_key_values=memory("llama", "random", 0.5), assistant_model=model("qwen2"), max_new_tokens=4
        )
    cache = memory("llama", "full")
    said(model("llama"), text, cache)
    with pytest.raises(InvalidInput, match="cut back"):
        cache.crop(-1)
    cache.crop(0)


def test_a_static_cache_is_refused_beside_it() -> None:
    with pytest.raises(ValueError, match="cache_implementation"):
        model("llama").generate(
            texts()[0], past_key_values=memory("llama", "full"), cache_implementation="static", max_new_tokens=2
        )
    assert not memory("llama", "full").is_compileable


def test_an_attention_that_cannot_be_stood_in_for_is_refused() -> None:
    other = build(
        LlamaConfig(vocab_size=VOCAB, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)
    )
    other.set_attn_implementation("flex_attention")
    with pytest.raises(InvalidInput, match="flex_attention"):
        MemoryCache(other)


def test_a_model_that_was_switched_back_is_refused() -> None:
    other = build(small())
    cache = MemoryCache(other)
    other.set_attn_implementation("sdpa")
    with pytest.raises(InvalidInput, match="another attention function"):
        other(texts()[0], past_key_values=cache)


def test_masks_of_four_dimensions_and_of_other_lengths_are_refused() -> None:
    text = texts()[0]
    square = torch.ones(1, 1, text.shape[1], text.shape[1], dtype=torch.bool)
    with torch.no_grad(), pytest.raises(InvalidInput, match="4 dimensions"):
        model("llama")(text, attention_mask=square, past_key_values=memory("llama", "full"))
    with pytest.raises(InvalidInput, match="is of 3 tokens"):
        model("llama")(text, attention_mask=torch.tensor([[0, 1, 1]]), past_key_values=memory("llama", "full"))


def test_another_batch_is_refused() -> None:
    cache = memory("llama", "full")
    with torch.no_grad():
        model("llama")(tokens(8, 1).view(2, 4), past_key_values=cache)
        with pytest.raises(InvalidInput, match="holds 2 rows, and is given 3"):
            model("llama")(tokens(3, 1).view(3, 1), past_key_values=cache)


def test_training_with_dropout_is_refused() -> None:
    config = small()
    config.attention_dropout = 0.1
    other = build(config).train()
    with torch.no_grad(), pytest.raises(InvalidInput, match="training"):
        other(texts()[0], past_key_values=MemoryCache(other))


def test_gradients_are_refused() -> None:
    other = build(small())
    cache = MemoryCache(other)
    with pytest.raises(InvalidInput, match="gradients"):
        other(texts()[0], past_key_values=cache)
    # nothing was read, and the same cache can be used
    assert cache.get_seq_length() == 0
    torch.testing.assert_close(said(other, texts()[0], cache), said(other, texts()[0]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("budget", [0, -1, 1.5, float("nan"), float("inf"), True, "half", None])
def test_budgets_that_say_nothing_are_refused(budget: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        MemoryCache(model("llama"), "random", budget)  # type: ignore[arg-type]
    assert refused.value.field == "budget"


def test_policies_that_are_not_known_are_refused() -> None:
    with pytest.raises(InvalidInput, match="streaming"):
        MemoryCache(model("llama"), "snap")
    with pytest.raises(InvalidInput, match="policy"):
        MemoryCache(model("llama"), Policy)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="sinks"):
        StreamingLLM(-1)
    with pytest.raises(InvalidInput, match="positions"):
        Oracle([1, -2])
    with pytest.raises(InvalidInput, match="has lists for 1 rows, and 2 are read"):
        said(model("llama"), tokens(24, 1).view(2, 12), memory("llama", Oracle([[1]]), 0.5))
