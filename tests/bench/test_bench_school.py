"""The small language model of `mnemos bench forms`: its world, its words, what it is taught with, how it is made."""

from __future__ import annotations

import random
import re

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from mnemos.bench.forms import school  # noqa: E402
from mnemos.bench.forms.fixtures import folder, schooled  # noqa: E402
from mnemos.bench.forms.pages import UNASKED, Batch, Teacher  # noqa: E402
from mnemos.bench.forms.people import (  # noqa: E402
    DAYS,
    KNOWN,
    NAMES,
    RELATIONS,
    STRANGERS,
    Fact,
    alike,
    day,
    facts,
    learned,
)
from mnemos.bench.forms.recipes import Recipe  # noqa: E402
from mnemos.bench.forms.school import School, Stage  # noqa: E402
from mnemos.bench.forms.training import NotLearned  # noqa: E402
from mnemos.bench.forms.words import END, UNKNOWN, ids_of, tokenizer, vocabulary  # noqa: E402
from mnemos.parametric.paraphrase import by_rules  # noqa: E402
from mnemos.records import Memory  # noqa: E402
from mnemos.rendering import OPENING_LINE, render  # noqa: E402

NURSERY = Recipe("recall", layers=2, width=16, heads=1, stages=(2,), batch=4, passed=9.0, learned=9.0, settling=2)
PLAY = School(
    width=16,
    layers=4,
    start=NURSERY,
    stages=(Stage(2, 99.0, sentences=False, by_heart=0), Stage(3, 99.0, by_heart=4)),
    tokens=200,
    learned=99.0,
    settling=2,
)
"""Learns nothing in four steps: how it is made and kept is what is tested."""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MNEMOS_BENCH_CACHE", str(tmp_path / "models"))
    torch.set_num_threads(1)


def test_the_world_is_as_large_as_it_is_said_to_be_and_nothing_in_it_is_called_alike() -> None:
    values = [value for relation in RELATIONS for value in relation.values]
    assert len(set(NAMES)) == len(NAMES) == 564
    assert not set(KNOWN) & set(STRANGERS)
    assert len(set(values)) == len(values) == 96
    assert not set(values) & set(NAMES)
    known = learned()
    assert len(known) == len({(fact.person, fact.relation) for fact in known}) == 2000
    assert known == learned(0) != learned(1)


def test_facts_are_drawn_from_a_seed_each_thing_once() -> None:
    drawn = facts(STRANGERS, random.Random(1), 200)
    assert drawn == facts(STRANGERS, random.Random(1), 200)
    assert len({(fact.person, fact.relation) for fact in drawn}) == 200
    same = alike(STRANGERS, random.Random(1), 30)
    assert len({fact.relation for fact in same}) == 1
    assert len({fact.person for fact in same}) == 30
    other = drawn[0].other(random.Random(2))
    assert (other.person, other.relation) == (drawn[0].person, drawn[0].relation)
    assert other.value != drawn[0].value


@pytest.mark.parametrize("number", range(4))
def test_whatever_mnemos_makes_of_a_fact_has_a_token_for_each_word(number: int) -> None:
    fact = Fact(STRANGERS[3], RELATIONS[number], RELATIONS[number].values[5])
    words, told = tokenizer(), Memory("m", ("u",), "turn", fact.text, speaker="Ana", happened_at=day(DAYS - 1))
    lessons = by_rules([told], day(DAYS - 1))
    texts = [OPENING_LINE, render(told), *fact.questions, *(one.prompt for one in lessons)]
    texts += [one.answer for one in lessons]
    for text in texts:
        ids = words(text)["input_ids"]
        assert words.unk_token_id not in ids, text
        assert ids == ids_of(text)
        assert re.sub(r"\s", "", words.decode(ids)) == re.sub(r"\s", "", text)
    asked = {one.prompt for one in lessons if one.is_question and one.answer == fact.answer}
    assert set(fact.questions) <= asked, "it is asked as the lessons of an adapter ask"


def test_the_tokenizer_is_one_of_transformers() -> None:
    words = tokenizer()
    assert len(words) == len(vocabulary()) == len(set(vocabulary().values()))
    assert words("Nobody says zebra")["input_ids"][-1] == vocabulary()[UNKNOWN]
    assert words.decode([vocabulary()[END]], skip_special_tokens=True) == ""
    assert words.is_fast


def answers(batch: Batch) -> int:
    """Checks that every label is the token that comes next, and counts those that are learned."""
    asked = batch.labels[:, :-1] != UNASKED
    following = batch.ids[:, 1:]
    assert torch.equal(batch.labels[:, :-1][asked], following[asked])
    assert (batch.labels[:, -1] == UNASKED).all() or batch.mask is None
    return int(asked.sum())


def test_pairs_are_asked_in_another_order() -> None:
    batch = Teacher(learned(), 0).pairs(3, 4, 2)
    assert batch.ids.shape == (3, 1 + 2 * 4 + 2 * 8)
    assert answers(batch) == 3 * 8
    told = dict(zip(batch.ids[0, 1:9:2].tolist(), batch.ids[0, 2:10:2].tolist(), strict=True))
    asked = zip(batch.ids[0, 9::2].tolist(), batch.ids[0, 10::2].tolist(), strict=True)
    assert all(told[who] == what for who, what in asked)


@pytest.mark.parametrize("terse", [0.0, 1.0])
def test_a_question_sees_its_page_and_itself_and_stands_right_after_the_page(terse: float) -> None:
    batch = Teacher(learned(), 0).pages(2, 5, 6, bare=0.0, plain=0.3, terse=terse)
    assert answers(batch) >= 2 * 6 * 2
    assert batch.mask is not None
    assert batch.places is not None
    words = tokenizer()
    for ids, labels, places, mask in zip(batch.ids, batch.labels, batch.places, batch.mask[:, 0], strict=True):
        assert not mask.triu(1).any(), "nobody sees what comes later"
        page = int((ids == vocabulary()["\n"]).nonzero()[-1]) + 1
        first = words.decode(ids[:page])
        assert first.startswith("[BOS] Quoted from memory")
        ends = (ids == words.eos_token_id).nonzero().flatten().tolist()
        for end in ends:
            seen = mask[end].nonzero().flatten()
            own = seen[seen >= page]
            assert torch.equal(seen[:page], torch.arange(page)), "the whole page"
            assert torch.equal(own, torch.arange(int(own[0]), end + 1)), "and the question itself"
            assert places[own[0]] == page
            assert labels[end] == UNASKED
        assert len(ends) == 6


def test_what_is_known_by_heart_is_asked_without_a_page() -> None:
    known = learned()
    batch = Teacher(known, 0).by_heart(40)
    words, told = tokenizer(), {(fact.person, fact.value) for fact in known}
    assert answers(batch) >= 80
    for row in batch.ids:
        text = words.decode(row[: int((row == words.eos_token_id).nonzero()[0])]).split()
        person = next(word for word in text if word in NAMES)
        assert (person, text[-1]) in told


def test_the_same_seed_teaches_the_same() -> None:
    one, other = (Teacher(learned(), 3).pages(2, 4, 4, bare=0.5, plain=0.5) for _ in range(2))
    assert torch.equal(one.ids, other.ids)
    assert not torch.equal(one.ids, Teacher(learned(), 4).pages(2, 4, 4, bare=0.5, plain=0.5).ids)


def test_a_school_begins_with_the_layers_of_another_model_and_does_what_that_one_did() -> None:
    from mnemos.bench.forms.fixtures import trained

    start = trained(NURSERY)
    model = school.begun(PLAY, start)
    for number, old in zip(PLAY.begins, start.model.layers, strict=True):
        assert torch.equal(model.model.layers[number].mlp.up_proj.weight, old.mlp.up_proj.weight)
    read = torch.randn(1, 5, 16)
    places = torch.arange(5)[None]
    turned = model.model.rotary_emb(read, places)
    for number in set(range(4)) - set(PLAY.begins):
        out = model.model.layers[number](read, position_embeddings=turned)
        assert torch.equal(out, read), "the layers between them do nothing at first"


def test_a_model_goes_to_school_once_and_is_found_again() -> None:
    told: list[str] = []
    before = torch.get_rng_state()
    first = schooled(PLAY, lambda step, stage, loss: told.append(stage))
    assert told[0] == "2 pairs"
    assert told[-1] == "3 facts"
    assert torch.equal(torch.get_rng_state(), before), "the caller's chance is not touched"
    again = schooled(PLAY, lambda step, stage, loss: pytest.fail("it was kept"))
    for name, weight in first.state_dict().items():
        assert torch.equal(again.state_dict()[name], weight), name
    assert sorted(path.stem for path in folder().iterdir()) == sorted([NURSERY.key, PLAY.key])
    assert not first.training
    assert PLAY.key != school.SCHOOL.key


def test_who_does_not_learn_is_not_kept() -> None:
    hopeless = School(width=16, start=NURSERY, stages=(Stage(4, 0.0001),), tokens=200, most=2)
    with pytest.raises(NotLearned, match="after 2 steps"):
        schooled(hopeless)
    assert [path.stem for path in folder().glob("*.safetensors")] == [NURSERY.key]
