"""An open store: how it is opened, kept whole, copied and closed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self

from mnemos.aio import in_thread
from mnemos.arguments import read_callable, read_clock, read_flag, read_path, read_seconds
from mnemos.embed.missing import MissingEmbedder
from mnemos.embed.protocol import Embedder
from mnemos.embed.static import StaticEmbedder
from mnemos.errors import InvalidInput, StoreError
from mnemos.events import read_text
from mnemos.gate.secrets import Mode, SecretScan, read_mode
from mnemos.io.jsonl import ExportReport
from mnemos.io.jsonl import export_file as export_to
from mnemos.io.jsonl import export_lines as lines_of
from mnemos.maintenance import Background, Deriver, Maintained, Maintainer
from mnemos.namespaces import Scope, read_scope
from mnemos.passages import Index
from mnemos.pipeline import NAME, Pipeline
from mnemos.recall.analyze import ANALYZER
from mnemos.recall.indexing import Indexer
from mnemos.recall.search import Searcher
from mnemos.records import Namespace
from mnemos.stages import Stage
from mnemos.store.artifacts import Artifacts
from mnemos.store.checking import Problem
from mnemos.store.erasing import Erasure
from mnemos.store.sqlite import SqliteStore
from mnemos.times import Zone, from_micros, read_zone, to_micros, utc_now

if TYPE_CHECKING:
    from mnemos.llm import LanguageModel
    from mnemos.llm.work import LanguageWork


def default_stages() -> tuple[Stage, ...]:
    """The default choice of policies, loaded when it is needed: a search does not wait for it."""
    from mnemos.operations import default_stages as chosen

    return chosen()


class Keeper:
    """What `Mnemos` inherits: the file, its maintenance and its copies."""

    def __init__(
        self,
        path: str | os.PathLike[str] = "mnemos.db",
        *,
        embedder: Embedder | None = None,
        clock: Callable[[], datetime] = utc_now,
        timezone: Zone | None = None,
        count_tokens: Callable[[str], int] | None = None,
        background: bool = False,
        secrets: Mode = "mask",
        derivers: Mapping[str, Deriver] | None = None,
        stages: Sequence[Stage] | None = None,
        llm: LanguageModel | None = None,
    ) -> None:
        file = read_path(path)
        if embedder is not None and not isinstance(embedder, Embedder):
            raise InvalidInput(
                "embedder", f"is a {type(embedder).__name__}", "give an object with name, dim and embed()"
            )
        self._clock = read_callable(clock, "clock")
        self._zone = read_zone(timezone)
        self._count_tokens = None if count_tokens is None else read_callable(count_tokens, "count_tokens")
        self._embedders = {e.name: e for e in (StaticEmbedder.bundled(), embedder) if e is not None}
        first = embedder or StaticEmbedder.bundled()
        background = read_flag(background, "background")
        self._secrets = SecretScan(read_mode(secrets))
        self._store = SqliteStore(file, embedder=first.name, dim=first.dim, analyzer=ANALYZER, now=self._now())
        indexer = Indexer(self._serving)
        self._index = indexer.index
        chosen = None if stages is None else tuple(stages)
        self._pipeline = Pipeline(
            self._store.db, lambda: default_stages() if chosen is None else chosen, indexer.index_offline
        )
        self._searcher = Searcher(self._store, self._index, self._serving)
        self._llm = llm
        self._maintainer = Maintainer(
            self._store,
            self._index,
            self._serving,
            embedder,
            dict(derivers or {}),
            self._pipeline,
            self._language_work(indexer.index_offline),
        )
        self._uses: Counter[str] = Counter()
        self.artifacts = Artifacts(self._store.db, self._now)
        """What was made of memories for models that read another form than text."""
        if self._store.analyzer() != ANALYZER:
            self.reindex()
        changes = embedder is not None and embedder.name != self._serving().name
        if changes or self._store.vectors_missing():
            self._store.want_vectors(self._now())
        self._background = Background(self._maintain_gently) if background else None

    def _language_work(self, index: Index) -> LanguageWork | None:
        if self._llm is None:
            return None
        if not callable(getattr(self._llm, "ask", None)):
            raise InvalidInput("llm", f"is a {type(self._llm).__name__}", "give a mnemos.llm.LanguageModel")
        from mnemos.llm.work import LanguageWork  # here, so that a program without a model does not pay for it

        return LanguageWork(self._store.db, self._llm, index, self._pipeline.stages, NAME)

    def _serving(self) -> Embedder:
        """The embedder whose vectors serve at this moment; a stand-in where it was not given."""
        name, dim = self._store.serving_embedder()
        return self._embedders.get(name) or MissingEmbedder(name, dim)

    def maintain(
        self,
        seconds: float | None = None,
        *,
        gentle: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> Maintained:
        """Do the queued work: gate and derive, derive again, change embedder, delete what has expired, finish a purge.

        Args:
            seconds: stop about then, after the batch in hand; the next call goes on from there.
            gentle: take small batches, so that a write never waits long for one.
            progress: is told how many new memories have been read, after each batch.
        """
        self._flush_uses()
        gentle = read_flag(gentle, "gentle")
        return self._maintainer.run(self._now(), read_seconds(seconds), progress, gentle=gentle)

    def _maintain_gently(self) -> None:
        self._flush_uses()
        self._maintainer.run(self._now(), gentle=True)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What the verbs inside write is one transaction: on disk when the block ends, undone whole when it raises.

        Other threads and processes that write wait for its end, so keep it short, and call no async twin inside.
        `search` and `context` are refused there.
        """
        with self._store.db.write():
            yield
        self._settle()

    def check(self) -> list[Problem]:
        """Every disagreement between the log and what is derived from it; empty when all is well."""
        can_embed = not isinstance(self._serving(), MissingEmbedder)
        found = self._store.check(self._index, vectors_can_be_made=can_embed)
        return found if any(one.table == "file" for one in found) else [*found, *self._store.check_artifacts()]

    def reindex(self) -> int:
        """Build memories, links, passages and vectors anew from the log; returns how many memories.

        What is left over of artifacts is removed; they are made anew where a model is attached.
        """
        rebuilt = self._store.reindex(self._index, ANALYZER, self._now())
        self._store.sweep_artifacts(thorough=True)
        self._store.purge()
        return rebuilt

    def verify_erased(self, text: str) -> Erasure:
        """Which live memories hold a text, and where stray copies of its bytes or its tokens are."""
        tokens = StaticEmbedder.bundled().tokenize([read_text(text, "text")])[0]
        return self._store.verify_erased(text, tokens.tobytes())

    def backup(self, path: str | os.PathLike[str]) -> int:
        """Copy the store to a new file, and its artifacts beside that, while it is in use; returns their bytes."""
        target = read_path(path)
        self._flush_uses()
        return self._store.backup(target)

    def export_file(
        self,
        path: str | os.PathLike[str] | IO[bytes],
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        descendants: bool = False,
    ) -> ExportReport:
        """Write everything (history, provenance, times) as JSONL, to a file or a binary stream.

        Without a scope, the whole store.
        """
        target = self._not_itself(path) if isinstance(path, str | os.PathLike) else path
        entries, paths = self._to_export(read_scope(user_id, agent_id, namespace, descendants=descendants))
        return export_to(entries, target, namespaces=paths)

    def export_lines(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        descendants: bool = False,
    ) -> Iterator[bytes]:
        """The lines that `export_file` writes, one by one. Read them to the end, or close what gives them."""
        entries, paths = self._to_export(read_scope(user_id, agent_id, namespace, descendants=descendants))
        return lines_of(entries, namespaces=paths)

    def _to_export(self, scope: Scope) -> tuple[Iterator[Mapping[str, Any]], list[Namespace] | None]:
        read_flag(scope.descendants, "descendants")
        if scope.agent_id is not None:
            raise InvalidInput("agent_id", "is given beside another scope", "export the whole of it, without agent_id")
        self._flush_uses()
        nums = self._namespaces_or_all(scope)
        paths = None if nums is None else self._store.paths_of(nums)
        return self._store.export_entries(paths), paths

    def close(self) -> None:
        """Write what is pending and release the file; a second call does nothing."""
        if self._background is not None:
            self._background.stop()
            self._background = None
        if self._closed:
            return
        self._closed = True
        # what runs in the pool began before, and may finish
        self._pool.shutdown()
        try:
            self._flush_uses()
        finally:
            self._store.close()

    _closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """The file."""
        return self._store.path

    @property
    def executor(self) -> ThreadPoolExecutor:
        """The threads in which the async twins run."""
        if self._closed:
            raise StoreError(f"{self.path}: this store is closed; open it again with Mnemos(path)")
        return self._pool

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=4, thread_name_prefix="mnemos")

    def _now(self) -> int:
        return to_micros(read_clock(self._clock()))

    def _moment(self, micros: int | None) -> datetime:
        return from_micros(self._now() if micros is None else micros)

    def _settle(self) -> None:
        """After a write: note the uses since the last one, and try again to purge what could not be before."""
        self._flush_uses()
        self._store.purge_if_pending(wait_ms=0)

    def _flush_uses(self) -> None:
        if self._uses:
            uses, self._uses = self._uses, Counter()
            self._store.record_uses(uses, self._now())
        self.artifacts.flush()

    def _not_itself(self, path: str | os.PathLike[str]) -> Path:
        file = read_path(path)
        if file.resolve() == self._store.db.file:
            raise InvalidInput("path", f"{file} is this store itself", "name another file")
        return file

    def _namespaces_or_all(self, scope: Scope) -> tuple[int, ...] | None:
        return self._store.namespaces_of(scope) if scope.explicit else None

    amaintain = in_thread(maintain)
    acheck = in_thread(check)
    areindex = in_thread(reindex)
    averify_erased = in_thread(verify_erased)
    abackup = in_thread(backup)
    aexport_file = in_thread(export_file)
