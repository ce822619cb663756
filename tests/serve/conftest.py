"""A server for every test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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
