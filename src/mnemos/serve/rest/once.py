"""What every route that writes asks for: a way to carry its work out once, however often the request comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Header, Request, Response
from pydantic import TypeAdapter

from mnemos.records import Deletion, Memory
from mnemos.serve.access import Access
from mnemos.serve.depends import ServerOf
from mnemos.serve.idempotency import HEADER, Answered, DeletedSince, Write, read_write
from mnemos.system import Mnemos

T = TypeVar("T")
REPLAYED = "Idempotency-Replayed"


@dataclass(frozen=True, slots=True)
class Shape(Generic[T]):
    """How an answer is noted without words, and made again from the note."""

    note: Callable[[T], Any]
    again: Callable[[Mnemos, Any], T]


def plain(kind: type[T]) -> Shape[T]:
    """The shape of an answer that holds no words: it is noted whole."""
    adapter: TypeAdapter[T] = TypeAdapter(kind)
    return Shape(lambda reply: adapter.dump_python(reply, mode="json"), lambda _, noted: adapter.validate_python(noted))


def _again(memory: Mnemos, noted: tuple[str, bool]) -> Memory:
    found = memory.get(noted[0])
    if found is None:
        raise DeletedSince("this request was carried out before, and what it stored was deleted since")
    return replace(found, is_new=noted[1])


MEMORY: Shape[Memory] = Shape(lambda one: (one.id, one.is_new), _again)
"""A memory comes again as it is then."""
MEMORIES: Shape[list[Memory]] = Shape(
    lambda all: [MEMORY.note(one) for one in all], lambda memory, noted: [_again(memory, one) for one in noted]
)
DELETION = plain(Deletion)


class Once:
    """One request that writes."""

    def __init__(self, answered: Answered, request: Request, response: Response, body: bytes, key: str | None) -> None:
        self._answered = answered
        self._request = request
        self._response = response
        self._body = body
        self._key = key
        self.interrupted = False
        """Whether a server may have carried it out and did not live to say so."""

    def write(self, access: Access) -> Write | None:
        """The write that this request is for a caller; None where it has no key."""
        if self._key is None:
            return None
        target = f"{self._request.method} {self._request.url.path}?{self._request.url.query}"
        return read_write(self._key, (access.tenant, access.key_id), (target, self._body))

    async def call(self, access: Access, work: Callable[[Mnemos], T], shape: Shape[T]) -> T:
        """What `work` makes of the tenant's store, or made of it when this request came before.

        Raises:
            InHand: the first request is still being carried out.
            DeletedSince: what it made was deleted since.
            InvalidInput: the key cannot be read, or came before with another request.
        """
        write = self.write(access)
        if write is None:
            return await access.call(work)
        reply, replayed = await access.call(lambda memory: self._carry_out(write, memory, work, shape))
        if replayed:
            self._response.headers[REPLAYED] = "true"
        return reply

    def _carry_out(self, write: Write, memory: Mnemos, work: Callable[[Mnemos], T], shape: Shape[T]) -> tuple[T, bool]:
        begun = self._answered.begin(write)
        if begun.answered:
            return shape.again(memory, begun.detail), True
        self.interrupted = begun.interrupted
        carried_out = False
        try:
            reply = work(memory)
            carried_out = True
        finally:
            if not carried_out:
                self._answered.refused(write)
        status = getattr(self._request.scope.get("route"), "status_code", None) or 200
        self._answered.done(write, status, shape.note(reply))
        return reply, False


async def _once(
    request: Request,
    response: Response,
    server: ServerOf,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias=HEADER,
            description="1 to 255 visible ASCII characters, a new one with each new request. A repeat within a day, "
            "with the same body, does nothing and is answered alike (409 while the first is in hand).",
            json_schema_extra={"minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
            examples=["6f1c1d3e-8a77-4a53-9c1c-2f1f6f8f0b5e"],
        ),
    ] = None,
) -> Once:
    body = b"" if idempotency_key is None else await request.body()
    return Once(server.answered, request, response, body, idempotency_key)


Onced = Annotated[Once, Depends(_once)]
