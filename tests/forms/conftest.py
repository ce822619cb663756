"""Real models, small: the town's, which learns facts, and its tokenizer. One torch thread."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")
torch.set_num_threads(1)

for _name in ("activation", "parametric"):
    sys.path.append(str(Path(__file__).parents[1] / _name))

from town import Town  # noqa: E402


@pytest.fixture(scope="session")
def town() -> Town:
    return Town()
