"""Async twins: the sync method, run in a bounded pool of threads, in the context of whoever awaits it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextvars import copy_context
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class HasExecutor(Protocol):
    """Anything with a pool of threads."""

    @property
    def executor(self) -> Executor:
        """The pool."""
        ...


S = TypeVar("S", bound=HasExecutor)


def in_thread(
    method: Callable[Concatenate[S, P], R],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, R]]:
    """The async twin of a method: same arguments, same result, awaited."""

    @functools.wraps(method)
    async def twin(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        import asyncio  # here, so that a program without async does not pay for it

        call = functools.partial(copy_context().run, method, self, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self.executor, call)

    twin.__doc__ = f"Async twin of `{method.__name__}`."
    return twin
