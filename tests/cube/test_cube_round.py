"""Export, import, export: the same bytes, the same memories, the same artifacts."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from clock import Clock
from cubetools import OTHER, keep

from mnemos import Memory, Mnemos
from mnemos.cube import MemCube

ANA = ("user", "ana")


def told(memory: Mnemos, clock: Clock) -> list[Memory]:
    """Something of everything, with blocks of some and an adapter of two."""
    turns = memory.add(
        [
            {"content": "My sister Rita is vegan.", "name": "Ana", "happened_at": "2026-03-01T09:00:00Z"},
            {"content": "The dog is called Rex.", "name": "Ana", "happened_at": "2026-03-02T09:00:00Z"},
            {"content": "Rex lives in Paris.", "name": "Ben", "session_id": "s", "metadata": {"ü": [1, None]}},
            {"content": "to be deleted", "name": "Ben"},
        ],
        user_id="ana",
    )
    memory.add("Ben's own secret.", user_id="ben")
    clock.tick()
    turns[1] = memory.update(turns[1].id, text="The dog is called Max.")
    memory.put("diet", {"rita": "vegan"}, user_id="ana", ttl=3600)
    fact = memory.derive("Rita is vegan.", sources=[turns[0].id], recipe="by-hand", metadata={"subject": "Rita"})
    memory.derive("Of the family.", sources=[fact.id, turns[1].id], recipe="by-hand", kind="theme", topic="t")
    memory.link(turns[0].id, turns[1].id, "near", weight=0.5)
    memory.pin(turns[2].id)
    memory.maintain()
    memory.delete(turns.pop().id)
    memory.context("What is Rita?", user_id="ana")
    for turn in turns:
        keep(memory, [turn], turn.text.encode())
    keep(memory, [fact], b"of a fact")
    keep(memory, turns[:2], b"weights", form="parametric", model=OTHER)
    memory.artifacts.used([memory.artifacts.find()[0].id])
    memory.artifacts.want([turns[2].id], "parametric")
    return turns


@pytest.mark.parametrize("scope", [{}, {"user_id": "ana"}, {"ids": True}], ids=["all", "scope", "ids"])
def test_what_was_exported_comes_back_as_the_same_bytes(
    memory: Mnemos, clock: Clock, tmp_path: Path, scope: dict[str, Any]
) -> None:
    turns = told(memory, clock)
    asked = {"ids": [turn.id for turn in turns]} if "ids" in scope else scope
    first = memory.export_cube(tmp_path / "a.cube", **asked)
    assert memory.export_cube(tmp_path / "again.cube", **asked).manifest == first.manifest
    assert (tmp_path / "a.cube").read_bytes() == (tmp_path / "again.cube").read_bytes()
    with Mnemos(tmp_path / "other.db", clock=clock) as other:
        clock.tick(60)
        done = other.import_cube(tmp_path / "a.cube")
        assert other.check() == []
        assert (done.repeated, done.left, done.conflicts) == (0, {}, ())
        assert done.added == first.manifest.lines
        assert set(done.artifacts) == {one.id for one in other.artifacts.find()}
        for one in other.artifacts.find():
            assert one == memory.artifacts.get(one.id)
            assert other.artifacts.path(one).read_bytes() == memory.artifacts.path(one).read_bytes()
        with MemCube(tmp_path / "a.cube") as cube:
            memories = cube.memories()
        for mine in memories:
            theirs = other.get(mine.id)
            assert theirs is not None
            assert theirs == memory.get(mine.id)
            assert other.history(mine.id) == [
                one for one in memory.history(mine.id) if one.decision is None or one.decision not in first.left
            ]
        second = other.export_cube(tmp_path / "b.cube", **asked)
        assert (second.manifest, second.bytes) == (first.manifest, first.bytes)
        assert (tmp_path / "b.cube").read_bytes() == (tmp_path / "a.cube").read_bytes()
        again = other.import_cube(tmp_path / "a.cube")
        assert (again.added, again.repeated, again.artifacts) == (0, done.added, ())
        assert (again.known, again.wanted, again.left) == (len(done.artifacts), 0, {})
        other.export_cube(tmp_path / "c.cube", **asked)
        assert (tmp_path / "c.cube").read_bytes() == (tmp_path / "a.cube").read_bytes()


WITHOUT = """
import sys
for name in ("torch", "transformers", "safetensors", "peft"):
    sys.modules[name] = None
from mnemos import Mnemos
from mnemos.cube import MemCube, compare, fuse
with Mnemos(":memory:") as store:
    print(len(store.import_cube("ana.cube").artifacts))
    store.export_cube("again.cube", user_id="ana")
fuse("ana.cube", "again.cube", "fused.cube")
with MemCube("fused.cube") as cube:
    print(len(cube.pieces), compare("ana.cube", "fused.cube"))
"""


def test_none_of_it_needs_torch(cube: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], cwd=cube.parent, capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout == "4\n4 nothing differs\n"


def test_async_twins(memory: Mnemos, other: Mnemos, turns: list[Memory], tmp_path: Path) -> None:
    written = asyncio.run(memory.aexport_cube(tmp_path / "a.cube", ids=[turns[0].id]))
    done = asyncio.run(other.aimport_cube(tmp_path / "a.cube"))
    assert (written.manifest.memories, len(done.artifacts)) == (1, 1)
