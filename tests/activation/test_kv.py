"""Memories that a model has read are put back without reading; asked, it says what it says of the whole text."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from models_built import FAMILIES, GROUPED, build, dynamic
from stores_built import QUESTION, files, greedy, same, tokenizer_of, tokens_of, told
from transformers import Phi3Config, PreTrainedModel

from mnemos import InvalidInput, Mnemos, NotFound
from mnemos.activation import KVMemory
from mnemos.activation.models import Decoder
from mnemos.rendering import render

TOKENIZER = tokenizer_of()


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    return build(FAMILIES["llama"]())


def whole(model: PreTrainedModel, cache: Any, question: str = QUESTION) -> tuple[torch.Tensor, torch.Tensor]:
    """What a model says when it reads the memories and the question as one text."""
    asked = TOKENIZER(question, return_tensors="pt").input_ids
    return greedy(model, input_ids=torch.cat([cache.ids[None], asked], 1))


@pytest.mark.parametrize("family", FAMILIES)
def test_asked_beside_repaired_blocks_a_model_says_what_it_says_of_the_whole(family: str, memory: Mnemos) -> None:
    model = build(FAMILIES[family]())
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    memories = told(memory)
    kv = KVMemory(memory, model, TOKENIZER)
    assert len(kv.encode([one.id for one in memories]).made) == 3
    cache = kv.assemble(memories, repair=1)
    assert torch.equal(cache.ids, tokens_of(TOKENIZER, memories))
    assert cache.cost == pytest.approx(3 / 4)
    inputs = TOKENIZER(QUESTION, return_tensors="pt")
    said, scores = greedy(model, **inputs, past_key_values=cache)
    wanted, wanted_scores = whole(model, cache)
    assert said.tolist() == wanted.tolist()
    assert (scores - wanted_scores).abs().max() < 1e-4
    assert (greedy(model, **inputs)[1][0] - wanted_scores[0]).abs().max() > 1e-3, "the memories matter"
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())


def test_what_generate_returns_is_the_question_and_the_answer(memory: Mnemos, model: PreTrainedModel) -> None:
    cache = KVMemory(memory, model, TOKENIZER).assemble(told(memory))
    inputs = TOKENIZER(QUESTION, return_tensors="pt")
    out = model.generate(**inputs, past_key_values=cache, max_new_tokens=4, min_new_tokens=4)
    width = inputs.input_ids.shape[1]
    assert out.shape == (1, width + 4)
    assert torch.equal(out[:, :width], inputs.input_ids)


def test_a_cache_says_what_it_holds(memory: Mnemos, model: PreTrainedModel) -> None:
    memories = told(memory)
    cache = KVMemory(memory, model, TOKENIZER).assemble(memories, repair=0.3)
    assert cache.memory_ids == tuple(one.id for one in memories)
    for place, one in zip(cache.places, memories, strict=True):
        assert cache.ids[place.start : place.end].tolist() == TOKENIZER(render(one)).input_ids
        assert one.id == place.id
    ends = [place.end for place in cache.places]
    assert ends[-1] == len(cache.ids)
    assert [place.start for place in cache.places][1:] == ends[:-1]
    assert cache.exact == ends[0], "the opening and the first block are what reading them at once makes"
    assert 0 < cache.cost <= 0.3
    assert cache.encoded == cache.memory_ids
    assert cache.seconds > 0


def test_blocks_stand_at_their_places_one_after_the_other(memory: Mnemos, model: PreTrainedModel) -> None:
    memories = told(memory)
    cache = KVMemory(memory, model, TOKENIZER).assemble(memories, repair=0)
    length = len(cache.ids)
    first = cache.places[0].start
    decoder = Decoder(model)
    opening = decoder.read(cache.ids[:first])
    for place in cache.places:
        alone = decoder.read(torch.cat([cache.ids[:first], cache.ids[place.start : place.end]]))
        at = torch.arange(first, first + place.end - place.start)
        moved = decoder.placed(decoder.unplaced([(k[:, first:], v[:, first:]) for k, v in alone], at, length), at, 99)
        there = decoder.placed(decoder.unplaced(moved, at, 99), torch.arange(place.start, place.end) - length, 99)
        for layer, (keys, values) in zip(cache.layers, there, strict=True):
            assert (layer.keys[0, :, place.start : place.end] - keys).abs().max() < 1e-5
            assert (layer.values[0, :, place.start : place.end] - values).abs().max() < 1e-5
    for layer, (_, values) in zip(cache.layers, opening, strict=True):
        assert (layer.values[0, :, :first] - values).abs().max() < 1e-5


def test_reading_changes_nothing_that_is_stored(memory: Mnemos, path: Path, model: PreTrainedModel) -> None:
    memories = told(memory)
    kv = KVMemory(memory, model, TOKENIZER)
    kv.encode([one.id for one in memories])
    stored = files(path)
    inputs = TOKENIZER(QUESTION, return_tensors="pt")
    for share in (0.0, 0.3):
        first, second = kv.assemble(memories, repair=share), kv.assemble(memories, repair=share)
        assert same(first, second)
        kept = [layer.keys.clone() for layer in second.layers]
        said = greedy(model, **inputs, past_key_values=first)[1]
        assert first.get_query_offset() == len(first.ids) + inputs.input_ids.shape[1] + 5
        again = greedy(model, **inputs, past_key_values=first)[1]
        assert torch.equal(said, again), "a cache that was asked once answers the same"
        assert all(torch.equal(layer.keys, keys) for layer, keys in zip(second.layers, kept, strict=True))
        assert torch.equal(said, greedy(model, **inputs, past_key_values=second)[1])
        second.rewind()
        first.rewind()
        assert same(first, kv.assemble(memories, repair=share))
        for layer in first.layers:
            layer.keys.zero_()
        assert not same(first, second)
        assert same(second, kv.assemble(memories, repair=share))
    assert files(path) == stored
    assert kv.encode([one.id for one in memories]).made == ()


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_several_questions_and_several_beams_see_the_same_memories(family: str, memory: Mnemos) -> None:
    model = build(FAMILIES[family]())
    kv = KVMemory(memory, model, TOKENIZER)
    cache = kv.assemble(told(memory), repair=1)
    questions = [QUESTION, "Where is the sister of Rex now?", "Is Rita vegan?"]
    if family == "gemma3":
        with pytest.raises(InvalidInput, match="looks back over a window"):
            kv.inputs(cache, questions)
        questions.pop()
    together, _ = greedy(model, **kv.inputs(cache, questions), past_key_values=cache)
    for question, said in zip(questions, together, strict=True):
        assert said.tolist() == whole(model, cache, question)[0][0].tolist()
        one, _ = greedy(model, **kv.inputs(cache, question), past_key_values=cache)
        assert one[0].tolist() == said.tolist()
    beams = {"num_beams": 3, "max_new_tokens": 5, "min_new_tokens": 5, "do_sample": False}
    inputs = TOKENIZER(QUESTION, return_tensors="pt")
    searched = model.generate(**inputs, past_key_values=cache, **beams)
    wanted = model.generate(input_ids=torch.cat([cache.ids[None], inputs.input_ids], 1), **beams)
    assert searched[0, -5:].tolist() == wanted[0, -5:].tolist()
    assert greedy(model, **inputs, past_key_values=cache)[0].tolist() == whole(model, cache)[0].tolist()


def test_the_model_itself_takes_the_cache(memory: Mnemos, model: PreTrainedModel) -> None:
    kv = KVMemory(memory, model, TOKENIZER)
    cache = kv.assemble(told(memory), repair=1)
    asked = TOKENIZER(QUESTION, return_tensors="pt").input_ids
    with torch.no_grad():
        wanted = model(torch.cat([cache.ids[None], asked], 1)).logits[:, len(cache.ids) :]
        assert (model(asked, past_key_values=cache).logits - wanted).abs().max() < 1e-4
        cache.rewind()
        assert (model(**kv.inputs(cache, QUESTION), past_key_values=cache).logits - wanted).abs().max() < 1e-4


def test_a_conversation_goes_on(memory: Mnemos, model: PreTrainedModel) -> None:
    cache = KVMemory(memory, model, TOKENIZER).assemble(told(memory), repair=1)
    asked = TOKENIZER(QUESTION, return_tensors="pt").input_ids
    said = greedy(model, input_ids=asked, past_key_values=cache)[0]
    longer = torch.cat([asked, said, TOKENIZER("Is Rita vegan?", return_tensors="pt").input_ids], 1)
    again = greedy(model, input_ids=longer, past_key_values=cache)[0]
    assert again.tolist() == greedy(model, input_ids=torch.cat([cache.ids[None], longer], 1))[0].tolist()


def test_frequencies_that_depend_on_the_length_are_those_of_the_whole(memory: Mnemos) -> None:
    model = build(dynamic())
    kv = KVMemory(memory, model, TOKENIZER)
    memories = told(memory)
    asked = TOKENIZER(QUESTION, return_tensors="pt")
    cache = kv.assemble(memories, repair=1, following=asked.input_ids.shape[1])
    assert not cache.stands_before
    with pytest.raises(InvalidInput, match=r"kv\.inputs\(cache, question\)"):
        model.generate(**asked, past_key_values=cache, max_new_tokens=2)
    said, scores = greedy(model, **kv.inputs(cache, QUESTION), past_key_values=cache)
    wanted, wanted_scores = whole(build(dynamic()), cache)
    assert said.tolist() == wanted.tolist()
    assert (scores - wanted_scores).abs().max() < 1e-4
    assert not memory.artifacts.find(recipe="kv-context"), "it is exact for this length only"
    assert kv.assemble(memories, repair=0.1).cost <= 0.1


def test_a_model_that_switches_its_frequencies_is_asked_as_it_is_while_all_is_short(memory: Mnemos) -> None:
    def long_rope(original: int) -> PreTrainedModel:
        scaling = {"rope_type": "longrope", "short_factor": [1.0] * 4, "long_factor": [2.0, 3.0, 4.0, 5.0]}
        rope = {"rope_theta": 10000.0, "original_max_position_embeddings": original, **scaling}
        return build(Phi3Config(**GROUPED, original_max_position_embeddings=original, rope_parameters=rope))

    memories = told(memory)
    asked = TOKENIZER(QUESTION, return_tensors="pt")
    short = long_rope(2048)
    cache = KVMemory(memory, short, TOKENIZER).assemble(memories, repair=1)
    assert cache.stands_before
    assert greedy(short, **asked, past_key_values=cache)[0].tolist() == whole(short, cache)[0].tolist()
    long = long_rope(16)
    kv = KVMemory(memory, long, TOKENIZER)
    cache = kv.assemble(memories, repair=1, following=asked.input_ids.shape[1])
    assert not cache.stands_before
    said, scores = greedy(long, **kv.inputs(cache, QUESTION), past_key_values=cache)
    wanted, wanted_scores = whole(long, cache)
    assert said.tolist() == wanted.tolist()
    assert (scores - wanted_scores).abs().max() < 1e-4


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_near(dtype: torch.dtype, memory: Mnemos) -> None:
    model = build(FAMILIES["qwen3"]()).to(dtype)
    cache = KVMemory(memory, model, TOKENIZER).assemble(told(memory), repair=1)
    assert {layer.keys.dtype for layer in cache.layers} == {dtype}
    scores = greedy(model, 1, **TOKENIZER(QUESTION, return_tensors="pt"), past_key_values=cache)[1]
    wanted = whole(model, cache)[1][:1]
    assert (scores - wanted).abs().mean() < 0.05 * wanted.abs().mean()


def test_a_cache_is_taken_as_any_other(memory: Mnemos, model: PreTrainedModel) -> None:
    cache = KVMemory(memory, model, TOKENIZER).assemble(told(memory), repair=1)
    inputs = TOKENIZER(QUESTION, return_tensors="pt")
    said = greedy(model, **inputs, past_key_values=cache)[0].tolist()
    other = copy.deepcopy(cache)
    assert greedy(model, **inputs, past_key_values=other)[0].tolist() == said
    assert greedy(model, **inputs, past_key_values=cache, prefill_chunk_size=3)[0].tolist() == said
    assert greedy(model, input_ids=inputs.input_ids, past_key_values=cache)[0].tolist() == said
    assert greedy(model, **inputs, past_key_values=cache, prompt_lookup_num_tokens=2)[0].tolist() == said
    drawn = model.generate(**inputs, past_key_values=cache, do_sample=True, num_return_sequences=3, max_new_tokens=3)
    assert drawn.shape[0] == 3


def test_words_of_a_memory_are_no_special_tokens(memory: Mnemos, model: PreTrainedModel) -> None:
    cache = KVMemory(memory, model, TOKENIZER).assemble(told(memory, "Rita </s> is <s> vegan <pad> now."))
    place = cache.places[0]
    assert not {0, 1, 2} & set(cache.ids[place.start : place.end].tolist())
    assert cache.ids[0] == TOKENIZER.bos_token_id


@pytest.mark.parametrize(("storage", "near"), [("int8", 0.1), ("int4", 2.0)])
def test_fewer_bits_are_near_and_a_whole_repair_is_exact(
    storage: Any, near: float, memory: Mnemos, model: PreTrainedModel
) -> None:
    memories = told(memory)
    full = KVMemory(memory, model, TOKENIZER).assemble(memories, repair=0)
    kv = KVMemory(memory, model, TOKENIZER, storage=storage)
    cache = kv.assemble(memories, repair=0)
    assert same(cache, kv.assemble(memories, repair=0)), "what is read on the way is what is read from the file"
    far = max((a.values - b.values).abs().max().item() for a, b in zip(cache.layers, full.layers, strict=True))
    assert 0 < far < near
    exact = kv.assemble(memories, repair=1)
    scores = greedy(model, **TOKENIZER(QUESTION, return_tensors="pt"), past_key_values=exact)[1]
    assert (scores - whole(model, exact)[1]).abs().max() < 1e-4
    assert {one.recipe for one in memory.artifacts.find()} == {"kv-full", f"kv-{storage}", "kv-context"}


def test_hits_memories_and_ids_are_read_in_reading_order(memory: Mnemos, model: PreTrainedModel) -> None:
    memories = told(memory)
    kv = KVMemory(memory, model, TOKENIZER)
    ids = tuple(one.id for one in memories)
    hits = memory.search("Where does Rex live?", user_id="ana")
    assert kv.assemble([*hits, memories[2], ids[0]]).memory_ids == ids
    assert kv.assemble([ids[2], ids[0]], order="given").memory_ids == (ids[2], ids[0])
    assert kv.assemble([]).memory_ids == ()
    assert len(kv.assemble([], sinks=0).ids) == 0
    bare = kv.assemble([ids[0]], sinks=0)
    assert bare.places[0].start == 0
    asked = greedy(model, **TOKENIZER(QUESTION, return_tensors="pt"), past_key_values=bare)
    assert asked[0].tolist() == whole(model, bare)[0].tolist()


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_a_cache_of_nothing_is_as_none(family: str, memory: Mnemos) -> None:
    model = build(FAMILIES[family]())
    cache = KVMemory(memory, model, TOKENIZER).assemble([], sinks=0)
    inputs = TOKENIZER(QUESTION, return_tensors="pt")
    for _ in range(2):
        said = greedy(model, **inputs, past_key_values=cache)[0]
        assert said.tolist() == greedy(model, **inputs)[0].tolist()


def test_nothing_else_is_taken(memory: Mnemos, model: PreTrainedModel) -> None:
    (one, *_) = told(memory)
    kv = KVMemory(memory, model, TOKENIZER)
    for wrong in (
        {"following": 1.5},
        {"repair": 1.5},
        {"repair": True},
        {"sinks": -1},
        {"order": "best"},
        {"following": -1},
    ):
        with pytest.raises(InvalidInput) as refused:
            kv.assemble([one], **wrong)
        assert refused.value.field in wrong
    with pytest.raises(InvalidInput, match="give a list"):
        kv.assemble(one.id)
    with pytest.raises(InvalidInput, match=r"hits\[1\]"):
        kv.assemble([one, 3])  # type: ignore[list-item]
    with pytest.raises(NotFound):
        kv.assemble(["0190a0b0-0000-7000-8000-000000000000"])
    with pytest.raises(InvalidInput, match="has no tokens"):
        kv.inputs(kv.assemble([one]), "")
    for wrong in ({"storage": "int2"}, {"quota": -1}, {"quota": 1.5}):
        with pytest.raises(InvalidInput):
            KVMemory(memory, model, TOKENIZER, **wrong)
    many = tokenizer_of()
    many.add_tokens([f"word{number}" for number in range(97)])
    with pytest.raises(InvalidInput, match="the model's own tokenizer"):
        KVMemory(memory, model, many)
