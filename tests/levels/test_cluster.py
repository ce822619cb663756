"""Themes: near ones join, far ones begin, too many make room."""

from __future__ import annotations

import numpy as np
import pytest

from mnemos.levels.cluster import FULL, LATEST, MOST, Theme, centre, crowded, nearest

AXES = np.eye(MOST + 2, dtype=np.float32)


def theme(num: int, size: int = 1, last: int = 0) -> Theme:
    return Theme(num, AXES[num], size, last)


def test_an_episode_joins_the_nearest_theme_that_is_near_enough() -> None:
    themes = [theme(0), theme(1)]
    leaning = (0.3 * AXES[0] + 0.954 * AXES[1]).astype(np.float32)
    assert nearest(leaning, themes) == 1
    assert nearest(AXES[2], themes) is None
    assert nearest(np.zeros_like(AXES[0]), themes) is None
    assert nearest(AXES[0], []) is None


def test_a_theme_of_all_sorts_is_near_to_nothing() -> None:
    mixed = Theme(0, centre(AXES[:8]), 8, 0)
    assert nearest(AXES[3], [mixed]) is None


def test_a_theme_drifts_to_its_latest_episodes() -> None:
    old, new = np.tile(AXES[0], (LATEST, 1)), np.tile(AXES[1], (LATEST, 1))
    assert centre(np.concatenate([old, new])) @ AXES[1] == pytest.approx(1.0)
    half = centre(np.concatenate([old, new])[: LATEST + LATEST // 2])
    assert half @ AXES[1] > half @ AXES[0] > 0


def test_there_is_room_for_some_themes_and_then_two_become_one() -> None:
    themes = [theme(num, last=num) for num in range(MOST)]
    assert crowded(themes) is None
    twin = Theme(MOST, (0.6 * AXES[3] + 0.8 * AXES[MOST]).astype(np.float32), 2, 9)
    assert crowded([*themes, twin]) == (MOST, 3)


def test_where_none_are_alike_the_one_that_rested_longest_is_closed() -> None:
    themes = [theme(num, last=100 - num) for num in range(MOST + 1)]
    assert crowded(themes) == (MOST, None)


def test_full_themes_do_not_become_one() -> None:
    themes = [theme(num, last=num + 1) for num in range(MOST - 1)]
    twins = [Theme(MOST, AXES[MOST], FULL - 1, 500), Theme(MOST + 1, AXES[MOST], FULL - 1, 0)]
    assert crowded([*themes, *twins]) == (MOST, None)
