"""How one description of a verb is a method of the client and, awaited, of the async client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import update_wrapper
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from mnemos.client.calls import Call, Plan
from mnemos.client.drivers import AsyncDriver, Driver
from mnemos.records import Page

P = ParamSpec("P")
T = TypeVar("T")


class Verb(Generic[P, T]):
    """A method that says what to ask: called on a `Driver` it returns the answer, on an `AsyncDriver` it is awaited."""

    def __init__(self, asks: Callable[Concatenate[Any, P], Call[T] | Plan[T]]) -> None:
        self._asks = asks
        update_wrapper(self, asks)  # type: ignore[arg-type]  # a method seen from its class: signature and words

    @overload
    def __get__(self, client: None, kind: type) -> Self: ...
    @overload
    def __get__(self, client: Driver, kind: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: AsyncDriver, kind: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, client: Driver | AsyncDriver | None, kind: type) -> Any:
        """The method of a client."""
        if client is None:
            return self
        asks: Callable[P, Call[T] | Plan[T]] = self._asks.__get__(client)
        if isinstance(client, Driver):
            return update_wrapper(lambda *args, **named: client.run(asks(*args, **named)), asks)

        async def later(*args: P.args, **named: P.kwargs) -> T:
            return await client.run(asks(*args, **named))

        return update_wrapper(later, asks)


Slices = Callable[[str | None], Call[Page[T]]]
"""Says what to ask for the page after a place, which is the `end` of another; None stands for the beginning."""


class Walk(Generic[P, T]):
    """A method that goes through a long list a page at a time: an iterator, on an `AsyncDriver` an async one."""

    def __init__(self, asks: Callable[Concatenate[Any, P], Slices[T]]) -> None:
        self._asks = asks
        update_wrapper(self, asks)  # type: ignore[arg-type]  # as above

    @overload
    def __get__(self, client: None, kind: type) -> Self: ...
    @overload
    def __get__(self, client: Driver, kind: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, client: AsyncDriver, kind: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, client: Driver | AsyncDriver | None, kind: type) -> Any:
        """The method of a client."""
        if client is None:
            return self
        asks: Callable[P, Slices[T]] = self._asks.__get__(client)
        if isinstance(client, Driver):
            return update_wrapper(lambda *args, **named: _each(client, asks(*args, **named)), asks)
        return update_wrapper(lambda *args, **named: _each_later(client, asks(*args, **named)), asks)


def _each(client: Driver, slices: Slices[T]) -> Iterator[T]:
    page = client.run(slices(None))
    yield from page
    while page.end is not None:
        page = client.run(slices(page.end))
        yield from page


async def _each_later(client: AsyncDriver, slices: Slices[T]) -> AsyncIterator[T]:
    page = await client.run(slices(None))
    while True:
        for item in page:
            yield item
        if page.end is None:
            return
        page = await client.run(slices(page.end))
