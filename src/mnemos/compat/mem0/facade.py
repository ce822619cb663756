"""mem0's `Memory` and `AsyncMemory` over a Mnemos store, for code that was written for them."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Executor
from types import TracebackType
from typing import Any, Self

from mnemos.aio import in_thread
from mnemos.compat.mem0 import verbs
from mnemos.compat.mem0.config import not_used, open_store
from mnemos.compat.mem0.scopes import Everything, read_ids
from mnemos.origin import writing_as
from mnemos.system import UNSET, Mnemos

Messages = str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]]
FEW, MANY = 20, 100
"""How many results mem0 returns unless told: with ids inside `filters`, and in its older form with ids beside."""


class Opened:
    """A store that was opened for mem0's callers.

    Args:
        config: mem0's configuration (see `open_store`), or an open `Mnemos`, which stays its owner's to close.
    """

    def __init__(self, config: object = None) -> None:
        self._owned = not isinstance(config, Mnemos)
        self.store: Mnemos = config if isinstance(config, Mnemos) else open_store(config)
        """The memory beneath, for what mem0 has no verb for: `context`, `facts`, `profile`, `timeline`, …"""
        self.reach = Everything()

    @classmethod
    def from_config(cls, config_dict: Mapping[str, Any]) -> Self:
        """Open the store that a configuration names."""
        return cls(config_dict)

    @property
    def executor(self) -> Executor:
        """The threads in which async verbs run."""
        return self.store.executor

    def close(self) -> None:
        """Write what is pending and release the file."""
        if self._owned:
            self.store.close()


class Memory(Opened):
    """mem0's `Memory`: the same calls and replies, one SQLite file, no key and no model needed."""

    def add(
        self: Opened,
        /,
        messages: Messages,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        filters: Mapping[str, Any] | None = None,
        infer: bool = True,
        memory_type: str | None = None,
        prompt: str | None = None,
        *,
        expiration_date: object = None,
        timestamp: object = None,
        **unused: Any,
    ) -> dict[str, Any]:
        """Remember what was said, word for word; facts are derived from it later, with `infer` or without.

        Args:
            messages: text, a message or a list of messages. What the system says, and what has no words, is left out.
            filters: may hold the ids, as older versions of mem0 allowed.
            timestamp: when it was said (seconds since 1970, ISO 8601 text or a datetime); by default now.
            expiration_date: the last day (`YYYY-MM-DD`) on which it is shown.

        Raises:
            ValidationError: nobody is named, or something cannot be read. It is a `ValueError`.
        """
        not_used([*unused, *(["prompt"] if prompt else [])])
        named = {name: value for name, value in (filters or {}).items() if name in ("user_id", "agent_id", "run_id")}
        given = {"user_id": user_id, "agent_id": agent_id, "run_id": run_id}
        ids = read_ids(**{**named, **{name: value for name, value in given.items() if value is not None}})
        with writing_as("mem0"):
            return verbs.add(
                self.store,
                self.reach,
                messages,
                ids,
                metadata=metadata,
                infer=infer,
                memory_type=memory_type,
                expiration_date=expiration_date,
                timestamp=timestamp,
            )

    def search(
        self: Opened,
        /,
        query: str,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        limit: int | None = None,
        filters: Mapping[str, Any] | None = None,
        threshold: float | None = None,
        rerank: bool = False,
        *,
        top_k: int | None = None,
        explain: bool = False,
        reference_date: object = None,
        show_expired: bool = False,
        **unused: Any,
    ) -> dict[str, Any]:
        """The memories that answer a question, best first; ids are named beside it or inside `filters`.

        Args:
            limit, top_k: the most results; 20 with ids inside `filters`, 100 with ids beside.
            threshold: the least score. A score is a probability of being relevant, not a similarity.
            explain: with `score_details`.
            reference_date: the time of asking, against which "yesterday" is read; by default now.
            show_expired: with memories whose expiration date is over.
        """
        not_used([*unused, *(["rerank"] if rerank else [])])
        ids = read_ids(user_id=user_id, agent_id=agent_id, run_id=run_id)
        return verbs.search(
            self.store,
            self.reach,
            query,
            ids,
            filters=filters,
            top_k=_most(top_k, limit, ids),
            threshold=threshold,
            explain=explain,
            show_expired=show_expired,
            reference_date=reference_date,
        )

    def get(self: Opened, memory_id: str) -> dict[str, Any] | None:
        """A memory by its id, or None."""
        return verbs.get(self.store, self.reach, memory_id)

    def get_all(
        self: Opened,
        /,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        limit: int | None = None,
        filters: Mapping[str, Any] | None = None,
        *,
        top_k: int | None = None,
        show_expired: bool = False,
        **unused: Any,
    ) -> dict[str, Any]:
        """What was added for these ids, in the order in which it came."""
        not_used(unused)
        ids = read_ids(user_id=user_id, agent_id=agent_id, run_id=run_id)
        most = _most(top_k, limit, ids)
        return verbs.get_all(self.store, self.reach, ids, filters=filters, top_k=most, show_expired=show_expired)

    def update(
        self: Opened,
        memory_id: str,
        text: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        expiration_date: object = UNSET,
        data: str | None = None,
    ) -> dict[str, Any]:
        """Change a memory's words (`data` is the older name of `text`), or entries of its metadata.

        Raises:
            MemoryNotFoundError: the id is unknown. It is a `ValueError`.
        """
        words = data if text is None else text
        with writing_as("mem0"):
            return verbs.update(
                self.store, self.reach, memory_id, text=words, metadata=metadata, expiration_date=expiration_date
            )

    def delete(self: Opened, memory_id: str) -> dict[str, Any]:
        """Delete a memory; its words leave the file.

        Raises:
            MemoryNotFoundError: the id is unknown. It is a `ValueError`.
        """
        with writing_as("mem0"):
            return verbs.delete(self.store, self.reach, memory_id)

    def delete_all(
        self: Opened, user_id: str | None = None, agent_id: str | None = None, run_id: str | None = None
    ) -> dict[str, Any]:
        """Delete every memory of these ids, of which one has to be named."""
        ids = read_ids(user_id=user_id, agent_id=agent_id, run_id=run_id)
        with writing_as("mem0"):
            return verbs.delete_all(self.store, self.reach, ids)

    def history(self: Opened, memory_id: str) -> list[dict[str, Any]]:
        """How a memory came, changed and went; without words once it is deleted, empty for an unknown id."""
        return verbs.history(self.store, self.reach, memory_id)

    def reset(self: Opened) -> None:
        """Delete all memories of users, agents and runs; what else the file holds stays."""
        with writing_as("mem0"):
            verbs.reset(self.store, self.reach)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncMemory(Opened):
    """mem0's `AsyncMemory`: the verbs of `Memory`, awaited."""

    add = in_thread(Memory.add)
    search = in_thread(Memory.search)
    get = in_thread(Memory.get)
    get_all = in_thread(Memory.get_all)
    update = in_thread(Memory.update)
    delete = in_thread(Memory.delete)
    delete_all = in_thread(Memory.delete_all)
    history = in_thread(Memory.history)
    reset = in_thread(Memory.reset)

    def __await__(self) -> Generator[Any, None, Self]:
        """Itself: mem0's `AsyncMemory.from_config` was awaited once, and is not any more."""
        yield from ()
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _most(top_k: int | None, limit: int | None, ids: Mapping[str, str]) -> int:
    """How many results are wanted, by either name of it."""
    given = limit if top_k is None else top_k
    return given if given is not None else MANY if ids else FEW
