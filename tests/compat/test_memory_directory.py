"""The six commands, without any package: what they reply, what they refuse, and what the store then holds."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from clock import Clock

from mnemos import Mnemos
from mnemos.compat import memory_directory
from mnemos.compat.file_view import MAX_LINES, MAX_SHOWN
from mnemos.compat.memory_directory import MAX_FILE_BYTES, MemoryDirectory
from mnemos.compat.memory_paths import CommandRefused

NOTES = "/memories/notes.md"
MISSING = "The path /memories/none.md does not exist. Please provide a valid path."
HEAD = "Here're the files and directories up to 2 levels deep in {}, excluding hidden items and node_modules:\n"


@pytest.fixture
def files(memory: Mnemos) -> MemoryDirectory:
    return MemoryDirectory(memory, user_id="ana")


def text_of(memory: Mnemos, path: str = NOTES) -> str:
    item = memory.get_item(path, user_id="ana")
    assert item is not None
    return str(item.value["content"])


def test_replies_are_those_of_the_documentation(files: MemoryDirectory, memory: Mnemos) -> None:
    assert files.view("/memories") == HEAD.format("/memories") + "0B\t/memories"
    assert files.create(NOTES, "Line 1\nOld\nLine 3") == f"File created successfully at: {NOTES}"
    numbered = "     1\tLine 1\n     2\tOld\n     3\tLine 3"
    assert files.view(NOTES) == f"Here's the content of {NOTES} with line numbers:\n{numbered}"
    assert files.view(NOTES, [2, 3]).endswith(":\n     2\tOld\n     3\tLine 3")
    assert files.view(NOTES, [3, -1]).endswith(":\n     3\tLine 3")
    assert files.str_replace(NOTES, "Old", "New") == (
        "The memory file has been edited. Here is the snippet showing the change (with line numbers):\n"
        "     1\tLine 1\n     2\tNew\n     3\tLine 3"
    )
    assert files.insert(NOTES, 0, "First\n") == f"The file {NOTES} has been edited."
    assert text_of(memory) == "First\nLine 1\nNew\nLine 3\n"
    assert files.rename(NOTES, "/memories/b.md") == f"Successfully renamed {NOTES} to /memories/b.md"
    assert files.delete("/memories/b.md") == "Successfully deleted /memories/b.md"
    assert memory.list(user_id="ana").total == 0


def test_a_listing_is_two_levels_deep_with_sizes_and_without_hidden_names(files: MemoryDirectory) -> None:
    for path, size in (
        ("/memories/b/c/d.md", 2048),
        ("/memories/b/a.md", 100),
        ("/memories/b.md", 1_300_000 // 8),
        ("/memories/.hidden", 10),
        ("/memories/b/.git/config", 10),
        ("/memories/node_modules/x.js", 10),
    ):
        files.create(path, "x" * size)
    assert files.view("/memories/").splitlines()[1:] == [
        "160.8K\t/memories",
        "2.1K\t/memories/b/",
        "100B\t/memories/b/a.md",
        "2.0K\t/memories/b/c/",
        "158.7K\t/memories/b.md",
    ]
    assert files.view("/memories/b/c") == HEAD.format("/memories/b/c") + "2.0K\t/memories/b/c\n2.0K\t/memories/b/c/d.md"
    assert "x" in files.view("/memories/.hidden")


def test_a_sibling_whose_name_begins_alike_is_not_below(files: MemoryDirectory) -> None:
    for path in ("/memories/a/x", "/memories/ab", "/memories/a.md", "/memories/a0"):
        files.create(path, "text")
    files.delete("/memories/a")
    listed = files.view("/memories").splitlines()[2:]
    assert listed == ["4B\t/memories/a.md", "4B\t/memories/a0", "4B\t/memories/ab"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ({"command": "view", "path": "/memories/none.md"}, MISSING),
        ({"command": "str_replace", "path": "/memories/none.md", "old_str": "a", "new_str": "b"}, f"Error: {MISSING}"),
        ({"command": "insert", "path": "/memories/none.md", "insert_line": 0, "insert_text": "a"}, f"Error: {MISSING}"),
        (
            {"command": "delete", "path": "/memories/none.md"},
            "Error: The path /memories/none.md does not exist",
        ),
        (
            {"command": "rename", "old_path": "/memories/none.md", "new_path": "/memories/b"},
            "Error: The path /memories/none.md does not exist",
        ),
        ({"command": "create", "path": NOTES, "file_text": "x"}, f"Error: File {NOTES} already exists"),
        ({"command": "create", "path": "/memories/dir", "file_text": "x"}, "Error: File /memories/dir already exists"),
        ({"command": "create", "path": "/memories", "file_text": "x"}, "Error: File /memories already exists"),
        (
            {"command": "create", "path": f"{NOTES}/x/y", "file_text": "x"},
            f"Error: {NOTES} is a file, not a directory",
        ),
        (
            {"command": "str_replace", "path": NOTES, "old_str": "none", "new_str": "x"},
            f"No replacement was performed, old_str `none` did not appear verbatim in {NOTES}.",
        ),
        (
            {"command": "str_replace", "path": NOTES, "old_str": "", "new_str": "x"},
            f"No replacement was performed, old_str `` did not appear verbatim in {NOTES}.",
        ),
        (
            {"command": "str_replace", "path": NOTES, "old_str": "twice", "new_str": "x"},
            "No replacement was performed. Multiple occurrences of old_str `twice` in lines: 1, 1, 3. "
            "Please ensure it is unique",
        ),
        (
            {"command": "str_replace", "path": "/memories/dir", "old_str": "a", "new_str": "b"},
            "Error: The path /memories/dir does not exist. Please provide a valid path.",
        ),
        (
            {"command": "insert", "path": NOTES, "insert_line": 4, "insert_text": "x"},
            "Error: Invalid `insert_line` parameter: 4. It should be within the range of lines of the file: [0, 3]",
        ),
        (
            {"command": "insert", "path": NOTES, "insert_line": "1", "insert_text": "x"},
            "Error: Invalid `insert_line` parameter: 1. It should be within the range of lines of the file: [0, 3]",
        ),
        ({"command": "delete", "path": "/memories/"}, "Error: Cannot delete the /memories directory itself"),
        (
            {"command": "rename", "old_path": "/memories", "new_path": "/memories/x"},
            "Error: Cannot rename the /memories directory itself",
        ),
        (
            {"command": "rename", "old_path": NOTES, "new_path": "/memories/dir/a"},
            "Error: The destination /memories/dir/a already exists",
        ),
        (
            {"command": "rename", "old_path": NOTES, "new_path": "/memories/dir"},
            "Error: The destination /memories/dir already exists",
        ),
        ({"command": "rename", "old_path": NOTES, "new_path": NOTES}, f"Error: The destination {NOTES} already exists"),
        (
            {"command": "rename", "old_path": NOTES, "new_path": "/memories"},
            "Error: The destination /memories already exists",
        ),
        (
            {"command": "rename", "old_path": "/memories/dir", "new_path": "/memories/dir/sub"},
            "Error: Cannot move /memories/dir into itself",
        ),
        (
            {"command": "rename", "old_path": "/memories/dir", "new_path": f"{NOTES}/dir"},
            f"Error: {NOTES} is a file, not a directory",
        ),
        ({"command": "create", "path": "/memories/x", "file_text": 7}, "Error: `file_text` must be text, got: int"),
        ({"command": "create", "path": "/memories/x", "file_text": "a\0"}, "Error: `file_text` holds a NUL character"),
        ({"command": "create", "path": "/memories/x", "file_text": "\ud800"}, "Error: `file_text` is broken Unicode"),
        ({"command": "create", "path": "/memories/x"}, "Error: Missing `file_text`; create takes path, file_text"),
        ({"command": "move", "path": NOTES}, "Error: Unknown command 'move'; use one of view, create"),
        ({"path": NOTES}, "Error: Unknown command 'None'"),
        ("view", "Error: Unknown command 'None'"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    files: MemoryDirectory, memory: Mnemos, command: object, said: str
) -> None:
    files.create(NOTES, "twice, twice\nmiddle\ntwice")
    files.create("/memories/dir/a", "text")
    before = memory.list(user_id="ana")
    with pytest.raises(CommandRefused) as refused:
        files.run(command)
    assert str(refused.value).startswith(said)
    assert memory.list(user_id="ana") == before


@pytest.mark.parametrize("view_range", [[0, 2], [3, 2], [9, 9], [1], [1, 2, 3], ["1", "2"], "12", [True, 2], 5])
def test_a_range_that_makes_no_sense_is_refused_with_the_lines_there_are(
    files: MemoryDirectory, view_range: object
) -> None:
    files.create(NOTES, "a\nb\nc")
    with pytest.raises(CommandRefused, match=r"Invalid `view_range` parameter: .* \[1, 3\]"):
        files.run({"command": "view", "path": NOTES, "view_range": view_range})


def test_a_range_may_end_beyond_the_file_and_means_nothing_for_a_directory(files: MemoryDirectory) -> None:
    files.create(NOTES, "a\nb\nc")
    assert files.view(NOTES, [2, 99]).endswith(":\n     2\tb\n     3\tc")
    assert files.view("/memories", [7, 9]) == files.view("/memories")


def test_a_long_file_is_shown_in_pieces_that_add_up(files: MemoryDirectory) -> None:
    lines = [f"{number} {'x' * 200}" for number in range(1, 1_001)]
    files.create(NOTES, "\n".join(lines))
    seen: list[str] = []
    while len(seen) < len(lines):
        shown = files.view(NOTES, [len(seen) + 1, -1]).splitlines()[1:]
        assert sum(map(len, shown)) < MAX_SHOWN + 500
        if shown[-1].startswith("("):
            assert shown[-1].endswith(f"view_range [{len(seen) + len(shown)}, 1000])")
            shown.pop()
        seen += [line.split("\t", 1)[1] for line in shown]
    assert seen == lines


def test_limits(files: MemoryDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandRefused, match=r"exceeds maximum line limit of 999,999 lines"):
        files.create(NOTES, "\n" * MAX_LINES)
    with pytest.raises(CommandRefused, match=r"would have 262,145 bytes; at most 262,144"):
        files.create(NOTES, "x" * (MAX_FILE_BYTES + 1))
    files.create(NOTES, "\n" * MAX_FILE_BYTES)
    with pytest.raises(CommandRefused, match="at most"):
        files.insert(NOTES, 0, "x")
    monkeypatch.setattr(memory_directory, "MAX_FILES", 2)
    files.create("/memories/b", "")
    with pytest.raises(CommandRefused, match="holds 2 files"):
        files.create("/memories/c", "")
    files.insert("/memories/b", 0, "still editable")


def test_words_of_files_are_found_exported_and_kept_in_history(
    files: MemoryDirectory, memory: Mnemos, clock: Clock, tmp_path: Path
) -> None:
    files.create(NOTES, "Rita is allergic to walnuts.")
    clock.tick()
    files.str_replace(NOTES, "walnuts", "hazelnuts")
    clock.tick()
    files.rename("/memories/notes.md", "/memories/people/rita.md")
    (hit,) = memory.search("hazelnuts", user_id="ana")
    assert (hit.memory.key, hit.memory.channel) == ("/memories/people/rita.md", "claude")
    assert "hazelnuts" in str(memory.context("What is Rita allergic to?", user_id="ana"))
    said = [change.text for change in memory.history(hit.memory.id)]
    assert said == ["Rita is allergic to walnuts.", "Rita is allergic to hazelnuts.", None]
    memory.export_file(tmp_path / "out.jsonl")
    with Mnemos(tmp_path / "copy.db", clock=clock) as copy:
        copy.import_file(tmp_path / "out.jsonl")
        shown = MemoryDirectory(copy, user_id="ana").view("/memories/people/rita.md")
        assert shown == files.view("/memories/people/rita.md")
    files.delete("/memories/people")
    assert memory.verify_erased("Rita is allergic to hazelnuts.").clean
    assert memory.check() == []


def test_moving_a_directory_moves_every_file_or_none(files: MemoryDirectory, memory: Mnemos) -> None:
    for name in ("a", "b/c", "b/d/e"):
        files.create(f"/memories/old/{name}", name)
    ids = {item.value["content"]: item.id for item in memory.list(user_id="ana")}
    files.rename("/memories/old", "/memories/new/place")
    moved = {item.key: item.id for item in memory.list(user_id="ana")}
    assert moved == {f"/memories/new/place/{name}": ids[name] for name in ("a", "b/c", "b/d/e")}
    with pytest.raises(CommandRefused, match="deeper"):
        files.rename("/memories/new/place", "/memories" + "/x" * 14)
    assert {item.key for item in memory.list(user_id="ana")} == set(moved)


def test_each_scope_has_a_directory_of_its_own(memory: Mnemos) -> None:
    ana, ben = MemoryDirectory(memory, user_id="ana"), MemoryDirectory(memory, user_id="ben")
    ana.create(NOTES, "hers")
    ben.create(NOTES, "his")
    ana.clear()
    assert "his" in ben.view(NOTES)
    assert ana.view("/memories").endswith("0B\t/memories")
    helper = MemoryDirectory(memory, user_id="ben", agent_id="helper")
    helper.create("/memories/from-helper", "text")
    assert "from-helper" in ben.view("/memories")
    assert [item.agent_id for item in memory.list(user_id="ben")] == [None, "helper"]


def test_secrets_are_masked_as_everywhere(files: MemoryDirectory) -> None:
    files.create(NOTES, "key: AKIAIOSFODNN7EXAMPLQ\n")
    assert "AKIA" not in files.view(NOTES)
    assert "[secret: " in files.view(NOTES)


def test_a_store_that_refuses_secrets_says_so(path: Path) -> None:
    with Mnemos(path, secrets="refuse") as memory, pytest.raises(CommandRefused, match="AWS") as refused:
        MemoryDirectory(memory).create(NOTES, "key: AKIAIOSFODNN7EXAMPLQ\n")
    assert "AKIA" not in str(refused.value)


def test_edits_of_two_programs_at_once_are_all_kept(path: Path) -> None:
    with Mnemos(path) as memory:
        MemoryDirectory(memory).create(NOTES, "")

    def write(name: str) -> None:
        with Mnemos(path) as memory:
            files = MemoryDirectory(memory)
            for number in range(10):
                files.insert(NOTES, 0, f"{name} {number}")

    threads = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Mnemos(path) as memory:
        item = memory.get_item(NOTES)
        assert item is not None
        assert sorted(item.value["content"].split("\n")[:-1]) == sorted(f"{n} {i}" for n in "ab" for i in range(10))


def test_an_item_that_something_else_put_there_is_shown(files: MemoryDirectory, memory: Mnemos) -> None:
    memory.put("/memories/other", {"name": "Rita", "age": 31}, user_id="ana")
    memory.put("elsewhere", {"name": "Rita"}, user_id="ana")
    assert files.view("/memories/other").endswith("     1\tRita")
    assert "elsewhere" not in files.view("/memories")


def test_async_twins(files: MemoryDirectory) -> None:
    async def use() -> str:
        await files.arun({"command": "create", "path": NOTES, "file_text": "text"})
        return await files.aview(NOTES)

    assert asyncio.run(use()).endswith("     1\ttext")
