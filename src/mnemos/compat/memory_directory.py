"""A `/memories` directory for a model: the six commands of Claude's memory tool over items whose keys are paths.

Replies and errors are worded as Anthropic's documentation of the tool words them. Directories exist through the files
in them. Every file is an item: search and contexts find its words, exports hold it, its history keeps what it said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

from mnemos.aio import in_thread
from mnemos.compat.file_view import MAX_LINES, listing, snippet, view_lines
from mnemos.compat.memory_paths import ROOT, CommandRefused, parents, read_path
from mnemos.errors import InvalidInput
from mnemos.namespaces import read_scope
from mnemos.origin import writing_as
from mnemos.records import Memory, Page
from mnemos.system import Mnemos

MAX_FILE_BYTES = 256 * 1024
MAX_FILES = 10_000

_ARGUMENTS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "view": (("path",), ("view_range",)),
    "create": (("path", "file_text"), ()),
    "str_replace": (("path", "old_str"), ("new_str",)),
    "insert": (("path", "insert_line", "insert_text"), ()),
    "delete": (("path",), ()),
    "rename": (("old_path", "new_path"), ()),
}
"""What each command needs, and what it may leave out."""


class MemoryDirectory:
    """The files of one scope.

    Args:
        memory: where they are kept.
        user_id: whose directory it is; `agent_id` and `namespace` as the verbs of `Mnemos` take them. Everyone who
            shares a namespace shares the directory.
        channel: what its writes are recorded to have come through.

    Raises:
        CommandRefused: from every command that cannot be done; its message is for the model. Nothing was changed.
    """

    def __init__(
        self,
        memory: Mnemos,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        channel: str = "claude",
    ) -> None:
        scope = read_scope(user_id, agent_id, namespace)
        self._memory = memory
        self._namespace = scope.namespace
        self._agent = scope.agent_id
        self._channel = channel

    @property
    def executor(self) -> Executor:
        """The threads in which the async twins run."""
        return self._memory.executor

    def run(self, command: object) -> str:
        """Do a command as the model wrote it: its name under `command`, and its arguments beside it."""
        given: Mapping[str, Any] = command if isinstance(command, Mapping) else {}
        name = given.get("command")
        if not isinstance(name, str) or name not in _ARGUMENTS:
            raise CommandRefused(f"Error: Unknown command {str(name)[:40]!r}; use one of {', '.join(_ARGUMENTS)}")
        needed, optional = _ARGUMENTS[name]
        missing = [argument for argument in needed if given.get(argument) is None]
        if missing:
            raise CommandRefused(f"Error: Missing `{missing[0]}`; {name} takes {', '.join((*needed, *optional))}")
        arguments = {argument: given[argument] for argument in (*needed, *optional) if given.get(argument) is not None}
        done: str = getattr(self, name)(**arguments)
        return done

    def view(self, path: str, view_range: Sequence[int] | None = None) -> str:
        """What a directory holds, two levels deep, or a file's numbered lines: all, or those of `[first, last]`.

        A `last` of -1 is the end of the file.
        """
        path = read_path(path)
        files = self._files(path)
        if path in files:
            return view_lines(path, content_of(files[path]), view_range)
        if not files and path != ROOT:
            raise CommandRefused(f"The path {path} does not exist. Please provide a valid path.")
        return listing(path, {key: len(content_of(file).encode()) for key, file in files.items()})

    def create(self, path: str, file_text: str) -> str:
        """Make a file, and the directories above it."""
        path, text = read_path(path), _read_text(file_text, "file_text")

        def command() -> str:
            self._must_be_free(path, f"Error: File {path} already exists")
            self._put(path, text)
            return f"File created successfully at: {path}"

        return self._as_one(command)

    def str_replace(self, path: str, old_str: str, new_str: str = "") -> str:
        """Replace a text that a file holds exactly once; without `new_str` it is taken out."""
        path = read_path(path)
        old, new = _read_text(old_str, "old_str"), _read_text(new_str, "new_str")

        def command() -> str:
            text = self._text(path)
            where = _once(text, old, path)
            changed = text[:where] + new + text[where + len(old) :]
            self._put(path, changed)
            return snippet(changed, where, len(new))

        return self._as_one(command)

    def insert(self, path: str, insert_line: int, insert_text: str) -> str:
        """Put lines after a line of a file; 0 is before the first."""
        path, added = read_path(path), _read_text(insert_text, "insert_text")

        def command() -> str:
            lines = self._text(path).split("\n")
            if lines[-1] == "":
                lines.pop()
            whole = isinstance(insert_line, int) and not isinstance(insert_line, bool)
            if not whole or not 0 <= insert_line <= len(lines):
                raise CommandRefused(
                    f"Error: Invalid `insert_line` parameter: {str(insert_line)[:40]}. "
                    f"It should be within the range of lines of the file: [0, {len(lines)}]"
                )
            lines.insert(insert_line, added.rstrip("\n"))
            text = "\n".join(lines)
            self._put(path, text if text.endswith("\n") else text + "\n")
            return f"The file {path} has been edited."

        return self._as_one(command)

    def delete(self, path: str) -> str:
        """Delete a file, or a directory with all that is in it, history included."""
        path = read_path(path)
        if path == ROOT:
            raise CommandRefused(f"Error: Cannot delete the {ROOT} directory itself")

        def command() -> str:
            if not self._remove(path):
                raise CommandRefused(f"Error: The path {path} does not exist")
            return f"Successfully deleted {path}"

        return self._as_one(command)

    def rename(self, old_path: str, new_path: str) -> str:
        """Rename or move a file, or a directory with all that is in it; ids and history stay."""
        old, new = read_path(old_path), read_path(new_path)
        if old == ROOT:
            raise CommandRefused(f"Error: Cannot rename the {ROOT} directory itself")

        def command() -> str:
            files = self._files(old)
            if not files:
                raise CommandRefused(f"Error: The path {old} does not exist")
            if new in (ROOT, old):
                raise CommandRefused(f"Error: The destination {new} already exists")
            if new.startswith(f"{old}/"):
                raise CommandRefused(f"Error: Cannot move {old} into itself")
            self._must_be_free(new, f"Error: The destination {new} already exists")
            for key in files:
                self._memory.rename_item(key, read_path(new + key.removeprefix(old)), namespace=self._namespace)
            return f"Successfully renamed {old} to {new}"

        return self._as_one(command)

    def clear(self) -> str:
        """Delete every file."""

        def command() -> str:
            self._remove(ROOT)
            return "All memory cleared"

        return self._as_one(command)

    def _as_one(self, command: Callable[[], str]) -> str:
        """Do a command as one transaction, under the name of its channel."""
        try:
            with writing_as(self._channel), self._memory.transaction():
                return command()
        except InvalidInput as error:
            raise CommandRefused(f"Error: {error}") from error

    def _page(self, path: str, others: Sequence[str] = (), limit: int = MAX_FILES) -> Page[Memory]:
        """The files at a path, below it and at some others."""
        # "0" comes after "/"
        below = {"key": {"gte": f"{path}/", "lt": f"{path}0"}}
        wanted = {"OR": [{"key": {"in": [path, *others]}}, below]}
        return self._memory.list(namespace=self._namespace, kinds=["item"], filters=wanted, limit=limit)

    def _files(self, path: str, others: Sequence[str] = ()) -> dict[str, Memory]:
        """The same by path, in the order of a listing."""
        found = sorted(self._page(path, others), key=lambda file: str(file.key).split("/"))
        return {str(file.key): file for file in found}

    def _text(self, path: str) -> str:
        file = self._memory.get_item(path, namespace=self._namespace, refresh=False)
        if file is None:
            raise CommandRefused(f"Error: The path {path} does not exist. Please provide a valid path.")
        return content_of(file)

    def _must_be_free(self, path: str, problem: str) -> None:
        above = parents(path)
        files = self._files(path, above)
        for key in files:
            if key in above:
                raise CommandRefused(f"Error: {key} is a file, not a directory")
        if files or path == ROOT:
            raise CommandRefused(problem)

    def _put(self, path: str, text: str) -> None:
        if text.count("\n") >= MAX_LINES:
            raise CommandRefused(f"File {path} exceeds maximum line limit of {MAX_LINES:,} lines.")
        size = len(text.encode())
        if size > MAX_FILE_BYTES:
            raise CommandRefused(
                f"Error: File {path} would have {size:,} bytes; at most {MAX_FILE_BYTES:,} are kept. Split it"
            )
        is_new = self._memory.get_item(path, namespace=self._namespace, refresh=False) is None
        if is_new and self._page(ROOT, limit=1).total >= MAX_FILES:
            raise CommandRefused(f"Error: {ROOT} holds {MAX_FILES:,} files. Delete some first")
        self._memory.put(
            path,
            {"content": text},
            namespace=self._namespace,
            agent_id=self._agent,
            texts=[text] if text.strip() else [],
        )

    def _remove(self, path: str) -> bool:
        files = self._files(path)
        for file in files.values():
            self._memory.delete(file.id)
        return bool(files)

    arun = in_thread(run)
    aview = in_thread(view)
    acreate = in_thread(create)
    astr_replace = in_thread(str_replace)
    ainsert = in_thread(insert)
    adelete = in_thread(delete)
    arename = in_thread(rename)
    aclear = in_thread(clear)


def content_of(file: Memory) -> str:
    """What a file says; an item that something else put under such a key says its texts."""
    value = file.value
    content = value.get("content") if isinstance(value, Mapping) else None
    return content if isinstance(content, str) else file.text


def _read_text(value: object, field: str) -> str:
    """Text that a file can hold: any but with NUL or broken Unicode."""
    if not isinstance(value, str):
        raise CommandRefused(f"Error: `{field}` must be text, got: {type(value).__name__}")
    if "\x00" in value:
        raise CommandRefused(f"Error: `{field}` holds a NUL character; remove it")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise CommandRefused(f"Error: `{field}` is broken Unicode (a lone surrogate)") from None
    return value


def _once(text: str, wanted: str, path: str) -> int:
    """Where a text stands that a file holds exactly once."""
    if not wanted or wanted not in text:
        raise CommandRefused(f"No replacement was performed, old_str `{wanted}` did not appear verbatim in {path}.")
    places = [found.start() for found in re.finditer(re.escape(wanted), text)]
    if len(places) > 1:
        lines = ", ".join(str(text.count("\n", 0, place) + 1) for place in places)
        raise CommandRefused(
            f"No replacement was performed. Multiple occurrences of old_str `{wanted}` in lines: {lines}. "
            "Please ensure it is unique"
        )
    return places[0]
