"""The client against a real local server that misbehaves on purpose."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from llm_server import KEY, USAGE, ChatServer, completion, cut, kind_of, refuses_formats, says, stream
from scripted_server import Answer, hang_up, reply, stall, status

from mnemos.errors import InvalidInput, LanguageModelError
from mnemos.llm import LanguageModel
from mnemos.llm.question import Question, TooLong, Usage

SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
QUESTION = Question("answer", "Answer.", 'lines:\n{"id": "t1", "text": "the orchid is a secret"}', SCHEMA)
GOOD = says({"answer": "yes"})


class Sleeper:
    """Remembers for how long it was to wait."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def sleeper() -> Sleeper:
    return Sleeper()


def model(server: ChatServer, sleeper: Sleeper | None = None, **options: Any) -> LanguageModel:
    settings: dict[str, Any] = {"api_key": KEY, "timeout": 5.0, "sleep": sleeper or Sleeper()}
    return LanguageModel(server.url, "tiny", **(settings | options))


def test_a_question_is_asked_with_its_schema_and_the_key(server: ChatServer) -> None:
    server.script = [GOOD]
    spent: list[Usage] = []
    asked = model(server, price_in=2.0, price_out=10.0, extra={"seed": 7, "temperature": None})
    assert asked.ask(QUESTION, spent.append) == {"answer": "yes"}
    assert spent == [Usage("tiny", 100, 10, (100 * 2 + 10 * 10) / 1e6, False)]
    (body,) = server.seen
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA},
    }
    assert (body["model"], body["stream"], body["seed"]) == ("tiny", False, 7)
    assert "temperature" not in body
    assert server.keys == [f"Bearer {KEY}"]
    assert KEY not in repr(asked)


@pytest.mark.parametrize(
    ("refused", "formats"),
    [
        (("json_schema",), ["json_schema", "json_object"]),
        (("json_schema", "json_object"), ["json_schema", "json_object", None]),
    ],
)
def test_an_endpoint_without_schemas_is_asked_in_plainer_ways(
    server: ChatServer, refused: tuple[str, ...], formats: list[str | None]
) -> None:
    server.think = lambda kind, body: {"answer": "yes"}
    server.script = [refuses_formats(*refused)] * len(formats)
    asked = model(server)
    assert asked.ask(QUESTION) == {"answer": "yes"}
    assert [body.get("response_format", {}).get("type") for body in server.seen] == formats
    assert '"required": ["answer"]' in server.seen[-1]["messages"][0]["content"]
    server.seen.clear()
    asked.ask(QUESTION)
    assert [body.get("response_format", {}).get("type") for body in server.seen] == formats[-1:]


def test_the_way_of_asking_can_be_set(server: ChatServer) -> None:
    server.script = [GOOD]
    model(server, structured="text").ask(QUESTION)
    assert "response_format" not in server.seen[0]


@pytest.mark.parametrize(
    "content",
    [
        'Sure! Here it is:\n```json\n{"answer": "yes"}\n```\nAnything else?',
        '<think>{"answer": "no"} or not?</think>\n{"answer": "yes"}',
        '{"thought": {"deep": 1}} {broken {"answer": "yes"}',
        [{"type": "text", "text": '{"answer":'}, {"type": "text", "text": ' "yes"}'}],
    ],
)
def test_json_is_found_in_chatter(server: ChatServer, content: object) -> None:
    server.script = [lambda handler, body: reply(handler, 200, completion(content))]
    assert model(server).ask(QUESTION) == {"answer": "yes"}


@pytest.mark.parametrize("first", [status(429), status(500), status(503), hang_up, cut, stall])
def test_what_may_pass_is_tried_again(server: ChatServer, sleeper: Sleeper, first: Answer) -> None:
    server.script = [first, first, GOOD]
    asked = model(server, sleeper, timeout=0.3, backoff=1.0)
    assert asked.ask(QUESTION) == {"answer": "yes"}
    assert len(server.seen) == 3
    assert 0.75 <= sleeper.slept[0] <= 1.25
    assert 1.5 <= sleeper.slept[1] <= 2.5


def test_the_endpoint_may_ask_for_a_pause(server: ChatServer, sleeper: Sleeper) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    server.script = [status(429, Retry_After="7"), status(503, Retry_After=date), GOOD]
    assert model(server, sleeper).ask(QUESTION) == {"answer": "yes"}
    assert sleeper.slept[0] == 7
    assert 10 < sleeper.slept[1] <= 20


def test_a_long_pause_is_left_to_whoever_asks(server: ChatServer, sleeper: Sleeper) -> None:
    server.script = [status(429, Retry_After="900")]
    with pytest.raises(LanguageModelError) as caught:
        model(server, sleeper).ask(QUESTION)
    assert (caught.value.wait, caught.value.reachable) == (900, False)
    assert (sleeper.slept, len(server.seen)) == ([], 1)


@pytest.mark.parametrize(
    ("answer", "message", "reachable"),
    [
        (status(500, "the orchid is a secret"), "answered 500", False),
        (status(401, {"error": {"message": f"bad key {KEY}", "code": "invalid_api_key"}}), "invalid_api_key", False),
        (status(418, "the orchid"), "answered 418", True),
        (hang_up, "the server hung up", False),
        (cut, "cut off", False),
        (says("the orchid is not JSON"), "no JSON of the shape", True),
        (says({"secret": "orchid"}), "no JSON of the shape", True),
        (says("[" * 100_000), "no JSON of the shape", True),
        (says("{" * 100_000), "no JSON of the shape", True),
        (says("orchid " * 100_000), "more than 400,000", True),
        (says({"answer": "orchid"}, finish="content_filter"), "content filter", True),
        (lambda handler, body: reply(handler, 200, b"<html>orchid"), "not JSON", False),
        (lambda handler, body: reply(handler, 200, {"orchid": 1}), "not a chat completion", False),
        (lambda handler, body: reply(handler, 200, {"choices": []}), "not a chat completion", False),
        (lambda handler, body: reply(handler, 200, completion(None)), "no JSON of the shape", True),
    ],
)
def test_it_gives_up_in_the_end_and_tells_no_word_of_what_was_asked(
    server: ChatServer, caplog: pytest.LogCaptureFixture, answer: Answer, message: str, reachable: bool
) -> None:
    server.script = [answer] * 3
    with caplog.at_level(logging.DEBUG), pytest.raises(LanguageModelError, match=message) as caught:
        model(server).ask(QUESTION)
    told = f"{caught.value!r} {caught.value.__cause__!r} {caplog.text}"
    assert "orchid" not in told
    assert KEY not in told
    assert caught.value.reachable is reachable


def test_a_useless_answer_is_paid_for_as_well(server: ChatServer) -> None:
    spent: list[Usage] = []
    server.script = [cut, says("no JSON")]
    with pytest.raises(LanguageModelError):
        model(server).ask(QUESTION, spent.append)
    lost, useless = spent
    assert (lost.estimated, lost.completion_tokens) == (True, 0)
    assert lost.prompt_tokens > 10
    assert useless == Usage("tiny", USAGE["prompt_tokens"], USAGE["completion_tokens"], 0.0, False)


@pytest.mark.parametrize(
    "usage", [None, "many", {"prompt_tokens": -5, "completion_tokens": 1}, {"prompt_tokens": True}]
)
def test_tokens_are_estimated_where_the_endpoint_does_not_count(server: ChatServer, usage: object) -> None:
    spent: list[Usage] = []
    server.script = [says({"answer": "x" * 400}, usage=usage)]
    model(server).ask(QUESTION, spent.append)
    assert spent[0].estimated
    assert 100 <= spent[0].completion_tokens <= 110


def test_an_answer_or_question_that_is_too_long_says_so(server: ChatServer) -> None:
    server.script = [
        says('{"answer": "y', finish="length"),
        status(400, {"error": {"code": "context_length_exceeded", "message": "orchid"}}),
        status(413),
    ]
    for _ in range(3):
        with pytest.raises(TooLong) as caught:
            model(server).ask(QUESTION)
        assert "orchid" not in str(caught.value)
    assert len(server.seen) == 3


def test_a_stream_is_read_to_its_end(server: ChatServer) -> None:
    spent: list[Usage] = []
    server.script = [stream('{"answer": "yes"}'), stream('{"answer": "yes"}', usage=False), GOOD]
    asked = model(server, stream=True)
    for estimated in (False, True, False):
        assert asked.ask(QUESTION, spent.append) == {"answer": "yes"}
        assert spent[-1].estimated is estimated
    assert server.seen[0]["stream"] is True
    assert server.seen[0]["stream_options"] == {"include_usage": True}


def test_a_stream_that_is_cut_is_asked_for_again(server: ChatServer) -> None:
    spent: list[Usage] = []
    server.script = [stream('{"answer": "yes"}', cut_after=3), stream("", cut_after=0), stream('{"answer": "yes"}')]
    assert model(server, stream=True).ask(QUESTION, spent.append) == {"answer": "yes"}
    assert [usage.estimated for usage in spent] == [True, True, False]


def test_a_stream_of_rubbish_is_an_error(server: ChatServer) -> None:
    server.script = [lambda handler, body: reply(handler, 200, b"data: {orchid\n\ndata: [DONE]\n\n")] * 3
    with pytest.raises(LanguageModelError, match="event that cannot be read") as caught:
        model(server, stream=True).ask(QUESTION)
    assert "orchid" not in str(caught.value)


def test_redirects_are_refused_so_the_key_goes_nowhere_else(server: ChatServer) -> None:
    server.script = [status(302, "", Location=f"{server.url}/elsewhere")]
    with pytest.raises(LanguageModelError, match="answered 302"):
        model(server).ask(QUESTION)
    assert len(server.seen) == 1


def test_the_environment_is_read_only_when_asked(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")
    server.think = lambda kind, body: {"answer": "yes"}
    model(server, api_key=None).ask(QUESTION)
    model(server, api_key=None, use_environment_key=True).ask(QUESTION)
    assert server.keys == [None, "Bearer sk-environment"]
    assert LanguageModel.from_environment() is None
    monkeypatch.setenv("MNEMOS_LLM_URL", server.url)
    with pytest.raises(InvalidInput, match="MNEMOS_LLM_MODEL"):
        LanguageModel.from_environment()
    monkeypatch.setenv("MNEMOS_LLM_MODEL", "tiny")
    monkeypatch.setenv("MNEMOS_LLM_KEY", "sk-mine")
    asked = LanguageModel.from_environment()
    assert asked is not None
    assert asked.ask(QUESTION) == {"answer": "yes"}
    assert server.keys[-1] == "Bearer sk-mine"


@pytest.mark.parametrize(
    "options",
    [
        {"base_url": "ftp://localhost"},
        {"base_url": "http://user:hunter2@localhost"},
        {"model": " "},
        {"api_key": "sk-1\r\nX-Evil: 1"},
        {"timeout": 0},
        {"price_in": -1},
        {"max_answer_tokens": 0},
        {"structured": "xml"},
        {"quiet": -1},
    ],
)
def test_wrong_settings_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        LanguageModel(**({"base_url": "http://localhost:1/v1", "model": "tiny"} | options))
    assert "hunter2" not in str(caught.value)


def test_kinds_of_questions_are_told_apart_by_the_server(server: ChatServer) -> None:
    server.script = [GOOD]
    model(server).ask(QUESTION)
    assert kind_of(server.seen[0]) == "answer"


def test_no_server_is_an_error_that_says_why() -> None:
    with ChatServer() as unused:
        address = unused.url
    with pytest.raises(LanguageModelError, match=r"no connection \(Connection refused\)"):
        LanguageModel(address, "tiny", sleep=Sleeper()).ask(QUESTION)
