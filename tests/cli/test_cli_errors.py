"""What goes wrong: exit codes, one clear line, and no store made by a question."""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path

import pytest
from cli_commands import COMMANDS, Run

from mnemos.sample import history_file

LINES = {
    "search": ["search", "x"],
    "context": ["context", "x"],
    "list": ["list"],
    "show": ["show", "x"],
    "update": ["update", "x", "y"],
    "delete": ["delete", "x"],
    "history": ["history", "x"],
    "why": ["why", "x"],
    "admit": ["admit", "x"],
    "export": ["export", "out.jsonl"],
    "backup": ["backup", "copy.db"],
    "check": ["check"],
    "reindex": ["reindex"],
    "maintain": ["maintain"],
    "costs": ["costs"],
    "jobs": ["jobs"],
    "profile": ["profile"],
    "timeline": ["timeline"],
    "facts": ["facts"],
    "undo": ["undo", "x"],
    "feedback": ["feedback", "x"],
    "entities": ["entities"],
    "graph": ["graph", "x"],
    "alias": ["alias", "x", "--of", "y"],
    "forget": ["forget", "--count", "1", "--dry-run"],
    "budget": ["budget"],
    "pin": ["pin", "x"],
    "unpin": ["unpin", "x"],
    "expire": ["expire", "x", "--at", "2100-01-01T00:00:00Z"],
    "forms": ["forms"],
    "promote": ["promote", "x"],
    "demote": ["demote", "x"],
    "stats": ["stats"],
    "verify-erased": ["verify-erased", "x"],
    "cube export": ["cube", "export", "out.cube"],
}
"""Every command that works on a store that must be there already."""


def test_every_command_is_tried() -> None:
    assert COMMANDS.keys() - LINES.keys() == {
        *("add", "import", "demo", "mcp"),
        *("cube import", "cube show", "cube fuse", "cube compare"),
        *("serve", "key create", "key list", "key revoke"),
        *("bench recall", "bench update", "bench levels", "bench forget", "bench join", "bench reuse"),
        *("bench forms", "bench kv", "bench mqar", "bench layers", "bench lm"),
    }


@pytest.mark.parametrize("words", LINES)
def test_no_store_is_an_error_and_none_is_made(words: str, run: Run, empty: Path) -> None:
    result = run(*LINES[words], "--store", "none.db")
    assert result.exit_code == 3
    assert result.stderr == "mnemos: none.db: there is no store here; add something first, or pass --store\n"
    assert result.stdout == ""
    assert list(empty.iterdir()) == []


def test_an_empty_file_is_no_store(run: Run, empty: Path) -> None:
    (empty / "empty.db").touch()
    assert run("stats", "--store", "empty.db").exit_code == 3
    assert (empty / "empty.db").stat().st_size == 0


@pytest.mark.parametrize(
    "line",
    [["import", "none.jsonl"], ["import", "odd.bin"], ["cube", "import", "none.cube"], ["cube", "import", "odd.bin"]],
)
def test_what_cannot_be_imported_makes_no_store(line: list[str], run: Run, empty: Path) -> None:
    (empty / "odd.bin").write_bytes(bytes(range(256)))
    assert run(*line).exit_code == 2
    assert [path.name for path in empty.iterdir()] == ["odd.bin"]


UNKNOWN = "01a1fbe8-9ddd-78ea-a7f4-c9490f963726"


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        (["show", UNKNOWN], 1, "nothing is stored under"),
        (["cube", "export", "x.cube", UNKNOWN], 1, "nothing is stored under"),
        (["cube", "export", "x.cube", UNKNOWN, "--user", "ana"], 2, "together with a scope"),
        (["cube", "export", "none/x.cube"], 2, "cannot be written"),
        (["cube", "show", "chats.jsonl"], 2, "chats.jsonl: is damaged, or no cube"),
        (["cube", "fuse", "ana.cube", "none.cube", "x.cube"], 2, "is not there, or not a file"),
        (["cube", "compare", "ana.cube", "chats.jsonl"], 2, "chats.jsonl: is damaged, or no cube"),
        (["forms", UNKNOWN], 1, "nothing is stored under"),
        (["forms", UNKNOWN, "--user", "ana"], 2, "ID: is given together with a scope"),
        (["promote", UNKNOWN], 1, "nothing is stored under"),
        (["promote", UNKNOWN, "--to", "text"], 2, "--to: 'text' is no form to promote to"),
        (["demote", UNKNOWN, "--to", "air"], 2, "--to: 'air' is no form to demote to"),
        (["history", UNKNOWN], 1, "nothing is stored under"),
        (["update", UNKNOWN, "x"], 1, "nothing is stored under"),
        (["delete", UNKNOWN], 1, "nothing is stored under"),
        (["undo", UNKNOWN], 1, "nothing is stored under"),
        (["feedback", "x", "--used", UNKNOWN], 1, "nothing is stored under"),
        (["feedback"], 2, "QUERY"),
        (["search", "x", "--user", "nobody"], 1, "nothing is known"),
        (["context", "x", "--user", "nobody"], 1, "nothing is known"),
        (["search"], 2, "mnemos search: Missing argument 'QUERY'. See mnemos search --help."),
        (["find", "x"], 2, "No such command 'find'"),
        (["search", "x", "--colour"], 2, "No such option '--colour'"),
        (["search", " "], 2, "QUERY: is blank"),
        (["add", ""], 2, "TEXT: is empty"),
        (["add", "a\x00b"], 2, "TEXT: holds a NUL character"),
        (["add", "a\udcff"], 2, "TEXT: is broken Unicode"),
        (["add", "x", "--at", "yesterday"], 2, "--at: 'yesterday' is not a time"),
        (["add", "x", "--at", "2026-01-01"], 2, "--at: has no time zone; add one ('…Z', '+02:00') or pass --timezone"),
        (["add", "x", "--kind", "poem"], 2, "--kind: 'poem' is not a kind"),
        (["add", "x", "--metadata", "{'a': 1}"], 2, "--metadata: is not JSON"),
        (["add", "x", "--metadata", '{"a": NaN}'], 2, "--metadata: is not JSON (NaN is not JSON)"),
        (["add", "x", "--metadata", "[1]"], 2, "--metadata: is a list"),
        (["add", "x", "--user", ""], 2, "--user: is empty"),
        (["add", "x", "--user", "a", "--namespace", "b"], 2, "--namespace: given together with user_id"),
        (["list", "--user", "ana", "--limit", "0"], 2, "--limit: '0' is not between"),
        (["list", "--limit", "many"], 2, "Invalid value for '--limit'"),
        (["list", "--timezone", "Moon/Crater"], 2, "--timezone: unknown time zone"),
        (["list", "--filter", '{"a": {"like": 1}}'], 2, "--filter.a: unknown operator 'like'"),
        (["list", "--filter", "[" * 100_000], 2, "--filter: is not JSON"),
        (["list", "--kind", "poem"], 2, "--kind: 'poem' is not a kind"),
        (["update", UNKNOWN], 2, "TEXT: and every other change is missing"),
        (["delete"], 2, "give either ids or --all"),
        (["delete", UNKNOWN, "--all"], 2, "give either ids or --all"),
        (["delete", UNKNOWN, "--user", "ana"], 2, "a scope is for --all"),
        (["delete", "--all", "--yes"], 2, "--user: is missing"),
        (["delete", "--all", "--user", "ana"], 2, "add --yes"),
        (["import", "chats.jsonl", "--format", "morse"], 2, "--format: 'morse' is not a format"),
        (["import", "none.txt"], 2, "does not exist"),
        (["export", "-", "--json"], 2, "leave out --json"),
        (["export", "no/such/folder.jsonl"], 2, "cannot be written"),
        (["backup", "chats.jsonl"], 2, "chats.jsonl exists"),
        (["bench", "recall", "none.json"], 2, "none.json"),
        (["key", "revoke", "nobodyskey00"], 1, "nothing is stored under 'nobodyskey00'"),
        (["key", "create"], 2, "Missing option '--tenant'"),
        (["key", "create", "--tenant", "A/../B"], 2, "--tenant: 'A/../B' is not a name of a tenant"),
        (["key", "create", "--tenant", "acme", "--scopes", "fly"], 2, "--scopes: ['fly'] are not scopes"),
        (["key", "create", "--tenant", "acme", "--expires", "soon"], 2, "--expires: 'soon' is not a length of time"),
        (["key", "create", "--tenant", "acme", "--namespace", ","], 2, "--namespace"),
        (["key", "create", "--tenant", "acme", "--trust", "2"], 2, "--trust: "),
        (["serve", "--upstream", "ftp://x"], 2, "--upstream: is not an http or https address"),
        (["serve", "--rate", "0"], 2, "--rate: is 0"),
        (["serve", "--host", "0.0.0.0"], 3, "there is no key; make one first: mnemos key create"),
        (["mcp", "--user", ""], 2, "--user: is empty"),
        (["mcp", "--store", "chats.jsonl"], 3, "not a Mnemos store"),
        (["mcp", "--store", "no/such/folder.db"], 3, "its folder does not exist"),
        (["stats", "--store", "chats.jsonl"], 3, "not a Mnemos store"),
        (["stats", "--store", "."], 3, "is a folder"),
        (["add", "x", "--store", "no/such/folder.db"], 3, "its folder does not exist"),
    ],
)
def test_exit_codes_and_one_clear_line(line: list[str], code: int, says: str, run: Run, folder: Path) -> None:
    result = run(*line)
    assert result.exit_code == code, result.output
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    if "--json" in line or line[0] in ("serve", "mcp"):
        return
    machine = run(*line, "--json")
    assert machine.exit_code == code
    if machine.stderr:
        error = json.loads(machine.stderr)["error"]
        assert error["exit_code"] == code
        assert error["message"]
        assert machine.stdout == ""
    else:
        json.loads(machine.stdout)


@pytest.mark.parametrize(
    ("line", "module", "extra"),
    [(["mcp"], "mcp", "mcp"), (["serve"], "fastapi", "serve"), (["serve"], "uvicorn", "serve")],
)
def test_a_package_that_is_missing_is_named_with_how_to_get_it(
    line: list[str], module: str, extra: str, run: Run, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    result = run(*line)
    assert result.exit_code == 2
    assert result.stderr == (
        f'mnemos: {line[0]}: needs the package {module}; install it with: pip install "mnemos[{extra}]"\n'
    )
    assert list(empty.iterdir()) == []


def test_a_machine_is_told_field_and_mend(run: Run, folder: Path) -> None:
    error = json.loads(run("list", "--since", "2026-01-01", "--json").stderr)["error"]
    assert error == {
        "type": "InvalidInput",
        "message": "since: has no time zone; add one ('…Z', '+02:00') or pass timezone=",
        "field": "since",
        "problem": "has no time zone",
        "mend": "add one ('…Z', '+02:00') or pass timezone=",
        "exit_code": 2,
    }


def test_json_after_two_dashes_is_a_text(run: Run, empty: Path) -> None:
    result = run("add", "--kind", "poem", "--", "--json")
    assert result.exit_code == 2
    assert result.stderr.startswith("mnemos: --kind")


def test_a_newer_store_is_refused(run: Run, folder: Path) -> None:
    with sqlite3.connect(folder / "mnemos.db") as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    result = run("stats")
    assert result.exit_code == 3
    assert "upgrade" in result.stderr


def test_check_finds_problems_and_reindex_mends_them(run: Run, folder: Path) -> None:
    assert run("check").stdout == "all is well\n"
    with sqlite3.connect(folder / "mnemos.db") as connection:
        connection.execute("UPDATE memories SET speaker = 'Zoe' WHERE speaker = 'Ben'")
    connection.close()
    found = run("check", "--json")
    assert found.exit_code == 1
    assert {problem["table"] for problem in json.loads(found.stdout)["problems"]} >= {"memories"}
    assert run("check").exit_code == 1
    assert run("reindex").exit_code == 0
    assert run("check").exit_code == 0


def test_verify_erased_fails_only_on_stray_bytes(run: Run, folder: Path) -> None:
    live = run("verify-erased", "Rita is vegan", "--json")
    assert live.exit_code == 0
    assert len(json.loads(live.stdout)["live"]) == 1
    beside = folder / "mnemos.db.d"
    beside.mkdir()
    (beside / "left-over").write_bytes(b"..a word that was deleted..")
    stray = run("verify-erased", "a word that was deleted")
    assert stray.exit_code == 1
    assert str(Path("mnemos.db.d", "left-over")) in stray.stdout


def test_delete_tells_what_is_missing_and_deletes_the_rest(run: Run, folder: Path) -> None:
    ids = run("list", "--user", "ana", "--ids").stdout.split()
    result = run("delete", UNKNOWN, ids[0], ids[0], "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"deleted": [ids[0]], "missing": [UNKNOWN], "purge": "done"}
    assert run("list", "--user", "ana", "--ids").stdout.split() == ids[1:]
    assert run("verify-erased", "My sister Rita is vegan.").exit_code == 0


def test_delete_all_of_one_user_leaves_the_others(run: Run, folder: Path) -> None:
    assert run("delete", "--all", "--user", "ana", "--yes").stdout == "deleted 3\n"
    assert json.loads(run("stats", "--json").stdout)["memories"] == 1


def test_a_truncated_import_says_what_it_kept(run: Run, folder: Path) -> None:
    run("export", "all.jsonl")
    whole = (folder / "all.jsonl").read_bytes()
    (folder / "cut.jsonl").write_bytes(whole[: len(whole) // 2])
    result = run("import", "cut.jsonl", "--store", "other.db")
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert json.loads(run("stats", "--store", "other.db", "--json").stdout)["memories"] == 0


def test_a_damaged_chat_export_keeps_and_reports_what_came_before(run: Run, empty: Path) -> None:
    whole = history_file().read_bytes()
    (empty / "conversations.json").write_bytes(whole[: len(whole) // 2])
    result = run("import", "conversations.json", "--user", "ana")
    assert result.exit_code == 2
    assert "added" in result.stdout
    assert "is kept" in result.stderr
    kept = json.loads(run("stats", "--user", "ana", "--json").stdout)["kinds"]["turn"]
    assert kept > 100
    again = run("import", "conversations.json", "--user", "ana", "--json")
    assert (again.exit_code, again.stdout) == (2, "")
    assert json.loads(again.stderr)["error"]["report"]["repeated"] == kept
