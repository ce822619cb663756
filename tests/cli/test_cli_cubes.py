"""`mnemos cube …` for people."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cli_commands import Run

from mnemos.cube.layout import artifact_name
from mnemos.ids import new_id


def said(run: Run, *words: str) -> list[str]:
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_out_and_in_again(run: Run, answer: Callable[..., Any], folder: Path) -> None:
    (line,) = said(run, "cube", "export", "mine.cube", "--user", "ana")
    assert line.startswith("exported 3 memories, 0.0 MB, to mine.cube")
    assert (folder / "mine.cube").read_bytes() == (folder / "ana.cube").read_bytes()
    lines = said(run, "cube", "import", "team.cube", "--store", "new.db")
    assert lines == ["4 entries added, 0 were there already", "0 artifacts added, 0 were there already"]
    lines = said(run, "cube", "import", "team.cube", "--store", "new.db", "--text-only")
    assert lines[0] == "0 entries added, 4 were there already"
    assert len(answer("list", "--user", "bob", "--store", "new.db")["memories"]) == 1


def test_chosen_memories_go_alone(run: Run, answer: Callable[..., Any], folder: Path) -> None:
    rita = answer("list", "--user", "ana")["memories"][0]["id"]
    answer("cube", "export", "one.cube", rita)
    shown = answer("cube", "show", "one.cube", "--memories")
    assert [one["id"] for one in shown["memories"]] == [rita]
    assert shown["manifest"]["namespaces"] == [["user", "ana"]]
    assert artifact_name("0" * 64) not in shown["manifest"]["files"]


def test_what_is_in_one_is_shown(run: Run, folder: Path) -> None:
    lines = said(run, "cube", "show", "team.cube", "--memories")
    assert lines[0].startswith("team.cube: 4 memories, 0.0 MB, written by Mnemos ")
    assert lines[1].endswith("; every hash is right")
    assert lines[2].endswith("  My sister Rita is vegan.")
    assert len(lines) == 6


def test_two_are_compared_and_fused(run: Run, answer: Callable[..., Any], folder: Path) -> None:
    rita = answer("list", "--user", "ana")["memories"][0]["id"]
    lines = said(run, "cube", "compare", "ana.cube", "team.cube")
    assert lines[0] == "1 added, 0 gone, 0 changed; 0 forms differ"
    assert lines[1].endswith("Bob's own secret.")
    answer("update", rita, "Rita eats fish.")
    answer("cube", "export", "later.cube", "--user", "ana")
    lines = said(run, "cube", "fuse", "team.cube", "later.cube", "both.cube")
    assert lines == [lines[0], f"{rita}  b's version stands: later"]
    assert lines[0].startswith("fused to both.cube: ")
    lines = said(run, "cube", "compare", "team.cube", "both.cube")
    assert [line for line in lines[1:] if not line.startswith("+")] == [
        f"~ {rita}  text, version, channel",
        "    before: [2026-03-02] Ana: My sister Rita is vegan.",
        "    after:  [2026-03-02] Ana: Rita eats fish.",
    ]


def test_a_conflict_and_what_was_left_are_told(run: Run, answer: Callable[..., Any], folder: Path) -> None:
    rita = answer("list", "--user", "ana")["memories"][0]["id"]
    shutil.copy("mnemos.db", "other.db")
    answer("update", rita, "Rita eats fish.")
    answer("cube", "export", "later.cube", "--user", "ana")
    answer("update", rita, "Rita eats figs.", "--store", "other.db")
    lines = said(run, "cube", "import", "later.cube", "--store", "other.db")
    assert lines[-1] == f"{rita}  store's version stands: changed on both sides"
    assert run("cube", "export", "x.cube", new_id()).exit_code == 1
