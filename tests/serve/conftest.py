"""A server for every test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from console_pages import Browser, browsing
from live_server import Serving, serve


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    """An open server over an empty folder; it closes when a key is made."""
    with serve(tmp_path / "data") as running:
        yield running


@pytest.fixture
def page(serving: Serving) -> Iterator[Browser]:
    """A browser at an open server in which Ana has spoken."""
    with serving.server.tenants.use("default") as memory:
        memory.add("My sister Rita is vegan.", user_id="ana", happened_at="2026-01-05T10:00:00Z")
        memory.add("I live in Leeds.", user_id="ana", happened_at="2026-01-06T10:00:00Z")
        memory.add("I moved to York yesterday.", user_id="ana", happened_at="2026-03-01T10:00:00Z")
        memory.maintain()
    with browsing(serving) as browser:
        yield browser


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One server with keys; each test has a tenant of its own."""
    with serve(tmp_path_factory.mktemp("many") / "data", rate=100_000) as serving:
        serving.key("nobody")
        yield serving


@pytest.fixture
def tenant(request: pytest.FixtureRequest) -> str:
    """The tenant of a test on the server that many share."""
    return f"t{abs(hash(request.node.nodeid)):x}"[:20]


@pytest.fixture
def client(running: Serving, tenant: str) -> Iterator[httpx2.Client]:
    """Its client, with a key."""
    with running.client(running.key(tenant)) as client:
        yield client
