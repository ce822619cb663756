"""A real HTTP server that speaks the chat protocol, well or badly, as its script says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from llm_server import ChatServer
from scripted_server import running


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with running(ChatServer()) as server:
        yield server


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    names = "OPENAI_API_KEY MNEMOS_LLM_URL MNEMOS_LLM_MODEL MNEMOS_LLM_KEY MNEMOS_LLM_BUDGET http_proxy HTTP_PROXY"
    for name in (*names.split(), "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
