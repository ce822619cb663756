"""A live server, and each client as something that can be called and looked at in one way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from live_server import Serving, serve

from mnemos.client import AsyncClient, Client


class Awaited:
    """An async client whose methods are waited for, so that one test tells what both clients do."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        self._runner = asyncio.Runner()
        self._client = self._runner.run(self._open(args, settings))

    async def _open(self, args: Any, settings: Any) -> AsyncClient:
        return await AsyncClient(*args, **settings).__aenter__()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(*args: Any, **named: Any) -> Any:
            return self._runner.run(_taken(method(*args, **named)))

        return call

    def close(self) -> None:
        self._runner.run(self._client.__aexit__(None, None, None))
        self._runner.close()


async def _taken(coming: Any) -> Any:
    """What is awaited, or all that an async iterator gives."""
    return [item async for item in coming] if hasattr(coming, "__aiter__") else await coming


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    """An open server over an empty folder."""
    with serve(tmp_path / "data") as running:
        yield running


@pytest.fixture(params=[Client, Awaited], ids=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> Any:
    """Which client."""
    return request.param


@pytest.fixture
def memory(serving: Serving, kind: Any) -> Iterator[Any]:
    """A client of the open server."""
    with closing(kind(serving.url)) as client:
        yield client


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the clients pause; they do not really."""
    waited: list[float] = []

    async def later(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("mnemos.client.drivers.time.sleep", waited.append)
    monkeypatch.setattr("mnemos.client.drivers.asyncio.sleep", later)
    return waited
