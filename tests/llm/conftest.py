"""A real HTTP server that speaks the chat protocol, well or badly, as its script says."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from llm_server import ChatServer


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.done.set()
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    names = "OPENAI_API_KEY MNEMOS_LLM_URL MNEMOS_LLM_MODEL MNEMOS_LLM_KEY MNEMOS_LLM_BUDGET http_proxy HTTP_PROXY"
    for name in (*names.split(), "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
