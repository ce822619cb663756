"""What is known around somebody: facts with their times, shared mentions, nothing of another namespace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest
from entitytools import said

from mnemos import InvalidInput, Mnemos
from mnemos.entities.graph import MENTIONED, Edge, Graph, Node

SPACE = "{http://graphml.graphdrawing.org/xmlns}"


def turn(name: str, text: str, day: int) -> dict[str, object]:
    return {**said(name, text), "happened_at": datetime(2026, 3, day, tzinfo=UTC)}


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Mnemos]:
    with Mnemos(tmp_path / "a.db") as memory:
        memory.add(
            [
                turn("Ana", "My sister Rita lives in Lisbon with her dog Milo.", 1),
                turn("Ana", "Rita moved to Porto last week, and Tomasz helped her with the boxes.", 20),
                turn("Ana", "Tomasz is from Kraków and works as a joiner.", 21),
            ],
            user_id="ana",
        )
        memory.add(turn("Kit", "My friend Rita lives in Madrid with Hugo.", 2), user_id="kit")
        memory.maintain()
        yield memory


def edges(graph: Graph) -> set[tuple[str, str, str]]:
    names = {node.id: node.name for node in graph.nodes}
    return {(names[edge.source], edge.relation, names[edge.target]) for edge in graph.edges}


def test_facts_and_mentions_around_a_person(memory: Mnemos) -> None:
    graph = memory.graph("rita", user_id="ana")
    assert graph.nodes[0].name == "Rita"
    assert ("Rita", "lives in", "Lisbon") in edges(graph)
    assert ("Rita", "lives in", "Porto") in edges(graph)
    assert {edge.target for edge in graph.edges} <= {node.id for node in graph.nodes}
    together = {end for source, relation, end in edges(graph) if relation == MENTIONED} | {
        source for source, relation, end in edges(graph) if relation == MENTIONED
    }
    assert {"Tomasz", "Milo", "Ana"} <= together
    assert "Kraków" not in {node.name for node in graph.nodes}
    assert all(edge.memories for edge in graph.edges)


def test_facts_have_their_times(memory: Mnemos) -> None:
    homes = [edge for edge in memory.graph("Rita", user_id="ana").edges if edge.relation == "lives in"]
    first, second = sorted(homes, key=lambda edge: edge.said_at or datetime.max.replace(tzinfo=UTC))
    assert first.said_at == datetime(2026, 3, 1, tzinfo=UTC)
    assert first.invalid_at is not None
    assert second.invalid_at is None


def test_as_of_leaves_out_what_came_later(memory: Mnemos) -> None:
    then = memory.graph("Rita", as_of=datetime(2026, 3, 1, 12, tzinfo=UTC), user_id="ana")
    assert ("Rita", "lives in", "Lisbon") in edges(then)
    assert not {"Porto", "Tomasz"} & {node.name for node in then.nodes}


def test_two_steps_reach_further(memory: Mnemos) -> None:
    graph = memory.graph("Rita", depth=2, user_id="ana")
    assert {node.name: node.depth for node in graph.nodes}["Kraków"] == 2
    assert len({(e.source, e.target, e.relation, e.memories) for e in graph.edges}) == len(graph.edges)


def test_nothing_of_another_namespace(memory: Mnemos) -> None:
    mine = str(memory.graph("Rita", depth=4, user_id="ana")) + str(memory.entities(user_id="ana"))
    theirs = str(memory.graph("Rita", depth=4, user_id="kit")) + str(memory.entities(user_id="kit"))
    assert not any(word in mine for word in ("Madrid", "Hugo", "Kit"))
    assert not any(word in theirs for word in ("Lisbon", "Porto", "Tomasz", "Milo", "Ana"))
    assert not memory.graph("Rita")
    assert memory.entities() == []
    assert not memory.graph("Rita", user_id="nobody")
    memory.alias("Reet", of="Rita", user_id="kit")
    assert not memory.graph("Reet", user_id="ana")
    assert memory.graph("Reet", user_id="kit").nodes[0].name == "Rita"


def test_entities_are_counted_and_dated(memory: Mnemos) -> None:
    rita = next(node for node in memory.entities(user_id="ana") if node.name == "Rita")
    assert (rita.kind, rita.memories) == ("person", 2)
    assert rita.first_seen == datetime(2026, 3, 1, tzinfo=UTC)
    assert rita.last_seen == datetime(2026, 3, 20, tzinfo=UTC)


def test_unknown_names_and_bad_input(memory: Mnemos) -> None:
    assert not memory.graph("Nobody Known", user_id="ana")
    with pytest.raises(InvalidInput):
        memory.graph("", user_id="ana")
    with pytest.raises(InvalidInput):
        memory.graph("Rita", depth=9, user_id="ana")


def test_graphml_reads_back(memory: Mnemos, tmp_path: Path) -> None:
    graph = memory.graph("Rita", depth=2, user_id="ana")
    text = graph.to_graphml(tmp_path / "rita.graphml")
    assert (tmp_path / "rita.graphml").read_text(encoding="utf-8") == text
    root = ElementTree.fromstring(text)
    keys = {key.get("id") for key in root.iter(f"{SPACE}key")}
    assert {data.get("key") for data in root.iter(f"{SPACE}data")} <= keys
    ids = [node.get("id") for node in root.iter(f"{SPACE}node")]
    assert len(ids) == len(set(ids)) == len(graph.nodes)
    ends = {edge.get(end) for edge in root.iter(f"{SPACE}edge") for end in ("source", "target")}
    assert ends <= set(ids)
    assert len(list(root.iter(f"{SPACE}edge"))) == len(graph.edges)


def test_graphml_holds_hostile_names() -> None:
    bad = 'a\x00\x1b[31m<b>&"]]>\ufffe\ud800é'
    graph = Graph((Node("n1", bad, "person", (bad,)), Node("n2", bad, "value")), (Edge("n1", "n2", bad),))
    root = ElementTree.fromstring(graph.to_graphml().encode())
    texts = [data.text for data in root.iter(f"{SPACE}data") if data.get("key") == "node_name"]
    assert texts == ['a[31m<b>&"]]>é'] * 2


def test_a_graph_is_frozen_and_may_be_empty() -> None:
    graph = Graph()
    assert not graph
    ElementTree.fromstring(graph.to_graphml())
    with pytest.raises(FrozenInstanceError):
        graph.nodes = ()  # type: ignore[misc]
