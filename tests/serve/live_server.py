"""A real server: the application under uvicorn, in a thread, on a port of its own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

from mnemos.serve import Settings, create_app
from mnemos.serve.run import listener
from mnemos.serve.server import Server
from mnemos.times import utc_now


class Serving:
    """A running server, and a way to ask it."""

    def __init__(self, app: FastAPI, url: str) -> None:
        self.app = app
        self.url = url
        self.server: Server = app.state.mnemos

    def key(self, tenant: str = "acme", **settings: Any) -> str:
        """Make a key; from then on the server is closed to those without."""
        settings.setdefault("scopes", ("read", "write", "admin"))
        return self.server.keys.create(tenant, self.server.now(), **settings)[0]

    def client(self, key: str | None = None, **settings: Any) -> httpx2.Client:
        """A client that shows a key."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False, **settings)


@contextmanager
def serve(folder: Path, clock: Callable[[], datetime] = utc_now, **settings: Any) -> Iterator[Serving]:
    """Serve a folder until the end of the `with`; `clock` tells what the time is there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    chosen = Settings(folder=folder, port=port, **{"drain": 5.0, **settings})
    app = create_app(chosen, clock)
    uvicorn = listener(app, chosen)
    thread = threading.Thread(target=uvicorn.run, name="uvicorn")
    thread.start()
    try:
        while not uvicorn.started and thread.is_alive():
            time.sleep(0.01)
        yield Serving(app, f"http://127.0.0.1:{port}")
    finally:
        uvicorn.should_exit = True
        thread.join()
