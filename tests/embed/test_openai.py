"""The OpenAI-compatible embedder against a real local server that misbehaves."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest
from scripted_server import Answer, Body, Handler, ScriptedServer, hang_up, reply, running, stall, status

from mnemos.embed import Embedder, OpenAIEmbedder
from mnemos.errors import EmbedderError, InvalidInput


def vector(text: str, dim: int = 3) -> list[float]:
    return [float(len(text)), 1.0, 2.0, 3.0, 4.0][:dim]


def good(handler: Handler, body: Body) -> None:
    """Right, but in reverse order: `index` says which is which."""
    texts = body["input"]
    assert isinstance(texts, list)
    items = [{"index": index, "embedding": vector(text)} for index, text in enumerate(texts)]
    reply(handler, 200, {"data": items[::-1]})


def vectors(*rows: object) -> Answer:
    return status(200, {"data": [{"index": index, "embedding": row} for index, row in enumerate(rows)]})


def drip(handler: Handler, body: Body) -> None:
    """A byte now and then, each well inside the timeout, without end."""
    handler.send_response(200)
    handler.end_headers()
    while not handler.server.done.wait(0.05):
        try:
            handler.wfile.write(b" ")
            handler.wfile.flush()
        except OSError:
            return


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with running(ScriptedServer(good)) as server:
        yield server


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def embedder(server: ScriptedServer, **options: object) -> OpenAIEmbedder:
    settings: dict[str, object] = {"base_url": server.url, "api_key": "sk-secret-42", "backoff": 0.001, "timeout": 5.0}
    return OpenAIEmbedder("test-model", **(settings | options))  # type: ignore[arg-type]


def test_rows_come_in_the_order_of_the_texts_with_length_one(server: ScriptedServer) -> None:
    subject = embedder(server)
    rows = subject.embed(["a", "four", "", "  ", "two"])
    expected = np.array([vector("a"), vector("four"), [0, 0, 0], [0, 0, 0], vector("two")])
    expected /= np.maximum(np.linalg.norm(expected, axis=1, keepdims=True), 1e-9)
    np.testing.assert_allclose(rows, expected, atol=1e-6)
    assert rows.dtype == np.float32
    assert isinstance(subject, Embedder)
    assert (subject.name, subject.dim) == ("test-model", 3)
    assert server.paths[0] == "/v1/embeddings"
    assert server.seen[0]["input"] == ["a", "four", "two"]
    assert server.keys[0] == "Bearer sk-secret-42"
    assert "dimensions" not in server.seen[0]


def test_batches_by_count_and_by_characters(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder(server, batch_size=2).embed(["a", "b", "c", "d", "e"])
    assert [request["input"] for request in server.seen] == [["a", "b"], ["c", "d"], ["e"]]
    server.seen.clear()
    monkeypatch.setattr("mnemos.embed.openai.BATCH_CHARACTERS", 10)
    embedder(server).embed(["a" * 8, "bb", "c", "d" * 40, "e"])
    assert [len(request["input"]) for request in server.seen] == [2, 1, 1, 1]  # type: ignore[arg-type]


def test_dim_asks_once_and_dimensions_are_sent(server: ScriptedServer) -> None:
    subject = embedder(server)
    assert (subject.dim, subject.dim, len(server.seen)) == (3, 3, 1)
    short = embedder(server, dimensions=3)
    assert (short.dim, short.name, len(server.seen)) == (3, "test-model:3", 1)
    short.embed(["x"])
    assert server.seen[-1]["dimensions"] == 3


def test_no_texts_need_no_vectors(server: ScriptedServer) -> None:
    assert embedder(server, dimensions=3).embed([]).shape == (0, 3)
    assert server.seen == []


@pytest.mark.parametrize("code", [429, 500, 502, 503])
def test_what_may_pass_is_tried_again(server: ScriptedServer, code: int) -> None:
    server.script = [status(code, "busy"), hang_up, status(code)]
    assert embedder(server).embed(["x"]).shape == (1, 3)
    assert len(server.seen) == 4


def test_the_server_may_ask_for_a_pause(server: ScriptedServer) -> None:
    server.script = [status(429, "slow down", Retry_After="1")]
    before = time.monotonic()
    embedder(server).embed(["x"])
    assert time.monotonic() - before >= 1


def test_it_gives_up_in_the_end_and_says_why(server: ScriptedServer) -> None:
    server.script = [status(500, "out of memory")] * 3
    with pytest.raises(EmbedderError, match=r"answered 500: .out of memory. \(tried 3 times\)"):
        embedder(server, retries=2).embed(["x"])
    assert len(server.seen) == 3


def test_a_refusal_is_not_tried_again_and_the_key_stays_secret(server: ScriptedServer) -> None:
    server.script = [status(401, {"error": {"message": "Incorrect API key provided: sk-secret-42"}})]
    subject = embedder(server)
    with pytest.raises(EmbedderError, match=r"answered 401.*Incorrect API key") as caught:
        subject.embed(["x"])
    assert len(server.seen) == 1
    assert "sk-secret-42" not in f"{caught.value!r} {subject!r}"


def test_redirects_are_refused_so_the_key_goes_nowhere_else(server: ScriptedServer) -> None:
    server.script = [status(302, "", Location=f"{server.url}/elsewhere")]
    with pytest.raises(EmbedderError, match="answered 302"):
        embedder(server).embed(["x"])
    assert server.paths == ["/v1/embeddings"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (status(200, b"<html>hello</html>"), "not JSON"),
        (status(200, b"\xff\xfe"), "not JSON"),
        (status(200, {"error": "no such model"}), "not a list of embeddings"),
        (status(200, [1, 2]), "not a list of embeddings"),
        (status(200, {"data": [{"index": 0}]}), "not a list of embeddings"),
        (status(200, {"data": [{"index": [], "embedding": [1.0]}]}), "not a list of embeddings"),
        (vectors([1.0, 2.0]), "2 texts with 1 vectors"),
        (vectors([1.0], [1.0], [1.0]), "2 texts with 3 vectors"),
        (status(200, {"data": [{"index": 1, "embedding": [1.0]}] * 2}), "2 texts with 2 vectors"),
        (vectors([1.0, 2.0], [1.0]), "different lengths"),
        (vectors(["a", "b"], ["c", "d"]), "without numbers"),
        (vectors([], []), "shape"),
        (vectors(1.0, 2.0), "shape"),
        (vectors([1.0, float("nan")], [1.0, 2.0]), "NaN"),
    ],
)
def test_a_wrong_answer_is_an_error_and_not_a_vector(server: ScriptedServer, answer: Answer, message: str) -> None:
    server.script = [answer]
    with pytest.raises(EmbedderError, match=message):
        embedder(server).embed(["x", "y"])
    assert len(server.seen) == 1


def test_dimensions_must_not_change_between_answers(server: ScriptedServer) -> None:
    server.script = [vectors([1.0, 2.0, 3.0]), vectors([1.0, 2.0])]
    subject = embedder(server)
    subject.embed(["x"])
    with pytest.raises(EmbedderError, match="2 dimensions instead of 3"):
        subject.embed(["y"])


@pytest.mark.parametrize("slow", [stall, drip])
def test_a_slow_answer_is_given_up(server: ScriptedServer, slow: Answer) -> None:
    server.script = [slow, slow]
    with pytest.raises(EmbedderError, match=r"no answer within 0.3 s \(tried 2 times\)"):
        embedder(server, timeout=0.3, retries=1).embed(["x"])


def test_no_server_is_an_error(server: ScriptedServer) -> None:
    unused = ScriptedServer(good)
    unused.server_close()
    with pytest.raises(EmbedderError, match="no connection"):
        embedder(unused, retries=1).embed(["x"])


def test_the_environment_names_the_server(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-environment")
    assert OpenAIEmbedder("test-model").dim == 3
    assert server.keys[0] == "Bearer sk-from-environment"
    assert server.paths[0] == "/v1/embeddings"


@pytest.mark.parametrize(
    "options",
    [
        {"base_url": "file:///etc"},
        {"base_url": "localhost:8000"},
        {"base_url": "http://user:secret@localhost"},
        {"api_key": "sk-1\r\nX-Evil: 1"},
        {"batch_size": 0},
        {"timeout": 0},
    ],
)
def test_wrong_settings_are_refused(server: ScriptedServer, options: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        embedder(server, **options)
    assert server.seen == []
