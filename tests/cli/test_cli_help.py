"""Help, its examples, and the page that documents every command."""

from __future__ import annotations

import itertools
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli_commands import COMMANDS, Run, Shell
from click.testing import CliRunner

from mnemos._version import __version__
from mnemos.cli import main

ASKED = (
    *("add", "search", "context", "list", "show", "update", "delete", "history", "import", "export", "backup"),
    *("check", "reindex", "maintain", "stats", "verify-erased", "bench recall", "demo"),
    *("profile", "timeline"),
    *("facts", "undo", "feedback", "bench update"),
    *("costs", "jobs"),
    *("why", "admit"),
    *("entities", "graph", "alias"),
    *("forget", "budget", "pin", "unpin", "expire", "bench forget", "bench levels"),
    *("bench join", "bench reuse", "bench forms", "bench kv"),
    *("bench mqar", "bench layers", "bench lm"),
    *("forms", "promote", "demote"),
    *("cube export", "cube import", "cube show", "cube fuse", "cube compare"),
    *("serve", "mcp", "key create", "key list", "key revoke"),
)
DOCS = Path(__file__).parents[2] / "docs" / "cli.md"


def examples_of(words: str) -> list[str]:
    shown = CliRunner().invoke(main, [*words.split(), "--help"], terminal_width=80)
    assert shown.exit_code == 0
    return re.findall(r"^ +\$ (.*)$", shown.stdout, re.M)


GROUPS = ("", "bench", "cube", "key")
LISTENS = "serve"
"""Runs until it is told to stop."""
TRAIN = ("bench join", "bench reuse", "bench forms", "bench kv", "bench mqar", "bench layers", "bench lm")
"""Need torch, and minutes; their tests stand with those of the benchmarks."""
BRIEF = [words for words in (*GROUPS, *COMMANDS) if words not in (LISTENS, *TRAIN)]
EXAMPLES = [(words, example) for words in BRIEF for example in examples_of(words)]
SAID = "This is the only time that it is shown.\n"
"""To whoever makes a key, beside the key."""


def test_every_command_is_there() -> None:
    assert sorted(COMMANDS) == sorted(ASKED)


@pytest.mark.parametrize("words", [*GROUPS, *COMMANDS])
def test_every_help_has_an_example_of_the_command(words: str) -> None:
    assert any(f"mnemos {words}".strip() in example for example in examples_of(words))


@pytest.mark.parametrize(("words", "example"), EXAMPLES, ids=[example for _, example in EXAMPLES])
def test_the_examples_run(words: str, example: str, shell: Shell) -> None:
    if words == "key revoke":
        made = shell("mnemos key create --tenant acme").stdout.split("_")[1]
        example = f"{example.rpartition(' ')[0]} {made}"
    done = shell(f"set -o pipefail; {example}")
    assert (done.returncode, done.stderr) == (0, SAID if "key create" in example else "")


@pytest.mark.parametrize("example", examples_of(LISTENS))
def test_the_examples_that_listen_run_until_they_are_told_to_stop(example: str, folder: Path) -> None:
    words = [sys.executable, "-m", *example.split(), "--port", "0"]
    with subprocess.Popen(words, cwd=folder, stderr=subprocess.PIPE, encoding="utf-8") as server:
        assert server.stderr is not None
        said = list(itertools.takewhile(lambda line: "Uvicorn running" not in line, server.stderr))
        server.send_signal(signal.SIGTERM)
        assert any(line.startswith("Mnemos serves mnemos-data at http://127.0.0.1") for line in said)
        assert server.wait(60) in (0, -signal.SIGTERM)


@pytest.mark.parametrize(("words", "command"), COMMANDS.items(), ids=COMMANDS)
def test_the_page_documents_every_command_and_option(words: str, command) -> None:  # type: ignore[no-untyped-def]
    section = re.search(rf"^### `mnemos {re.escape(words)}.*?(?=^##|\Z)", DOCS.read_text("utf-8"), re.M | re.S)
    assert section is not None, f"docs/cli.md does not describe mnemos {words}"
    shared = shared_options()
    for parameter in command.params:
        for option in parameter.opts if parameter.param_type_name == "option" else []:
            assert f"`{option}" in section[0] or option in shared, f"{words} {option} is not in docs/cli.md"


def shared_options() -> set[str]:
    before = DOCS.read_text("utf-8").split("## Commands")[0]
    return set(re.findall(r"`(--[a-z-]+)", before))


def test_the_page_names_no_other_command() -> None:
    named = re.findall(
        r"^### `mnemos (cube [a-z]+|[a-z-]+"
        r"(?: recall| update| levels| forget| join| reuse| forms| kv| mqar| layers| lm| create| list| revoke)?)",
        DOCS.read_text("utf-8"),
        re.M,
    )
    assert sorted(named) == sorted(COMMANDS)


def test_help_states_the_exit_codes(run: Run) -> None:
    shown = run("--help").stdout
    assert all(re.search(rf"^ +{code}  ", shown, re.M) for code in (0, 1, 2, 3, 130, 141))


def test_version(run: Run) -> None:
    assert run("--version").stdout == f"mnemos {__version__}\n"


def test_no_command_shows_help_and_is_wrong_usage(run: Run) -> None:
    shown = run()
    assert shown.exit_code == 2
    assert "verify-erased" in shown.stderr
