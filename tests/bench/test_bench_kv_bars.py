"""What `mnemos bench kv` aims at, on runs made by hand."""

from __future__ import annotations

import pytest

from mnemos.bench import kv_bars
from mnemos.bench import kv_report as report


def score(policy: str, right: float, share: float = 0.25, task: str = "recall", storing: str = "") -> report.Score:
    return report.Score(task, policy, share, storing, right, 0.0, 100, 100)


def made(*scores: report.Score, speeds: tuple[report.Speed, ...] = ()) -> report.Run:
    told = {task: {"tokens": 10, "questions": 4} for task in dict.fromkeys(one.task for one in scores)}
    return report.Run(told, scores, speeds, {}, ["longmem"], 10, 10, 0)


@pytest.mark.parametrize(("best", "met"), [(0.98, "yes"), (0.97, "yes"), (0.96, "no")])
def test_the_best_that_lets_go_is_held_against_full(best: float, met: str) -> None:
    run = made(
        *(score(name, right) for name, right in (("full", 1.0), ("oracle", 1.0), ("longmem", 1.0), ("random", 0.1))),
        *(score(name, right) for name, right in (("snapkv", best), ("h2o", 0.5))),
    )
    near = kv_bars.bars(run)[0]
    assert near[1:] == (met, f"snapkv: {100 * best:.1f} of 100.0")


def test_who_loses_against_chance_is_named() -> None:
    run = made(*(score(name, right, task="again") for name, right in (("random", 0.5), ("h2o", 0.6), ("tova", 0.5))))
    chance = next(bar for bar in kv_bars.bars(run) if "random" in bar[0])
    assert chance[1:] == ("no", "tova on again at 25% (50.0, 50.0)")


@pytest.mark.parametrize(("coded", "met"), [(0.985, ("yes", "yes")), (0.98, ("no", "yes")), (0.96, ("no", "no"))])
def test_the_largest_loss_by_bits_counts(coded: float, met: tuple[str, str]) -> None:
    scores = [score("full", 0.99, 1.0, task) for task in ("recall", "update")]
    for storing in ("int8", "int4"):
        scores += [score("full", 0.99, 1.0, "recall", storing), score("full", coded, 1.0, "update", storing)]
    assert tuple(bar[1] for bar in kv_bars.bars(made(*scores)) if "loses" in bar[0]) == met


def test_who_is_not_twice_as_fast_is_named() -> None:
    def speed(policy: str, step: float) -> report.Speed:
        share = 1.0 if policy in (report.LIBRARY, "full", "full, int8") else 0.12
        return report.Speed(policy, share, 8192, 1.0, step, 1.0, 10, None)

    slower = [speed(name, 1.0) for name in (report.LIBRARY, "full", "full, int8")]
    names = [*slower, speed("longmem", 5.0), speed("h2o", 0.5)]
    fast = kv_bars.bars(made(score("full", 1.0), speeds=(*names,)))[-1]
    assert fast[1:] == ("yes", "2.00× and more")
    slow = kv_bars.bars(made(score("full", 1.0), speeds=(*names, speed("lazy", 0.8))))[-1]
    assert slow[1:] == ("no", "lazy 1.25×")
