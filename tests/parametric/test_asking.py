"""Lessons by a language model: beyond those by rules, held to what the memory says, paid on the store's account."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from scripted_server import Body, Handler, ScriptedServer, reply, running, status

from mnemos import Mnemos
from mnemos.llm import Budget, LanguageModel
from mnemos.parametric.asking import ByModel
from mnemos.parametric.lesson import Lesson
from mnemos.parametric.paraphrase import by_rules
from mnemos.records import Memory

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ENTRY = {
    "id": "m1",
    "statements": ["Ana has her home in Porto.", "Ana lives in Madrid."],
    "questions": ["In which town does Ana live?", "Where does Ana live?"],
    "answer": "Porto",
}


def answering(*entries: object) -> Any:
    def answer(handler: Handler, body: Body) -> None:
        message = {"role": "assistant", "content": json.dumps({"lessons": list(entries)})}
        usage = {"prompt_tokens": 100, "completion_tokens": 10}
        reply(handler, 200, {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage})

    return answer


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with running(ScriptedServer(answering(ENTRY))) as server:
        yield server


def taught(server: ScriptedServer, text: str = "Ana lives in Porto.", **settings: Any) -> tuple[list[Lesson], Mnemos]:
    llm = LanguageModel(server.url, "m", retries=0, **settings)
    with Mnemos(":memory:", llm=llm) as memory:
        found = memory.add(text, kind="fact")[0]
        ask = memory.asking("paraphrase")
        assert ask is not None
        lessons = ByModel(ask)([found], NOW)
        spent = {(line.job, line.calls) for line in memory.costs().lines}
        assert spent <= {("paraphrase", 1)}
        assert by_rules([found], NOW) == lessons[: len(by_rules([found], NOW))]
        return lessons[len(by_rules([found], NOW)) :], memory


def test_it_adds_what_the_memory_bears_out(server: ScriptedServer) -> None:
    more, _ = taught(server)
    assert [(one.prompt, one.answer) for one in more] == [
        ("", "Ana has her home in Porto"),
        ("In which town does Ana live?", "Porto"),
    ]
    assert "Ana lives in Porto" in server.seen[0]["messages"][1]["content"]


@pytest.mark.parametrize(
    "entry",
    [
        {**ENTRY, "answer": "Madrid", "statements": []},
        {**ENTRY, "id": "m2"},
        {**ENTRY, "answer": 7, "statements": "Ana", "questions": None},
        {"id": "m1"},
        "nothing",
    ],
)
def test_what_it_makes_up_is_left_out(server: ScriptedServer, entry: object) -> None:
    server.usual = answering(entry)
    assert taught(server)[0] == []


def test_a_second_answer_to_a_question_of_the_rules_is_left_out(server: ScriptedServer) -> None:
    server.usual = answering({**ENTRY, "answer": "in Porto", "questions": ["Where does ANA live?"], "statements": []})
    assert taught(server)[0] == []


def test_without_an_answer_rules_do(server: ScriptedServer) -> None:
    server.usual = status(500)
    assert taught(server)[0] == []
    assert taught(server, budget=Budget(tokens=1))[0] == []


def test_what_is_past_is_not_asked(server: ScriptedServer) -> None:
    llm = LanguageModel(server.url, "m", retries=0)
    with Mnemos(":memory:", llm=llm) as memory:
        ask = memory.asking("paraphrase")
        assert ask is not None
        past = Memory("1", ("t",), "fact", "Ana lives in Porto.", invalid_at=datetime(2026, 3, 2, tzinfo=UTC))
        lessons = ByModel(ask)([past], NOW)
    assert not any(one.is_question for one in lessons)


def test_no_model_is_asked_where_none_is_configured() -> None:
    with Mnemos(":memory:") as memory:
        assert memory.asking("paraphrase") is None
