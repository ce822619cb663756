"""From what a caller asks for (scope, kinds, sessions, times, filters) to one SQL condition over `memories m`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mnemos.filters import TEXT_FIELDS, Condition, Filter, Group, Scalar


@dataclass(frozen=True, slots=True)
class Selection:
    """What `search` and `list` are narrowed to. Times are microseconds; None means no bound."""

    namespaces: tuple[int, ...]
    agent_id: str | None = None
    kinds: tuple[str, ...] = ()
    sessions: tuple[str, ...] | None = None
    since: int | None = None
    until: int | None = None
    as_of: int | None = None
    known_at: int | None = None
    filters: Filter | None = None


Sql = tuple[str, list[Any]]

_COMPARE = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def where(selection: Selection, now: int) -> Sql:
    """The condition of a selection, to stand after WHERE."""
    parts: list[Sql] = [
        _one_of("m.namespace", selection.namespaces),
        ("m.hidden = 0", []),
        ("(m.expires_at IS NULL OR m.expires_at > ?)", [now]),
    ]
    if selection.known_at is None:
        parts.append(("(m.expired_at IS NULL OR m.expired_at > ?)", [now]))
    else:
        known = selection.known_at
        parts.append(("m.created_at <= ? AND (m.expired_at IS NULL OR m.expired_at > ?)", [known, known]))
    if selection.kinds:
        parts.append(_one_of("m.kind", selection.kinds))
    if selection.agent_id is not None:
        parts.append(("m.agent_id = ?", [selection.agent_id]))
    if selection.sessions is not None:
        parts.append(_one_of("m.session_id", selection.sessions))
    if selection.since is not None:
        parts.append(("m.happened_at >= ?", [selection.since]))
    if selection.until is not None:
        parts.append(("m.happened_at < ?", [selection.until]))
    if selection.as_of is not None:
        parts.append((_TRUE_AT, [selection.as_of] * 3))
    if selection.filters is not None:
        parts.append(filter_sql(selection.filters))
    return _join(" AND ", parts)


_TRUE_AT = (
    "(m.happened_at IS NULL OR m.happened_at <= ?) AND (m.valid_at IS NULL OR m.valid_at <= ?)"
    " AND (m.invalid_at IS NULL OR m.invalid_at > ?)"
)


def filter_sql(filters: Filter) -> Sql:
    """A filter as SQL that is never NULL, so that NOT means what it says."""
    if isinstance(filters, Group):
        parts = [filter_sql(member) for member in filters.members]
        if filters.joint == "NOT":
            sql, values = parts[0]
            return f"NOT {sql}", values
        if not parts:
            return ("(1)" if filters.joint == "AND" else "(0)"), []
        sql, values = _join(f" {filters.joint} ", parts)
        return f"({sql})", values
    if filters.operator in ("ne", "nin"):
        positive = Condition(filters.root, filters.field, "eq" if filters.operator == "ne" else "in", filters.operand)
        sql, values = filter_sql(positive)
        return f"(NOT {sql})", values
    if filters.operator == "in":
        operands = filters.operand if isinstance(filters.operand, tuple) else ()
        each = tuple(Condition(filters.root, filters.field, "eq", operand) for operand in operands)
        return filter_sql(Group("OR", each))
    return _column_sql(filters) if filters.root == "column" else _json_sql(filters)


def _column_sql(condition: Condition) -> Sql:
    column, operator, operand = f"m.{condition.field}", condition.operator, condition.operand
    if operator == "exists":
        return f"({column} IS {'NOT ' if operand else ''}NULL)", []
    if operator == "eq":
        return (f"({column} IS NULL)", []) if operand is None else (f"({_typed(condition)} IS ?)", [operand])
    if operator == "contains":
        return f"coalesce(instr({column}, ?) > 0, 0)", [str(operand)]
    if operator == "icontains":
        return f"coalesce(instr(casefold({column}), casefold(?)) > 0, 0)", [operand]
    if isinstance(operand, str) != (condition.field in TEXT_FIELDS):
        return "(0)", []
    return f"coalesce({column} {_COMPARE[operator]} ?, 0)", [operand]


def _typed(condition: Condition) -> str:
    """A column as it is compared: text never equals a number."""
    operand_is_text = isinstance(condition.operand, str)
    return f"m.{condition.field}" if operand_is_text == (condition.field in TEXT_FIELDS) else "NULL"


def _json_sql(condition: Condition) -> Sql:
    each = f"json_each(m.{condition.root}) e"
    operator, operand = condition.operator, condition.operand
    head = f"SELECT 1 FROM {each} WHERE e.key = ?"
    if operator == "exists":
        return f"({'' if operand else 'NOT '}EXISTS ({head}))", [condition.field]
    if operator == "eq" and operand is None:
        return f"(NOT EXISTS ({head} AND e.type <> 'null'))", [condition.field]
    if operator == "contains":
        inside, values = _equal_json("v", operand)
        listed = f"e.type = 'array' AND EXISTS (SELECT 1 FROM json_each(e.value) v WHERE {inside})"
        if isinstance(operand, str):
            return (
                f"(EXISTS ({head} AND (({listed}) OR (e.type = 'text' AND instr(e.value, ?) > 0))))",
                [condition.field, *values, operand],
            )
        return f"(EXISTS ({head} AND {listed}))", [condition.field, *values]
    if operator == "icontains":
        return (
            f"(EXISTS ({head} AND e.type = 'text' AND instr(casefold(e.value), casefold(?)) > 0))",
            [condition.field, operand],
        )
    if operator == "eq":
        test, values = _equal_json("e", operand)
    else:
        kinds = "('text')" if isinstance(operand, str) else "('integer', 'real')"
        test, values = f"e.type IN {kinds} AND e.value {_COMPARE[operator]} ?", [operand]
    return f"(EXISTS ({head} AND {test}))", [condition.field, *values]


def _equal_json(alias: str, operand: Scalar | tuple[Scalar, ...]) -> Sql:
    if operand is None:
        return f"{alias}.type = 'null'", []
    if isinstance(operand, bool):
        return f"{alias}.type = ?", ["true" if operand else "false"]
    kinds = "('text')" if isinstance(operand, str) else "('integer', 'real')"
    return f"{alias}.type IN {kinds} AND {alias}.value = ?", [operand]


def _one_of(column: str, values: Sequence[Any]) -> Sql:
    if len(values) == 1:
        return f"{column} = ?", [values[0]]
    return f"{column} IN (SELECT value FROM json_each(?))", [json.dumps(list(values))]


def _join(joint: str, parts: Sequence[Sql]) -> Sql:
    return joint.join(sql for sql, _ in parts), [value for _, values in parts for value in values]
