"""What several tests of steering need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mnemos import Mnemos


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


@pytest.fixture
def memory(path: Path) -> Iterator[Mnemos]:
    with Mnemos(path) as opened:
        yield opened
