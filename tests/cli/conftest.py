"""A store of Ana's, and two ways to run the command line: in this process, and in a shell."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_commands import Run, Shell
from click.testing import CliRunner

from mnemos import Mnemos
from mnemos.cli import main

MESSAGES = [
    {"name": "Ana", "content": "My sister Rita is vegan.", "happened_at": "2026-03-02T18:40:00Z", "session_id": "s1"},
    {"name": "Ben", "content": "Then no cheese for Rita.", "happened_at": "2026-03-02T18:41:00Z", "session_id": "s1"},
    {"name": "Ana", "content": "I moved to Lisbon.", "happened_at": "2026-05-20T09:00:00Z", "session_id": "s2"},
]
WHATSAPP = "12/03/2026, 18:40 - Ana: Shall we meet?\n12/03/2026, 18:41 - Ben: Yes, at eight.\n"
QUESTIONS = {
    "dataset": "tiny",
    "id": "ana-ben",
    "language": "en",
    "turns": [
        {"id": "t0", "session": "1", "happened_at": "2024-05-01T09:00:00", "speaker": "Ana", "role": "user",
         "text": "I adopted a grey cat and called her Pixel."},
        {"id": "t1", "session": "1", "happened_at": "2024-05-01T09:01:00", "speaker": "Ben", "role": "assistant",
         "text": "Lovely! Mine would chase her all day."},
    ],
    "questions": [
        {"id": "q0", "text": "What is Ana's grey cat called?", "asked_at": None, "category": "single-hop",
         "answer": "Pixel", "evidence": ["t0"], "evidence_sessions": ["1"]},
    ],
}  # fmt: skip


@pytest.fixture(scope="session")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store, and files to import and to measure."""
    folder = tmp_path_factory.mktemp("seed")
    with Mnemos(folder / "mnemos.db") as memory:
        memory.add(MESSAGES, user_id="ana")
        memory.export_cube(folder / "ana.cube", user_id="ana")
        memory.add("Bob's own secret.", user_id="bob", metadata={"city": "Porto"})
        memory.export_cube(folder / "team.cube")
    lines = [json.dumps({**message, "content": f"Again: {message['content']}"}) for message in MESSAGES]
    (folder / "chats.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "whatsapp.txt").write_text(WHATSAPP, encoding="utf-8")
    (folder / "questions.json").write_text(json.dumps(QUESTIONS) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def folder(seed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the seed, in which the test runs."""
    place = tmp_path / "here"
    shutil.copytree(seed, place)
    monkeypatch.chdir(place)
    monkeypatch.delenv("MNEMOS_STORE", raising=False)
    return place


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which the test runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MNEMOS_STORE", raising=False)
    return tmp_path


@pytest.fixture
def run() -> Run:
    """Runs one command line in this process."""
    return lambda *words, **settings: CliRunner().invoke(main, list(words), **settings)


@pytest.fixture
def answer(run: Run) -> Callable[..., Any]:
    """Runs one command line with `--json`, which must succeed, and reads its answer."""

    def ask(*words: str, **settings: Any) -> Any:
        result = run(*words, "--json", **settings)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return ask


@pytest.fixture
def shell(folder: Path, tmp_path: Path) -> Shell:
    """Runs a shell line in which `mnemos` is this command line."""
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "mnemos"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mnemos "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    environment |= {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}

    def call(line: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line],
            cwd=folder,
            env=environment | variables,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    return call
