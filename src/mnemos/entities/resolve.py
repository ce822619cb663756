"""Whom a name means: parts of full names, short names of speakers, nicknames that somebody states.

A name is merged only where one reading is left: "Ana" means Ana Costa until there is an Ana Lima too, and then it
means neither. What a person has parted stays apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

from mnemos.entities.lexicon import Lexicon
from mnemos.entities.names import plain
from mnemos.entities.wordlists import PARTICLES, STOP, TITLES
from mnemos.stages import Batch
from mnemos.store import decisions, entities
from mnemos.store.decisions import USER
from mnemos.store.entities import Named

ALIAS = "alias"
"""The decision that a name means an entity; undoing it parts them."""
FIRST, LAST, SHORT, STATED = "first name", "last name", "short name", "stated"
"""Why a name means an entity; each is the policy of a decision. The first two are parts of a full name."""
PARTS = (FIRST, LAST)
LIVING = ("person", "animal")

_ONE = r"((?-i:[^\W\d_a-z][\w'’-]*(?: [^\W\d_a-z][\w'’-]+){0,2}))"
_OWN = re.compile(
    r"\b(?:(?:you can |please |just |everyone |everybody |people |my friends |friends |they all |they )?[Cc]alls? me|"
    r"(?:[Ii] )?go(?:es)? by|my nickname is|known to my friends as) " + _ONE
)
_SHORT = re.compile(
    _ONE + r"(?:,| -| –| \()? ?(?:or |aka |a\.k\.a\. |also known as |nicknamed )?([A-Z][\w'’-]+) for short\b"
)
_IS_SHORT = re.compile(r"\b([A-Z][\w'’-]+),? (?:is |which is |it's |)short for " + _ONE)
_ALSO = re.compile(_ONE + r",? \(?(?:aka|a\.k\.a\.|also known as|nicknamed|better known as) ([A-Z][\w'’-]+)")
_WE_CALL = re.compile(
    _ONE + r" \(?(?:but |and |, )?(?:we|I|everyone|everybody) calls? (?:him|her|them) ([A-Z][\w'’-]+)"
)

_CUE = re.compile(
    r"calls? (?:me|him|her|them)\b|\bgo(?:es)? by\b|nickname|\bknown (?:to|as)\b|short\b|aka\b|a\.k\.a", re.IGNORECASE
)


class Stated(NamedTuple):
    """Somebody says that a name means somebody; `of` is None where they mean themselves."""

    alias: str
    of: str | None


def name_key(name: str) -> int:
    """The number by which equal names are found, a non-negative 63-bit integer; the same on every machine."""
    digest = blake2b(plain(name).encode("utf-8", "surrogatepass"), digest_size=8, person=b"mnemos-name").digest()
    return int.from_bytes(digest, "big") >> 1


def stated(text: str) -> list[Stated]:
    """Nicknames that a text states."""
    if _CUE.search(text) is None:
        return []
    found = [Stated(match[1], None) for match in _OWN.finditer(text)]
    for pattern in (_SHORT, _ALSO, _WE_CALL):
        found += [Stated(match[2], match[1]) for match in pattern.finditer(text)]
    found += [Stated(match[1], match[2]) for match in _IS_SHORT.finditer(text)]
    return [one for one in found if one.alias[0].isupper() and plain(one.alias) not in STOP]


def parts(name: str) -> dict[str, str]:
    """The first and the last name in a full one, by policy; nothing in a name of one word."""
    words = [word for word in re.findall(r"[^\s,]+", name) if plain(word) not in PARTICLES]
    titled = bool(words) and plain(words[0]) in TITLES
    core = [word for word in words if plain(word) not in TITLES and plain(word)]
    if len(core) + titled < 2 or not core:
        return {}
    if titled and len(core) == 1:
        return {}
    return {FIRST: core[0], LAST: core[-1]} if len(plain(core[0])) > 1 else {LAST: core[-1]}


def surname(name: str) -> str | None:
    """The name after a title, where it is a single word: "Mr Iqbal"."""
    words = name.split()
    return words[1] if len(words) == 2 and plain(words[0]) in TITLES else None


def note_parts(batch: Batch, namespace: int, memory: int, full: Named) -> None:
    """Note for a person's full name what its parts may mean, and part those names that now mean two people."""
    for policy, part in parts(full.name).items():
        key = name_key(part)
        noted = entities.aliases_of_key(batch.connection, namespace, key)
        if not any(alias.entity == full.num and alias.policy == policy for alias in noted):
            entities.add_alias(batch.connection, namespace, full.num, key, part, policy, batch.now)
        meant = [key]
        if policy == LAST:
            meant += [name_key(f"{title} {part}") for title in sorted(TITLES)]
        for known in entities.by_keys(batch.connection, namespace, meant).values():
            if known.num == full.num:
                continue
            if known.kind in ("thing", "place") and plain(known.name) not in Lexicon.bundled().listed:
                entities.set_kind(batch.connection, known.num, "person")
                known = known._replace(kind="person")
            if known.kind in LIVING:
                settle(batch, namespace, memory, known)


def settle(batch: Batch, namespace: int, memory: int, named: Named) -> None:
    """Let a name stand for the one entity that it can mean; for itself where there are several."""
    meant = surname(named.name)
    key = named.key if meant is None else name_key(meant)
    noted = entities.aliases_of_key(batch.connection, namespace, key)
    if meant is not None:
        noted = [alias for alias in noted if alias.policy == LAST]
        mine = entities.aliases_of_key(batch.connection, namespace, named.key)
        parted = {alias.entity for alias in mine if alias.undone}
        noted = [alias for alias in noted if alias.entity not in parted]
    parted = {alias.entity for alias in noted if alias.undone}
    live = [alias for alias in noted if alias.entity not in parted and alias.entity != named.num]
    certain = [alias for alias in live if alias.policy not in PARTS]
    choice = certain[-1:] or live
    meanings = {entities.root(batch.connection, alias.entity) for alias in choice} - {named.num}
    if len(meanings) != 1:
        if named.into is not None:
            entities.part(batch.connection, named, batch.now, for_good=False)
        return
    if named.into is not None and entities.root(batch.connection, named.num) in meanings:
        return
    alias = choice[-1]
    target = entities.by_num(batch.connection, alias.entity)
    if target is None or entities.root(batch.connection, target.num) == named.num:
        return
    if target.kind != named.kind and not (target.kind in LIVING and named.kind in LIVING):
        return
    if meant is not None:
        num = entities.add_alias(batch.connection, namespace, alias.entity, named.key, named.name, LAST, batch.now)
    else:
        num = alias.num
    entities.set_into(batch.connection, named.num, alias.entity)
    told = {"name": named.key, "of": target.key}
    entities.decided(batch.connection, num, batch.decide(memory, ALIAS, alias.policy, detail=told))


def state(batch: Batch, namespace: int, memory: int, named: Named, of: Named, policy: str) -> None:
    """Follow a nickname that somebody stated, or a speaker's short name, unless a person has parted the two."""
    if named.num == of.num or entities.root(batch.connection, of.num) == entities.root(batch.connection, named.num):
        return
    noted = entities.aliases_of_key(batch.connection, namespace, named.key)
    if not any(alias.entity == of.num and alias.policy in (policy, USER) for alias in noted):
        entities.add_alias(batch.connection, namespace, of.num, named.key, named.name, policy, batch.now)
    settle(batch, namespace, memory, named)


def recall_decisions(batch: Batch, namespace: int, memory: int) -> None:
    """Follow what was decided about the names of a memory before it was read again, say in the store it came from."""
    for decision in decisions.about(batch.connection, memory):
        if decision.op != ALIAS or (decision.policy != USER and decision.undone_at is None):
            continue
        keys = [key for key in (decision.detail.get("name"), decision.detail.get("of")) if isinstance(key, int)]
        known = entities.by_keys(batch.connection, namespace, keys)
        if len(keys) != 2 or keys[0] not in known or keys[1] not in known:
            continue
        named, of = known[keys[0]], known[keys[1]]
        noted = entities.aliases_of_key(batch.connection, namespace, named.key)
        if any(alias.decision == decision.id for alias in noted):
            continue
        num = entities.add_alias(batch.connection, namespace, of.num, named.key, named.name, decision.policy, batch.now)
        entities.decided(batch.connection, num, decision.id)
        if decision.undone_at is None:
            entities.set_into(batch.connection, named.num, of.num)
        else:
            entities.undo_aliases(batch.connection, decision.id, decision.undone_at)


def short_for(name: str, speakers: Sequence[str]) -> str | None:
    """The one speaker of whose name a name is the beginning: Mel for Melanie."""
    short = plain(name)
    meant = {plain(speaker): speaker for speaker in speakers if speaker}
    if " " in short or len(short) < 2 or short in meant:
        return None
    found = [speaker for known, speaker in meant.items() if known.split()[0].startswith(short) and known != short]
    return found[0] if len(found) == 1 else None
