"""Figures in words, and why a memory moves."""

from __future__ import annotations

from collections.abc import Sequence

from mnemos.forms.measured import Measured
from mnemos.forms.standing import Standing

_NAMES = {
    "prefill_seconds": "how long a token takes to read",
    "block_bytes": "the bytes of a token",
    "block_seconds": "how long a block takes to fetch",
    "join_seconds": "how long a token takes to join",
    "teach_seconds": "how long a memory takes to teach",
    "adapter_bytes": "the bytes of an adapter",
    "switch_seconds": "how long an adapter takes to put on",
}


def seconds(value: float) -> str:
    """A length of time, as `0.4 s`."""
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60), ("s", 0.0995)):
        if value >= length * (1.5 if unit == "days" else 1):
            return f"{_short(value / (length if length >= 1 else 1))} {unit}"
    return f"{_short(value * 1000)} ms"


def size(value: float) -> str:
    """Bytes, as `0.9 MB`."""
    for unit, count in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= 0.95 * count:
            return f"{_short(value / count)} {unit}"
    return f"{_short(value)} bytes"


def times(count: float) -> str:
    """How often, as `once`, `12 times`."""
    return "once" if count == 1 else "twice" if count == 2 else f"{_short(count)} times"


def used(one: Standing) -> str:
    """How often a memory was used."""
    if not one.uses:
        return f"never used in {_days(one.held_days)}"
    last = "today" if one.idle_days < 1 else f"{_days(one.idle_days)} ago"
    return f"used {times(one.uses)} in {_days(one.held_days)}, last {last}"


def used_together(group: Sequence[Standing]) -> str:
    """How often several memories were used."""
    if len(group) == 1:
        return used(group[0])
    last = min(one.idle_days for one in group)
    count = sum(one.uses for one in group)
    when = "" if not count else ", last today" if last < 1 else f", last {_days(last)} ago"
    return f"{len(group)} memories, used {times(count)} in {_days(max(one.held_days for one in group))}{when}"


def changed(one: Standing) -> str:
    """How often a memory has changed."""
    how = "unchanged" if not one.changes else f"changed {times(one.changes)}"
    return f"{how} in {_days(one.known_days)}"


def assumed(costs: Measured, *figures: str) -> str:
    """What of some figures was not measured, as the end of a sentence; empty where all were."""
    left = [_NAMES[name] for name in figures if name in costs.assumed]
    return f" (not measured yet, but assumed: {', '.join(left)})" if left else ""


def _days(count: float) -> str:
    return "a day" if count < 1.5 else f"{count:,.0f} days"


def _short(value: float) -> str:
    if value >= 9.95 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 0.0995 else f"{value:.2g}"
