"""Where a write comes from: the origin that holds, what it records, and how far it is trusted."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mnemos import InvalidInput, Mnemos, Origin, current_origin, writing_as


def test_an_origin_holds_inside_its_with() -> None:
    assert current_origin() == Origin(None, None, 1.0)
    with writing_as("rest", "key-1", 0.5) as origin:
        assert current_origin() == origin == Origin("rest", "key-1", 0.5)
        with pytest.raises(RuntimeError), writing_as("import"):
            assert current_origin() == Origin("import", None, 0.5), "never more trust than the outer one gives"
            raise RuntimeError
        assert current_origin() == origin
    assert current_origin() == Origin()


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("channel", {"channel": ""}),
        ("channel", {"channel": 7}),
        ("writer", {"writer": " "}),
        ("writer", {"writer": "a\x00b"}),
        ("trust", {"trust": 1.5}),
        ("trust", {"trust": float("nan")}),
        ("trust", {"trust": "high"}),
    ],
)
def test_a_bad_origin_is_refused(field: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused, writing_as(**{"channel": "rest", **wrong}):
        raise AssertionError("never inside")
    assert refused.value.field == field
    assert current_origin() == Origin()


def test_async_twins_carry_the_origin_into_their_threads(tmp_path: Path) -> None:
    class Asked(Mnemos):
        def _now(self) -> int:
            seen.append(current_origin().channel)
            return super()._now()

    seen: list[str | None] = []

    async def add(channel: str) -> None:
        with writing_as(channel):
            await memory.aadd(f"said through {channel}")

    async def both() -> None:
        seen.clear()
        await asyncio.gather(add("rest"), add("mcp"))

    with Asked(tmp_path / "a.db") as memory:
        asyncio.run(both())
    assert set(seen) == {"rest", "mcp"}
