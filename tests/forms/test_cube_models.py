"""Another machine with the same model behaves the same, token for token; one with another model rebuilds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from models_built import FAMILIES, build
from stores_built import QUESTION, TEXTS, greedy, same, tokenizer_of, told
from town import Town, asked_home, home, homes
from transformers import PreTrainedModel

from mnemos import Memory, Mnemos
from mnemos.activation import KVMemory
from mnemos.activation import files as block_files
from mnemos.activation.fingerprint import fingerprint_of
from mnemos.cube import MemCube, compare, fuse, tensors
from mnemos.cube.tensors import read_header
from mnemos.parametric import AdapterMemory
from mnemos.parametric import files as adapter_files

TOKENIZER = tokenizer_of()
QUICK: Any = {"lr": 5e-3, "rank": 8, "progress": False}


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    return build(FAMILIES["llama"]())


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Mnemos]:
    with Mnemos(tmp_path / "other.db") as opened:
        yield opened


def ids_of(memories: list[Memory]) -> list[str]:
    return [one.id for one in memories]


@pytest.mark.parametrize("storage", ["full", "int8", "int4"])
def test_the_same_model_goes_on_with_the_same_tokens(
    memory: Mnemos, other: Mnemos, model: PreTrainedModel, tmp_path: Path, storage: Any
) -> None:
    memories = told(memory)
    kv = KVMemory(memory, model, TOKENIZER, storage=storage)
    kv.encode(ids_of(memories))
    kv.assemble(memories, repair=1)
    memory.export_cube(tmp_path / "a.cube", user_id="ana")
    asked = TOKENIZER(QUESTION, return_tensors="pt")
    wanted = {repair: kv.assemble(memories, repair=repair) for repair in (0, 0.3)}
    there = build(FAMILIES["llama"]())
    done = other.import_cube(tmp_path / "a.cube", model=there, tokenizer=TOKENIZER)
    assert (done.left, len(done.artifacts)) == ({}, 4)
    read = KVMemory(other, there, TOKENIZER, storage=storage)
    for repair, mine in wanted.items():
        theirs = read.assemble(ids_of(memories), repair=repair, encode=False)
        assert theirs.encoded == ()
        assert same(mine, theirs), "the same keys and values, bit for bit"
        tokens, scores = greedy(model, **asked, past_key_values=mine)
        again, others = greedy(there, **asked, past_key_values=theirs)
        assert torch.equal(tokens, again)
        assert torch.equal(scores, others)


def test_another_model_gets_the_words_and_makes_its_own(
    memory: Mnemos, other: Mnemos, model: PreTrainedModel, tmp_path: Path
) -> None:
    memories = told(memory)
    KVMemory(memory, model, TOKENIZER).encode(ids_of(memories))
    memory.export_cube(tmp_path / "a.cube", user_id="ana")
    stranger = build(FAMILIES["llama"](), seed=1)
    done = other.import_cube(tmp_path / "a.cube", model=stranger, tokenizer=TOKENIZER)
    assert done.artifacts == ()
    assert list(done.left.values()) == ["it is of another model"] * 3
    assert other.artifacts.find() == []
    assert [one.text for one in other.list(user_id="ana")] == list(TEXTS)
    assert [(one.memory, one.form) for one in other.artifacts.wanted()] == [
        (one, "activation") for one in ids_of(memories)
    ]
    other.bind(stranger, TOKENIZER)
    other.maintain()
    own = other.artifacts.find(form="activation")
    assert {one.sources for one in own} == {(one,) for one in ids_of(memories)}
    assert {one.fingerprint for one in own} == {fingerprint_of(stranger, TOKENIZER).digest}
    other.export_cube(tmp_path / "b.cube", user_id="ana")
    found = compare(tmp_path / "a.cube", tmp_path / "b.cube")
    assert (found.gone, found.changed) == ((), ())
    assert {one.recipe is not None for one in found.added} == {True}, "only what was derived of them"
    assert sorted(one.how for one in found.forms) == ["added"] * 3 + ["gone"] * 3
    fused = fuse(tmp_path / "a.cube", tmp_path / "b.cube", tmp_path / "c.cube")
    assert len(fused.manifest.models) == 2
    with Mnemos(":memory:") as third:
        assert len(third.import_cube(tmp_path / "c.cube").artifacts) == 6
        cache = KVMemory(third, stranger, TOKENIZER).assemble(memories, encode=False, repair=0)
        assert same(cache, KVMemory(other, stranger, TOKENIZER).assemble(memories, encode=False, repair=0))


def test_an_adapter_is_known_elsewhere_and_goes_with_its_memories(town: Town, tmp_path: Path) -> None:
    people = homes(6)
    asked = [(asked_home(name), place) for name, place in people]
    with Mnemos(tmp_path / "a.db") as memory, Mnemos(tmp_path / "b.db") as other:
        ids = [memory.add(home(*one), kind="fact", user_id="ana")[0].id for one in people]
        model = town.model()
        AdapterMemory(memory, model, town.tokenizer).train(ids, **QUICK)
        memory.export_cube(tmp_path / "a.cube", user_id="ana")
        there = town.model()
        done = other.import_cube(tmp_path / "a.cube", model=there, tokenizer=town.tokenizer)
        assert (len(done.artifacts), done.left) == (1, {})
        mine, theirs = AdapterMemory(memory, model, town.tokenizer), AdapterMemory(other, there, town.tokenizer)
        with mine.active(("user", "ana")), theirs.active(("user", "ana")) as active:
            assert active is not None
            assert town.knows(there, asked) == 1.0
            for question, _ in asked:
                words = town.tokenizer(question, return_tensors="pt")
                with torch.no_grad():
                    assert torch.equal(model(**words).logits, there(**words).logits)
            again = other.import_cube(tmp_path / "a.cube", model=there, tokenizer=town.tokenizer)
            assert (again.known, again.artifacts) == (1, ()), "an adapter that is on changes nothing"
        other.delete(ids[0])
        assert other.artifacts.find() == []
        assert {one.memory for one in other.artifacts.wanted(form="parametric")} == set(ids[1:])


def test_what_is_read_without_torch_is_what_torch_wrote(
    memory: Mnemos, model: PreTrainedModel, town: Town, tmp_path: Path
) -> None:
    (one,) = told(memory, TEXTS[0])
    KVMemory(memory, model, TOKENIZER).encode([one.id])
    (block,) = memory.artifacts.find()
    with memory.artifacts.path(block).open("rb") as stream:
        header = read_header(stream, block.bytes)
    assert (header.form, header.fingerprint) == ("activation", fingerprint_of(model, TOKENIZER).digest)
    assert header.model == "llama"
    own = fingerprint_of(town.model(), town.tokenizer)
    adapter_files.save(adapter_files.Adapter({"r": 1}, {"a": torch.zeros(2, 3)}, own), tmp_path / "adapter")
    with (tmp_path / "adapter").open("rb") as stream:
        header = read_header(stream, (tmp_path / "adapter").stat().st_size)
    assert (header.form, header.fingerprint) == ("parametric", own.digest)
    assert (block_files.BLOCKS.kind, adapter_files.KIND) == (tensors.BLOCK, tensors.ADAPTER)


def test_a_bound_store_keeps_what_came_and_makes_nothing_anew(
    memory: Mnemos, other: Mnemos, model: PreTrainedModel, tmp_path: Path
) -> None:
    memories = told(memory)
    memory.bind(model, TOKENIZER)
    memory.promote(ids_of(memories))
    memory.maintain()
    memory.export_cube(tmp_path / "a.cube", user_id="ana")
    other.bind(build(FAMILIES["llama"]()), TOKENIZER)
    other.import_cube(tmp_path / "a.cube")
    before = {one.id for one in other.artifacts.find()}
    assert other.maintain().built == 0
    assert {one.id for one in other.artifacts.find()} == before == {one.id for one in memory.artifacts.find()}
    with MemCube(tmp_path / "a.cube") as cube:
        assert len(cube.headers) == 3


def test_a_session_elsewhere_sees_and_says_the_same(town: Town, tmp_path: Path) -> None:
    people = homes(8)
    with Mnemos(tmp_path / "a.db") as memory, Mnemos(tmp_path / "b.db") as other:
        ids = [memory.add(home(*one), kind="fact", user_id="ana")[0].id for one in people]
        model = town.model()
        AdapterMemory(memory, model, town.tokenizer).train(ids[:3], **QUICK)
        KVMemory(memory, model, town.tokenizer).encode(ids[3:6])
        memory.export_cube(tmp_path / "a.cube", user_id="ana")
        there = town.model()
        assert other.import_cube(tmp_path / "a.cube", model=there, tokenizer=town.tokenizer).left == {}
        said = []
        for store, reader in ((memory, model), (other, there)):
            with store.attach(reader, town.tokenizer, user_id="ana") as session:
                answers = [session.generate(asked_home(name), max_new_tokens=6) for name, _ in people]
                said.append((answers, session.seen))
        assert said[0] == said[1]
        seen = said[0][1]
        assert set(seen.parametric) == set(ids[:3])
        assert set(seen.activation) == set(ids[3:6])


def test_a_store_with_another_model_bound_makes_its_own_whatever_came(
    memory: Mnemos, other: Mnemos, model: PreTrainedModel, tmp_path: Path
) -> None:
    memories = told(memory)
    KVMemory(memory, model, TOKENIZER).encode(ids_of(memories))
    memory.export_cube(tmp_path / "a.cube", user_id="ana")
    stranger = build(FAMILIES["llama"](), seed=1)
    other.bind(stranger, TOKENIZER)
    assert len(other.import_cube(tmp_path / "a.cube").artifacts) == 3, "of any model, since none was named"
    assert other.maintain().built == 3
    own = other.artifacts.find(fingerprint=fingerprint_of(stranger, TOKENIZER).digest)
    assert {one.sources for one in own} == {(one,) for one in ids_of(memories)}


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("/home/ana/models/tiny", "tiny"),
        ("~/models/tiny/", "tiny"),
        ("..\\models\\tiny", "tiny"),
        ("C:\\models\\tiny", "tiny"),
        ("who/tiny-1", "who/tiny-1"),
        ("", "llama"),
    ],
)
def test_where_a_model_lies_does_not_go_along(memory: Mnemos, tmp_path: Path, where: str, name: str) -> None:
    own = build(FAMILIES["llama"]())
    own.config._name_or_path = where
    KVMemory(memory, own, TOKENIZER).encode([told(memory, TEXTS[0])[0].id])
    written = memory.export_cube(tmp_path / "a.cube")
    assert [one.name for one in written.manifest.models] == [name]
    assert b"models" not in (tmp_path / "a.cube").read_bytes().replace(b'"models"', b"")
