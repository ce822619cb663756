"""What a server's refusals are raised as: the library's own errors where it has them, and those of the wire."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from mnemos.errors import (
    ImportFailed,
    InvalidInput,
    MnemosError,
    NotFound,
    ReadOnlyStore,
    StoreBusy,
    StoreError,
    StoreFull,
)


class ServerError(MnemosError):
    """The server refused or failed.

    `status` is that of HTTP (None where no answer came), `type` the name of the problem, `request_id` the id under
    which the server's log tells more.
    """

    def __init__(
        self, detail: str, *, status: int | None = None, type: str | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.type = type
        self.request_id = request_id


class Unreachable(ServerError):
    """No answer came, or only a part of one; whether a write was done is unknown unless it is asked again."""


class BadReply(ServerError):
    """The answer is not one of Mnemos: another server, a proxy's page, or a release that this one does not know."""


class Unauthorized(ServerError):
    """No key was given, or one that opens nothing."""


class Forbidden(ServerError):
    """The key does not allow this."""


class RateLimited(ServerError):
    """More requests came than the key may make; `wait` is how many seconds the server asks to wait."""

    wait: float = 0.0


class JobFailed(ServerError):
    """A job on the server failed for good."""


_NAMES = "urn:mnemos:"
_WIRE: Mapping[int, type[ServerError]] = {401: Unauthorized, 403: Forbidden, 429: RateLimited}
_LIBRARY: Mapping[str, Callable[[str], MnemosError]] = {
    "store-busy": StoreBusy,
    "store-full": StoreFull,
    "read-only-store": ReadOnlyStore,
    "store-error": StoreError,
    "import-failed": ImportFailed,
}


def of_reply(status: int, headers: Mapping[str, str], body: bytes, about: str = "") -> MnemosError:
    """The error that an answer of 300 and above stands for; `about` is the id that was asked for."""
    problem = read_problem(body)
    request_id = problem.get("request_id") or headers.get("x-request-id")
    if not problem:
        return _of_wire(ServerError, f"the server answered {status}", status, None, request_id)
    error = of_problem({"status": status, "request_id": request_id, **problem}, about)
    if isinstance(error, RateLimited):
        error.wait = wait_of(headers) or 0.0
    return error


def of_problem(problem: Mapping[str, Any], about: str = "") -> MnemosError:
    """The error that a problem (RFC 9457) stands for."""
    status = problem.get("status")
    name = name_of(problem)
    detail = str(problem.get("detail") or problem.get("title") or f"the server answered {status}")
    wrong = problem.get("errors") or [{}]
    if name == "not-found" and "field" in wrong[0]:
        return NotFound(str(wrong[0]["field"]), about)
    if name == "invalid-input" and "field" in wrong[0]:
        first, *others = wrong
        rest = "".join(f"; {one['field']}: {one['problem']}" for one in others[:2])
        return InvalidInput(str(first["field"]), str(first["problem"]), f"{first['mend']}{rest}")
    if name in _LIBRARY:
        return _LIBRARY[name](detail)
    return _of_wire(_WIRE.get(status or 0, ServerError), detail, status, name or None, problem.get("request_id"))


def read_problem(body: bytes) -> dict[str, Any]:
    """The problem that a body says; empty where it says none."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) and ("detail" in said or "title" in said) else {}


def name_of(problem: Mapping[str, Any]) -> str:
    """The name of a problem, as `store-busy`; empty where it has none of Mnemos."""
    kind = str(problem.get("type") or "")
    return kind.removeprefix(_NAMES) if kind.startswith(_NAMES) else ""


def wait_of(headers: Mapping[str, str]) -> float | None:
    """The seconds that `Retry-After` asks to wait; None without it."""
    said = headers.get("retry-after")
    if said is None:
        return None
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _of_wire(kind: type[ServerError], detail: str, status: int | None, name: str | None, request: Any) -> ServerError:
    return kind(detail, status=status, type=name, request_id=None if request is None else str(request))
