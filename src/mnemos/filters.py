"""Filters on attributes and metadata, in the operators that mem0 and LangGraph users write, with or without `$`.

`{"city": "Lisbon"}`, `{"stars": {"gte": 3}}`, `{"AND": [...]}`, `{"$or": [...]}`, `{"NOT": {...}}`. A name that is an
attribute of a memory (`speaker`, `role`, `trust`, `channel`, …) means that attribute; `metadata.x` or any other name
means the top-level metadata entry x; `value.x` an entry of an item's value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Literal

from mnemos.errors import InvalidInput
from mnemos.times import read_time

Operator = Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "contains", "icontains", "exists"]
OPERATORS = frozenset(("eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "contains", "icontains", "exists"))
TEXT_FIELDS = frozenset(("id", "kind", "form", "speaker", "role", "session_id", "agent_id", "key", "channel", "writer"))
NUMBER_FIELDS = frozenset(("trust", "strength", "uses", "version"))
TIME_FIELDS = frozenset(
    ("happened_at", "valid_at", "invalid_at", "created_at", "updated_at", "expired_at", "last_used_at")
)
MAX_DEPTH = 20
MAX_CONDITIONS = 500

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison. `root` says where the field lives: an attribute, the metadata or an item's value."""

    root: Literal["column", "metadata", "value"]
    field: str
    operator: Operator
    operand: Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions joined by AND or OR, or the negation of one."""

    joint: Literal["AND", "OR", "NOT"]
    members: tuple[Condition | Group, ...]


Filter = Condition | Group


def read_filters(filters: object, *, zone: tzinfo | None = None) -> Filter | None:
    """The parsed filter, or None for none."""
    if filters is None:
        return None
    reader = _Reader(zone)
    group = reader.group(filters, "filters", 0)
    return group if group.members else None


class _Reader:
    def __init__(self, zone: tzinfo | None) -> None:
        self.zone = zone
        self.count = 0

    def group(self, filters: object, where: str, depth: int) -> Group:
        """A mapping of conditions, all of which must hold."""
        if not isinstance(filters, Mapping):
            raise InvalidInput(where, f"is a {type(filters).__name__}", "give a mapping: {'city': 'Lisbon'}")
        if depth > MAX_DEPTH:
            raise InvalidInput("filters", f"are nested deeper than {MAX_DEPTH}", "flatten them")
        members: list[Filter] = []
        for name, wanted in filters.items():
            if not isinstance(name, str) or not name:
                raise InvalidInput(where, f"has the key {str(name)[:40]!r}", "use field names as keys")
            _clean(name, where)
            members.extend(self.entry(name, wanted, f"{where}.{name[:60]}", depth))
        return Group("AND", tuple(members))

    def entry(self, name: str, wanted: object, where: str, depth: int) -> list[Filter]:
        joint = name.removeprefix("$").upper()
        if joint in ("AND", "OR", "NOT"):
            return [self.joined(joint, wanted, where, depth)]
        if name.startswith("$"):
            raise InvalidInput(where, "is not an operator here", "use $and, $or, $not around conditions")
        if isinstance(wanted, Mapping):
            if not wanted:
                raise InvalidInput(where, "has no operator", "write {'eq': value}")
            return [self.condition(name, str(op), operand, where) for op, operand in wanted.items()]
        if wanted == "*":
            return [self.condition(name, "exists", True, where)]
        if isinstance(wanted, list | tuple):
            raise InvalidInput(where, "is a list", "write {'in': [...]}")
        return [self.condition(name, "eq", wanted, where)]

    def joined(self, joint: str, wanted: object, where: str, depth: int) -> Group:
        parts: Sequence[object]
        if isinstance(wanted, Mapping):
            parts = [wanted]
        elif isinstance(wanted, Sequence) and not isinstance(wanted, str | bytes) and wanted:
            parts = wanted
        else:
            raise InvalidInput(where, "is not a list of filters", "give a non-empty list of mappings")
        groups = tuple(self.group(part, f"{where}[{i}]", depth + 1) for i, part in enumerate(parts))
        if joint == "NOT":
            return Group("NOT", (Group("OR", groups),))
        return Group("OR" if joint == "OR" else "AND", groups)

    def condition(self, name: str, op: str, operand: object, where: str) -> Condition:
        self.count += 1
        if self.count > MAX_CONDITIONS:
            raise InvalidInput("filters", f"have more than {MAX_CONDITIONS} conditions", "use {'in': [...]}")
        operator = op.removeprefix("$")
        if operator not in OPERATORS:
            raise InvalidInput(where, f"unknown operator {op[:40]!r}", f"use one of {', '.join(sorted(OPERATORS))}")
        if operator in ("in", "nin"):
            if not isinstance(operand, list | tuple | set | frozenset):
                raise InvalidInput(f"{where}.{op}", f"is a {type(operand).__name__}", "give a list of values")
            value: Scalar | tuple[Scalar, ...] = tuple(self.scalar(name, v, f"{where}.{op}") for v in operand)
        else:
            value = self.scalar(name, operand, f"{where}.{op}")
            _check_operand(name, operator, value, f"{where}.{op}")
        root, field = _place(name)
        return Condition(root, field, operator, value)  # type: ignore[arg-type]  # checked above

    def scalar(self, name: str, value: object, where: str) -> Scalar:
        if name in TIME_FIELDS and value is not None and not isinstance(value, bool):
            return read_time(value, where, self.zone)
        if isinstance(value, datetime):
            return value.isoformat()
        if value is None or isinstance(value, bool | float):
            return _finite(value, where)
        if isinstance(value, int):
            if not -(2**63) <= value < 2**63:
                raise InvalidInput(where, "is beyond 64 bits", "use a smaller number")
            return value
        if isinstance(value, str):
            return _clean(value, where)
        raise InvalidInput(where, f"is a {type(value).__name__}", "compare with text, a number, true, false or null")


def _place(name: str) -> tuple[Literal["column", "metadata", "value"], str]:
    if name in TEXT_FIELDS | NUMBER_FIELDS | TIME_FIELDS:
        return "column", name
    if name.startswith("value.") and len(name) > 6:
        return "value", name.removeprefix("value.")
    if name.startswith("metadata.") and len(name) > 9:
        return "metadata", name.removeprefix("metadata.")
    return "metadata", name


def _check_operand(name: str, operator: str, value: Scalar, where: str) -> None:
    if operator in ("contains", "icontains") and name in NUMBER_FIELDS | TIME_FIELDS:
        raise InvalidInput(where, f"looks for text in {name}, which holds none", "compare with eq, gt, gte, lt or lte")
    if operator == "contains" and name in TEXT_FIELDS and not isinstance(value, str):
        raise InvalidInput(where, "is not text", "give the text to look for")
    if operator in ("gt", "gte", "lt", "lte") and (value is None or isinstance(value, bool)):
        raise InvalidInput(where, "has no order", "compare with a number, text or time")
    if operator == "icontains" and not isinstance(value, str):
        raise InvalidInput(where, "is not text", "give the text to look for")
    if operator == "exists" and not isinstance(value, bool):
        raise InvalidInput(where, "is not true or false", "write {'exists': true}")


def _finite(value: bool | float | None, where: str) -> bool | float | None:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        raise InvalidInput(where, "is not a finite number", "use a finite number")
    return value


def _clean(value: str, where: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidInput(where, "holds a lone surrogate", "give valid Unicode") from None
    if "\x00" in value:
        raise InvalidInput(where, "holds a NUL character", "remove it")
    return value
