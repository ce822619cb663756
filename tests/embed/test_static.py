"""The bundled embedder: what it knows, what it leaves out, and what it costs to have."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemos.embed import Embedder, StaticEmbedder
from mnemos.embed.static import DATA
from mnemos.errors import EmbedderError, InvalidInput


@pytest.fixture(scope="module")
def embedder() -> StaticEmbedder:
    return StaticEmbedder.bundled()


def test_it_is_an_embedder_and_is_loaded_once(embedder: StaticEmbedder) -> None:
    assert isinstance(embedder, Embedder)
    assert StaticEmbedder.bundled() is embedder
    assert embedder.vectors.shape == (30522, embedder.dim)
    assert embedder.vectors.dtype == np.float32
    assert str(embedder.dim) in embedder.name


def test_texts_that_mean_the_same_are_closer(embedder: StaticEmbedder) -> None:
    questions = embedder.embed(["what can my vegan sister eat?", "when did we fly to Lisbon?"])
    turns = embedder.embed(["Rita is vegetarian, no meat or cheese for dinner", "our plane landed in Portugal in May"])
    alike = questions @ turns.T
    assert alike[0, 0] > alike[0, 1]
    assert alike[1, 1] > alike[1, 0]


def test_rare_words_weigh_more_than_common_ones(embedder: StaticEmbedder) -> None:
    the, violin = (int(ids[0]) for ids in embedder.tokenize(["the", "violin"]))
    norms = np.linalg.norm(embedder.vectors, axis=1)
    assert norms[violin] > 1.5 * norms[the]


def test_rows_have_length_one_and_texts_without_known_tokens_are_zero(embedder: StaticEmbedder) -> None:
    rows = embedder.embed(["hello", "", "  \n", "\U00013080\U00013081", "good night"])
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1, 0, 0, 0, 1], atol=1e-6)


def test_no_texts_give_no_rows(embedder: StaticEmbedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dim)
    assert embedder.tokenize([]) == []


def test_unknown_tokens_never_reach_pooling(embedder: StaticEmbedder) -> None:
    tokens, unknown = embedder.tokenize_with_unknown(["cat", "cat \U00013080", "\U00013080", ""])
    assert [ids.tolist() for ids in tokens] == [tokens[0].tolist(), tokens[0].tolist(), [], []]
    assert unknown.tolist() == [0, 0.5, 1, 0]
    np.testing.assert_array_equal(*embedder.embed(["cat", "cat \U00013080"]))


def test_words_that_look_like_special_tokens_are_plain_words(embedder: StaticEmbedder) -> None:
    tokens = embedder.tokenize(["[CLS] a [SEP] b [PAD] [UNK] [MASK]"])[0]
    assert not set(tokens.tolist()) & {0, 100, 101, 102, 103}
    assert len(tokens) > 7


def test_long_texts_are_not_cut(embedder: StaticEmbedder) -> None:
    assert len(embedder.tokenize(["word " * 5000])[0]) == 5000
    assert embedder.count("word " * 5000) == 5000


def test_count_includes_unknown_tokens(embedder: StaticEmbedder) -> None:
    assert embedder.count("cat \U00013080") == 2
    assert embedder.count("") == 0


def test_accents_and_case_do_not_matter(embedder: StaticEmbedder) -> None:
    plain, accented = embedder.tokenize(["jose cafe", "José CAFÉ"])
    assert plain.tolist() == accented.tolist()


def test_broken_unicode_is_embedded_all_the_same(embedder: StaticEmbedder) -> None:
    rows = embedder.embed(["hello \ud800 world", "a\x00b", "👩‍👩‍👧 مرحبا"])
    assert np.isfinite(rows).all()
    assert embedder.count("\udfff") == 1


def test_a_string_or_a_number_is_refused(embedder: StaticEmbedder) -> None:
    with pytest.raises(InvalidInput, match="list of strings"):
        embedder.embed("one text")
    with pytest.raises(InvalidInput, match=r"texts\[1\]: is int"):
        embedder.embed(["one", 2])  # type: ignore[list-item]


def test_pooling_does_not_depend_on_the_batch(embedder: StaticEmbedder) -> None:
    texts = [f"note {number} about {'tea ' * (number % 7)}" if number % 5 else "" for number in range(5000)]
    together = embedder.embed(texts)
    for index in (0, 1, 127, 128, 2047, 2048, 4999):
        np.testing.assert_allclose(together[index], embedder.embed([texts[index]])[0], atol=1e-6)


def test_a_text_longer_than_a_batch_is_pooled_whole(embedder: StaticEmbedder) -> None:
    parts = ["tea and cake ", "violin lesson "]
    short = embedder.embed(["hello", parts[0] * 7 + parts[1] * 5, "", "bye"])
    long = embedder.embed(["hello", parts[0] * 7000 + parts[1] * 5000, "", "bye"])
    np.testing.assert_allclose(long, short, atol=1e-5)


@given(st.lists(st.text(max_size=60), max_size=8))
@settings(max_examples=60, deadline=None)
def test_any_text_gets_one_finite_row(texts: list[str]) -> None:
    embedder = StaticEmbedder.bundled()
    tokens, unknown = embedder.tokenize_with_unknown(texts)
    rows = embedder.embed(texts)
    assert len(tokens) == len(unknown) == len(rows) == len(texts)
    lengths = np.linalg.norm(rows, axis=1)
    np.testing.assert_allclose(lengths, [float(len(ids) > 0) for ids in tokens], atol=1e-5)
    assert all(0 <= share <= 1 for share in unknown)


def test_the_bundled_files_are_the_recorded_ones_and_small() -> None:
    sums = dict(line.split()[::-1] for line in (DATA / "SHA256SUMS").read_text(encoding="utf-8").splitlines())
    assert set(sums) == {"tokenizer.json", "vectors.npz"}
    for name, digest in sums.items():
        assert hashlib.sha256((DATA / name).read_bytes()).hexdigest() == digest
    assert sum((DATA / name).stat().st_size for name in sums) <= 16_000_000


def test_damaged_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match="no static embedder"):
        StaticEmbedder.load(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{", encoding="utf-8")
    (tmp_path / "vectors.npz").write_bytes(b"not a zip")
    with pytest.raises(EmbedderError, match="reinstall"):
        StaticEmbedder.load(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes((DATA / "tokenizer.json").read_bytes())
    (tmp_path / "vectors.npz").write_bytes((DATA / "vectors.npz").read_bytes()[:50_000])
    with pytest.raises(EmbedderError, match="reinstall"):
        StaticEmbedder.load(tmp_path)


def test_importing_mnemos_loads_no_vectors() -> None:
    script = "import mnemos\nfrom mnemos.embed import static\nprint(static._bundled.cache_info().currsize)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"
