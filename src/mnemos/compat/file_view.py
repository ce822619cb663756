"""How a model is shown files: numbered lines, and directories with sizes, as Claude's memory tool describes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mnemos.compat.memory_paths import CommandRefused, show

MAX_LINES = 999_999
"""Lines of a file; a number takes six places."""
MAX_SHOWN = 60_000
"""Characters of a file in one reply, beyond which a model is told how to go on."""
MAX_ENTRIES = 1_000
"""Files and directories in one listing."""
LEVELS = 2
AROUND = 2
"""Lines shown before and after a change."""


def view_lines(path: str, text: str, view_range: Sequence[int] | None) -> str:
    """A file's lines with their numbers: all, or those of a range."""
    lines = text.split("\n")
    first, last = (1, len(lines)) if view_range is None else _read_range(view_range, len(lines))
    shown = [_line(number, lines[number - 1]) for number in range(first, last + 1)]
    kept, size = 0, 0
    for line in shown:
        size += len(line) + 1
        if kept and size > MAX_SHOWN:
            break
        kept += 1
    if kept < len(shown):
        on = first + kept
        shown[kept:] = [f"(lines {on} to {last} are not shown: view them with view_range [{on}, {last}])"]
    return f"Here's the content of {path} with line numbers:\n" + "\n".join(shown)


def snippet(text: str, start: int, length: int) -> str:
    """The lines around a change, which begins at a character of the text and has so many characters."""
    first = text.count("\n", 0, start) + 1
    last = first + text.count("\n", start, start + length)
    lines = text.split("\n")
    shown = range(max(1, first - AROUND), min(len(lines), last + AROUND) + 1)
    return "The memory file has been edited. Here is the snippet showing the change (with line numbers):\n" + "\n".join(
        _line(number, lines[number - 1]) for number in shown
    )


def listing(path: str, sizes: Mapping[str, int]) -> str:
    """What a directory holds, two levels deep, hidden names left out; `sizes` are the bytes of every file below it."""
    entries: dict[str, int] = {}
    for file, size in sizes.items():
        names = file.removeprefix(f"{path}/").split("/")
        for depth in range(1, min(len(names), LEVELS) + 1):
            if names[depth - 1].startswith(".") or names[depth - 1] == "node_modules":
                break
            entry = f"{path}/{'/'.join(names[:depth])}" + ("/" if depth < len(names) else "")
            entries[entry] = entries.get(entry, 0) + size
    lines = [f"{_size(sum(sizes.values()))}\t{path}"]
    lines += [f"{_size(size)}\t{entry}" for entry, size in list(entries.items())[:MAX_ENTRIES]]
    if len(entries) > MAX_ENTRIES:
        lines.append(f"({len(entries) - MAX_ENTRIES:,} more are not shown: view a directory below)")
    head = f"Here're the files and directories up to {LEVELS} levels deep in {path}, excluding hidden items and"
    return f"{head} node_modules:\n" + "\n".join(lines)


def _line(number: int, line: str) -> str:
    return f"{number:>6}\t{line}"


def _read_range(view_range: object, count: int) -> tuple[int, int]:
    given = list(view_range) if isinstance(view_range, Sequence) and not isinstance(view_range, str) else []
    if len(given) == 2 and all(isinstance(n, int) and not isinstance(n, bool) for n in given):
        first, last = given[0], count if given[1] == -1 else given[1]
        if 1 <= first <= count and first <= last:
            return first, min(last, count)
    raise CommandRefused(
        f"Error: Invalid `view_range` parameter: {show(str(view_range))}. It should be [first, last], within the range "
        f"of lines of the file: [1, {count}], or [first, -1] for the rest"
    )


def _size(count: int) -> str:
    """Bytes as people read them: `512B`, `1.5K`, `1.2M`."""
    size, unit = float(count), "B"
    for larger in "KM":
        if size >= 1024:
            size, unit = size / 1024, larger
    return f"{count}B" if unit == "B" else f"{size:.1f}{unit}"
