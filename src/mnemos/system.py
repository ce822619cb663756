"""Class `Mnemos`: the verbs a user calls, each a few lines."""

from __future__ import annotations

import builtins
import os
from collections.abc import Collection, Generator, Mapping, Sequence
from typing import Any, Literal, Unpack

from mnemos.aio import in_thread
from mnemos.arguments import (
    Where,
    read_count,
    read_flag,
    read_place,
    read_query_text,
    read_request,
)
from mnemos.embed.static import StaticEmbedder
from mnemos.errors import InvalidInput, NotFound
from mnemos.events import Defaults, read_events, read_kind, read_metadata, read_text, read_trust
from mnemos.ids import read_id
from mnemos.io.importing import BATCH, ImportReport, finished, import_steps
from mnemos.io.jsonl import Progress
from mnemos.keeping import Keeper
from mnemos.namespaces import read_label, read_scope
from mnemos.origin import current_origin, writing_as
from mnemos.recall.beside import unsaid
from mnemos.recall.compose import compose
from mnemos.recall.engine import threshold
from mnemos.recall.look import Asked, select
from mnemos.records import LEVELS, Change, Context, Deletion, Hit, Link, Memory, Namespace, Page
from mnemos.store.deriving import Derivation
from mnemos.store.reading import Stats
from mnemos.store.spool import Spool
from mnemos.times import TimeLike, Zone, from_micros, read_optional_time, read_zone, to_micros
from mnemos.verbs.costs import CostVerbs
from mnemos.verbs.cubes import CubeVerbs
from mnemos.verbs.forgetting import ForgetVerbs
from mnemos.verbs.forms import FormVerbs
from mnemos.verbs.gating import GateVerbs
from mnemos.verbs.graphing import GraphVerbs
from mnemos.verbs.items import ItemVerbs
from mnemos.verbs.jobs import JobVerbs
from mnemos.verbs.levels import LevelVerbs
from mnemos.verbs.updating import UpdateVerbs

UNSET: Any = object()
"""Stands for "leave as it is" where None means "unknown"."""

DERIVED_KINDS = ("fact", "skill", *LEVELS)
"""What `derive` makes."""

CONTEXT_CANDIDATES = 100
"""Hits from which a context is composed."""


class Mnemos(
    ItemVerbs,
    LevelVerbs,
    JobVerbs,
    CostVerbs,
    UpdateVerbs,
    GateVerbs,
    ForgetVerbs,
    GraphVerbs,
    FormVerbs,
    CubeVerbs,
    Keeper,
):
    """A memory in one SQLite file.

    Args:
        path: the file; it is made where it does not exist.
        embedder: another embedder for dense vectors. A store that was written with a different one changes over in
            `maintain()`, while the old vectors keep serving.
        clock: returns the present time, aware; for tests and replays.
        timezone: how to read times without a zone; without it they are refused.
        count_tokens: counts the tokens of a text for `context`; by default the bundled tokenizer does.
        background: run `maintain()` in a thread of this process.
        secrets: what becomes of keys, tokens, passwords and card numbers in what is added: `mask` puts their kind in
            their place, `refuse` raises `InvalidInput`, `keep` leaves them.
        derivers: by recipe, what derives a memory again when some of its sources have changed or gone.
        llm: a `LanguageModel` that `maintain()` asks for further facts and for written levels.

    Raises:
        StoreError: the file is not a store, is newer, cannot be written, or is damaged.
    """

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────

    def add(
        self,
        messages: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]],
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        session_id: str | None = None,
        kind: str = "turn",
        happened_at: TimeLike | None = None,
        name: str | None = None,
        role: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        timezone: Zone | None = None,
    ) -> builtins.list[Memory]:
        """Remember a string, a message or a list of messages; on disk when it returns.

        A message is a mapping with `content` and, where known, `role`, `name`, `happened_at`, `session_id`, `kind`,
        `metadata`, `source_id`, `idempotency_key`, `valid_at`, `invalid_at` and `trust`; the keywords hold for every
        message that does not say otherwise. One transaction: all are stored, or none.

        Returns:
            One memory per message, in order. `is_new` is False where the same event was stored before: same
            namespace, session, role, name, time, content and place among equals of one call; without a time, the
            same `idempotency_key` or `source_id`.

        Raises:
            InvalidInput: names the field and the mend; nothing was stored.
        """
        scope = read_scope(user_id, agent_id, namespace)
        zone = self._zone if timezone is None else read_zone(timezone)
        defaults = Defaults(
            namespace=scope.namespace,
            kind=read_kind(kind, "kind"),
            session_id=_label(session_id, "session_id"),
            agent_id=scope.agent_id,
            happened_at=read_optional_time(happened_at, "happened_at", zone),
            name=_label(name, "name"),
            role=_label(role, "role"),
            metadata=read_metadata(metadata, "metadata"),
            idempotency_key=_label(idempotency_key, "idempotency_key"),
            trust=current_origin().trust,
            zone=zone,
            scan=self._secrets.event,
        )
        events = read_events(messages, defaults)
        if not events:
            return []
        memories = self._store.append(events, self._index, self._now())
        self._settle()
        return memories

    def update(
        self,
        id: str,
        *,
        text: str | None = None,
        metadata: Mapping[str, Any] | None = UNSET,
        happened_at: TimeLike | None = UNSET,
        valid_at: TimeLike | None = UNSET,
        invalid_at: TimeLike | None = UNSET,
        trust: float = UNSET,
    ) -> Memory:
        """Change a memory's words or attributes; what it said before stays in its history.

        Inside `writing_as(…, trust=t)` the memory is trusted at most `t` from then on, whatever was changed: who is
        trusted less lowers the trust of what they write over.

        Raises:
            NotFound: the id is unknown.
        """
        body: dict[str, Any] = {}
        masked: tuple[str, ...] = ()
        if metadata is not UNSET:
            body["metadata"], masked = self._secrets.data(read_metadata(metadata, "metadata"), "metadata")
        for name, value in (("happened_at", happened_at), ("valid_at", valid_at), ("invalid_at", invalid_at)):
            if value is not UNSET:
                body[name] = read_optional_time(value, name, self._zone)
        if trust is not UNSET:
            body["trust"] = read_trust(trust, "trust")
        if text is None and not body:
            raise InvalidInput("text", "and every other change is missing", "say what to change: text=, metadata=, …")
        words = None
        if text is not None:
            words, found = self._secrets.words(read_text(text, "text"))
            masked = tuple(dict.fromkeys((*found, *masked)))
        if masked:
            body["masked"] = masked
        memory = self._store.revise(read_id(id), words, body, self._index, self._now())
        self._settle()
        return memory

    def derive(
        self,
        text: str,
        *,
        sources: Sequence[str],
        recipe: str,
        topic: str = "",
        kind: Literal["fact", "skill", "episode", "theme", "profile"] = "fact",
        valid_at: TimeLike | None = None,
        invalid_at: TimeLike | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Memory:
        """Store something derived from other memories, under an id that the same derivation always gets.

        It is trusted no further than the least trusted of its sources, and than the origin that is set. It lives in the
        namespace of its sources and goes with them: deleted when the last of them is, hidden and
        derived again (by the deriver of its `recipe`) when one of several is.
        """
        if isinstance(sources, str) or not isinstance(sources, Sequence) or not sources:
            raise InvalidInput("sources", "is not a list of ids", "name the memories that it was derived from")
        if kind not in DERIVED_KINDS:
            raise InvalidInput("kind", f"{str(kind)[:40]!r} is not derived", f"use one of {', '.join(DERIVED_KINDS)}")
        ids = tuple(read_id(source, "sources") for source in sources)
        first = self.get(ids[0])
        if first is None:
            raise NotFound("sources", ids[0])
        origin = current_origin()
        derivation = Derivation(
            namespace=first.namespace,
            kind=kind,
            text=self._secrets.words(read_text(text, "text"))[0],
            recipe=read_label(recipe, "recipe"),
            topic=topic if topic == "" else read_label(topic, "topic"),
            sources=ids,
            valid_at=read_optional_time(valid_at, "valid_at", self._zone),
            invalid_at=read_optional_time(invalid_at, "invalid_at", self._zone),
            happened_at=None if first.happened_at is None else to_micros(first.happened_at),
            metadata=self._secrets.data(read_metadata(metadata, "metadata"), "metadata")[0],
            trust=origin.trust,
            channel=origin.channel,
            writer=origin.writer,
        )
        return self._store.derive(derivation, self._index, self._now())

    def link(self, source: str, target: str, relation: str = "related", *, weight: float = 1.0) -> None:
        """Join two memories by a typed, directed edge; a second call of the same relation changes its weight."""
        weight = read_trust(weight, "weight")
        self._store.link(
            read_id(source, "source"), read_id(target, "target"), read_label(relation, "relation"), weight, self._now()
        )

    def delete(self, id: str) -> Deletion:
        """Delete a memory, its history, and what was derived only from it, in every table and on disk.

        Returns:
            The ids that went. `purge` is `pending` while another process still reads old pages; the next write or
            `maintain()` tries again.

        Raises:
            NotFound: the id is unknown.
        """
        return self._store.erase([read_id(id)], self._now())

    def delete_all(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        descendants: bool = False,
    ) -> Deletion:
        """Delete every memory of a scope, which must be named, and what still waits to be written there."""
        scope = read_scope(user_id, agent_id, namespace, descendants=read_flag(descendants, "descendants"))
        if not scope.explicit:
            raise InvalidInput("user_id", "is missing, and so are agent_id and namespace", "name what to delete")
        Spool(self._store.db.file).clear(scope)
        return self._store.erase_scope(self._store.namespaces_of(scope), scope.agent_id, self._now())

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────

    def search(self, query: str, *, limit: int = 10, offset: int = 0, **where: Unpack[Where]) -> Page[Hit]:
        """The memories that answer a question, best first; `.more` says how many come after them.

        Every keyword of `Where` narrows it: `user_id`, `agent_id`, `namespace`, `descendants`, `kinds`, `sessions`,
        `since`, `until`, `as_of`, `known_at`, `now`, `filters`. Ranks and does not cut; writes nothing.

        Raises:
            InvalidInput: the query is blank, or a keyword cannot be read.
        """
        text = read_query_text(query)
        request = read_request(where, self._zone)
        now = self._moment(request.now)
        limit, offset = read_count(limit, "limit", 1), read_count(offset, "offset", 0)
        return self._searcher.search(Asked(text, now), request, limit, offset)

    def context(
        self, query: str, *, budget: int = 1000, beside: Collection[str] = (), **where: Unpack[Where]
    ) -> Context:
        """A block for a prompt, of at most `budget` tokens: dated, cited, in reading order.

        Empty, and false, where nothing is known about the question. Counts as a use of the memories that it shows.
        `beside` are texts that the prompt holds already; memories that say just those are left out.
        """
        if isinstance(beside, str) or not isinstance(beside, Collection):
            raise InvalidInput("beside", f"is a {type(beside).__name__}", "give the texts as a list or a set")
        budget = read_count(budget, "budget", 1, 10_000_000)
        text, request = read_query_text(query), read_request(where, self._zone)
        asked = Asked(text, self._moment(request.now))
        hits = self._searcher.gather(asked, request, CONTEXT_CANDIDATES, threshold())
        hits = unsaid(hits, beside, threshold()) if beside else hits
        count = self._count_tokens or StaticEmbedder.bundled().count
        context = compose(query, hits, budget=budget, count_tokens=count)
        self._uses.update({memory_id: 1 for item in context.items for memory_id in item.memory_ids})
        return context

    def list(
        self, *, limit: int = 100, offset: int = 0, after: str | None = None, **where: Unpack[Where]
    ) -> Page[Memory]:
        """Memories in reading order, without a question; takes the keywords of `search`.

        `after` goes on where a page ended, as its `end` says: what is added or deleted meanwhile moves nothing.
        """
        limit, offset = read_count(limit, "limit", 1), read_count(offset, "offset", 0)
        place = None if after is None else read_place(after, "after")
        if place is not None and offset:
            raise InvalidInput("offset", "is given together with after", "give one of the two")
        request = read_request(where, self._zone)
        selection = select(self._store, request)
        if not selection.namespaces:
            return Page(offset=offset)
        now = to_micros(self._moment(request.now))
        return self._store.page(selection, now, limit, offset, place)

    def get(self, id: str) -> Memory | None:
        """The memory of an id, or None."""
        stored = self._store.get(read_id(id), self._now())
        return None if stored is None else stored.memory

    def owner(self, id: str) -> Namespace | None:
        """The namespace to which a memory belongs or belonged before it was deleted, or a decision; None if unknown."""
        return self._store.owner(read_id(id))

    def history(self, id: str) -> builtins.list[Change]:
        """Every change of a memory, oldest first; after a deletion, without words."""
        return self._store.history(read_id(id))

    def links(self, id: str) -> builtins.list[Link]:
        """The typed edges that begin or end at a memory."""
        return self._store.links(read_id(id))

    def namespaces(self) -> builtins.list[Namespace]:
        """Every namespace that holds a memory."""
        return self._store.namespaces()

    def stats(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        descendants: bool = False,
    ) -> Stats:
        """Counts, span and people of a scope; of the whole file where none is named."""
        scope = read_scope(user_id, agent_id, namespace, descendants=read_flag(descendants, "descendants"))
        return self._store.stats(self._namespaces_or_all(scope), scope.agent_id, self._now())

    def import_file(
        self,
        path: str | os.PathLike[str],
        *,
        format: str | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        timezone: Zone | None = None,
        date_order: str | None = None,
        progress: Progress | None = None,
    ) -> ImportReport:
        """Import a file of any supported format; importing it twice adds nothing.

        Mnemos' own export says itself where each of its entries comes from; what other files hold comes through
        `import`, or from the origin that is set.
        """
        origin = current_origin()
        with writing_as(origin.channel or "import", origin.writer):
            steps = self.import_steps(
                path,
                format=format,
                user_id=user_id,
                agent_id=agent_id,
                namespace=namespace,
                timezone=timezone,
                date_order=date_order,
                progress=progress,
            )
            return finished(steps)

    def import_steps(
        self,
        path: str | os.PathLike[str],
        *,
        format: str | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        timezone: Zone | None = None,
        date_order: str | None = None,
        progress: Progress | None = None,
        batch: int = BATCH,
        since: TimeLike | None = None,
    ) -> Generator[ImportReport, None, ImportReport]:
        """`import_file` for who has other things to do meanwhile: yields after each `batch`, and returns the report.

        What is written bears the origin that is set at each step. `since` is when an import of this file that was cut
        off began: what the store has held since then counts as added. What `progress` raises ends the import.
        Mnemos' own export is one step, all of it or nothing.
        """
        scope = read_scope(user_id, agent_id, namespace)
        began = read_optional_time(since, "since", self._zone)
        return import_steps(
            self,
            self._not_itself(path),
            format=format,
            user_id=user_id,
            agent_id=agent_id,
            namespace=None if namespace is None else scope.namespace,
            timezone=timezone or self._zone,
            date_order=date_order,
            progress=progress,
            restore=lambda entries: self._store.restore_entries(
                map(self._secrets.entry, entries), self._index, self._now()
            ),
            batch=read_count(batch, "batch", 1, BATCH),
            since=from_micros(began),
        )

    # ── async twins ──────────────────────────────────────────────────────────────────────────────────────────

    aadd = in_thread(add)
    aupdate = in_thread(update)
    aderive = in_thread(derive)
    alink = in_thread(link)
    adelete = in_thread(delete)
    adelete_all = in_thread(delete_all)
    asearch = in_thread(search)
    acontext = in_thread(context)
    alist = in_thread(list)
    aget = in_thread(get)
    aowner = in_thread(owner)
    ahistory = in_thread(history)
    alinks = in_thread(links)
    anamespaces = in_thread(namespaces)
    astats = in_thread(stats)
    aimport_file = in_thread(import_file)


def _label(value: object, field: str) -> str | None:
    return None if value is None else read_label(value, field)
