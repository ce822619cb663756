"""The command line as a process: pipes, interrupts, questions on a terminal, and what it loads."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest
from cli_commands import Run, Shell

COMMAND = [sys.executable, "-m", "mnemos"]


def test_errors_leave_standard_output_empty(shell: Shell) -> None:
    done = shell("mnemos show nothing --json")
    assert (done.returncode, done.stdout) == (1, "")
    assert json.loads(done.stderr)["error"]["type"] == "NotFound"


@pytest.mark.parametrize(
    "line",
    ["list --user ana --json", "list --user ana", "search Rita --user ana", "export -", "stats", "--help"],
)
def test_a_closed_pipe_ends_quietly(line: str, folder: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*COMMAND, *line.split()], stdout=writer, stderr=subprocess.PIPE, cwd=folder, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_pipe_carries_ids_from_one_command_to_the_next(shell: Shell) -> None:
    done = shell("mnemos list --user ana --ids | xargs mnemos delete && mnemos stats --json")
    assert done.returncode == 0, done.stderr
    deleted, stats = done.stdout.split("\n", 1)
    assert deleted == "deleted 3"
    assert json.loads(stats)["memories"] == 1


def test_export_to_standard_output_is_what_a_file_gets(shell: Shell, folder: Path) -> None:
    done = shell("mnemos export all.jsonl && mnemos export - > piped.jsonl && cmp all.jsonl piped.jsonl")
    assert done.returncode == 0, done.stdout + done.stderr


def test_broken_utf8_on_standard_input_is_refused(shell: Shell) -> None:
    done = shell(r"printf 'ol\xe1' | mnemos add - --user ana")
    assert done.returncode == 2
    assert done.stderr.startswith("mnemos: TEXT: is not UTF-8 (byte 2 of standard input)")


def test_no_room_for_the_file_is_a_store_error(shell: Shell) -> None:
    done = shell("ulimit -f 64; mnemos add 'no room' --store new.db --json")
    assert (done.returncode, done.stdout) == (3, "")
    assert json.loads(done.stderr)["error"]["type"] == "StoreFull"


def test_completion_for_the_shell(shell: Shell) -> None:
    assert "_MNEMOS_COMPLETE" in shell("_MNEMOS_COMPLETE=bash_source mnemos").stdout
    line = "COMP_WORDS='mnemos ver' COMP_CWORD=1 _MNEMOS_COMPLETE=bash_complete mnemos"
    assert shell(line).stdout == "plain,verify-erased\n"


def _until(stream: IO[bytes], mark: bytes) -> bytes:
    seen = b""
    while mark not in seen:
        part = stream.read(1)
        assert part, seen
        seen += part
    return seen


@pytest.fixture
def asked(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """A process that asks on a terminal whether to delete everything of Ana's, and where to answer it."""
    master, slave = pty.openpty()
    line = [*COMMAND, "delete", "--all", "--user", "ana"]
    process = subprocess.Popen(
        line,
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background job inherits that it is ignored
    )
    os.close(slave)
    assert process.stderr is not None
    assert b"Delete 3 memories for good?" in _until(process.stderr, b"[y/N]")
    return process, master


@pytest.mark.parametrize(("reply", "code", "left"), [(b"y\n", 0, 1), (b"n\n", 1, 4), (b"\x04", 130, 4)])
def test_delete_all_asks_first(
    reply: bytes, code: int, left: int, asked: tuple[subprocess.Popen[bytes], int], run: Run
) -> None:
    process, master = asked
    os.write(master, reply)
    process.communicate(timeout=60)
    os.close(master)
    assert process.returncode == code
    assert json.loads(run("stats", "--json").stdout)["memories"] == left


def test_an_interrupt_is_130(asked: tuple[subprocess.Popen[bytes], int], run: Run) -> None:
    process, master = asked
    errors = b""
    for _ in range(20):  # a signal between the question and the reading of its answer is noticed only by the next
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            _, errors = process.communicate(timeout=5)
            break
    os.close(master)
    assert process.returncode == 130
    assert errors.strip() == b"mnemos: interrupted"
    assert json.loads(run("stats", "--json").stdout)["memories"] == 4


def test_import_draws_its_bar_on_a_terminal_only(folder: Path) -> None:
    master, slave = pty.openpty()
    line = [*COMMAND, "import", "chats.jsonl", "--user", "ana"]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=slave, cwd=folder)
    os.close(slave)
    output, _ = process.communicate(timeout=60)
    drawn = os.read(master, 1 << 16)
    os.close(master)
    assert process.returncode == 0
    assert b"importing chats.jsonl" in drawn
    assert b"importing" not in output
    assert b"added" in output


def test_a_search_for_a_machine_loads_nothing_heavy(folder: Path) -> None:
    script = (
        "import sys\nfrom mnemos.cli import main\n"
        "try:\n    main(['search', 'Rita', '--user', 'ana', '--json'])\nexcept SystemExit as left:\n"
        "    assert left.code == 0\n"
        "print(sorted({'torch', 'transformers', 'rich', 'mnemos.bench', 'mnemos.demo'} & sys.modules.keys()),"
        " file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
