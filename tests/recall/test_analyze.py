from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemos.embed.static import StaticEmbedder
from mnemos.recall import words
from mnemos.recall.analyze import Source, analyze, hash_words
from mnemos.recall.words import Cue


def terms_of(text: str, speaker: str | None = None, time: int | None = None) -> list[int]:
    [[unit]] = analyze([Source(text, speaker, time)], StaticEmbedder.bundled())
    return np.frombuffer(unit.terms, np.uint32).tolist()


def test_header_and_stems_are_indexed() -> None:
    held = terms_of("She was running.", "Ana María", 1_772_474_400_000_000)
    assert held[1:] == hash_words(["2026", "03", "02", "ana", "maria", "she", "was", "run"])


def test_unknown_time_and_speaker_leave_no_trace() -> None:
    assert terms_of("hello")[1:] == hash_words(["hello"])


def test_possessives_contractions_and_thousands() -> None:
    assert words.split("Rita's don’t 8,000") == ["rita", "dont", "8000"]


def test_accents_and_width_are_folded() -> None:
    assert words.split("Café ＡＢＣ") == ["cafe", "abc"]


def test_chinese_is_read_by_characters_and_pairs() -> None:
    assert words.split("住北京 ok") == ["ok", "住", "北", "京", "住北", "北京"]


def test_cues_of_surface() -> None:
    bits = terms_of("Where did Ana go last week?")[0]
    assert bits & Cue.QUESTION
    assert bits & Cue.TIME
    assert not bits & Cue.FIRST_PERSON
    assert terms_of("I paid 900 euros.")[0] & Cue.NUMBER


def test_short_text_is_one_unit_and_nothing_is_a_unit_too() -> None:
    units = analyze([Source("Hi.", None, None), Source("", None, None)], StaticEmbedder.bundled())
    assert [[(unit.start, unit.end) for unit in parts] for parts in units] == [[(0, 3)], [(0, 0)]]
    assert units[1][0].tokens == b""


def test_long_text_is_cut_at_sentence_ends() -> None:
    text = " ".join(f"Sentence number {number} says something plain." for number in range(120))
    spans = words.passages(text)
    assert len(spans) > 4
    assert all(text[:end].rstrip().endswith(".") for _, end in spans)


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=300), st.integers(1, 40))
def test_passages_tile_any_text(text: str, times: int) -> None:
    whole = text * times
    spans = words.passages(whole)
    assert "".join(whole[start:end] for start, end in spans) == whole
    assert len(spans) == 1 or all(words.weight(whole[a:b]) <= 4 * words.PASSAGE for a, b in spans)


def test_a_million_characters_without_a_gap() -> None:
    spans = words.passages("x" * 1_000_000)
    assert max(end - start for start, end in spans) <= words.PASSAGE


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=80))
def test_any_text_is_analysed(text: str) -> None:
    assert analyze([Source(text, text, 0)], StaticEmbedder.bundled())
