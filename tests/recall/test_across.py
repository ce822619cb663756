"""Spreading activation, the router of levels, and what both do to the hits of a context."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from mnemos import Mnemos
from mnemos.recall.across import Level, about_whom, across
from mnemos.recall.router import route, sharpness
from mnemos.recall.spreading import Links, alike, spread

START = datetime(2026, 3, 2, 18, 40, tzinfo=UTC)


def test_activation_is_divided_by_fan_and_weakens_at_each_hop() -> None:
    links = Links.of([(0, 1), (0, 2), (2, 3)])
    once = spread(np.array([1.0, 0, 0, 0]), links, decay=0.5)
    assert once.tolist() == [1, 0.25, 0.25, 0]
    twice = spread(np.array([1.0, 0, 0, 0]), links, decay=0.5, hops=2)
    assert twice.tolist() == [1, 0.25, 0.25, 0.125]


def test_links_share_by_weight_and_what_is_too_little_stops() -> None:
    weighed = Links.of([(0, 1), (0, 2)])._replace(weight=np.array([3.0, 1.0]))
    found = spread(np.array([1.0, 0, 0]), weighed, decay=0.4)
    assert found.tolist() == pytest.approx([1, 0.3, 0.1])
    assert spread(np.array([1e-6, 0.0]), Links.of([(0, 1)]), decay=0.5).tolist() == [1e-6, 0]
    assert spread(np.array([1.0]), Links.of([]), decay=0.5).tolist() == [1.0]


def test_alike_links_the_nearest_above_the_bound() -> None:
    vectors = np.array([[1, 0], [0.8, 0.6], [0, 1]], np.float32)
    links = alike(vectors, nearest=1, least=0.3)
    assert list(zip(links.source.tolist(), links.target.tolist(), strict=True)) == [(0, 1), (1, 0), (2, 1)]
    assert links.weight.tolist() == pytest.approx([0.8, 0.8, 0.6])
    assert not len(alike(vectors, nearest=5, least=0.9).source)
    assert not len(alike(vectors[:1], nearest=5, least=0).source)


def test_the_sharper_grain_weighs_more() -> None:
    assert sharpness([0.3, 0.3, 0.3]) == pytest.approx(0, abs=1e-9)
    assert sharpness([0.99, 0.001, 0.001]) > sharpness([0.5, 0.4, 0.3])
    weights = route({"leaf": [0.9, 0.01, 0.01], "episode": [0.3, 0.29, 0.28]})
    assert weights["leaf"] > weights["episode"]
    assert sum(weights.values()) == pytest.approx(1)
    assert route({"leaf": [0.2, 0.2], "episode": [0.1, 0.1]}) == {"leaf": 0.5, "episode": 0.5}


def test_an_episode_lends_its_members_weight_and_a_theme_through_its_episodes() -> None:
    nums, scores = [1, 2, 3], [0.30, 0.29, 0.28]
    vectors = np.eye(3, dtype=np.float32)
    episode = Level(-1, "episode", 0.8, (3, 99))
    assert [place for place, _ in across(nums, scores, vectors)] == [0, 1, 2]
    assert [place for place, _ in across(nums, scores, vectors, [episode])] == [2, 0, 1]
    both = across(nums, scores, vectors, [Level(-2, "theme", 0.8, (-1,)), Level(-1, "episode", 0.01, (2,))])
    assert both[0][0] == 1


def test_what_is_like_the_best_rises_and_no_score_falls() -> None:
    scores = [0.9, 0.10, 0.09]
    vectors = np.array([[1, 0], [0, 1], [0.9, 0.43589]], np.float32)
    found = across([1, 2, 3], scores, vectors)
    assert [place for place, _ in found] == [0, 2, 1]
    assert all(scores[place] <= score <= 1 for place, score in found)


@pytest.mark.parametrize(
    ("query", "whom"),
    [
        ("Who is Rita?", "Rita"),
        ("Tell me about Ana Sousa.", "Ana Sousa"),
        ("What do you know about me?", "me"),
        ("Who am I?", "me"),
        ("Who is my sister's doctor?", None),
        ("Tell me about the trip.", None),
        ("Where does Rita live?", None),
    ],
)
def test_questions_about_somebody_in_general(query: str, whom: str | None) -> None:
    assert about_whom(query) == whom


def test_a_context_reads_levels_once_they_are_there(tmp_path: Path) -> None:
    with Mnemos(tmp_path / "ana.db", clock=lambda: START + timedelta(days=30)) as memory:
        memory.add(
            [
                {"content": text, "name": "Ana", "happened_at": START + timedelta(days=day), "session_id": str(day)}
                for day, text in enumerate(
                    ["I live in Porto.", "I work as a baker.", "My sister Rita is vegan.", "I moved to Lisbon."]
                )
            ],
            user_id="ana",
        )
        before = memory.context("Where does Ana live?", user_id="ana", budget=200)
        memory.maintain()
        after = memory.context("Where does Ana live?", user_id="ana", budget=200)
        stranger = memory.context("Who is Zoltan?", user_id="ana", budget=300)
        general = memory.context("Who is Ana?", user_id="ana", budget=300)
    assert "Porto" in str(before)
    assert "Lisbon" in str(after)
    assert "profile: " in str(general)
    assert "profile: " not in str(stranger)
