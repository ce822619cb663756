"""From JSON to the library's records, by the types that the records state; what they do not know is left out."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from mnemos.client.errors import BadReply

T = TypeVar("T")


def record(kind: type[T]) -> Callable[[object], T]:
    """Reads a record of a dataclass from the JSON object that says its fields; `BadReply` where it is not one."""

    def read(data: object) -> T:
        value: T = _value(kind, data, kind.__name__)
        return value

    return read


def listed(kind: type[T], name: str) -> Callable[[object], list[T]]:
    """Reads the records of a list that stands under a name in a JSON object."""

    def read(data: object) -> list[T]:
        items: list[T] = _value(list[kind], named(data, name), name)  # type: ignore[valid-type]  # a type at run time
        return items

    return read


def named(data: object, name: str) -> Any:
    """What stands under a name in a JSON object.

    Raises:
        BadReply: nothing does.
    """
    found = dict(_object(data, "the answer"))
    if name not in found:
        raise BadReply(f"the answer has no {name!r}")
    return found[name]


def _value(kind: Any, data: object, where: str) -> Any:
    origin = get_origin(kind)
    if kind is Any or origin is Literal:
        return data
    if origin in (Union, types.UnionType):
        return _one_of(get_args(kind), data, where)
    if is_dataclass(kind):
        return _record(kind, data, where)
    if kind is datetime:
        return _time(data, where)
    if origin in (list, tuple, Sequence):
        return _sequence(kind, data, where)
    if origin is Mapping or origin is dict:
        of = get_args(kind)[1]
        return {str(name): _value(of, part, f"{where}.{name}") for name, part in _object(data, where)}
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if not isinstance(data, kind) or (isinstance(data, bool) and kind is not bool):
        raise BadReply(f"{where} is a {type(data).__name__}, not {kind.__name__}")
    return data


def _one_of(kinds: Sequence[Any], data: object, where: str) -> Any:
    if data is None and type(None) in kinds:
        return None
    (kind,) = [kind for kind in kinds if kind is not type(None)]
    return _value(kind, data, where)


def _record(kind: Any, data: object, where: str) -> Any:
    given = dict(_object(data, where))
    known = {name: of for name, of in _fields(kind).items() if name in given}
    try:
        return kind(**{name: _value(of, given[name], f"{where}.{name}") for name, of in known.items()})
    except TypeError as error:
        raise BadReply(f"{where} lacks a field ({error})") from error


@cache
def _fields(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {one.name: hints[one.name] for one in fields(kind) if one.init}


def _sequence(kind: Any, data: object, where: str) -> Any:
    if not isinstance(data, list):
        raise BadReply(f"{where} is a {type(data).__name__}, not a list")
    of = get_args(kind)
    each = of[:1] * len(data) if get_origin(kind) is not tuple or of[-1] is Ellipsis else of
    if len(each) != len(data):
        raise BadReply(f"{where} has {len(data)} parts, not {len(each)}")
    made = [_value(one, part, f"{where}[{place}]") for place, (one, part) in enumerate(zip(each, data, strict=True))]
    return tuple(made) if get_origin(kind) is tuple else made


def _object(data: object, where: str) -> Any:
    if not isinstance(data, Mapping):
        raise BadReply(f"{where} is a {type(data).__name__}, not an object")
    return data.items()


def _time(data: object, where: str) -> datetime:
    try:
        moment = datetime.fromisoformat(str(data))
    except ValueError:
        raise BadReply(f"{where} is not a time") from None
    if moment.tzinfo is None:
        raise BadReply(f"{where} is a time without a zone")
    return moment
