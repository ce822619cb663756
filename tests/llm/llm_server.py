"""A chat server for tests: answers with the next of its script, and by its `think` once that is used up."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from scripted_server import Answer, Body, Handler, ScriptedServer, reply

Thought = Callable[[str, Body], object]
"""What the model thinks of a question: its kind (`statements`, `decisions`, `sentences`) and its body."""

KEY = "sk-secret-42"


class ChatServer(ScriptedServer):
    """Thoughtful, where no script says otherwise."""

    def __init__(self) -> None:
        super().__init__(thoughtful)
        self.think: Thought = lambda kind, body: {kind: []}

    def asked(self, kind: str) -> list[Body]:
        """The requests of one kind."""
        return [body for body in self.seen if kind_of(body) == kind]


def kind_of(body: Body) -> str:
    """Which list a request wants."""
    shape = body.get("response_format", {}).get("json_schema")
    if shape:
        return str(shape["name"])
    rules = body["messages"][0]["content"]
    found = re.search(r'"required": \["(statements|decisions|sentences)"\]', rules)
    return found[1] if found else "answer"


def data_of(body: Body) -> str:
    """What a request quotes."""
    return str(body["messages"][1]["content"])


def lines_of(body: Body) -> list[dict[str, Any]]:
    """The quoted lines of a request, those under `before:` left out."""
    data = data_of(body).partition("turns:\n")[2] or data_of(body)
    return [json.loads(line) for line in data.splitlines() if line.startswith("{")]


def completion(content: object, *, usage: object = None, finish: str = "stop") -> dict[str, Any]:
    """A chat completion."""
    answer: dict[str, Any] = {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish}]
    }
    if usage is not None:
        answer["usage"] = usage
    return answer


USAGE: Mapping[str, int] = {"prompt_tokens": 100, "completion_tokens": 10}


def thoughtful(handler: Handler, body: Body) -> None:
    """A right answer with what the server's `think` says."""
    content = json.dumps(handler.server.think(kind_of(body), body))
    if body.get("stream"):
        stream(content)(handler, body)
    else:
        reply(handler, 200, completion(content, usage=USAGE))


def says(content: object, **options: Any) -> Answer:
    """An answer with this content; what is not text is written as JSON."""
    words = content if isinstance(content, str) else json.dumps(content)
    return lambda handler, body: reply(handler, 200, completion(words, **({"usage": USAGE} | options)))


def refuses_formats(*kinds: str) -> Answer:
    """Refuses these response formats, and is thoughtful otherwise."""

    def answer(handler: Handler, body: Body) -> None:
        if body.get("response_format", {}).get("type") in kinds:
            reply(handler, 400, {"error": {"message": "response_format is not supported"}})
        else:
            thoughtful(handler, body)

    return answer


def cut(handler: Handler, body: Body) -> None:
    """Half an answer, then nothing more."""
    blob = json.dumps(completion('{"statements": []}', usage=USAGE)).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(blob)))
    handler.end_headers()
    handler.wfile.write(blob[: len(blob) // 2])
    handler.close_connection = True


def stream(content: str, *, cut_after: int | None = None, usage: bool = True) -> Answer:
    """Server-sent events, a few characters each; only the first `cut_after` of them where that is given."""

    def answer(handler: Handler, body: Body) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        events: list[object] = [
            {"choices": [{"delta": {"content": content[i : i + 7]}}]} for i in range(0, len(content), 7)
        ]
        events.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        if usage:
            events.append({"choices": [], "usage": dict(USAGE)})
        for event in events[:cut_after]:
            handler.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        if cut_after is None:
            handler.wfile.write(b": a comment\n\ndata: [DONE]\n\n")
        handler.close_connection = True

    return answer
