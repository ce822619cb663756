"""Where blocking work queues: a few searches at a time, beside a few other calls, so that none starves the rest."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, TypeVar

from mnemos.errors import MnemosError

T = TypeVar("T")
Lane = Literal["search", "call"]
CALLING = 4
"""Writes and short reads side by side."""


class TooBusy(MnemosError):
    """More requests wait than the server lets queue."""


class Desk:
    """Runs blocking work in threads, for coroutines. What exceeds the queue is turned away at once."""

    def __init__(self, searching: int, waiting: int) -> None:
        self._pools = {
            "search": ThreadPoolExecutor(searching, thread_name_prefix="mnemos-search"),
            "call": ThreadPoolExecutor(CALLING, thread_name_prefix="mnemos-call"),
        }
        self._most = waiting
        self._waiting = {"search": 0, "call": 0}

    def waiting(self, lane: Lane) -> int:
        """Requests that wait or are being worked on."""
        return self._waiting[lane]

    async def run(self, work: Callable[[], T], lane: Lane = "call") -> T:
        """What `work` returns, computed in a thread of the lane, with the caller's context variables.

        Raises:
            TooBusy: too many wait already.
        """
        if self._waiting[lane] >= self._most:
            raise TooBusy("too many requests are waiting; try again in a moment")
        self._waiting[lane] += 1
        try:
            context = contextvars.copy_context()
            return await asyncio.get_running_loop().run_in_executor(self._pools[lane], context.run, work)
        finally:
            self._waiting[lane] -= 1

    def close(self) -> None:
        """Wait for what is in hand, and end the threads."""
        for pool in self._pools.values():
            pool.shutdown()
