"""`mnemos mcp`: one store for one client, over standard input and output, beside other processes on the same file."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, redirect_stdout, suppress
from pathlib import Path
from typing import Any, cast

import anyio
from mcp.server.context import CallNext, HandlerResult
from mcp.server.stdio import stdio_server

from mnemos.namespaces import read_scope
from mnemos.recall.cores import stay_on_one_core
from mnemos.serve.access import OPEN_TENANT, Access
from mnemos.serve.desk import Desk
from mnemos.serve.logs import configure
from mnemos.serve.mcp.caller import Caller
from mnemos.serve.mcp.protocol import Asked, build
from mnemos.serve.mcp.refusing import Refusing
from mnemos.serve.tenants import Tenants
from mnemos.serve.worker import Worker
from mnemos.times import utc_now

SEARCHING = 2
WAITING = 1000
CHUNK = 2**16
STDIN = 0
SETTLE = 0.02
"""Seconds in which what was read begins to be answered, and what was answered is written."""


def run(store: Path, scope: Mapping[str, Any]) -> None:
    """Serve a store until the client closes standard input, or a signal comes; writes in hand are finished first.

    Args:
        store: the file; it is made where it does not exist.
        scope: the scope of every call, as the library's keywords; where it names none, each call may name one.

    Raises:
        StoreError: the file cannot be used.
        InvalidInput: the scope cannot be read.
        BrokenPipeError: the client no longer reads.
    """
    fixed = {name: value for name, value in scope.items() if value is not None} or None
    bound = None if fixed is None else (read_scope(**fixed).namespace,)
    with ExitStack() as closing:
        tenants = Tenants(store.parent, 1, elsewhere={OPEN_TENANT: store})
        closing.callback(tenants.close)
        desk = Desk(SEARCHING, WAITING)
        closing.callback(desk.close)
        worker = Worker(tenants)
        closing.callback(worker.stop)
        access = Access(tenants, desk, OPEN_TENANT, "mcp", frozenset(("read", "write")), namespaces=bound)
        access.now(lambda memory: None)
        configure()
        stay_on_one_core()
        worker.start()
        client_is_gone = False
        try:
            anyio.run(_serve, Caller(access, utc_now, fixed))
        except* BrokenPipeError:
            client_is_gone = True
        if client_is_gone:
            raise BrokenPipeError


async def _serve(caller: Caller) -> None:
    in_hand = InHand()
    server = build(lambda asked: caller)
    server.middleware.append(in_hand)
    async with anyio.create_task_group() as group:
        if sys.platform != "win32":
            group.start_soon(_stop_on_signal, group.cancel_scope)
        async with stdio_server(stdin=_stdin(in_hand)) as (incoming, outgoing):
            with redirect_stdout(sys.stderr):
                told = Refusing(incoming, outgoing)
                await server.run(told, outgoing, server.create_initialization_options())
        group.cancel_scope.cancel()


async def _stop_on_signal(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            scope.cancel()


class InHand:
    """Counts the requests that are being answered: the end of the input would cut them off."""

    def __init__(self) -> None:
        self._count = 0

    async def __call__(self, ctx: Asked, call_next: CallNext) -> HandlerResult:
        """Pass a request on."""
        self._count += 1
        try:
            return await call_next(ctx)
        finally:
            self._count -= 1

    async def none(self) -> None:
        """Wait until none is."""
        quiet = 0
        while quiet < 2:
            await anyio.sleep(SETTLE)
            quiet = 0 if self._count else quiet + 1


def _stdin(in_hand: InHand) -> anyio.AsyncFile[str] | None:
    """Standard input as lines whose waiting can be given up; None where that is not possible."""
    return None if sys.platform == "win32" else cast("anyio.AsyncFile[str]", _lines(in_hand))


async def _lines(in_hand: InHand) -> AsyncIterator[str]:
    begun = bytearray()
    while chunk := await _read():
        *ended, rest = chunk.split(b"\n")
        for end in ended:
            yield (bytes(begun) + end).decode("utf-8", "replace")
            begun.clear()
        begun += rest
    if begun:
        yield begun.decode("utf-8", "replace")
    await in_hand.none()


async def _read() -> bytes:
    """Some bytes of standard input; none at its end."""
    with suppress(PermissionError):  # a file is always ready, and cannot be waited for
        await anyio.wait_readable(STDIN)
    return os.read(STDIN, CHUNK)
