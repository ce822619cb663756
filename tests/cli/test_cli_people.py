"""What people see: lines that fit, no steering of the terminal, colours only where they are wanted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cli_commands import Run, Shell

ESCAPE = "\x1b"


def test_search_shows_date_speaker_bar_words_and_reasons(run: Run, folder: Path) -> None:
    shown = run("search", "is Rita vegan?", "--user", "ana", "--limit", "1").stdout
    first, second, why, id_, more = shown.splitlines()
    assert first.split()[0] == "1"
    assert "█" in first
    assert first.endswith("2026-03-02 18:40  Ana")
    assert second == "    My sister Rita is vegan."
    assert why.startswith("    why  ")
    assert "+" in why
    assert id_.startswith("    id   0")
    assert more == "… 2 more (--offset 1)"


def test_times_are_shown_in_the_zone_that_was_asked_for(run: Run, folder: Path) -> None:
    shown = run("list", "--user", "ana", "--timezone", "Asia/Tokyo").stdout
    assert shown.startswith("2026-03-03 03:40  Ana")


def test_context_is_a_block_for_a_prompt(run: Run, folder: Path) -> None:
    shown = run("context", "what can Rita eat?", "--user", "ana")
    assert "Rita is vegan" in shown.stdout
    assert "2026-03-02" in shown.stdout
    assert shown.stderr == ""


def test_show_tells_everything(run: Run, folder: Path) -> None:
    one = run("list", "--user", "bob", "--ids").stdout.strip()
    shown = run("show", one).stdout
    for expected in ("Bob's own secret.", one, "user / bob", "turn", "city = Porto", "version     1", "add"):
        assert expected in shown


def test_history_of_a_deleted_memory_has_no_words(run: Run, folder: Path) -> None:
    one = run("list", "--user", "bob", "--ids").stdout.strip()
    run("delete", one)
    shown = run("history", one).stdout
    assert "delete" in shown
    assert "secret" not in shown
    assert "the words have been deleted" in shown


def test_import_says_what_was_left_out_and_why(run: Run, folder: Path) -> None:
    with (folder / "chats.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"role": "user"}\nnot json\n')
    shown = run("import", "chats.jsonl", "--user", "ana").stdout
    assert "added" in shown
    assert shown.count("skipped") == 2
    assert "3" in shown


def test_stats_count_people(run: Run, folder: Path) -> None:
    shown = run("stats", "--user", "ana").stdout
    assert "memories    3" in shown
    assert "Ana 2, Ben 1" in shown
    assert "2026-03-02 to 2026-05-20" in shown


def test_a_memory_cannot_steer_the_terminal_or_write_markup(run: Run, empty: Path) -> None:
    run("add", "\x1b]0;owned\x07 [bold red]not markup[/] \x1b[2J", "--name", "E\x1b[31mve", "--session", "s")
    one = run("list", "--ids").stdout.strip()
    for line in (["list"], ["search", "markup"], ["show", one], ["history", one], ["stats"]):
        shown = run(*line, color=True).stdout
        assert ESCAPE not in shown
        assert "\x07" not in shown
        if line[0] != "stats":
            assert "[bold red]not markup[/]" in shown
            assert "\\x1b]0;owned" in shown


def test_a_long_text_is_shown_where_it_answers(run: Run, empty: Path) -> None:
    filler = "The weather was mild and nothing much happened that day. " * 200
    run("add", f"{filler}\n\nThe spare key is under the blue flowerpot.\n\n{filler}", "--kind", "note")
    shown = run("search", "where is the spare key?", "--kind", "note").stdout
    assert "    … " in shown
    assert max(map(len, shown.splitlines())) < 320


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)
def test_colours(variables: dict[str, str], coloured: bool, shell: Shell) -> None:
    shown = shell("mnemos list --user ana", **variables).stdout
    assert (f"{ESCAPE}[36m" in shown) is coloured


def test_narrow_terminals_wrap(shell: Shell) -> None:
    shown = shell("mnemos search 'is Rita vegan?' --user ana", FORCE_COLOR="1", NO_COLOR="1", COLUMNS="40").stdout
    plain = shown.replace(f"{ESCAPE}[1m", "").replace(f"{ESCAPE}[2m", "").replace(f"{ESCAPE}[0m", "")
    assert max(map(len, plain.splitlines())) <= 40
    assert "My sister Rita is vegan." in plain


def test_a_terminal_without_unicode_gets_what_it_can_show(shell: Shell) -> None:
    done = shell("mnemos add 'naïve 家' --user zoe && mnemos search naïve --user zoe", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "#" in done.stdout
    machine = shell("mnemos list --user zoe --json", PYTHONIOENCODING="ascii")
    assert "na\\u00efve \\u5bb6" in machine.stdout


# ── profile and timeline ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_profile_shows_groups_days_and_what_has_ended(run: Run, empty: Path) -> None:
    run("add", "I live in Rome. I work as a baker.", "--user", "ana", "--name", "Ana", "--at", "2025-03-01T12:00:00Z")
    run("add", "I moved to Porto.", "--user", "ana", "--name", "Ana", "--at", "2026-02-01T12:00:00Z")
    shown = run("profile", "--user", "ana").stdout
    assert shown.splitlines()[0] == "Ana"
    assert re.search(r"home +\S.*Porto +2026-02-01", shown)
    assert re.search(r"lives in Rome +until 2026-02-01", shown)
    assert "until" not in run("profile", "--user", "ana", "--as-of", "2025-06-01T00:00:00Z").stdout


def test_a_timeline_shows_a_day_once(run: Run, empty: Path) -> None:
    for text in ("I moved to Porto.", "I bought a red bicycle."):
        run("add", text, "--user", "ana", "--name", "Ana", "--at", "2026-02-01T12:00:00Z")
    lines = run("timeline", "--user", "ana").stdout.splitlines()
    assert [line[:10].strip() for line in lines] == ["2026-02-01", ""]
    assert "Porto" in "".join(lines)
    assert "bicycle" in "".join(lines)


def test_where_nothing_is_known_it_says_so(run: Run, folder: Path) -> None:
    for command in ("profile", "timeline"):
        left = run(command, "Nobody", "--user", "nobody")
        assert left.exit_code == 1
        assert "nothing is known" in left.stderr
