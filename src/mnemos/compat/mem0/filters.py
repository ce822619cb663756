"""mem0's filters: which ids they name, wherever they stand, and what is left as a filter of Mnemos."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnemos.compat.mem0.errors import nobody_named
from mnemos.compat.mem0.scopes import IDS, Ids, read_id
from mnemos.compat.mem0.values import read_moment
from mnemos.errors import InvalidInput
from mnemos.filters import MAX_DEPTH

COLUMNS = {
    "agent_id": "agent_id",
    "run_id": "session_id",
    "actor_id": "speaker",
    "role": "role",
    "updated_at": "updated_at",
}
"""What mem0 keeps beside a memory, by the attribute that it is here; any other name is an entry of the metadata."""
JOINTS = ("AND", "OR", "NOT")
MOST = 20
"""Alternatives of ids that one filter may name."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One alternative of a filter: the ids that it names, and the conditions besides, all of which must hold."""

    ids: Ids
    conditions: tuple[Mapping[str, Any], ...] = ()

    def narrowed(self, other: Branch) -> list[Branch]:
        """Both at once; nothing where they name different ids."""
        if any(other.ids.get(name, value) != value for name, value in self.ids.items()):
            return []
        return [Branch({**self.ids, **other.ids}, self.conditions + other.conditions)]


def read_branches(filters: object, ids: Ids) -> list[Branch]:
    """The alternatives of a call's filters, each with the ids that were named outside of them too.

    Raises:
        ValidationError: an alternative names nobody.
        InvalidInput: the filters cannot be read.
    """
    branches = _both([Branch(ids)], _group({} if filters is None else filters, "filters", 0))
    if any(not branch.ids for branch in branches):
        raise nobody_named()
    return branches


def _group(filters: object, where: str, depth: int) -> list[Branch]:
    if not isinstance(filters, Mapping):
        raise InvalidInput(where, f"is a {type(filters).__name__}", "give a mapping: {'user_id': 'ana'}")
    if depth > MAX_DEPTH:
        raise InvalidInput("filters", f"are nested deeper than {MAX_DEPTH}", "flatten them")
    branches = [Branch({})]
    for name, wanted in filters.items():
        if not isinstance(name, str) or not name:
            raise InvalidInput(where, f"has the key {str(name)[:40]!r}", "use field names as keys")
        branches = _both(branches, _entry(name, wanted, f"{where}.{name[:60]}", depth))
    return branches


def _entry(name: str, wanted: object, where: str, depth: int) -> list[Branch]:
    joint = name.removeprefix("$").upper()
    if joint not in JOINTS:
        return _ids(name, wanted, where) if name in IDS else [Branch({}, (_condition(name, wanted, where),))]
    parts = _parts(wanted, where)
    if joint == "AND":
        branches = [Branch({})]
        for place, part in enumerate(parts):
            branches = _both(branches, _group(part, f"{where}[{place}]", depth + 1))
        return branches
    if joint == "OR" and any(_names_ids(part, depth) for part in parts):
        groups = [_group(part, f"{where}[{place}]", depth + 1) for place, part in enumerate(parts)]
        return _few([branch for group in groups for branch in group])
    return [Branch({}, ({joint: [_plain(part, where, depth + 1) for part in parts]},))]


def _ids(name: str, wanted: object, where: str) -> list[Branch]:
    """What a condition on an id means: the id itself, one of several, or, beside a user, a condition."""
    if isinstance(wanted, Mapping) and set(wanted) == {"eq"}:
        wanted = wanted["eq"]
    if isinstance(wanted, Mapping) and set(wanted) == {"in"} and isinstance(wanted["in"], list | tuple):
        return _few([Branch({name: _named(value, where)}) for value in wanted["in"]])
    if isinstance(wanted, Mapping) or wanted == "*":
        return [Branch({}, (_condition(name, wanted, where),))]
    return [Branch({name: _named(wanted, where)})]


def _named(value: object, where: str) -> str:
    found = read_id(value, where)
    if found is None:
        raise InvalidInput(where, "is null", "give an id, or leave it out")
    return found


def _plain(filters: object, where: str, depth: int) -> dict[str, Any]:
    """Conditions in the names of Mnemos, ids included."""
    if not isinstance(filters, Mapping):
        raise InvalidInput(where, f"holds a {type(filters).__name__}", "give mappings: [{'city': 'Lisbon'}]")
    if depth > MAX_DEPTH:
        raise InvalidInput("filters", f"are nested deeper than {MAX_DEPTH}", "flatten them")
    conditions: list[Mapping[str, Any]] = []
    for name, wanted in filters.items():
        joint = str(name).removeprefix("$").upper()
        if joint in JOINTS:
            conditions.append({joint: [_plain(part, where, depth + 1) for part in _parts(wanted, where)]})
        else:
            conditions.append(_condition(str(name), wanted, where))
    return {"AND": conditions} if conditions else {}


def _condition(name: str, wanted: object, where: str) -> Mapping[str, Any]:
    if name == "user_id":
        raise InvalidInput(where, "can only be equal to an id, or in a list of ids", "name the users that are meant")
    if name == "created_at":
        moment = _moments(wanted, where)
        unknown = {"AND": [{"happened_at": {"exists": False}}, {"created_at": moment}]}
        return {"OR": [{"happened_at": moment}, unknown]}
    if name == "updated_at":
        wanted = _moments(wanted, where)
    return {COLUMNS.get(name, f"metadata.{name}"): wanted}


def _moments(wanted: object, where: str) -> object:
    """A condition on a time, with times as mem0's callers write them, without a zone too."""
    if isinstance(wanted, Mapping):
        return {operator: _moments(value, where) for operator, value in wanted.items()}
    if isinstance(wanted, list | tuple):
        return [read_moment(value, where) for value in wanted]
    return wanted if wanted is None or wanted == "*" or isinstance(wanted, bool) else read_moment(wanted, where)


def _parts(wanted: object, where: str) -> Sequence[object]:
    if isinstance(wanted, Mapping):
        return [wanted]
    if isinstance(wanted, list | tuple) and wanted:
        return wanted
    raise InvalidInput(where, "is not a list of filters", "give a non-empty list of mappings")


def _names_ids(filters: object, depth: int) -> bool:
    if not isinstance(filters, Mapping) or depth > MAX_DEPTH:
        return False
    if any(name in filters for name in IDS):
        return True
    joined = (wanted for name, wanted in filters.items() if str(name).removeprefix("$").upper() in ("AND", "OR"))
    return any(
        _names_ids(part, depth + 1)
        for wanted in joined
        for part in (wanted if isinstance(wanted, list | tuple) else [wanted])
    )


def _both(first: Iterable[Branch], second: Sequence[Branch]) -> list[Branch]:
    return _few([both for one in first for other in second for both in one.narrowed(other)])


def _few(branches: list[Branch]) -> list[Branch]:
    if len(branches) > MOST:
        raise InvalidInput("filters", f"name more than {MOST} combinations of ids", "ask for fewer at a time")
    return branches
