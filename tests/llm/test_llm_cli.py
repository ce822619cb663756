"""A language model on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from llm_person import TALK, think
from llm_server import KEY, ChatServer
from scripted_server import status

from mnemos import Mnemos
from mnemos.cli import main
from mnemos.llm import LanguageModel


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: ChatServer) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MNEMOS_STORE", raising=False)
    server.think = think
    with Mnemos("mnemos.db") as memory:
        memory.add(TALK, user_id="ana")
    return tmp_path / "mnemos.db"


def run(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def answer(*words: str) -> Any:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_maintain_asks_the_model_that_is_named(store: Path, server: ChatServer) -> None:
    assert answer("maintain")["failed"] == 0
    assert server.seen == []
    assert answer("maintain", "--llm", server.url, "--model", "tiny")["failed"] == 0
    texts = [fact["text"] for fact in answer("facts", "--user", "ana")["facts"]]
    assert "Ana's sister Rita is vegan." in texts
    spent = answer("costs")
    assert spent["calls"] == len(server.seen) == sum(line["calls"] for line in spent["lines"])
    assert f"{len(server.seen)} calls" in run("costs").stdout
    assert answer("costs", "--days", "1")["calls"] == spent["calls"]


def test_the_environment_names_model_key_prices_and_budget(
    store: Path, server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("URL", server.url), ("MODEL", "tiny"), ("KEY", KEY), ("PRICE_IN", "1"), ("PRICE_OUT", "2.5")):
        monkeypatch.setenv(f"MNEMOS_LLM_{name}", value)
    monkeypatch.setenv("MNEMOS_LLM_BUDGET_TOKENS", "10")
    assert answer("maintain")["waiting"] > 0
    assert server.seen == []
    monkeypatch.setenv("MNEMOS_LLM_BUDGET_TOKENS", "1e6")
    answer("maintain")
    assert set(server.keys) == {f"Bearer {KEY}"}
    calls = len(server.seen)
    assert answer("costs")["cost"] == pytest.approx(calls * (100 * 1 + 10 * 2.5) / 1e6)
    monkeypatch.setenv("MNEMOS_LLM_BUDGET", "much")
    assert run("maintain").exit_code == 2


def test_an_address_without_a_model_is_wrong_usage(store: Path, server: ChatServer) -> None:
    result = run("maintain", "--llm", server.url)
    assert result.exit_code == 2
    assert "MNEMOS_LLM_MODEL" in result.stderr


def test_dead_letters_are_listed_and_queued_anew(store: Path, server: ChatServer) -> None:
    server.script = [status(418)] * 1_000
    with Mnemos(store, llm=LanguageModel(server.url, "tiny", max_attempts=1)) as memory:
        memory.maintain()
    dead = answer("jobs")["dead"]
    assert (dead[0]["kind"], dead[0]["attempts"], len(dead[0]["memory_ids"])) == ("llm-extract", 1, len(TALK))
    shown = run("jobs").stdout
    assert "3 memories: " in shown
    assert "the server answered 418" in shown
    assert f"{len(dead)} dead letters" in shown
    assert answer("jobs", "--retry")["retried"] == len(dead)
    server.script = []
    answer("maintain", "--llm", server.url, "--model", "tiny")
    assert answer("jobs") == {"queued": {}, "dead": [], "retried": 0}
