"""Blocks are made once, kept within a quota, go with their memories, and are no other model's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from models_built import FAMILIES, build, tokens
from stores_built import QUESTION, TEXTS, files, greedy, same, tokenizer_of, tokens_of, told
from transformers import PreTrainedModel

from mnemos import InvalidInput, Memory, Mnemos
from mnemos.activation import KVMemory
from mnemos.activation.blocks import BlockRefused, read_block
from mnemos.activation.fingerprint import fingerprint_of
from mnemos.activation.models import Decoder
from mnemos.activation.reading import read_blocks

TOKENIZER = tokenizer_of()


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    return build(FAMILIES["llama"]())


def ids_of(memories: list[Memory]) -> tuple[str, ...]:
    return tuple(one.id for one in memories)


@pytest.mark.parametrize("family", ["llama", "gemma3", "gpt-neox", "qwen2 sliding"])
def test_texts_that_are_read_together_are_as_if_read_alone(family: str) -> None:
    decoder = Decoder(build(FAMILIES[family]()))
    own = fingerprint_of(decoder.model, TOKENIZER)
    texts = [tokens(count, count) for count in (9, 3, 17, 3)]
    made = dict(read_blocks(decoder, own, texts, (0, 5)))
    assert sorted(made) == [0, 1, 2, 3]
    for row, text in enumerate(texts):
        alone = read_block(decoder, own, text, (0, 5))
        assert torch.equal(made[row].ids, text)
        assert (made[row].after, made[row].fingerprint) == ((0, 5), own)
        assert made[row].seconds > 0
        for mine, theirs in zip(made[row].layers, alone.layers, strict=True):
            assert (mine[0] - theirs[0]).abs().max() < 1e-5
            assert (mine[1] - theirs[1]).abs().max() < 1e-5


def test_each_memory_is_read_once(memory: Mnemos, path: Path, model: PreTrainedModel) -> None:
    memories = told(memory)
    kv = KVMemory(memory, model, TOKENIZER)
    done = kv.encode(ids_of(memories[:2]))
    assert (done.made, done.fresh, done.left, done.evicted) == (ids_of(memories[:2]), (), {}, ())
    found = memory.artifacts.find()
    assert done.bytes == sum(one.bytes for one in found) == sum(map(len, files(path).values()))
    assert done.tokens == sum(one.metadata["tokens"] for one in found)
    assert done.seconds > 0
    assert {one.sources for one in found} == {(one,) for one in done.made}
    assert {(one.form, one.recipe, one.state) for one in found} == {("activation", "kv-full", "fresh")}
    assert {one.fingerprint for one in found} == {kv.fingerprint.digest}
    assert all(one.seconds > 0 for one in found)
    again = KVMemory(memory, model, TOKENIZER).encode(user_id="ana")
    assert set(again.made) == {memories[2].id}
    assert set(again.fresh) == set(done.made)
    cache = kv.assemble(memories)
    assert cache.encoded == ()
    assert all(one.uses == 1 for one in memory.artifacts.find(recipe="kv-full"))
    with pytest.raises(InvalidInput, match="give one of the two"):
        kv.encode(ids_of(memories), user_id="ana")


def test_what_is_changed_or_deleted_has_no_block(memory: Mnemos, path: Path, model: PreTrainedModel) -> None:
    memories = told(memory)
    kv = KVMemory(memory, model, TOKENIZER)
    kv.encode(ids_of(memories))
    kv.assemble(memories, repair=1)
    assert len(memory.artifacts.find()) == 4
    memory.delete(memories[1].id)
    assert set(ids_of(memories)) - {one for made in memory.artifacts.find() for one in made.sources} == {memories[1].id}
    assert len(memory.artifacts.find()) == len(files(path)) == 2, "the whole goes with its part"
    left = [memories[0], memories[2]]
    cache = kv.assemble(left, repair=1)
    assert torch.equal(cache.ids, tokens_of(TOKENIZER, left))
    changed = memory.update(memories[0].id, text="My sister Rita is in Rome.")
    assert {made.sources for made in memory.artifacts.find()} == {(memories[2].id,)}
    cache = kv.assemble(left, repair=1)
    assert cache.encoded == (memories[0].id,)
    assert torch.equal(cache.ids, tokens_of(TOKENIZER, [changed, memories[2]]))


def test_what_is_no_longer_true_is_read_again(memory: Mnemos, model: PreTrainedModel) -> None:
    memories = told(memory)
    kv = KVMemory(memory, model, TOKENIZER)
    kv.encode(ids_of(memories))
    kv.assemble(memories, repair=1)
    memory.update(memories[0].id, valid_at="2026-03-01T00:00:00Z")
    assert kv.encode(ids_of(memories)).made == (), "what is read of it is the same"
    ended = memory.update(memories[0].id, invalid_at="2026-03-04T00:00:00Z")
    cache = kv.assemble(memories, repair=1)
    assert cache.encoded == (memories[0].id,)
    assert torch.equal(cache.ids, tokens_of(TOKENIZER, [ended, *memories[1:]]))
    assert "until" in TOKENIZER.decode(cache.ids)


def test_a_context_that_was_read_whole_is_not_repaired_again(memory: Mnemos, model: PreTrainedModel) -> None:
    memories = told(memory)
    kv = KVMemory(memory, model, TOKENIZER)
    first = kv.assemble(memories[:2], repair=1)
    assert first.cost == pytest.approx(3 / 4)
    (context,) = memory.artifacts.find(recipe="kv-context")
    assert context.sources == ids_of(memories[:2])
    for reader in (kv, KVMemory(memory, model, TOKENIZER)):
        again = reader.assemble(memories[:2], repair=0)
        assert (again.cost, again.exact) == (0, len(first.ids))
        for one, other in zip(first.layers, again.layers, strict=True):
            assert (one.keys - other.keys).abs().max() < 1e-5
            assert torch.equal(one.values, other.values)
    longer = kv.assemble(memories, repair=1, keep=False)
    assert longer.exact == len(first.ids)
    asked = TOKENIZER(QUESTION, return_tensors="pt")
    wanted = greedy(model, input_ids=torch.cat([longer.ids[None], asked.input_ids], 1))
    said = greedy(model, **asked, past_key_values=longer)
    assert said[0].tolist() == wanted[0].tolist()
    assert (said[1] - wanted[1]).abs().max() < 1e-4
    assert len(memory.artifacts.find(recipe="kv-context")) == 1
    memory.delete(memories[1].id)
    assert kv.assemble([memories[0], memories[2]], repair=0).exact < len(first.ids)


def test_a_context_of_the_same_words_is_not_lost_with_another(memory: Mnemos, model: PreTrainedModel) -> None:
    ana, ben = ([memory.add(text, user_id=user)[0] for text in TEXTS] for user in ("ana", "ben"))
    kv = KVMemory(memory, model, TOKENIZER)
    length = len(kv.assemble(ana, repair=1).ids)
    kv.assemble(ben[:2], repair=1, keep=False)
    assert kv.assemble(ben, repair=0).exact == length, "the same words are the same tokens"
    memory.artifacts.drop([one.id for one in memory.artifacts.find(recipe="kv-context")])
    assert kv.assemble(ben, repair=0).exact < length
    kv.assemble(ben, repair=1)
    memory.artifacts.keep(
        "activation",
        "kv-context",
        kv.fingerprint.digest,
        ana,
        memory.artifacts.path(memory.artifacts.find(recipe="kv-context")[0]),
    )
    assert kv.assemble(ana, repair=0).exact == length
    memory.delete_all(user_id="ana")
    assert kv.assemble(ben, repair=0).exact == length


def test_contexts_of_several_people_are_joined_and_not_kept(memory: Mnemos, model: PreTrainedModel) -> None:
    both = [memory.add(TEXTS[0], user_id="ana")[0], memory.add(TEXTS[1], user_id="ben")[0]]
    cache = KVMemory(memory, model, TOKENIZER).assemble(both, repair=1)
    assert cache.memory_ids == ids_of(both)
    assert memory.artifacts.find(recipe="kv-context") == []


def test_what_saves_least_goes_first(memory: Mnemos, model: PreTrainedModel) -> None:
    memories = told(memory)
    sizes = KVMemory(memory, model, TOKENIZER)
    sizes.encode(ids_of(memories))
    bytes_of = {one.sources[0]: one.bytes for one in memory.artifacts.find()}
    memory.artifacts.drop([one.id for one in memory.artifacts.find()])
    kv = KVMemory(memory, model, TOKENIZER, quota=sum(bytes_of.values()) - 2000)
    kv.encode(ids_of(memories[:2]))
    for _ in range(3):
        kv.assemble([memories[0]])
    done = kv.encode([memories[2].id])
    assert done.made == (memories[2].id,)
    assert len(done.evicted) == 1
    assert {one.sources[0] for one in memory.artifacts.find()} == {memories[0].id, memories[2].id}
    cache = kv.assemble(memories, repair=0)
    assert cache.memory_ids == ids_of(memories)
    assert memory.artifacts.bytes("activation") < sum(bytes_of.values())
    assert {one.sources[0] for one in memory.artifacts.find()} >= {memories[0].id, memories[2].id}, "they were in use"


def test_what_no_quota_holds_is_told_and_read_all_the_same(memory: Mnemos, path: Path, model: PreTrainedModel) -> None:
    memories = told(memory)
    kv = KVMemory(memory, model, TOKENIZER, quota=1000)
    done = kv.encode(ids_of(memories))
    assert done.made == ()
    assert set(done.left) == set(ids_of(memories))
    assert set(done.left.values()) == {"the quota leaves no room for it"}
    assert memory.artifacts.find() == []
    cache = kv.assemble(memories, repair=1)
    assert same(cache, KVMemory(memory, model, TOKENIZER).assemble(memories, repair=1))


def test_the_quota_is_of_blocks_and_spares_what_else_is_kept(memory: Mnemos, model: PreTrainedModel) -> None:
    memories = told(memory)
    with memory.artifacts.scratch() as file:
        file.write_bytes(bytes(10_000))
        other = memory.artifacts.keep("activation", "control-vector", "any", memories, file)
    KVMemory(memory, model, TOKENIZER).encode(ids_of(memories[:1]))
    size = memory.artifacts.bytes("activation") - other.bytes
    KVMemory(memory, model, TOKENIZER, quota=size + 100).encode(ids_of(memories[1:2]))
    assert other in memory.artifacts.find()


def test_a_file_that_is_gone_or_damaged_is_made_again(memory: Mnemos, path: Path, model: PreTrainedModel) -> None:
    memories = told(memory)
    kv = KVMemory(memory, model, TOKENIZER)
    wanted = kv.assemble(memories, repair=0)
    found = memory.artifacts.find()
    memory.artifacts.path(found[0]).unlink()
    damaged = memory.artifacts.path(found[1])
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 1
    damaged.chmod(0o600)
    damaged.write_bytes(content)
    cache = kv.assemble(memories, repair=0)
    assert len(cache.encoded) == 2
    assert same(cache, wanted)
    assert len(memory.artifacts.find()) == 3


def test_blocks_of_another_model_are_refused_by_name(memory: Mnemos, model: PreTrainedModel) -> None:
    memories = told(memory)
    KVMemory(memory, model, TOKENIZER).encode(ids_of(memories))
    with pytest.raises(InvalidInput, match="has no block"):
        KVMemory(memory, model, TOKENIZER).assemble(memories, sinks=0, encode=False)
    others = {
        "weights": KVMemory(memory, build(FAMILIES["llama"](), seed=1), TOKENIZER),
        "bfloat16": KVMemory(memory, build(FAMILIES["llama"]()).to(torch.bfloat16), TOKENIZER),
        "rope_type was default, is linear": KVMemory(memory, build(FAMILIES["llama linear"]()), TOKENIZER),
        "tokenizer": KVMemory(memory, model, tokenizer_of("other words")),
        "storage: it was full, is int8": KVMemory(memory, model, TOKENIZER, storage="int8"),
    }
    for what, other in others.items():
        with pytest.raises(BlockRefused) as refused:
            other.assemble(memories, encode=False)
        assert what in str(refused.value)
    kept = len(memory.artifacts.find())
    cache = others["weights"].assemble(memories)
    assert cache.encoded == ids_of(memories), "else each model has blocks of its own"
    assert len(memory.artifacts.find()) == kept + 3


def test_a_model_that_was_trained_further_has_no_blocks(memory: Mnemos) -> None:
    memories = told(memory)
    model = build(FAMILIES["llama"]())
    kv = KVMemory(memory, model, TOKENIZER)
    kv.encode(ids_of(memories))
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[3, 5] += 0.5
    with pytest.raises(BlockRefused, match="weights"):
        kv.assemble(memories, encode=False)
    cache = kv.assemble(memories, repair=1)
    assert cache.encoded == ids_of(memories)
    said = greedy(model, **TOKENIZER(QUESTION, return_tensors="pt"), past_key_values=cache)
    asked = torch.cat([cache.ids[None], TOKENIZER(QUESTION, return_tensors="pt").input_ids], 1)
    assert (said[1] - greedy(model, input_ids=asked)[1]).abs().max() < 1e-4
