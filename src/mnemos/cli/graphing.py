"""People, places and things: entities, graph, alias."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mnemos.cli.command import NOTHING, Call, command, on_store
from mnemos.cli.levels import derive
from mnemos.cli.options import scoped, trusted
from mnemos.cli.output import console, show_time, tell, visible, write_json
from mnemos.entities.graph import MENTIONED

if TYPE_CHECKING:
    from rich.console import Console

    from mnemos.entities.graph import Edge, Graph, Node

NOTHING_KNOWN = "mnemos: nothing is known about this yet"


@command(
    "entities",
    "mnemos entities --user ana",
    "mnemos entities --user ana --kind person --json",
)
@scoped(below=False)
@click.option("--kind", type=click.Choice(["person", "animal", "place", "thing"]), help="Only these.")
@trusted
@on_store(zoned=True)
def entities(call: Call, scope: dict[str, Any], kind: str | None, min_trust: float | None) -> None:
    """List people, animals, places and things.

    Those most often mentioned first, each with the names that it goes by, how many memories mention it, and when it
    was first and last seen.
    """
    with call.open() as memory:
        derive(memory, quiet=call.as_json)
        found = [node for node in memory.entities(min_trust=min_trust, **scope) if kind in (None, node.kind)]
    if call.as_json:
        write_json({"entities": found})
        return
    screen = console()
    for node in found:
        seen = f"{show_time(node.first_seen, call.zone, day=True)} to {show_time(node.last_seen, call.zone, day=True)}"
        screen.print(f"{node.memories:>5}  {node.kind:<6}  {_name(node)}  [{seen}]", soft_wrap=True)
    if not found:
        tell("mnemos: no names here yet")


@command(
    "graph",
    "mnemos graph Rita --user ana",
    "mnemos graph Rita --user ana --depth 2 --graphml rita.graphml",
)
@click.argument("who")
@scoped(below=False)
@click.option("--depth", type=int, default=1, show_default=True, metavar="STEPS", help="How far to go, 1 to 4.")
@click.option("--as-of", metavar="TIME", help="As things stood then.")
@click.option("--graphml", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write GraphML too.")
@trusted
@on_store(zoned=True)
def graph(call: Call, who: str, scope: dict[str, Any], graphml: Path | None, **given: Any) -> None:
    """Show what is known around WHO.

    Facts, each with the time in which it holds, and who is mentioned with whom. Leaves with code 1 where nothing is
    known.
    """
    with call.open() as memory:
        derive(memory, quiet=call.as_json)
        found = memory.graph(who, **given, **scope)
    if graphml is not None and found:
        found.to_graphml(graphml)
    if call.as_json:
        write_json({"graph": found})
    elif found:
        show_graph(console(), found, call.zone)
    if not found:
        if not call.as_json:
            tell(NOTHING_KNOWN)
        raise click.exceptions.Exit(NOTHING)


@command(
    "alias",
    "mnemos alias Reet --of Rita --user ana",
    "mnemos alias Rita --of Rita --user ana",
)
@click.argument("name")
@click.option("--of", "of", required=True, metavar="NAME", help="Whom it means; NAME itself parts it from others.")
@scoped(below=False)
@on_store(zoned=True)
def alias(call: Call, name: str, of: str, scope: dict[str, Any]) -> None:
    """Say that NAME means somebody known by another name.

    It holds against what would be found from now on, until it is undone.
    """
    with call.open() as memory:
        derive(memory, quiet=call.as_json)
        found = memory.alias(name, of=of, **scope)
    if call.as_json:
        write_json({"entity": found})
    else:
        console().print(_name(found), soft_wrap=True)


def show_graph(screen: Console, graph: Graph, zone: str | None) -> None:
    """The one asked about, then every edge in words."""
    names = {node.id: node for node in graph.nodes}
    screen.print(f"{_name(graph.nodes[0])} ({graph.nodes[0].kind})", soft_wrap=True)
    for edge in graph.edges:
        screen.print(f"  {_edge(edge, names, zone)}", soft_wrap=True)


def _edge(edge: Edge, names: dict[str, Node], zone: str | None) -> str:
    ends = [visible(" ".join(names[end].name.split())) for end in (edge.source, edge.target)]
    days = [show_time(time, zone, day=True) for time in (edge.valid_at or edge.said_at, edge.invalid_at)]
    if edge.relation == MENTIONED:
        when = f"  [{days[0]} to {days[1]}]"
    elif edge.invalid_at is not None:
        when = f"  [{days[0]} until {days[1]}]"
    else:
        when = "" if days[0] == "–" else f"  [{days[0]}]"
    count = f" {edge.weight:.0f}×" if edge.relation == MENTIONED else ""
    return f"{ends[0]} —{visible(edge.relation)}{count}→ {ends[1]}{when}"


def _name(node: Node) -> str:
    also = f" (also {', '.join(node.aliases)})" if node.aliases else ""
    return visible(" ".join(f"{node.name}{also}".split()))


COMMANDS = (entities, graph, alias)
