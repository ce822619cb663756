"""Draws what is around somebody, always the same way: they stand in the middle, what is known on two arcs."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from mnemos.entities.graph import MENTIONED, Edge, Graph, Node
from mnemos.serve.console.words import day

MOST = 28
"""Neighbours that are drawn; the list has all."""
ROW = 46
LETTERS = 26
"""Letters of a line of a label."""


@dataclass(frozen=True, slots=True)
class Dot:
    """A node where it stands. Lengths are in units of the drawing."""

    node: Node
    x: float
    y: float
    radius: float
    side: str
    """`left`, `right`, or `middle`: where its words stand."""
    lines: tuple[str, ...]
    note: str
    """Facts and dates that join it with the one in the middle."""
    memory_id: str | None
    """For what is no entity: the fact that states it."""

    @property
    def text_x(self) -> float:
        """Where its words begin, or end."""
        return self.x + {"left": -1, "right": 1, "middle": 0}[self.side] * (self.radius + 8)

    @property
    def reach(self) -> tuple[float, float]:
        """Where what can be pressed begins, and how wide it is: the dot and its words."""
        if self.side == "middle":
            return self.x - self.radius, 2 * self.radius
        wide = 2 * self.radius + 8 + max(7.2 * max(map(len, self.lines)), 5.6 * len(self.note))
        return (self.x - self.radius if self.side == "right" else self.x + self.radius - wide), wide

    @property
    def anchor(self) -> str:
        """How its words stand there."""
        return {"left": "end", "right": "start", "middle": "middle"}[self.side]


@dataclass(frozen=True, slots=True)
class Line:
    """A curve between two dots."""

    path: str
    kind: str
    """`fact`, `past` or `mentioned`; and `beside` where it does not end in the middle."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture, `width` by `height`."""

    width: int
    height: int
    dots: tuple[Dot, ...]
    lines: tuple[Line, ...]


def draw(graph: Graph, *, wide: bool) -> Drawing:
    """The graph around its first node: on both sides of it, or beneath it where there is little room."""
    middle, chosen = graph.nodes[0], neighbours(graph)
    count = len(chosen)
    half = -(-count // 2) if wide else count
    rows = max(half, 3 if wide else 1)
    top = 30 if wide else 96
    width, height = (960, top * 2 + ROW * (rows - 1)) if wide else (360, top + ROW * rows)
    centre = (width / 2, height / 2) if wide else (40.0, 40.0)
    dots = [Dot(middle, *centre, 26, "middle" if wide else "right", (_short(middle.name),), "", None)]
    for place, node in enumerate(chosen):
        side = "right" if place < half or not wide else "left"
        row = place if place < half else place - half
        if wide:
            x, y = _on_arc(row, half if side == "right" else count - half, width, height, side)
        else:
            x, y = 84.0, float(top + ROW * row)
        joining = _joining(graph, middle, node)
        fact = next((edge.memories[0] for edge in joining if edge.memories), None)
        lines = tuple(textwrap.wrap(_short(node.name), LETTERS)[:2]) or (node.name,)
        note = _short(notes(joining), 40)
        dots.append(Dot(node, x, y, _radius(node), side, lines, note, fact if node.kind == "value" else None))
    return Drawing(width, height, tuple(dots), tuple(_lines(graph, dots, wide=wide)))


def neighbours(graph: Graph) -> list[Node]:
    """Those that are drawn: joined by facts first, as they came to be true, then those mentioned together most."""
    middle = graph.nodes[0].id
    weight: dict[str, tuple[bool, float]] = {}
    for edge in graph.edges:
        if middle in (edge.source, edge.target):
            other = edge.target if edge.source == middle else edge.source
            is_fact = edge.relation != MENTIONED
            strongest = (is_fact, edge.weight)
            weight[other] = max(weight.get(other, strongest), strongest)
    near = [node for node in graph.nodes if node.id in weight and node.id != middle]
    near.sort(key=lambda node: (not weight[node.id][0], -weight[node.id][1], -node.memories, node.name))
    return near[:MOST]


def _on_arc(row: int, rows: int, width: float, height: float, side: str) -> tuple[float, float]:
    """A place on one of the two arcs, rows as far from each other as their words need."""
    y = height / 2 + ROW * (row - (rows - 1) / 2)
    reach = max(height / 2, 1.0)
    bend = math.sqrt(max(0.0, 1 - ((y - height / 2) / (1.15 * reach)) ** 2))
    x = 60 + 140 * bend
    return (width / 2 + x, y) if side == "right" else (width / 2 - x, y)


def _lines(graph: Graph, dots: Sequence[Dot], *, wide: bool) -> list[Line]:
    places = {dot.node.id: dot for dot in dots}
    drawn: dict[tuple[str, str], Line] = {}
    for edge in sorted(graph.edges, key=_kind):
        pair = (min(edge.source, edge.target), max(edge.source, edge.target))
        if pair in drawn or not set(pair) <= places.keys() or pair[0] == pair[1]:
            continue
        if not wide and dots[0].node.id not in pair:
            continue
        beside = "" if dots[0].node.id in pair else " beside"
        curve = _curve(places[edge.source], places[edge.target], dots[0], wide=wide)
        drawn[pair] = Line(curve, _kind(edge) + beside)
    return list(drawn.values())


def _curve(a: Dot, b: Dot, middle: Dot, *, wide: bool) -> str:
    if middle not in (a, b):
        x, y = middle.x + (a.x + b.x - 2 * middle.x) / 6, (a.y + b.y) / 2
        return f"M{a.x:.1f} {a.y:.1f}Q{x:.1f} {y:.1f} {b.x:.1f} {b.y:.1f}"
    if b is middle:
        a, b = b, a
    if not wide:
        return f"M{a.x:.1f} {a.y:.1f}V{b.y - 14:.1f}Q{a.x:.1f} {b.y:.1f} {a.x + 14:.1f} {b.y:.1f}H{b.x:.1f}"
    bend = a.x + (b.x - a.x) * 0.55
    return f"M{a.x:.1f} {a.y:.1f}C{bend:.1f} {a.y:.1f} {bend:.1f} {b.y:.1f} {b.x:.1f} {b.y:.1f}"


def _kind(edge: Edge) -> str:
    if edge.relation == MENTIONED:
        return "mentioned"
    return "past" if edge.invalid_at is not None else "fact"


def _joining(graph: Graph, middle: Node, node: Node) -> list[Edge]:
    ends = {middle.id, node.id}
    found = [edge for edge in graph.edges if {edge.source, edge.target} == ends]
    facts = [edge for edge in found if edge.relation != MENTIONED]
    return facts or found


def notes(edges: Sequence[Edge]) -> str:
    """What joins two, in words."""
    return "; ".join(note(edge) for edge in edges[:2]) + (f"; {len(edges) - 2} more" if len(edges) > 2 else "")


def note(edge: Edge) -> str:
    """A fact with its time, or how often two are mentioned together."""
    if edge.relation == MENTIONED:
        return "together once" if edge.weight == 1 else f"together {edge.weight:.0f} times"
    if edge.invalid_at is not None:
        return f"{edge.relation}, until {day(edge.invalid_at)}"
    since = edge.valid_at or edge.said_at
    return f"{edge.relation}, {day(since)}" if since else edge.relation


def _radius(node: Node) -> float:
    return 4.0 if node.kind == "value" else min(16.0, 5.0 + 1.6 * math.sqrt(node.memories))


def _short(text: str, most: int = 2 * LETTERS) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
