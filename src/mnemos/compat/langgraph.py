"""LangGraph's `BaseStore` over items: an agent's long-term memory in one file, found by meaning without a key."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from types import TracebackType
from typing import Any, Self

from langgraph.store.base import (
    BaseStore,
    Embeddings,
    GetOp,
    InvalidNamespaceError,
    Item,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    TTLConfig,
    validate_op_namespace,
)

from mnemos.arguments import read_count
from mnemos.compat.langgraph_filters import as_mapping, read_filter
from mnemos.compat.langgraph_index import WHOLE, Embed, EmbedInLoop, VectorIndex, read_fields, read_paths, texts_of
from mnemos.compat.langgraph_ttl import Sweeper, read_ttl
from mnemos.errors import InvalidInput
from mnemos.namespaces import read_namespace
from mnemos.origin import current_origin, writing_as
from mnemos.records import Memory, Namespace
from mnemos.system import Mnemos

SWEEP_MINUTES = 5.0
"""How often what has expired is deleted, where the configuration does not say."""


class MnemosStore(BaseStore):
    """A LangGraph store whose items are memories of kind `item`.

    Args:
        memory: an open `Mnemos`, or the path of its file; without either everything is gone when the process ends.
        index: LangGraph's `IndexConfig`. Without it every text in a value is indexed and Mnemos ranks; with `fields`
            alone Mnemos ranks by these; with `embed` and `dims` that embedder's vectors rank, by `distance_type`
            (`cosine`, `l2` or `inner_product`).
        ttl: LangGraph's `TTLConfig`. What has expired is not found any more, swept or not.

    Raises:
        InvalidInput: a configuration, filter, key or value that cannot be accepted; names it and the mend.
        InvalidNamespaceError: a namespace that LangGraph or Mnemos does not take.
    """

    supports_ttl = True

    def __init__(
        self,
        memory: Mnemos | str | os.PathLike[str] = ":memory:",
        *,
        index: Mapping[str, Any] | None = None,
        ttl: TTLConfig | None = None,
    ) -> None:
        super().__init__()
        self._fields = read_fields(index)
        self._opened = not isinstance(memory, Mnemos)
        self.memory = memory if isinstance(memory, Mnemos) else Mnemos(memory)
        """The memory that it stands on, with all its verbs."""
        self.index_config = dict(index) if index else None
        self.ttl_config = ttl
        self._sweeper = Sweeper(self.sweep_ttl)
        try:
            self._vectors = None if not index or index.get("embed") is None else VectorIndex(self.memory, index)
        except BaseException:
            self.close()
            raise

    @classmethod
    def from_conn_string(
        cls, conn_string: str, *, index: Mapping[str, Any] | None = None, ttl: TTLConfig | None = None
    ) -> Self:
        """A store on a file, to be used in `with` or `async with`, as LangGraph's own are opened."""
        return cls(conn_string, index=index, ttl=ttl)

    @property
    def embeddings(self) -> Embeddings | None:
        """What `index` was told to embed with."""
        return None if self._vectors is None else self._vectors.embeddings

    def setup(self) -> None:
        """Nothing is left to do: opening the file has made its tables. LangGraph's programs call this first."""

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Do several operations: what is read is as it was before; what is put or deleted is one transaction."""
        return self._batch(ops, self.embeddings)

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Async twin of `batch`; what was given to embed with is awaited in this event loop."""
        loop = asyncio.get_running_loop()
        embed = None if self.embeddings is None else EmbedInLoop(self.embeddings, loop)
        call = partial(copy_context().run, self._batch, ops, embed)
        return await loop.run_in_executor(self.memory.executor, call)

    def sweep_ttl(self) -> int:
        """Delete what has expired; returns how many items."""
        return len(self.memory.delete_expired().ids)

    def start_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> Future[None]:
        """Delete what has expired now and then, in a thread, where the store has a `ttl` configuration.

        Returns:
            A future that is done when the sweeper has ended; cancelling it stops the sweeper.
        """
        if not self.ttl_config:
            done: Future[None] = Future()
            done.set_result(None)
            return done
        named = sweep_interval_minutes or self.ttl_config.get("sweep_interval_minutes")
        return self._sweeper.start(float(named or SWEEP_MINUTES))

    def stop_ttl_sweeper(self, timeout: float | None = None) -> bool:
        """Stop the sweeper; False where it has not ended within `timeout` seconds."""
        return self._sweeper.stop(timeout)

    def close(self) -> None:
        """Stop the sweeper, and release the file where this store has opened it."""
        self._sweeper.stop()
        if self._opened:
            self.memory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self.close)

    def _batch(self, ops: Iterable[Op], embed: Embed | None) -> list[Result]:
        asked = list(ops)
        for op in asked:
            validate_op_namespace(op)
        results: list[Result] = [self._read(op, embed) for op in asked]
        written = [op for op in asked if isinstance(op, PutOp) and (op.namespace or op.value is not None)]
        puts = {(_namespace(op.namespace), op.key): op for op in written}
        if puts:
            self._write(puts, embed)
        return results

    def _read(self, op: Op, embed: Embed | None) -> Result:
        if isinstance(op, GetOp):
            if not op.namespace:
                return None
            namespace = _namespace(op.namespace)
            found = self.memory.get_item(op.key, namespace=namespace, refresh=op.refresh_ttl)
            return None if found is None else Item(**_shape(found))
        if isinstance(op, SearchOp):
            return self._search(op, embed)
        if isinstance(op, ListNamespacesOp):
            return self._namespaces(op)
        if isinstance(op, PutOp):
            return None
        raise InvalidInput(
            "ops", f"Unknown operation type: {type(op)}", "give GetOp, PutOp, SearchOp, ListNamespacesOp"
        )

    def _search(self, op: SearchOp, embed: Embed | None) -> list[SearchItem]:
        below = _namespace(op.namespace_prefix) if op.namespace_prefix else ()
        question = op.query if op.query and op.query.strip() else None
        scores = None
        if question is not None and self._vectors is not None and embed is not None:
            scores = self._vectors.scores(question, below, embed)
        found = self.memory.find_items(
            question if scores is None else None,
            below=below,
            keep=read_filter(op.filter),
            scores=scores,
            limit=op.limit,
            offset=op.offset,
            refresh=op.refresh_ttl,
        )
        return [SearchItem(**_shape(memory), score=score) for memory, score in found]

    def _namespaces(self, op: ListNamespacesOp) -> list[tuple[str, ...]]:
        limit, offset = read_count(op.limit, "limit", 0), read_count(op.offset, "offset", 0)
        conditions = op.match_conditions or ()
        found = [path for path in self.memory.item_namespaces() if all(_matches(path, one) for one in conditions)]
        if op.max_depth is not None:
            depth = read_count(op.max_depth, "max_depth", 1)
            found = list({path[:depth] for path in found})
        return sorted(found)[offset : offset + limit]

    def _write(self, puts: Mapping[tuple[Namespace, str], PutOp], embed: Embed | None) -> None:
        items = [self._item(namespace, op) for (namespace, _), op in puts.items() if op.value is not None]
        vectors: Mapping[str, bytes] = {}
        if self._vectors is not None and embed is not None:
            vectors = self._vectors.read((text for item in items for text in item["texts"]), embed)
        with writing_as("langgraph", current_origin().writer), self.memory.transaction():
            for (namespace, key), op in puts.items():
                gone = op.value is None and self.memory.get_item(key, namespace=namespace, refresh=False)
                if gone:
                    self.memory.delete(gone.id)
            written = self.memory.put_many(items)
            if self._vectors is not None:
                self._vectors.keep([memory.id for memory in written], vectors)

    def _item(self, namespace: Namespace, op: PutOp) -> dict[str, Any]:
        value = op.value
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            raise InvalidInput("value", "is not a mapping with text keys", "give a dict: {'text': '…'}")
        plain = dict(value)
        return {
            "namespace": namespace,
            "key": op.key,
            "value": plain,
            "texts": self._texts(plain, op.index),
            "ttl": read_ttl(op.ttl),
        }

    def _texts(self, value: Mapping[str, Any], index: object) -> Sequence[str] | None:
        """By what an item is found; None for every text in its value."""
        paths = self._fields if index is None else read_paths(index)
        if self._vectors is not None:
            return texts_of(value, WHOLE if paths is None else paths)
        return None if paths is None or paths == WHOLE else texts_of(value, paths)


def _namespace(labels: Sequence[str]) -> Namespace:
    try:
        return read_namespace(tuple(labels))
    except InvalidInput as error:
        raise InvalidNamespaceError(str(error)) from error


def _shape(memory: Memory) -> dict[str, Any]:
    """A memory under the names of LangGraph's items."""
    return {
        "value": as_mapping(memory.value),
        "key": memory.key,
        "namespace": memory.namespace,
        "created_at": memory.created_at,
        "updated_at": memory.updated_at,
    }


def _matches(path: Namespace, condition: MatchCondition) -> bool:
    wanted = tuple(condition.path)
    if condition.match_type not in ("prefix", "suffix"):
        raise InvalidInput("match_type", f"Unsupported match type: {condition.match_type}", "use prefix or suffix")
    part = path[: len(wanted)] if condition.match_type == "prefix" else path[max(0, len(path) - len(wanted)) :]
    return len(part) == len(wanted) and all(want in ("*", label) for want, label in zip(wanted, part, strict=True))
