"""Texts that are no prose are read as quickly as others: without a bound, each of these would take minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from mnemos import Mnemos


@pytest.mark.parametrize(
    "text", ["x" * 100_000, " " * 100_000 + "x", "\n" * 100_000 + "x", "1" * 100_000, "Aa\n" * 30_000, "[" * 30_000]
)
def test_what_is_no_prose_is_read_in_a_moment(tmp_path: Path, text: str) -> None:
    with Mnemos(tmp_path / "a.db") as memory:
        memory.add(text)
        assert memory.maintain().read == 1
        assert not memory.dead_letters()
