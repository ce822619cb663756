"""Beams, several calls on one cache, many answers to one text: rows and tokens go where they should."""

from __future__ import annotations

import copy

import pytest
import torch
from caches_built import EVERY, batch, memory, model, said, texts
from models_built import tokens
from torch import Tensor

CLOSE = {"rtol": 0, "atol": 1e-5}


def beams(name: str, ids: Tensor, mask: Tensor, cache: object, steps: int = 6) -> Tensor:
    return model(name).generate(
        ids,
        attention_mask=mask,
        past_key_values=cache,
        max_new_tokens=steps,
        min_new_tokens=steps,
        num_beams=3,
        num_return_sequences=3,
        do_sample=False,
    )


@pytest.mark.parametrize("name", ["llama", "mistral", "gemma2"])
def test_beams_find_what_they_find_without_a_cache(name: str) -> None:
    ids, mask = batch()
    plain = model(name).generate(
        ids,
        attention_mask=mask,
        use_cache=False,
        max_new_tokens=6,
        min_new_tokens=6,
        num_beams=3,
        num_return_sequences=3,
        do_sample=False,
    )
    assert torch.equal(beams(name, ids, mask, memory(name, "heavy")), plain)


@pytest.mark.parametrize("kind", EVERY)
def test_every_beam_holds_what_its_own_text_would_leave(kind: str) -> None:
    # the beams of a batch of two, one filled up, are those of each text alone
    ids, mask = batch()
    together = beams("llama", ids, mask, memory("llama", kind, 0.5)).view(2, 3, -1)
    for row, text in enumerate(texts()):
        alone = beams("llama", text, torch.ones_like(text), memory("llama", kind, 0.5))
        assert torch.equal(together[row, :, -6:], alone[:, -6:])


def test_a_row_that_goes_on_from_another_takes_all_of_it_along() -> None:
    ids, mask = batch()
    for kind in ("heavy", "given positions", "random"):
        cache, twin = memory("llama", kind, 0.5), memory("llama", kind, 0.5)
        for one in (cache, twin):
            said(model("llama"), ids, one, mask=mask, steps=3)
        cache.reorder_cache(torch.tensor([1, 1, 0]))
        cache.batch_select_indices(torch.tensor([True, False, True]))
        assert [[layer[1], layer[0]] for layer in twin.kept] == cache.kept
        more = torch.tensor([[7], [8]])
        told = torch.cat([mask, torch.ones(2, 3)], 1)
        with torch.no_grad():
            swapped = model("llama")(more, attention_mask=told.flip(0), past_key_values=cache).logits
            straight = model("llama")(more.flip(0), attention_mask=told, past_key_values=twin).logits
        torch.testing.assert_close(swapped.flip(0), straight, **CLOSE)
        assert cache.seen.tolist() == twin.seen.tolist()[::-1]


@pytest.mark.parametrize("kind", EVERY)
def test_a_conversation_goes_on_in_several_calls(kind: str) -> None:
    first, more = texts()[0], tokens(5, 8)[None]
    cache, stepwise = memory("llama", kind, 0.5), memory("llama", kind, 0.5)
    made = said(model("llama"), first, cache, steps=4).argmax(-1)
    whole = torch.cat([first, made, more], 1)
    second = said(model("llama"), whole, cache, steps=4)
    assert cache.get_seq_length() == whole.shape[1] + 3
    # the same by hand: the text, each token of the answer but the last, then that and the next question
    with torch.no_grad():
        model("llama")(first, past_key_values=stepwise)
        for at in range(3):
            model("llama")(made[:, at : at + 1], past_key_values=stepwise)
        next_scores = model("llama")(whole[:, -6:], past_key_values=stepwise).logits[:, -1]
    torch.testing.assert_close(second[:, 0], next_scores, **CLOSE)


def test_one_text_is_gone_on_with_in_several_ways() -> None:
    text, more = texts()[0], torch.tensor([[7], [8], [9]])
    cache = memory("llama", "heavy", 0.5)
    with torch.no_grad():
        model("llama")(text, past_key_values=cache)
        kept = copy.deepcopy(cache)
        many = model("llama")(more, past_key_values=cache).logits
        for row in range(3):
            one = copy.deepcopy(kept)
            torch.testing.assert_close(
                model("llama")(more[row : row + 1], past_key_values=one).logits[0], many[row], **CLOSE
            )
    assert kept.get_seq_length() == text.shape[1]


def test_after_a_reset_it_is_as_new() -> None:
    cache = memory("mistral", "watched", 0.5)
    first = said(model("mistral"), texts()[1], cache)
    cache.reset()
    assert cache.get_seq_length() == 0
    assert cache.bytes == 0
    torch.testing.assert_close(said(model("mistral"), texts()[1], cache), first, **CLOSE)
