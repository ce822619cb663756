"""LangGraph's filters: which values `search(filter=…)` counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from mnemos.errors import InvalidInput

OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$eq": eq, "$ne": ne, "$gt": gt, "$gte": ge, "$lt": lt, "$lte": le,
}  # fmt: skip
_ORDERED = frozenset(("$gt", "$gte", "$lt", "$lte"))
_UNSAFE = re.compile(r"[\x00-\x1f'\"`\\]")
"""What no name of a field has, and what only an attempt to break out of a query would."""


def read_filter(wanted: object) -> Callable[[Any], bool] | None:
    """Whether an item's value is counted; None where every one is.

    Raises:
        InvalidInput: the filter is not a mapping of names, or has an operator that LangGraph does not name.
    """
    if not wanted:
        return None
    if not isinstance(wanted, Mapping):
        raise InvalidInput("filter", f"is a {type(wanted).__name__}", "give a mapping: {'color': 'red'}")
    for name, test in wanted.items():
        if not isinstance(name, str) or _UNSAFE.search(name):
            raise InvalidInput("filter", f"Invalid filter key: {str(name)[:60]!r}", "use a field's name, or a.b")
        _check(test, f"filter.{name[:60]}")
    tests = dict(wanted)

    def keep(value: Any) -> bool:
        fields = as_mapping(value)
        return all(_counts(_field(fields, name), test) for name, test in tests.items())

    return keep


def as_mapping(value: Any) -> dict[str, Any]:
    """An item's value as LangGraph knows values; one that is no mapping stands under `value`."""
    return value if isinstance(value, dict) else {"value": value}


def _check(test: object, where: str) -> None:
    if isinstance(test, Mapping):
        unknown = [name for name in test if not isinstance(name, str) or name not in OPERATORS]
        if unknown and _is_operation(test):
            raise InvalidInput(where, f"Unsupported operator: {str(unknown[0])[:40]}", f"use {', '.join(OPERATORS)}")
        for name in unknown:
            _check(test[name], f"{where}.{str(name)[:60]}")


def _is_operation(test: Mapping[Any, Any]) -> bool:
    return any(isinstance(name, str) and name.startswith("$") for name in test)


def _field(fields: Mapping[str, Any], name: str) -> Any:
    """A field by its name, or else by the names on the way to it, joined by dots; None where there is none."""
    if name in fields or "." not in name:
        return fields.get(name)
    found: Any = fields
    for step in name.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _counts(value: Any, test: Any) -> bool:
    if isinstance(test, Mapping):
        if _is_operation(test):
            return all(_compare(value, operator, operand) for operator, operand in test.items())
        return isinstance(value, Mapping) and all(_counts(value.get(name), part) for name, part in test.items())
    if isinstance(test, list | tuple):
        alike = isinstance(value, Sequence) and not isinstance(value, str) and len(value) == len(test)
        return alike and all(map(_counts, value, test))
    return bool(value == test)


def _compare(value: Any, operator: str, operand: Any) -> bool:
    """Numbers are compared as numbers and texts as texts; a number with a text as what the text says, if a number."""
    if operator in _ORDERED and not (isinstance(value, str) and isinstance(operand, str)):
        value, operand = _number(value), _number(operand)
        if value is None or operand is None:
            return False
    return OPERATORS[operator](value, operand)


def _number(value: Any) -> float | None:
    if isinstance(value, int | float):
        return value
    try:
        return float(value) if isinstance(value, str) else None
    except ValueError:
        return None
