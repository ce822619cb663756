"""What is known around somebody, as nodes and dated edges; and the same as GraphML for other programs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPACE = "http://graphml.graphdrawing.org/xmlns"
MENTIONED = "mentioned with"
"""The relation of two that are written in the same memories."""


@dataclass(frozen=True, slots=True)
class Node:
    """Somebody or something. `id` tells it from the others of its graph and is the same in every run of a store."""

    id: str
    name: str
    kind: str
    """person, animal, place or thing; `value` for what a fact states that is no entity."""
    aliases: tuple[str, ...] = ()
    memories: int = 0
    """How many memories mention it."""
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    depth: int = 0
    """Steps from the one asked about."""


@dataclass(frozen=True, slots=True)
class Edge:
    """What joins two nodes: a fact, from its subject to its object, or being mentioned together."""

    source: str
    target: str
    relation: str
    weight: float = 1.0
    """For a fact its strength; else in how many memories the two are mentioned together."""
    valid_at: datetime | None = None
    invalid_at: datetime | None = None
    """From when and until when a fact holds; first and last time of being mentioned together."""
    said_at: datetime | None = None
    """When a fact was said; where it has no `valid_at`, it held by then."""
    memories: tuple[str, ...] = ()
    """Ids of the fact, or of the latest memories that mention both."""


@dataclass(frozen=True, slots=True)
class Graph:
    """What is known around one entity. False where nothing is."""

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.nodes)

    def to_graphml(self, path: str | os.PathLike[str] | None = None) -> str:
        """The graph as GraphML; also written to a file, where one is named.

        Characters that XML cannot hold are left out of names.
        """
        root = ElementTree.Element("graphml", {"xmlns": _SPACE})
        for domain, fields in _FIELDS.items():
            for name, kind in fields.items():
                attributes = {"id": f"{domain}_{name}", "for": domain, "attr.name": name, "attr.type": kind}
                ElementTree.SubElement(root, "key", attributes)
        graph = ElementTree.SubElement(root, "graph", {"id": "memory", "edgedefault": "directed"})
        for node in self.nodes:
            element = ElementTree.SubElement(graph, "node", {"id": node.id})
            _write(element, "node", {name: getattr(node, name) for name in _FIELDS["node"]})
        for place, edge in enumerate(self.edges):
            ends = {"id": f"e{place}", "source": edge.source, "target": edge.target}
            element = ElementTree.SubElement(graph, "edge", ends)
            _write(element, "edge", {name: getattr(edge, name) for name in _FIELDS["edge"]})
        ElementTree.indent(root)
        text = "<?xml version='1.0' encoding='UTF-8'?>\n" + ElementTree.tostring(root, encoding="unicode") + "\n"
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text


_FIELDS: Mapping[str, Mapping[str, str]] = {
    "node": {
        "name": "string", "kind": "string", "aliases": "string", "memories": "int", "first_seen": "string",
        "last_seen": "string", "depth": "int",
    },
    "edge": {
        "relation": "string", "weight": "double", "valid_at": "string", "invalid_at": "string", "said_at": "string",
        "memories": "string",
    },
}  # fmt: skip


def _write(element: ElementTree.Element, domain: str, values: Mapping[str, object]) -> None:
    for name, value in values.items():
        if value is None or value == ():
            continue
        data = ElementTree.SubElement(element, "data", {"key": f"{domain}_{name}"})
        data.text = _NOT_XML.sub("", _as_text(value))


def _as_text(value: object) -> str:
    if isinstance(value, tuple):
        return "; ".join(map(str, value))
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value)
