"""A store for tests that need one; and one torch thread: two on a busy machine are many times slower."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mnemos import Mnemos

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
torch.set_num_threads(1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


@pytest.fixture
def memory(path: Path) -> Iterator[Mnemos]:
    with Mnemos(path) as opened:
        yield opened
