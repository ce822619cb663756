"""One program, run with mem0's own package and with the import changed, sees the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from mnemos.compat.mem0 import Memory

PROGRAM = Path(__file__).with_name("mem0_program.py")
sys.path.insert(0, str(PROGRAM.parent))

from mem0_program import program  # noqa: E402 - it lies beside this file


def test_a_program_sees_the_same_with_the_import_changed(tmp_path: Path) -> None:
    env = {**os.environ, "MEM0_TELEMETRY": "False", "MEM0_DIR": str(tmp_path), "HOME": str(tmp_path)}
    run = [sys.executable, "-W", "ignore", str(PROGRAM), str(tmp_path)]
    said = subprocess.run(run, capture_output=True, text=True, check=True, env=env, cwd=tmp_path)
    theirs = json.loads(said.stdout)
    ours = program(Memory.from_config({"path": str(tmp_path / "ours.db"), "background": False}), (ValueError,))
    assert len(theirs) == len(ours)
    for step, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        assert one == other, f"step {step}"
