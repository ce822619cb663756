"""Entities as a stage of derivation: who and what is mentioned in each new memory, and whom each name means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, get_args

from mnemos.entities import chinese, resolve
from mnemos.entities.lexicon import Kind
from mnemos.entities.names import Name, Reader, plain
from mnemos.entities.resolve import LIVING, SHORT, STATED, name_key
from mnemos.stages import Again, Batch
from mnemos.store import entities
from mnemos.store.entities import Named
from mnemos.store.rows import Stored

NO_ONE = frozenset("user assistant system tool human ai bot model chatgpt claude gpt you me".split())
"""Speakers that are roles, not people."""
KINDS: tuple[Kind, ...] = get_args(Kind)


class _Mention(NamedTuple):
    name: str
    kind: Kind
    told: bool


class EntityStage:
    """Notes the entities of every memory that the gate has kept; repeating it changes nothing."""

    name = "entities"

    @property
    def again(self) -> Mapping[str, Again]:
        """It derives no memories."""
        return {}

    def take(self, batch: Batch) -> None:
        """Read the new memories of each namespace together, so that one can confirm a name in another."""
        spaces: dict[int, list[Stored]] = {}
        kept = {stored.num for stored in batch.kept}
        for stored in batch.memories:
            if stored.num in kept and stored.memory.recipe is None:
                spaces.setdefault(batch.namespace(stored.num), []).append(stored)
            else:
                entities.mention(batch.connection, stored.num, ())
        for namespace, members in spaces.items():
            _read(batch, namespace, members)


def _read(batch: Batch, namespace: int, members: Sequence[Stored]) -> None:
    reader = Reader([stored.memory.text for stored in members])
    asked = {name_key(name): name for name in reader.asked()}
    speakers = {plain(who) for stored in members if (who := speaker(stored)) is not None}
    rows = entities.by_keys(batch.connection, namespace, asked)
    known: dict[str, Kind] = {asked[key]: _kind(row) for key, row in rows.items()}
    known.update((who, "person") for who in speakers)
    sessions: dict[str | None, set[str]] = {}
    for stored in members:
        if (who := speaker(stored)) is not None:
            sessions.setdefault(stored.memory.session_id, set()).add(who)
    rows = dict(rows)
    for stored, names in zip(members, reader.names(known), strict=True):
        _note(batch, namespace, stored, names, rows, sorted(sessions.get(stored.memory.session_id, ())))


def speaker(stored: Stored) -> str | None:
    """Who said a memory, by name; None for a role."""
    said = (stored.memory.speaker or "").strip()
    return said if said and plain(said) and plain(said) not in NO_ONE else None


def _kind(named: Named) -> Kind:
    return next((kind for kind in KINDS if kind == named.kind), "thing")


def _note(
    batch: Batch,
    namespace: int,
    stored: Stored,
    names: Sequence[Name],
    rows: dict[int, Named],
    speakers: Sequence[str],
) -> None:
    who = speaker(stored)
    found = [_Mention(name.name, name.kind, name.told) for name in names]
    found += [_Mention(name, kind, True) for name, kind, _, _ in chinese.names(stored.memory.text)]
    if who is not None:
        found.insert(0, _Mention(who, "person", True))
    nicknames = [one for one in resolve.stated(stored.memory.text) if one.of is not None or who is not None]
    for one in nicknames:
        found += [_Mention(name, "person", True) for name in (one.alias, one.of) if name]
    mentioned: dict[int, Named] = {}
    for mention in found:
        named = _named(batch, namespace, mention, rows)
        if named is not None:
            mentioned[named.key] = named
    entities.mention(batch.connection, stored.num, [named.num for named in mentioned.values()])
    resolve.recall_decisions(batch, namespace, stored.num)
    for named in mentioned.values():
        if named.kind in LIVING:
            _settle(batch, namespace, stored.num, named, speakers, rows)
    for one in nicknames:
        alias, of = rows.get(name_key(one.alias)), rows.get(name_key(one.of or who or ""))
        if alias is not None and of is not None:
            resolve.state(batch, namespace, stored.num, alias, of, STATED)
    for key in mentioned:
        # the store may have merged or parted it
        if (now := entities.by_num(batch.connection, mentioned[key].num)) is not None:
            rows[key] = now


def _named(batch: Batch, namespace: int, mention: _Mention, rows: dict[int, Named]) -> Named | None:
    """The row of a name, made where it is new; its kind follows what is said of it most clearly."""
    if not plain(mention.name):
        return None
    key = name_key(mention.name)
    if key not in rows:
        found = entities.by_keys(batch.connection, namespace, [key]).get(key)
        if found is None:
            num = entities.add(batch.connection, namespace, key, mention.name, mention.kind)
            found = Named(num, key, mention.name, mention.kind, None)
        rows[key] = found
    named = rows[key]
    if mention.told and named.kind != mention.kind and not (named.kind in LIVING and mention.kind not in LIVING):
        entities.set_kind(batch.connection, named.num, mention.kind)
        named = rows[key] = named._replace(kind=mention.kind)
    return named


def _settle(
    batch: Batch, namespace: int, memory: int, named: Named, speakers: Sequence[str], rows: dict[int, Named]
) -> None:
    full = resolve.parts(named.name)
    if full:
        resolve.note_parts(batch, namespace, memory, named)
    if not full:
        meant = resolve.short_for(named.name, speakers)
        of = None if meant is None else rows.get(name_key(meant))
        if of is None and meant is not None:
            of = _named(batch, namespace, _Mention(meant, "person", True), rows)
        if of is not None:
            resolve.state(batch, namespace, memory, named, of, SHORT)
        else:
            resolve.settle(batch, namespace, memory, entities.by_num(batch.connection, named.num) or named)
