"""One program, run with mem0's own package and with the import changed, sees the same; and what mem0 holds can move."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mnemos.compat.mem0 import Memory

PROGRAM = Path(__file__).with_name("mem0_program.py")
sys.path.insert(0, str(PROGRAM.parent))

from mem0_program import dumped, program  # noqa: E402 - it lies beside this file


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the program saw with mem0, and a dump of what was in it."""
    folder = tmp_path_factory.mktemp("mem0")
    (folder / "other").mkdir()
    env = {**os.environ, "MEM0_TELEMETRY": "False", "MEM0_DIR": str(folder), "HOME": str(folder)}
    run = [sys.executable, "-W", "ignore", str(PROGRAM), str(folder)]
    said = subprocess.run(run, capture_output=True, text=True, check=True, env=env, cwd=folder)
    return json.loads(said.stdout)


def test_a_program_sees_the_same_with_the_import_changed(theirs: Any, tmp_path: Path) -> None:
    ours = program(Memory.from_config({"path": str(tmp_path / "ours.db"), "background": False}), (ValueError,))
    assert len(theirs["program"]) == len(ours)
    for step, (one, other) in enumerate(zip(ours, theirs["program"], strict=True)):
        assert one == other, f"step {step}"


def test_what_mem0_holds_can_be_moved(theirs: Any, tmp_path: Path) -> None:
    file = tmp_path / "mem0.json"
    file.write_text(json.dumps({"results": theirs["dump"]}))
    with Memory.from_config({"path": str(tmp_path / "ours.db"), "background": False}) as memory:
        report = memory.store.import_file(file)
        assert (report.format, report.added, report.skipped) == ("mem0", 4, {})
        assert memory.store.import_file(file).added == 0
        ours = dumped(memory)
        (cooks,) = memory.search("tea", filters={"agent_id": "cook"})["results"]
        assert memory.get_all(filters={"user_id": "bob"}) == {"results": []}, "its last day is over"
    assert cooks["memory"] == "Cooks know tea"
    for one, other in zip(ordered(ours), ordered(theirs["dump"]), strict=True):
        metadata = one.pop("metadata")
        moved = metadata.pop("mem0")
        assert moved["updated_at"] == other["updated_at"]
        assert (metadata or None) == other.pop("metadata")
        assert one.pop("id") != other.pop("id")
        assert one == other


def ordered(dump: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What several owners share stands in both dumps twice, in either place."""
    return sorted(dump, key=lambda one: str(one["memory"]))
