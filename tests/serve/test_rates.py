"""So many requests in so many seconds, for each key by itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mnemos.serve import rates
from mnemos.serve.rates import Rates


class Clock:
    """Stands still until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_key_is_stopped_and_let_through_again() -> None:
    clock = Clock()
    limit = Rates(3, 10, clock)
    assert [limit.hit("a") for _ in range(5)] == [True, True, True, False, False]
    assert limit.hit("b")
    clock.now += 10
    assert not limit.hit("a")
    clock.now += 5
    assert [limit.hit("a") for _ in range(3)] == [True, True, False]
    clock.now += 30
    assert [limit.hit("a") for _ in range(4)] == [True, True, True, False]


@given(st.lists(st.floats(0, 12), max_size=60), st.integers(1, 5))
def test_no_more_than_twice_as_many_get_through_in_any_window(steps: list[float], most: int) -> None:
    clock = Clock()
    limit = Rates(most, 10, clock)
    passed = []
    for step in steps:
        clock.now += step
        if limit.hit("a"):
            passed.append(clock.now)
    assert all(sum(at <= other < at + 10 for other in passed) <= 2 * most for at in passed)


def test_keys_that_ask_no_more_are_forgotten() -> None:
    clock = Clock()
    limit = Rates(3, 10, clock)
    for number in range(rates.REMEMBERED):
        limit.hit(str(number))
    clock.now += 20
    limit.hit("new")
    assert len(limit._counts) == 1
