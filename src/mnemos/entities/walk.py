"""Walks from an entity to what facts and shared mentions join it with, a bounded number of steps."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from mnemos.entities.graph import MENTIONED, Edge, Graph, Node
from mnemos.entities.names import plain
from mnemos.entities.resolve import name_key
from mnemos.records import Memory
from mnemos.store import around, entities
from mnemos.store.around import Bounds
from mnemos.store.rows import fetch
from mnemos.times import from_micros, to_micros

NODES = 200
"""Nodes of the largest graph."""
FACTS = 400
"""Facts read around one entity."""
BESIDE = 25
"""Entities that one is mentioned with, most often first."""
CITED = 3
"""Memories named for a pair that is mentioned together."""


class Walk:
    """One walk in one namespace.

    Args:
        subject_key: the hash under which table `facts` has a subject.
        bounds: which memories count; facts that did not hold then are left out too.
    """

    def __init__(
        self, connection: sqlite3.Connection, namespace: int, subject_key: Callable[[str], int], bounds: Bounds
    ) -> None:
        self._connection = connection
        self._namespace = namespace
        self._subject_key = subject_key
        self._bounds = bounds
        self._nodes: dict[str, Node] = {}
        self._groups: dict[str, list[int]] = {}
        self._edges: dict[tuple[str, str, str, str], Edge] = {}

    def around(self, who: str, depth: int) -> Graph:
        """The graph around a name; empty where nothing is known of it."""
        start = self._node(who, 0)
        front = [start]
        for step in range(1, depth + 1):
            reached: list[Node] = []
            for node in front:
                if node.kind != "value" or node is start:
                    reached += self._expand(node, step)
            front = reached
        if not self._edges and (start.kind == "value" or (self._bounds.min_trust and not start.memories)):
            return Graph()
        edges = [edge for edge in self._edges.values() if edge.source in self._nodes and edge.target in self._nodes]
        return Graph(tuple(self._nodes.values()), tuple(sorted(edges, key=_order)))

    def _expand(self, node: Node, step: int) -> Iterator[Node]:
        before = set(self._nodes)
        for memory in self._facts(node):
            self._fact(node, memory, step)
        group = self._groups.get(node.id)
        if group:
            self._beside(node, group, step)
        return (found for node_id, found in list(self._nodes.items()) if node_id not in before)

    def _facts(self, node: Node) -> Sequence[Memory]:
        names = {node.name, *node.aliases}
        keys = sorted({self._subject_key(name) for name in names})
        group = self._groups.get(node.id, [])
        bar = self._bounds.min_trust
        nums = around.facts_near(self._connection, self._namespace, group, keys, bar, FACTS)
        return [memory for memory in fetch(self._connection, nums).values() if self._held(memory)]

    def _held(self, memory: Memory) -> bool:
        at = self._bounds.as_of
        if at is None:
            return True
        said = memory.valid_at or memory.happened_at
        ends = memory.invalid_at
        return (said is None or to_micros(said) <= at) and (ends is None or to_micros(ends) > at)

    def _fact(self, node: Node, memory: Memory, step: int) -> None:
        said = [memory.metadata.get(part) for part in ("subject", "relation", "object")]
        subject, relation, thing = (part if isinstance(part, str) else "" for part in said)
        if not (plain(subject) and relation and plain(thing)):
            return
        ids = [self._id(subject), self._id(thing)]
        if node.id not in ids or ids[0] == ids[1]:
            return
        ends = [self._node(name, step) for name in (subject, thing)]
        times = (memory.valid_at, memory.invalid_at, memory.happened_at)
        edge = Edge(ends[0].id, ends[1].id, relation, memory.strength, *times, (memory.id,))
        self._edges.setdefault((edge.source, edge.target, relation, memory.id), edge)

    def _beside(self, node: Node, group: Sequence[int], step: int) -> None:
        rows = around.together(self._connection, group, self._bounds, 4 * BESIDE)
        roots: dict[int, list[int]] = {}
        for row in rows:
            roots.setdefault(entities.root(self._connection, row[0]), []).append(row[0])
        for root, members in list(roots.items())[:BESIDE]:
            named = entities.by_num(self._connection, root)
            if named is None or root in group:
                continue
            other = self._node(named.name, step)
            pair = (min(node.id, other.id), max(node.id, other.id), MENTIONED, "")
            if pair in self._edges or other.id == node.id:
                continue
            count, first, last = around.joint(self._connection, group, members, self._bounds)
            ids = around.shared(self._connection, group, members, self._bounds, CITED)
            times = (from_micros(first), from_micros(last))
            self._edges[pair] = Edge(node.id, other.id, MENTIONED, float(count), *times, memories=tuple(ids))

    def _id(self, name: str) -> str:
        named = entities.by_keys(self._connection, self._namespace, [name_key(name)]).get(name_key(name))
        num = None if named is None else named.num
        if num is None:
            # a name that was given by hand and that no memory has
            noted = entities.aliases_of_key(self._connection, self._namespace, name_key(name))
            num = next((alias.entity for alias in noted if alias.decision and not alias.undone), None)
        return f"v{name_key(name):x}" if num is None else f"n{entities.root(self._connection, num)}"

    def _node(self, name: str, step: int) -> Node:
        """The node of a name, made where it is new and there is room."""
        node_id = self._id(name)
        if node_id in self._nodes:
            return self._nodes[node_id]
        if node_id[0] == "v":
            node = Node(node_id, name, "value", depth=step)
        else:
            node = replace(describe(self._connection, int(node_id[1:]), self._bounds.min_trust), depth=step)
            self._groups[node_id] = entities.group(self._connection, int(node_id[1:]))
        if len(self._nodes) < NODES:
            self._nodes[node_id] = node
        return node


def describe(connection: sqlite3.Connection, root: int, min_trust: float = 0.0) -> Node:
    """An entity with the names it goes by and when it was seen, in memories that are trusted so far."""
    group = entities.group(connection, root)
    named = [one for num in group if (one := entities.by_num(connection, num)) is not None]
    if min_trust:
        named = [named[0], *(one for one in named[1:] if around.seen(connection, [one.num], min_trust).memories)]
    by_hand = [alias.name for alias in entities.aliases_of(connection, root) if alias.decision and not alias.undone]
    names = list(dict.fromkeys([*(one.name for one in named[1:]), *by_hand]))
    seen = around.seen(connection, group, min_trust)
    aliases = {plain(name): name for name in reversed(names) if plain(name) != plain(named[0].name)}
    first, last = from_micros(seen.first), from_micros(seen.last)
    others = tuple(reversed(aliases.values()))
    return Node(f"n{root}", named[0].name, named[0].kind, others, seen.memories, first, last)


def _order(edge: Edge) -> tuple[bool, float, float, str]:
    since = edge.valid_at or edge.said_at
    when = since.timestamp() if since else 0.0
    return edge.relation == MENTIONED, when, -edge.weight, edge.relation
