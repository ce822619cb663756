"""What has gone takes no bytes: storages are counted, and nothing else of the cache is alive."""

from __future__ import annotations

import gc

import pytest
import torch
from caches_built import Lopsided, batch, memory, model, said, texts
from models_built import tokens

from mnemos.activation.cache import MemoryCache


def alive() -> int:
    """Bytes of the storages of all tensors that are alive, each counted once."""
    gc.collect()
    found = {}
    for thing in gc.get_objects():
        if issubclass(type(thing), torch.Tensor) and thing.device.type == "cpu":
            storage = thing.untyped_storage()
            found[storage.data_ptr()] = storage.nbytes()
    return sum(found.values())


def read(cache: MemoryCache, count: int, name: str = "llama") -> None:
    with torch.no_grad():
        model(name)(tokens(count, 1)[None], past_key_values=cache)


def weight(name: str) -> int:
    """Bytes that one token's key and value take in one head."""
    config = model(name).config
    return 2 * 4 * (config.hidden_size // config.num_attention_heads)


def test_what_goes_is_freed() -> None:
    kinds = ("random", "streaming", "heavy", "watched", "given positions", Lopsided())
    for kind in kinds:
        read(memory("llama", kind, 0.25), 20)
    before = alive()
    caches = [memory("llama", kind, 0.25) for kind in kinds]
    few = 4 * (2 + 2) * 8
    for cache in caches:
        read(cache, 400)
        held = sum(len(head) for layer in cache.kept for row in layer for head in row)
        assert held <= 4 * 2 * 100
        least = held * (weight("llama") + 4 + 4 * len(cache.policy.marks))
        assert least <= cache.bytes <= least + few
    bytes_held = sum(cache.bytes for cache in caches)
    assert bytes_held <= alive() - before <= bytes_held + len(caches) * 1000


def test_bytes_follow_the_budget() -> None:
    sizes = []
    for budget in (1, 0.5, 0.25, 0.12, 20):
        cache = memory("llama", "random", budget)
        read(cache, 400)
        sizes.append(cache.bytes)
    whole = sizes[0]
    for size, share in zip(sizes, (1, 0.5, 0.25, 0.12, 0.05), strict=True):
        assert size == pytest.approx(whole * share, rel=0.02)


def test_uneven_heads_are_stored_flat() -> None:
    cache = memory("llama", Lopsided(), 1.0)
    ids, mask = batch()
    said(model("llama"), ids, cache, mask=mask)
    (held,) = [layer.held for layer in cache.layers[:1]]
    counts = held.counts
    assert len(set(counts.flatten().tolist())) == 4
    total = int(counts.sum())
    assert held.positions.shape == (total,)
    assert held.keys.read().shape == (total, 8)
    assert held.keys.read().untyped_storage().nbytes() == total * 8 * 4


def test_padding_takes_no_bytes() -> None:
    ids, mask = batch()
    together, alone = memory("llama", "full"), [memory("llama", "full") for _ in range(2)]
    said(model("llama"), ids, together, mask=mask)
    for cache, text in zip(alone, texts(), strict=True):
        said(model("llama"), text, cache)
    assert together.bytes == sum(cache.bytes for cache in alone)


def test_a_window_holds_no_more_than_it_sees() -> None:
    cache = memory("mistral", "full")
    read(cache, 60, "mistral")
    assert cache.kept[0][0][0] == [*range(54, 60)]
    assert cache.layers[0].held.keys.read().untyped_storage().nbytes() == 2 * 6 * 8 * 4


def test_a_cache_that_is_gone_leaves_nothing() -> None:
    read(memory("llama", "heavy", 0.5), 50)
    before = alive()
    cache = memory("llama", "heavy", 0.5)
    read(cache, 400)
    del cache
    assert alive() <= before + 2000
