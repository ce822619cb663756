"""A server for every test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from live_server import Serving, serve


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    """An open server over an empty folder; it closes when a key is made."""
    with serve(tmp_path / "data") as running:
        yield running
