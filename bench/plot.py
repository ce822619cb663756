"""Line plots as SVG, logarithmic or of shares, readable on light and dark pages, with nothing to install."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 120, 44, 54
COLOURS = ("#d9480f", "#1971c2", "#2f9e44", "#9c36b5", "#868e96", "#c2255c", "#0c8599")
STYLE = """text{font:13px system-ui,sans-serif;fill:#343a40}.title{font-size:15px;font-weight:600}
.grid{stroke:#adb5bd;stroke-width:.5;stroke-opacity:.6}.line{fill:none;stroke-width:2.2}
@media(prefers-color-scheme:dark){text{fill:#dee2e6}}"""

Series = Mapping[str, Sequence[tuple[float, float]]]


Place = Callable[[float, float], tuple[float, float]]
Ticks = Sequence[tuple[float, str]]


def log_plot(series: Series, *, title: str, across: str, up: str) -> str:
    """Named lines of (x, y) points, all above zero."""
    points = [point for line in series.values() for point in line]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    x_low, x_high = math.log10(min(xs)), math.log10(max(xs))
    y_low, y_high = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))

    def place(x: float, y: float) -> tuple[float, float]:
        to_right = (math.log10(x) - x_low) / ((x_high - x_low) or 1)
        to_top = (math.log10(y) - y_low) / ((y_high - y_low) or 1)
        return LEFT + to_right * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - to_top * (HEIGHT - TOP - BOTTOM)

    columns = [(x, f"{x:,.0f}") for x in sorted(set(xs))]
    rows = [(10.0**power, f"{10.0**power:g}") for power in range(y_low, y_high + 1)]
    return _drawn(series, place, columns, rows, title, across, up)


def share_plot(series: Series, *, title: str, across: str, up: str) -> str:
    """Named lines of (x, y) points between 0 and 1, drawn as percentages; x runs from all to nothing."""

    def place(x: float, y: float) -> tuple[float, float]:
        return LEFT + (1 - x) * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y * (HEIGHT - TOP - BOTTOM)

    columns = [(x, f"{x:.0%}") for x in sorted({x for line in series.values() for x, _ in line})]
    rows = [(fifth / 5, f"{fifth / 5:.0%}") for fifth in range(6)]
    return _drawn(series, place, columns, rows, title, across, up)


def state_plot(series: Series, *, title: str, across: str, up: str, at: Sequence[float] = ()) -> str:
    """Named lines of (x, y) points, x above zero and logarithmic, y between 0 and 1, drawn as percentages.

    `at` are the places that are named across; powers of ten where none is given.
    """
    powers = [math.log10(x) for line in series.values() for x, _ in line]
    ticks = at or [10.0**power for power in range(math.floor(min(powers)), math.ceil(max(powers)) + 1)]
    low, high = math.log10(min(ticks)), math.log10(max(ticks))

    def place(x: float, y: float) -> tuple[float, float]:
        to_right = (math.log10(x) - low) / ((high - low) or 1)
        return LEFT + to_right * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y * (HEIGHT - TOP - BOTTOM)

    columns = [(x, f"{x:,.0f}") for x in ticks]
    rows = [(fifth / 5, f"{fifth / 5:.0%}") for fifth in range(6)]
    return _drawn(series, place, columns, rows, title, across, up)


def cost_plot(series: Series, *, title: str, across: str, up: str, low: float) -> str:
    """Named lines of (x, y) points, drawn as percentages: x from nothing to all, y from `low` to all."""

    def place(x: float, y: float) -> tuple[float, float]:
        to_top = (max(y, low) - low) / (1 - low)
        return LEFT + x * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - to_top * (HEIGHT - TOP - BOTTOM)

    columns = [(fifth / 5, f"{fifth / 5:.0%}") for fifth in range(6)]
    rows = [(low + fifth * (1 - low) / 5, f"{low + fifth * (1 - low) / 5:.0%}") for fifth in range(6)]
    return _drawn(series, place, columns, rows, title, across, up)


def _drawn(series: Series, place: Place, columns: Ticks, rows: Ticks, title: str, across: str, up: str) -> str:
    """The grid, and on it a line with its name for each of the series."""
    parts = [_text(LEFT, 24, title, "title"), _text(LEFT, HEIGHT - 12, across), _text(8, TOP - 6, up)]
    for tick, label in columns:
        x = place(tick, rows[0][0])[0]
        parts += [_line(x, TOP, x, HEIGHT - BOTTOM), _text(x, HEIGHT - BOTTOM + 18, label, anchor="middle")]
    for tick, label in rows:
        y = place(columns[0][0], tick)[1]
        parts += [_line(LEFT, y, WIDTH - RIGHT, y), _text(LEFT - 8, y + 4, label, anchor="end")]
    labels = _spread({name: place(*line[-1])[1] for name, line in series.items() if line})
    for number, (name, line) in enumerate((name, line) for name, line in series.items() if line):
        colour = COLOURS[number % len(COLOURS)]
        drawn = [place(*point) for point in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in drawn)
        parts.append(f'<polyline class="line" stroke="{colour}" points="{path}"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in drawn]
        parts.append(_text(drawn[-1][0] + 10, labels[name] + 4, name, colour=colour))
    return _framed(parts, title)


def _framed(parts: Sequence[str], title: str) -> str:
    body = "\n".join(parts)
    box = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{escape(title)}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box}>\n<style>{STYLE}</style>\n{body}\n</svg>\n'


def _spread(wanted: Mapping[str, float], gap: float = 16) -> dict[str, float]:
    """Heights for labels that would otherwise stand on one another."""
    placed: dict[str, float] = {}
    lowest = -math.inf
    for name, height in sorted(wanted.items(), key=lambda item: item[1]):
        placed[name] = lowest = max(height, lowest + gap)
    return placed


def _text(x: float, y: float, text: str, name: str = "", *, anchor: str = "start", colour: str = "") -> str:
    shown = (f' class="{name}"' if name else "") + (f' style="fill:{colour}"' if colour else "")
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{shown}>{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="grid" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
