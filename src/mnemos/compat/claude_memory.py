"""Claude's memory tool on a Mnemos store, for the tool runner of the `anthropic` package (extra `claude`).

    tool = ClaudeMemoryTool(memory, user_id="ana")
    client.beta.messages.tool_runner(model=…, max_tokens=…, messages=…, tools=[tool])

What it does is in `memory_directory`, which needs no package: `MemoryDirectory(memory).run(tool_use.input)`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from anthropic.lib.tools import BetaAbstractMemoryTool, BetaAsyncAbstractMemoryTool, ToolError
from anthropic.types.beta import (
    BetaCacheControlEphemeralParam,
    BetaMemoryTool20250818CreateCommand,
    BetaMemoryTool20250818DeleteCommand,
    BetaMemoryTool20250818InsertCommand,
    BetaMemoryTool20250818RenameCommand,
    BetaMemoryTool20250818StrReplaceCommand,
    BetaMemoryTool20250818ViewCommand,
)

from mnemos.compat.memory_directory import MemoryDirectory
from mnemos.compat.memory_paths import CommandRefused
from mnemos.errors import MnemosError
from mnemos.system import Mnemos


class ClaudeMemoryTool(BetaAbstractMemoryTool):
    """The `/memories` directory of one scope; `user_id`, `agent_id` and `namespace` as everywhere in Mnemos.

    What cannot be done is a `ToolError`, which the tool runner hands to the model.
    """

    def __init__(
        self,
        memory: Mnemos,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        cache_control: BetaCacheControlEphemeralParam | None = None,
    ) -> None:
        super().__init__(cache_control=cache_control)
        self.directory = MemoryDirectory(memory, user_id=user_id, agent_id=agent_id, namespace=namespace)

    def call(self, input: object) -> str:
        """Do a command as the model wrote it."""
        with _told_to_the_model():
            return self.directory.run(input)

    def view(self, command: BetaMemoryTool20250818ViewCommand) -> str:
        """Show a directory, or a file's lines."""
        return self.call(command.to_dict())

    def create(self, command: BetaMemoryTool20250818CreateCommand) -> str:
        """Make a file."""
        return self.call(command.to_dict())

    def str_replace(self, command: BetaMemoryTool20250818StrReplaceCommand) -> str:
        """Replace a text in a file."""
        return self.call(command.to_dict())

    def insert(self, command: BetaMemoryTool20250818InsertCommand) -> str:
        """Put lines into a file."""
        return self.call(command.to_dict())

    def delete(self, command: BetaMemoryTool20250818DeleteCommand) -> str:
        """Delete a file or a directory."""
        return self.call(command.to_dict())

    def rename(self, command: BetaMemoryTool20250818RenameCommand) -> str:
        """Rename or move a file or a directory."""
        return self.call(command.to_dict())

    def clear_all_memory(self) -> str:
        """Delete every file."""
        with _told_to_the_model():
            return self.directory.clear()


class AsyncClaudeMemoryTool(BetaAsyncAbstractMemoryTool):
    """The same for `AsyncAnthropic`."""

    def __init__(
        self,
        memory: Mnemos,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        cache_control: BetaCacheControlEphemeralParam | None = None,
    ) -> None:
        super().__init__(cache_control=cache_control)
        self.directory = MemoryDirectory(memory, user_id=user_id, agent_id=agent_id, namespace=namespace)

    async def call(self, input: object) -> str:
        """Do a command as the model wrote it."""
        with _told_to_the_model():
            return await self.directory.arun(input)

    async def view(self, command: BetaMemoryTool20250818ViewCommand) -> str:
        """Show a directory, or a file's lines."""
        return await self.call(command.to_dict())

    async def create(self, command: BetaMemoryTool20250818CreateCommand) -> str:
        """Make a file."""
        return await self.call(command.to_dict())

    async def str_replace(self, command: BetaMemoryTool20250818StrReplaceCommand) -> str:
        """Replace a text in a file."""
        return await self.call(command.to_dict())

    async def insert(self, command: BetaMemoryTool20250818InsertCommand) -> str:
        """Put lines into a file."""
        return await self.call(command.to_dict())

    async def delete(self, command: BetaMemoryTool20250818DeleteCommand) -> str:
        """Delete a file or a directory."""
        return await self.call(command.to_dict())

    async def rename(self, command: BetaMemoryTool20250818RenameCommand) -> str:
        """Rename or move a file or a directory."""
        return await self.call(command.to_dict())

    async def clear_all_memory(self) -> str:
        """Delete every file."""
        with _told_to_the_model():
            return await self.directory.aclear()


@contextmanager
def _told_to_the_model() -> Iterator[None]:
    """Errors as the tool runner hands them on; what only concerns the store stays out of the model's sight."""
    try:
        yield
    except CommandRefused as error:
        raise ToolError(str(error)) from error
    except MnemosError as error:
        raise ToolError("Error: The memory directory cannot be used at the moment; nothing was changed") from error
