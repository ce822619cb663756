"""A cache is kept in a store, goes with its memories, and is gone on with as if nothing had been between."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from caches_built import EVERY, Lopsided, batch, memory, model, policy, said
from models_built import FAMILIES, build
from safetensors import safe_open
from safetensors.torch import save_file
from stores_built import tokenizer_of, told

from mnemos import Mnemos
from mnemos.activation.blocks import BlockDamaged, BlockRefused
from mnemos.activation.cache import MemoryCache, StreamingLLM
from mnemos.errors import InvalidInput, NotFound

TOKENIZER = tokenizer_of()


def after(cache: MemoryCache, name: str = "llama") -> tuple[torch.Tensor, torch.Tensor]:
    """A batch with what a model said after it, and the mask of both."""
    ids, mask = batch()
    made = said(model(name), ids, cache, mask=mask, steps=4).argmax(-1)
    return torch.cat([ids, made], 1), torch.cat([mask, torch.ones(2, 4, dtype=mask.dtype)], 1)


@pytest.mark.parametrize("kind", [*EVERY, "lopsided"])
def test_what_was_saved_goes_on_as_if_it_had_not_been(tmp_path: Path, kind: str) -> None:
    def make() -> MemoryCache:
        return memory("llama", Lopsided() if kind == "lopsided" else kind, 0.5)

    cache = make()
    ids, mask = after(cache)
    with Mnemos(tmp_path / "m.db") as store:
        made = cache.save(store, TOKENIZER, told(store), seconds=2.5)
        assert (made.recipe, made.seconds, len(made.sources)) == ("kv-cache", 2.5, 3)
        (found,) = store.artifacts.find(recipe="kv-cache")
        back = make().resume(store, TOKENIZER, found)
    assert (back.kept, back.bytes, back.seen.tolist()) == (cache.kept, cache.bytes, cache.seen.tolist())
    on = said(model("llama"), ids, cache, mask=mask)
    assert torch.equal(said(model("llama"), ids, back, mask=mask), on)
    assert back.kept == cache.kept


def test_sliding_and_half_precision_too(tmp_path: Path) -> None:
    cache = memory("gemma2", "heavy", 0.5)
    ids, mask = after(cache, "gemma2")
    half = build(FAMILIES["qwen3"]()).to(torch.bfloat16)
    with Mnemos(tmp_path / "m.db") as store, torch.no_grad():
        sources = told(store)
        back = memory("gemma2", "heavy", 0.5).resume(store, TOKENIZER, cache.save(store, TOKENIZER, sources))
        assert torch.equal(said(model("gemma2"), ids, back, mask=mask), said(model("gemma2"), ids, cache, mask=mask))
        small = MemoryCache(half, "random", 0.5)
        half(ids, past_key_values=small)
        other = MemoryCache(half, "random", 0.5).resume(store, TOKENIZER, small.save(store, TOKENIZER, sources))
    assert all(torch.equal(one.keys, two.keys) for one, two in zip(small.layers, other.layers, strict=True))
    assert other.layers[0].keys.dtype == torch.bfloat16


def test_it_goes_with_its_memories(tmp_path: Path) -> None:
    cache = memory("llama", "random", 0.5)
    after(cache)
    with Mnemos(tmp_path / "m.db") as store:
        memories = told(store)
        made = cache.save(store, TOKENIZER, memories)
        store.delete(memories[1].id)
        with pytest.raises(NotFound):
            memory("llama", "random", 0.5).resume(store, TOKENIZER, made)
        assert not store.artifacts.find(recipe="kv-cache")


def test_another_model_or_policy_is_refused_by_name(tmp_path: Path) -> None:
    cache = memory("llama", StreamingLLM(3), 0.5)
    after(cache)
    with Mnemos(tmp_path / "m.db") as store:
        made = cache.save(store, TOKENIZER, told(store))
        trained = build(FAMILIES["llama"](), seed=1)
        others = {
            "sinks=4": memory("llama", StreamingLLM(4), 0.5),
            "Random": memory("llama", "random", 0.5),
            "budget: it was 0.5, is 0.25": memory("llama", StreamingLLM(3), 0.25),
            "weights": MemoryCache(trained, StreamingLLM(3), 0.5),
            "model type": memory("qwen2", StreamingLLM(3), 0.5),
        }
        for words, other in others.items():
            with pytest.raises(BlockRefused, match=words):
                other.resume(store, TOKENIZER, made)
            assert other.get_seq_length() == 0
        with pytest.raises(BlockRefused, match="tokenizer"):
            memory("llama", StreamingLLM(3), 0.5).resume(store, tokenizer_of("more words"), made)


def test_nothing_and_too_much_are_refused(tmp_path: Path) -> None:
    cache = memory("llama", "random", 0.5)
    with Mnemos(tmp_path / "m.db") as store:
        memories = told(store)
        with pytest.raises(InvalidInput, match="has read nothing"):
            cache.save(store, TOKENIZER, memories)
        after(cache)
        made = cache.save(store, TOKENIZER, memories)
        with pytest.raises(InvalidInput, match="has read something already"):
            cache.resume(store, TOKENIZER, made)


@pytest.mark.parametrize("harm", ["cut", "flipped", "header", "missing", "shape", "other"])
def test_damage_is_told(tmp_path: Path, harm: str) -> None:
    cache = memory("llama", policy("heavy"), 0.5)
    after(cache)
    with Mnemos(tmp_path / "m.db") as store:
        memories = told(store)
        made = cache.save(store, TOKENIZER, memories)
        hurt = tmp_path / "hurt"
        _harm(store.artifacts.path(made), hurt, harm)
        made = store.artifacts.keep("activation", "kv-cache", made.fingerprint, memories[:1], hurt)
        fresh = memory("llama", policy("heavy"), 0.5)
        with pytest.raises(BlockDamaged, match="read the text again"):
            fresh.resume(store, TOKENIZER, made)
    assert fresh.get_seq_length() == 0


def _harm(path: Path, hurt: Path, harm: str) -> None:
    whole = path.read_bytes()
    with safe_open(path, framework="pt") as file:
        header, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if harm == "cut":
        hurt.write_bytes(whole[:-9])
        return
    if harm == "flipped":
        hurt.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
        return
    if harm == "header":
        header = {kind: text.replace("StreamingLLM", "Full").replace("0.5", "0.6") for kind, text in header.items()}
    if harm == "missing":
        del tensors["2.keys.exact"]
    if harm == "shape":
        tensors["1.counts"] = tensors["1.counts"] + 1
    if harm == "other":
        header = {"mnemos.block.1": json.dumps({})}
    save_file(tensors, hurt, header)
