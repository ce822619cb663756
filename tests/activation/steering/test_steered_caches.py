"""A steered model with a cache that keeps a part: each does what it does alone, and nothing stays behind."""

from __future__ import annotations

import torch
from by_hand import FAMILIES, left_padded, same_state, state
from models_built import build
from steered import TEXTS, greedy, vector

from mnemos.activation.cache import MemoryCache
from mnemos.activation.steering import Condition, steer


def test_steered_with_all_kept_it_says_what_it_says_with_the_librarys_cache() -> None:
    model, by, batch = build(FAMILIES["llama"]()), vector(1, 2), left_padded(TEXTS)
    with steer(model, by, strength=2.0):
        wanted = greedy(model, batch)
    plain = greedy(model, batch, past_key_values=MemoryCache(model))
    before = state(model)
    with steer(model, by, strength=2.0):
        assert torch.equal(greedy(model, batch, past_key_values=MemoryCache(model)), wanted)
    assert same_state(before, state(model))
    assert torch.equal(greedy(model, batch, past_key_values=MemoryCache(model)), plain)


def test_rows_for_which_nothing_holds_keep_what_they_keep_unsteered() -> None:
    model, by, batch = build(FAMILIES["llama"]()), vector(1, 2), left_padded(TEXTS)
    never = Condition(vector(1, seed=4), layer=1, threshold=2.0)
    kept = []
    for when in (None, never):
        cache = MemoryCache(model, "tova", 6)
        if when is None:
            greedy(model, batch, past_key_values=cache)
        else:
            with steer(model, by, strength=2.0, when=when):
                greedy(model, batch, past_key_values=cache)
        kept.append(cache.kept)
    assert kept[0] == kept[1]
    cache = MemoryCache(model, "tova", 6)
    with steer(model, by, strength=9.0):
        greedy(model, batch, past_key_values=cache)
    assert cache.kept != kept[0], "another model looks elsewhere"
