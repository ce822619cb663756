"""What a client asks a server: calls, plans of several calls, and when a call is made again. Nothing here connects."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, Generic, TypeVar
from uuid import uuid4

from mnemos.client.errors import BadReply, Unreachable, name_of, of_reply, read_problem, wait_of
from mnemos.errors import InvalidInput, MnemosError, NotFound
from mnemos.ids import read_id
from mnemos.namespaces import read_scope

T = TypeVar("T")

RETRIED = frozenset((429, 502, 503, 504))
"""Answers after which the same request may succeed."""
IN_HAND = "in-hand"
"""What the server answers to a write that it was asked for before and has not finished."""
Saving = Callable[[], AbstractContextManager[Callable[[bytes], object]]]
"""Opens what is told every piece of an answer; left without an error, the answer was whole."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_ID = re.compile(r"[0-9a-z-]{1,100}")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request, and what its answer means."""

    method: str
    path: str
    decode: Callable[[Any], T]
    """Makes the result of the answer's JSON."""
    query: Mapping[str, Any] = field(default_factory=dict)
    """Parameters; lists are repeated names, and what is None is left out."""
    body: Mapping[str, Any] | None = None
    """What is sent as JSON; None sends nothing."""
    upload: Path | None = None
    """A file that is sent as it is, instead of a body."""
    save: Saving | None = None
    """Takes the bytes of the answer as they come; what is decoded then is None."""
    reads: bool = False
    """Whether it changes nothing, and may be made again whatever became of it."""
    about: str = ""
    """The id that it is about, for the error where nothing has it."""
    key: str | None = None
    """Sent as `Idempotency-Key`: the server does what it names once, however often it is asked."""

    def headers(self) -> dict[str, str]:
        """What this call adds to every request's headers."""
        return {} if self.key is None else {"Idempotency-Key": self.key}

    def parameters(self) -> tuple[tuple[str, str], ...]:
        """The query as pairs of text.

        Raises:
            InvalidInput: something in it cannot be said in an address.
        """
        given = {name: value for name, value in self.query.items() if value is not None}
        return tuple((name, one) for name, value in given.items() for one in _plain(value, name))

    def content(self) -> bytes | None:
        """The body as JSON.

        Raises:
            InvalidInput: something in it cannot be written as JSON.
        """
        if self.body is None:
            return None
        fields = ",".join(f"{json.dumps(name)}:{json_text(value, name)}" for name, value in self.body.items())
        return f"{{{fields}}}".encode()


@dataclass(frozen=True, slots=True)
class Pause:
    """Seconds to wait inside a plan."""

    seconds: float


Plan = Generator[Call[Any] | Pause, Any, T]
"""Several calls, each sent the result of the one before; what it returns is the result."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its status, its headers (names in lower case) and its bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


Work = Generator[Call[Any] | Pause, "Reply | Unreachable | None", T]
"""What a driver does: for each call it sends back what came of it, for each pause None."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a call is made again, and how long is waited before."""

    retries: int = 3
    longest: float = 30.0
    """Seconds that are waited at most; a server that asks for more is not asked again."""

    def wait(self, call: Call[Any], made: int, outcome: Reply | Unreachable) -> float | None:
        """Seconds until a call is made again, after it was made so often; None if it is not."""
        if made > self.retries or not (call.reads or call.key is not None):
            return None
        if isinstance(outcome, Reply):
            if outcome.status not in RETRIED and name_of(read_problem(outcome.body)) != IN_HAND:
                return None
            asked = wait_of(outcome.headers)
            if asked is not None:
                return asked if asked <= self.longest else None
        return min(self.longest, 0.1 * 2.0**made * random.uniform(0.5, 1.0))


def read(method: str, path: str, decode: Callable[[Any], T], **settings: Any) -> Call[T]:
    """A call that changes nothing."""
    return Call(method, path, decode, reads=True, **settings)


def write(method: str, path: str, decode: Callable[[Any], T], **settings: Any) -> Call[T]:
    """A call that changes something, under a key of its own: asked again, it is done once."""
    return Call(method, path, decode, key=uuid4().hex, **settings)


def part(id: str, field: str = "id") -> str:
    """An id as part of a path.

    Raises:
        NotFound: nothing can have such an id.
    """
    found = read_id(id, field)
    if not _ID.fullmatch(found):
        raise NotFound(field, found)
    return found


def given(
    *,
    user_id: str | None = None,
    agent_id: str | None = None,
    namespace: Sequence[str] | None = None,
    **others: Any,
) -> dict[str, Any]:
    """Arguments as the fields of a request; what is None is left out.

    Raises:
        InvalidInput: the scope is none that the library would take.
    """
    read_scope(user_id, agent_id, namespace)
    told = {"user_id": user_id, "agent_id": agent_id, "namespace": namespace, **others}
    return {name: value for name, value in told.items() if value is not None}


def asked(**values: Any) -> dict[str, Any]:
    """Arguments as query parameters; conditions as JSON."""
    told = given(**values)
    return told | {"filters": json_text(told["filters"], "filters")} if "filters" in told else told


def json_text(value: object, field: str) -> str:
    """A value as JSON.

    Raises:
        InvalidInput: JSON cannot say it.
    """
    try:
        return json.dumps(value, default=_jsonable, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(field, f"cannot be written as JSON ({error})", "give text, numbers, lists, …") from None


def work(asked: Call[T] | Plan[T], patience: Patience) -> Work[T]:
    """A call or a plan, with every call made again where that may help.

    Raises:
        MnemosError: the server refused a call, failed or was not reached, and the plan does not know better.
    """
    if isinstance(asked, Call):
        return (yield from _tried(asked, patience))
    try:
        step = next(asked)
        while True:
            if isinstance(step, Pause):
                yield step
                step = asked.send(None)
                continue
            try:
                answer = yield from _tried(step, patience)
            except MnemosError as error:
                step = asked.throw(error)
            else:
                step = asked.send(answer)
    except StopIteration as end:
        returned: T = end.value
        return returned


def _tried(call: Call[T], patience: Patience) -> Work[T]:
    made = 0
    while True:
        outcome = yield call
        assert outcome is not None, "a driver sends back what came of a call"
        made += 1
        wait = patience.wait(call, made, outcome)
        if wait is None:
            return _result(call, outcome)
        yield Pause(wait)


def _result(call: Call[T], outcome: Reply | Unreachable) -> T:
    if isinstance(outcome, Unreachable):
        raise outcome
    if outcome.status >= 300:
        raise of_reply(outcome.status, outcome.headers, outcome.body, call.about)
    try:
        told = json.loads(outcome.body) if outcome.body else None
    except (ValueError, RecursionError):
        raise BadReply(f"the answer to {call.method} {call.path} is not JSON", status=outcome.status) from None
    return call.decode(told)


def _plain(value: object, name: str) -> tuple[str, ...]:
    parts = tuple(value) if isinstance(value, list | tuple | set | frozenset) else (value,)
    if not parts:
        raise InvalidInput(name, "is empty", "give at least one, or leave it out")
    texts = tuple(part.isoformat() if isinstance(part, datetime) else str(part) for part in parts)
    if any(_SURROGATE.search(text) for text in texts):
        raise InvalidInput(name, "holds a lone surrogate", "give valid Unicode")
    return tuple(text.lower() for text in texts) if isinstance(value, bool) else texts


def _jsonable(value: object) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, tzinfo):
        return str(value)
    raise TypeError(f"a {type(value).__name__} is no JSON")
