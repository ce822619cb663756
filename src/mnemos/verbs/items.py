"""Items: JSON values under keys, put one by one or many at once, found by key, by question or newest first."""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from mnemos.aio import in_thread
from mnemos.arguments import Request, read_count, read_flag, read_query_text
from mnemos.errors import InvalidInput, NotFound
from mnemos.events import Event, dump_json, read_metadata, read_text
from mnemos.filters import Condition
from mnemos.keeping import Keeper
from mnemos.namespaces import Scope, read_label, read_namespace, read_scope
from mnemos.origin import current_origin
from mnemos.recall.look import Asked
from mnemos.records import Deletion, Memory, Namespace
from mnemos.store.item_vectors import ItemVectors
from mnemos.store.items import Place

ITEM_FIELDS = frozenset(("key", "value", "namespace", "texts", "ttl", "metadata", "session_id"))


class FoundItem(NamedTuple):
    """An item that was looked for; `score` is None where no question ranked it."""

    memory: Memory
    score: float | None = None


class ItemVerbs(Keeper):
    """What `Mnemos` does with items."""

    def put(
        self,
        key: str,
        value: Any,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        texts: Sequence[str] | None = None,
        ttl: timedelta | float | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Memory:
        """Store an item: a JSON value under a key that is unique in its namespace; a second put replaces it.

        Args:
            texts: what the item is found by; by default every string in the value. An empty list: not found by search.
            ttl: seconds (or a timedelta) until it expires, counted anew from each read that refreshes it.
        """
        scope = read_scope(user_id, agent_id, namespace)
        item = {"key": key, "value": value, "texts": texts, "ttl": ttl, "metadata": metadata}
        memory = self._store.put(self._item(item, scope, ""), self._index, self._now())
        self._settle()
        return memory

    def put_many(
        self,
        items: Iterable[Mapping[str, Any]],
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
    ) -> builtins.list[Memory]:
        """Store many items in one transaction: all of them, or none.

        Each is a mapping with `key` and `value` and, where wanted, `namespace`, `texts`, `ttl` and `metadata` as `put`
        takes them, and the `session_id` of a new item; the keywords hold for every item that names no namespace. Of
        several under one key the last counts.

        Returns:
            One memory per item, in order.
        """
        scope = read_scope(user_id, agent_id, namespace)
        events = [self._item(item, scope, f"items[{place}].") for place, item in enumerate(items)]
        last = {(event.namespace, event.key): event for event in events}
        if not last:
            return []
        memories = dict(zip(last, self._store.put_all([*last.values()], self._index, self._now()), strict=True))
        self._settle()
        return [memories[event.namespace, event.key] for event in events]

    def get_item(
        self,
        key: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        refresh: bool = True,
    ) -> Memory | None:
        """The item of a key, or None; reading it starts its time to live anew unless `refresh` is False."""
        scope = read_scope(user_id, agent_id, namespace)
        now = self._now()
        stored = self._store.find_key(self._store.namespaces_of(scope), read_label(key, "key"), now)
        if read_flag(refresh, "refresh") and stored is not None and stored.expires_at is not None:
            self._store.refresh_items([stored.memory.id], now)
        return None if stored is None else stored.memory

    def find_items(
        self,
        query: str | None = None,
        *,
        below: Sequence[str] = (),
        keep: Callable[[Any], bool] | None = None,
        scores: Mapping[str, float] | None = None,
        limit: int = 10,
        offset: int = 0,
        refresh: bool = False,
    ) -> builtins.list[FoundItem]:
        """Items of every namespace that is or begins with `below`; of the whole store where that is empty.

        The last written first. With a question, or with scores, what is ranked comes before them, best first.

        Args:
            keep: says of an item's value whether it counts.
            scores: how good an item is, by id, where the caller has ranked them; instead of a question.
            refresh: start the time to live of what is returned anew.
        """
        limit, offset = read_count(limit, "limit", 0), read_count(offset, "offset", 0)
        if query is not None and scores is not None:
            raise InvalidInput("scores", "given together with a query", "give one of the two")
        place, end = self._item_place(below), offset + limit
        if scores is None:
            ranked = {} if query is None else self._ranked(read_query_text(query), below, keep, place, end)
        else:
            held = (one for one in self._store.item_ids(place, keep) if one in scores)
            ranked = {one: scores[one] for one in sorted(held, key=lambda one: -scores[one])}
        ids = list(ranked)
        if len(ids) < end:
            ids += [one for one in self._store.item_ids(place, keep, end + len(ids)) if one not in ranked]
        found = self._store.fetch_items(ids[offset:end])
        if read_flag(refresh, "refresh"):
            self._store.refresh_items([memory.id for memory in found], place.now)
        return [FoundItem(memory, ranked.get(memory.id)) for memory in found]

    def delete_item(
        self,
        key: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
    ) -> Deletion:
        """Delete the item of a key, as `delete` does.

        Raises:
            NotFound: nothing is stored under `key`.
        """
        found = self.get_item(key, user_id=user_id, agent_id=agent_id, namespace=namespace, refresh=False)
        if found is None:
            raise NotFound("key", key)
        return self._store.erase([found.id], self._now())

    def delete_expired(self) -> Deletion:
        """Delete the items whose time to live has run out; they are not found any more before that."""
        return self._store.erase_expired(self._now())

    def item_vectors(self, name: str, dim: int) -> ItemVectors:
        """The vectors that an embedder of the caller's own, known by `name`, has made of items' texts."""
        return ItemVectors(self._store.db, self._item_place, read_label(name, "name"), read_count(dim, "dim", 1))

    def item_namespaces(self, below: Sequence[str] = ()) -> builtins.list[Namespace]:
        """The namespaces that hold an item, of those that are or begin with `below`."""
        prefix = read_namespace(below, "below") if below else ()
        return [path for _, path in self._store.item_spaces(prefix, self._now())]

    def rename_item(
        self,
        key: str,
        new_key: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
    ) -> Memory:
        """Give an item another key; its id, value and history stay.

        Raises:
            NotFound: nothing is stored under `key`.
            InvalidInput: something is stored under `new_key`.
        """
        scope = read_scope(user_id, agent_id, namespace)
        key, new_key = read_label(key, "key"), read_label(new_key, "new_key")
        memory = self._store.rename(self._store.namespaces_of(scope), key, new_key, self._now())
        self._settle()
        return memory

    def _item(self, item: object, scope: Scope, field: str) -> Event:
        if not isinstance(item, Mapping):
            raise InvalidInput(field.rstrip("."), f"is a {type(item).__name__}", "give a mapping with key and value")
        unknown = item.keys() - ITEM_FIELDS
        if unknown:
            name = min(map(str, unknown))[:60]
            raise InvalidInput(f"{field}{name}", "is not a field of an item", f"use {', '.join(sorted(ITEM_FIELDS))}")
        if "value" not in item:
            raise InvalidInput(f"{field}value", "is missing", "give the item's value")
        value = json.loads(dump_json(item["value"], f"{field}value"))
        texts = item.get("texts")
        found = _strings(value) if texts is None else _read_texts(texts, f"{field}texts")
        namespace, session = item.get("namespace"), item.get("session_id")
        event = Event(
            namespace=scope.namespace if namespace is None else read_namespace(namespace, f"{field}namespace"),
            kind="item",
            text="\n".join(found),
            session_id=None if session is None else read_label(session, f"{field}session_id"),
            agent_id=scope.agent_id,
            metadata=read_metadata(item.get("metadata"), f"{field}metadata"),
            key=read_label(item.get("key"), f"{field}key"),
            value=value,
            texts=tuple(found),
            ttl=_read_ttl(item.get("ttl"), f"{field}ttl"),
            trust=current_origin().trust,
        )
        return self._secrets.event(event, field)

    def _item_place(self, below: Sequence[str]) -> Place:
        prefix = read_namespace(below, "below") if below else ()
        now = self._now()
        return Place(tuple(num for num, _ in self._store.item_spaces(prefix, now)), now)

    def _ranked(
        self, query: str, below: Sequence[str], keep: Callable[[Any], bool] | None, place: Place, end: int
    ) -> dict[str, float]:
        """The ids that a question ranks best, best first, with their scores."""
        counted = None if keep is None else self._store.item_ids(place, keep)
        if not end or not place.namespaces or counted == []:
            return {}
        request = Request(
            scope=Scope(tuple(below), descendants=True),
            kinds=("item",),
            sessions=None,
            since=None,
            until=None,
            as_of=None,
            known_at=None,
            now=place.now,
            filters=None if counted is None else Condition("column", "id", "in", tuple(counted)),
        )
        hits = self._searcher.search(Asked(query, self._moment(place.now)), request, end, 0)
        return {hit.memory.id: hit.score for hit in hits}

    aput = in_thread(put)
    aput_many = in_thread(put_many)
    aget_item = in_thread(get_item)
    afind_items = in_thread(find_items)
    aitem_namespaces = in_thread(item_namespaces)
    adelete_item = in_thread(delete_item)
    adelete_expired = in_thread(delete_expired)
    arename_item = in_thread(rename_item)


def _read_ttl(ttl: object, field: str) -> int | None:
    if ttl is None:
        return None
    seconds = ttl.total_seconds() if isinstance(ttl, timedelta) else ttl
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < 1e10:
        raise InvalidInput(field, f"{str(ttl)[:40]!r} is not a length of time", "give seconds above 0, or a timedelta")
    return int(seconds * 1_000_000)


def _strings(value: object) -> builtins.list[str]:
    """Every non-blank string in a JSON value, depth first."""
    if isinstance(value, str):
        return [value] if value.strip() else []
    parts: Iterable[object] = ()
    if isinstance(value, Mapping):
        parts = value.values()
    elif isinstance(value, builtins.list):
        parts = value
    return [text for part in parts for text in _strings(part)]


def _read_texts(texts: object, field: str) -> builtins.list[str]:
    if isinstance(texts, str) or not isinstance(texts, Sequence):
        raise InvalidInput(field, f"is a {type(texts).__name__}", "give a list of strings")
    return [read_text(text, f"{field}[{place}]") for place, text in enumerate(texts)]
