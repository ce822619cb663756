"""Graph: what is known around a person or a thing, drawn and as a list."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from mnemos.entities.graph import MENTIONED, Graph, Node
from mnemos.serve.console.drawing import MOST, draw, note
from mnemos.serve.console.route import pages
from mnemos.serve.console.view import Reading
from mnemos.system import Mnemos

router = pages()
LISTED = 300
"""Entities that are listed to choose from."""
STEPS = 2
"""So that it is known how those beside somebody are joined with each other."""


@router.get("/ui/graph")
async def graph(view: Reading, who: str = "") -> Response:
    """Around somebody; without a name, around who is mentioned most."""
    asked = who.strip()

    def read(memory: Mnemos) -> tuple[list[Node], Graph, str]:
        entities = memory.entities(**view.scope())
        chosen = asked or (entities[0].name if entities else "")
        return entities, memory.graph(chosen, depth=STEPS, **view.scope()) if chosen else Graph(), chosen

    entities, found, chosen = await view.call(read)
    values: dict[str, Any] = {"entities": entities, "listed": LISTED, "who": chosen, "found": found, "most": MOST}
    if not found:
        return view.page("graph.html", wide=None, narrow=None, edges=(), **values)
    names = {node.id: node for node in found.nodes}
    middle = found.nodes[0].id
    near = [edge for edge in found.edges if middle in (edge.source, edge.target)]
    edges = [(names[edge.source], edge.relation, names[edge.target], note(edge), edge) for edge in near]
    return view.page(
        "graph.html", wide=draw(found, wide=True), narrow=draw(found, wide=False), edges=edges, mentioned=MENTIONED,
        **values,
    )  # fmt: skip
