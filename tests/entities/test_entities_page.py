"""docs/entities.md: its example runs, and its picture says what a graph of the sample says."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mnemos import Mnemos
from mnemos.sample import history_file

DOCS = Path(__file__).parents[2] / "docs"


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for example in re.findall(r"```python\n(.*?)```", (DOCS / "entities.md").read_text("utf-8"), re.S):
        exec(example, {})  # noqa: S102


def test_the_picture_shows_what_the_sample_gives(tmp_path: Path) -> None:
    with Mnemos(tmp_path / "sample.db") as memory:
        memory.import_file(history_file(), user_id="maeve")
        memory.maintain()
        named = {node.name: node for node in memory.entities(user_id="maeve")}
        assert named["Tomasz"].memories > 20
        assert {name: named[name].kind for name in ("Kasia", "Kraków", "Dulse")} == {
            "Kasia": "person",
            "Kraków": "place",
            "Dulse": "animal",
        }
        assert "Bríd" in named["Bríd Kinsella"].aliases
        graph = memory.graph("Tomasz", depth=2, user_id="maeve")
        names = {node.id: node.name for node in graph.nodes}
        said = {(names[edge.source], edge.relation, names[edge.target]) for edge in graph.edges}
        assert ("the user", "boyfriend is", "Tomasz") in said
        assert ("Tomasz", "comes from", "Kraków") in said
        assert memory.check() == []
    ElementTree.parse(DOCS / "entities.svg")
