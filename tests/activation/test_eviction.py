"""What goes when there is no room: what saves least for its bytes, and nothing that is in use."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mnemos.activation.eviction import HALF_LIFE, least_valuable, value
from mnemos.store.artifact_rows import Artifact

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def block(name: str, **more: Any) -> Artifact:
    made = {"hash": name, "bytes": 100, "created_at": NOW, "seconds": 1.0, "state": "fresh"} | more
    return Artifact(id=name, form="activation", recipe="kv-full", namespace=("user", "ana"), fingerprint="f", **made)


def test_value_is_seconds_a_byte_for_the_uses_to_be_expected() -> None:
    assert value(block("a"), NOW) == pytest.approx(0.01)
    assert value(block("a", seconds=3.0), NOW) == pytest.approx(0.03)
    assert value(block("a", bytes=200), NOW) == pytest.approx(0.005)
    assert value(block("a", uses=4), NOW) == pytest.approx(0.05)
    old = NOW - 2 * HALF_LIFE
    assert value(block("a", created_at=old), NOW) == pytest.approx(0.0025)
    assert value(block("a", created_at=old, used_at=NOW - HALF_LIFE, uses=1), NOW) == pytest.approx(0.01)
    assert value(block("a", created_at=NOW + timedelta(hours=1)), NOW) == pytest.approx(0.01), "clocks differ"


def test_the_least_valuable_go_first_and_no_more_than_have_to() -> None:
    known = [block("used", uses=9), block("quick", seconds=0.1), block("large", bytes=1000), block("plain")]

    def names(room: int, spared: Collection[str] = ()) -> list[str]:
        return [one.id for one in least_valuable(known, room, spared) or ()]

    assert names(0) == []
    assert names(1) == ["large"]
    assert names(1000) == ["large"]
    assert names(1001) == ["large", "quick"]
    assert names(1101) == ["large", "quick", "plain"]
    assert names(1, {"large"}) == ["quick"]
    assert least_valuable(known, 1301) is None
    assert least_valuable(known, 301, {"large"}) is None
    assert least_valuable([], 1) is None


def test_a_file_that_two_share_is_free_once_both_are_gone() -> None:
    known = [block("a", hash="same", seconds=0.1), block("b", hash="same", seconds=0.2), block("c")]
    assert [one.id for one in least_valuable(known, 1) or ()] == ["a", "b"]
    assert least_valuable(known, 101, {"b"}) is None
    assert [one.id for one in least_valuable(known, 100, {"b"}) or ()] == ["a", "c"]
