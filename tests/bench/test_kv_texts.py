"""The texts of `mnemos bench kv`, read by hand."""

from __future__ import annotations

import gzip
import hashlib
from itertools import pairwise
from pathlib import Path

import pytest

from mnemos.errors import InvalidInput

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from kv_drawn import drawn  # noqa: E402

from mnemos.bench.caches import tasks  # noqa: E402
from mnemos.bench.caches.texts import CLOSE, FIRST_WORD, NAMED, OPEN, Shape, draw  # noqa: E402
from mnemos.bench.forms.tasks import ASK, BOS, FIRST_KEY, FIRST_VALUE  # noqa: E402


def pairs_of(ids: list[int]) -> dict[int, tuple[int, int]]:
    """The last value of each key of a text, and where its key stands."""
    found = {}
    for at, (key, value) in enumerate(pairwise(ids)):
        if FIRST_KEY <= key < FIRST_VALUE <= value < OPEN:
            found[key] = (value, at)
    return found


SPOKEN = [name for name in tasks.TASKS if name != "stream"]


@pytest.mark.parametrize("name", SPOKEN)
def test_texts_ask_for_what_stands_in_them_last(name: str) -> None:
    shape, texts = tasks.TASKS[name], drawn(name)
    assert texts.prompt.shape == (20, shape.tokens)
    assert texts.questions == (1, 3, 5, 7)
    for prompt, asked, answers in zip(texts.prompt.tolist(), texts.asked.tolist(), texts.answers.tolist(), strict=True):
        known = pairs_of(prompt)
        assert (prompt[0], asked[0]) == (BOS, ASK)
        assert len(known) == shape.pairs * (1 + shape.scratch)
        keys = asked[1::2]
        assert len(set(keys)) == shape.asked
        assert [known[key][0] for key in keys] == asked[2::2] == answers
        assert not shape.named or set(prompt[-4:]) == set(keys)


def test_later_values_replace_earlier_ones() -> None:
    texts = drawn("update")
    for prompt, asked in zip(texts.prompt.tolist(), texts.asked.tolist(), strict=True):
        text = prompt[:-5]
        assert all(text.count(key) == 2 for key in asked[1::2])
        earlier = {key: text[text.index(key) + 1] for key in asked[1::2]}
        assert any(earlier[key] != value for key, value in zip(asked[1::2], asked[2::2], strict=True))


def test_what_is_asked_for_again_was_asked_for_in_the_text() -> None:
    texts = drawn("again")
    for prompt, asked in zip(texts.prompt.tolist(), texts.asked.tolist(), strict=True):
        mentioned = [two for one, two in pairwise(prompt) if one == NAMED]
        assert sorted(mentioned) == sorted([*asked[1::2]] * 6)
        known = pairs_of(prompt)
        assert all(known[key][1] < prompt.index(NAMED, known[key][1]) for key in asked[1::2])
        assert all(prompt.index(key) == known[key][1] for key in asked[1::2]), "told before it is mentioned"


def test_lists_hold_what_nobody_asks_for() -> None:
    texts = drawn("lists")
    for prompt, asked in zip(texts.prompt.tolist(), texts.asked.tolist(), strict=True):
        depth = 0
        for token in prompt:
            depth += (token == OPEN) - (token == CLOSE)
            assert 0 <= depth <= 1
            assert not (depth and token in asked[1::2])
        assert (prompt.count(OPEN), depth) == (6, 0)


def test_in_a_stream_new_pairs_are_asked_for_soon() -> None:
    texts = drawn("stream")
    assert len(texts.questions) == 8
    for prompt, asked, answers in zip(texts.prompt.tolist(), texts.asked.tolist(), texts.answers.tolist(), strict=True):
        for at, value in zip(texts.questions, answers, strict=True):
            key = asked[at]
            assert asked[at - 5 : at - 3] == [key, value]
            assert asked[at - 1] == NAMED
            assert key not in prompt


@pytest.mark.parametrize("name", ["recall", "again", "stream"])
def test_labels_are_values_behind_every_key_that_is_asked_for(name: str) -> None:
    texts, asked = drawn(name), {"recall": 8, "again": 28, "stream": 8}[name]
    for whole, labels in zip(texts.whole.tolist(), texts.labels.tolist(), strict=True):
        known = pairs_of(whole)
        told = [(whole[at - 1], label) for at, label in enumerate(labels) if label != -100]
        assert len(told) == asked
        assert all(known[key][0] == value for key, value in told)


def test_the_same_seed_draws_the_same_and_filler_comes_from_given_words() -> None:
    assert torch.equal(drawn("needles").whole, drawn("needles").whole)
    assert not torch.equal(drawn("needles").whole, drawn("needles", seed=1).whole)
    words = torch.arange(2000) % 64
    texts = draw(Shape(4, 40), 5, torch.Generator().manual_seed(0), words)
    for prompt in texts.prompt.tolist():
        filler = [token - FIRST_WORD for token in prompt if token >= FIRST_WORD]
        assert len(filler) == 40
        assert all((one + 1) % 64 == two for one, two in pairwise(filler))


def test_files_of_filler_are_read_and_told_by_their_sums(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.txt", tmp_path / "b.txt.gz"
    plain.write_text("The cat, the Cat. " * 200, encoding="utf-8")
    packed.write_bytes(gzip.compress(b"cat " * 300))
    words, sums = tasks.read_words([plain, packed])
    assert words.shape == (200 * 6 + 300,)
    assert words[1] == words[4] == words[-1]
    assert words[0] == words[3]
    assert set(sums) == {"a.txt", "b.txt.gz"}
    assert sums["a.txt"] == hashlib.sha256(plain.read_bytes()).hexdigest()
    for bad in ([tmp_path / "none.txt"], [tmp_path / "few.txt"]):
        (tmp_path / "few.txt").write_text("few words", encoding="utf-8")
        with pytest.raises(InvalidInput, match="filler"):
            tasks.read_words(bad)
