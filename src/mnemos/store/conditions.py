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
    min_trust: float | None = None
    filters: Filter | None = None


Sql = tuple[str, list[Any]]

_COMPARE = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_TEXT = "('text')"
_NUMBER = "('integer', 'real')"


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
    if selection.min_trust is not None:
        parts.append(("m.trust >= ?", [selection.min_trust]))
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
            return f"(NOT {sql})", values
        if not parts:
            return ("(1)" if filters.joint == "AND" else "(0)"), []
        sql, values = _join(f" {filters.joint} ", parts)
        return f"({sql})", values
    if filters.operator in ("ne", "nin"):
        positive = Condition(filters.root, filters.field, "eq" if filters.operator == "ne" else "in", filters.operand)
        sql, values = filter_sql(positive)
        return f"(NOT {sql})", values
    if filters.operator in ("eq", "in"):
        operands = filters.operand if isinstance(filters.operand, tuple) else (filters.operand,)
        return _column_in(filters.field, operands) if filters.root == "column" else _json_in(filters, operands)
    return _column_sql(filters) if filters.root == "column" else _json_sql(filters)


def _column_in(field: str, operands: Sequence[Scalar]) -> Sql:
    """Text never equals a number, and nothing here equals true or false."""
    texts, numbers, _ = _by_type(operands)
    alike = texts if field in TEXT_FIELDS else numbers
    sql, values = _among(f"m.{field}", alike)
    null = f" OR m.{field} IS NULL" if None in operands else ""
    return f"(coalesce({sql}, 0){null})", values


def _column_sql(condition: Condition) -> Sql:
    column, operator, operand = f"m.{condition.field}", condition.operator, condition.operand
    if operator == "exists":
        return f"({column} IS {'NOT ' if operand else ''}NULL)", []
    if operator == "contains":
        return f"coalesce(instr({column}, ?) > 0, 0)", [operand]
    if operator == "icontains":
        return f"coalesce(instr(casefold({column}), casefold(?)) > 0, 0)", [operand]
    if isinstance(operand, str) != (condition.field in TEXT_FIELDS):
        return "(0)", []
    return f"coalesce({column} {_COMPARE[operator]} ?, 0)", [operand]


def _json_in(condition: Condition, operands: Sequence[Scalar]) -> Sql:
    test, values = _equal("e", operands)
    sql = f"EXISTS ({_entry(condition)} AND {test})"
    values = [condition.field, *values]
    if None in operands:
        sql += f" OR NOT EXISTS ({_entry(condition)} AND e.type <> 'null')"
        values.append(condition.field)
    return f"({sql})", values


def _json_sql(condition: Condition) -> Sql:
    operator, operand = condition.operator, condition.operand
    if operator == "exists":
        return f"({'' if operand else 'NOT '}EXISTS ({_entry(condition)}))", [condition.field]
    test, values = _json_test(operator, operand)
    return f"(EXISTS ({_entry(condition)} AND {test}))", [condition.field, *values]


def _json_test(operator: str, operand: Scalar | tuple[Scalar, ...]) -> Sql:
    if operator == "contains":
        inside, values = _equal("v", (operand,)) if not isinstance(operand, tuple) else ("(0)", [])
        null = " OR v.type = 'null'" if operand is None else ""
        test = f"e.type = 'array' AND EXISTS (SELECT 1 FROM json_each(e.value) v WHERE {inside}{null})"
        if not isinstance(operand, str):
            return f"({test})", values
        return f"(({test}) OR (e.type = 'text' AND instr(e.value, ?) > 0))", [*values, operand]
    if operator == "icontains":
        return "e.type = 'text' AND instr(casefold(e.value), casefold(?)) > 0", [operand]
    types = _TEXT if isinstance(operand, str) else _NUMBER
    return f"e.type IN {types} AND e.value {_COMPARE[operator]} json_extract(?, '$')", [json.dumps(operand)]


def _entry(condition: Condition) -> str:
    return f"SELECT 1 FROM json_each(m.{condition.root}) e WHERE e.key = ?"


def _equal(alias: str, operands: Sequence[Scalar]) -> Sql:
    """Whether a JSON value is one of these; numbers are read by SQLite on both sides, so that they round alike."""
    texts, numbers, truths = _by_type(operands)
    parts: list[Sql] = []
    for types, alike in ((_TEXT, texts), (_NUMBER, numbers)):
        if alike:
            sql, values = _among(f"{alias}.value", alike)
            parts.append((f"({alias}.type IN {types} AND {sql})", values))
    parts += [(f"{alias}.type = '{str(truth).lower()}'", []) for truth in truths]
    if not parts:
        return "(0)", []
    sql, values = _join(" OR ", parts)
    return f"({sql})", values


def _by_type(operands: Sequence[Scalar]) -> tuple[list[str], list[float], list[bool]]:
    texts = [operand for operand in operands if isinstance(operand, str)]
    truths = sorted({operand for operand in operands if isinstance(operand, bool)})
    numbers = [operand for operand in operands if isinstance(operand, int | float) and not isinstance(operand, bool)]
    return texts, numbers, truths


def _among(value: str, operands: Sequence[str | float]) -> Sql:
    return f"{value} IN (SELECT value FROM json_each(?))", [json.dumps(operands)]


def _one_of(column: str, values: Sequence[Any]) -> Sql:
    if len(values) == 1:
        return f"{column} = ?", [values[0]]
    return f"{column} IN (SELECT value FROM json_each(?))", [json.dumps(list(values))]


def _join(joint: str, parts: Sequence[Sql]) -> Sql:
    return joint.join(sql for sql, _ in parts), [value for _, values in parts for value in values]
