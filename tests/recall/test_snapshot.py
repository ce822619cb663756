from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recall_cases import CHAT, Said, made, rows_of

from mnemos.embed.static import StaticEmbedder
from mnemos.recall.engine import Ranking, rank
from mnemos.recall.postings import Postings
from mnemos.recall.query import read_query
from mnemos.recall.snapshot import Snapshot

NOW = datetime(2026, 4, 1, tzinfo=UTC)
DIM = StaticEmbedder.bundled().dim


def ask(snapshot: Snapshot, text: str) -> Ranking:
    return rank(snapshot, read_query(text, now=NOW, snapshot=snapshot))


def assert_same(one: Snapshot, other: Snapshot) -> None:
    for question in ("What is the rent of Ana's flat?", "vegan lentils", "Who went hiking?"):
        left, right = ask(one, question), ask(other, question)
        assert left.nums.tolist() == right.nums.tolist()
        np.testing.assert_allclose(left.scores, right.scores, rtol=1e-4)


@pytest.mark.parametrize("cut", [0, 1, 4, 7, 8])
def test_extending_equals_building(cut: int, snapshot: Snapshot) -> None:
    rows = rows_of(CHAT)
    assert_same(Snapshot.build(rows[:cut], DIM).extend(rows[cut:]), snapshot)


def test_extending_one_by_one_leaves_the_older_snapshots_as_they_were(snapshot: Snapshot) -> None:
    rows = rows_of(CHAT)
    grown = [Snapshot.empty(DIM)]
    for row in rows:
        grown.append(grown[-1].extend([row]))
    assert_same(grown[-1], snapshot)
    assert_same(grown[3], Snapshot.build(rows[:3], DIM))


def test_two_extensions_of_one_snapshot_do_not_meet() -> None:
    rows = rows_of(CHAT)
    base = Snapshot.build(rows[:4], DIM).extend(rows[4:5])
    one, other = base.extend(rows[5:6]), base.extend(rows[6:7])
    assert_same(one, Snapshot.build(rows[:6], DIM))
    assert_same(other, Snapshot.build([*rows[:5], rows[6]], DIM))


def test_without_equals_never_having_been_there(snapshot: Snapshot) -> None:
    rows = rows_of(CHAT)
    assert_same(snapshot.without([1, 6]), Snapshot.build([row for row in rows if row.num not in (1, 6)], DIM))


def test_without_everything_is_empty(snapshot: Snapshot) -> None:
    bare = snapshot.without(snapshot.memories)
    assert len(bare) == 0
    assert ask(bare, "anything").nums.tolist() == []


def test_interleaved_sessions_keep_their_own_neighbours() -> None:
    one = [Said("Did you sell the old piano?", "Ana", "a"), Said("Yes, yesterday.", "Rita", "a")]
    other = [Said("Nice weather today.", "Ana", "b"), Said("Very nice.", "Rita", "b")]
    mixed = made([one[0], other[0], one[1], other[1]])
    order = ask(mixed, "sell the old piano").nums.tolist()
    assert order[:2] == [0, 2]


def test_session_less_turns_are_joined_by_time_only() -> None:
    near = made([Said("a", session=None, minutes=0), Said("b", session=None, minutes=10)])
    far = made([Said("a", session=None, minutes=0), Said("b", session=None, minutes=100)])
    assert (len(near.session_starts), len(far.session_starts)) == (1, 2)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.integers(0, 6), max_size=5), max_size=12), st.integers(0, 12))
def test_postings_against_counting(units: list[list[int]], cut: int) -> None:
    def built(part: list[list[int]], first: int) -> Postings:
        flat = np.array([key for unit in part for key in unit], np.uint32)
        return Postings.build(flat, np.array([len(unit) for unit in part], np.int64), first)

    grown = built(units[:cut], 0).append(built(units[cut:], len(units[:cut])))
    for key in range(7):
        held, counts = grown.lookup(key)
        wanted = {at: unit.count(key) for at, unit in enumerate(units) if key in unit}
        assert dict(zip(held.tolist(), counts.tolist(), strict=True)) == wanted
