"""A cache that keeps everything says what the library's own cache says."""

from __future__ import annotations

import pytest
import torch
from caches_built import ALL, EVERY, batch, memory, model, policy, said, texts
from models_built import FAMILIES, build
from transformers import DynamicCache

from mnemos.activation.cache import MemoryCache

CLOSE = {"rtol": 0, "atol": 1e-5}


@pytest.mark.parametrize("name", ALL)
def test_the_full_policy_generates_what_a_dynamic_cache_generates(name: str) -> None:
    ids, mask = batch()
    plain = said(model(name), ids, mask=mask, steps=8)
    mine = said(model(name), ids, memory(name, "full", 0.1), mask=mask, steps=8)
    assert torch.equal(mine.argmax(-1), plain.argmax(-1))
    torch.testing.assert_close(mine, plain, **CLOSE)


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("name", ["llama", "mistral"])
def test_a_whole_budget_keeps_everything(name: str, kind: str) -> None:
    text = texts()[0]
    cache = memory(name, kind)
    torch.testing.assert_close(said(model(name), text, cache), said(model(name), text), **CLOSE)
    reach = [*range(text.shape[1] + 3)][-6:] if name == "mistral" else [*range(text.shape[1] + 3)]
    assert all(head == reach for layer in cache.kept for row in layer for head in row)


def test_the_model_is_as_it_was_for_other_caches() -> None:
    ids, mask = batch()
    for name in ("llama", "gemma2"):
        before = said(model(name), ids, mask=mask)
        memory(name, "full")
        assert torch.equal(said(model(name), ids, mask=mask), before)
        with torch.no_grad():
            plain = model(name)(ids, attention_mask=mask, use_cache=False).logits
            cached = model(name)(ids, attention_mask=mask, past_key_values=DynamicCache()).logits
        assert torch.equal(plain, cached)


def test_a_text_that_is_read_in_parts_is_read_as_a_whole() -> None:
    text = texts()[0]
    whole = said(model("llama"), text)
    for kind in ("full", "heavy", "watched"):
        cache = memory("llama", kind)
        with torch.no_grad():
            for part in text[:, :-1].split(5, 1):
                model("llama")(part, past_key_values=cache)
        torch.testing.assert_close(said(model("llama"), text, cache), whole, **CLOSE)


def test_in_half_precision_it_says_the_same_too() -> None:
    half = build(FAMILIES["llama"]()).to(torch.bfloat16)
    text = texts()[0]
    cache = MemoryCache(half, policy("heavy"))
    torch.testing.assert_close(said(half, text, cache), said(half, text), rtol=0, atol=0.05)
    assert cache.layers[0].keys.dtype == torch.bfloat16
