"""What an endpoint's answer says: the model's words, their cost, and the JSON in them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from mnemos.endpoint import Cut, EndpointError, read_json
from mnemos.errors import LanguageModelError
from mnemos.llm.question import TooLong

LONGEST = 400_000
"""Characters of an answer that are still read."""
MOST_TOKENS = 10**9
CODES = frozenset(
    "context_length_exceeded invalid_api_key model_not_found insufficient_quota rate_limit_exceeded content_filter "
    "billing_hard_limit_reached invalid_request_error server_error content_policy_violation string_above_max_length "
    "unsupported_parameter unsupported_value".split()
)
"""Error codes that are repeated in messages; anything else that a server says may quote a memory."""
_THOUGHT = re.compile(r"<think>.*?</think>", re.DOTALL)


class Reply(NamedTuple):
    """What the model wrote; tokens are None where the endpoint did not count them."""

    text: str
    finish: str
    prompt_tokens: int | None
    completion_tokens: int | None


def read_reply(blob: bytes) -> Reply:
    """The reply in one JSON body."""
    answer = read_json(blob)
    try:
        choice = answer["choices"][0]  # type: ignore[index]
        message = choice["message"]
        finish = choice.get("finish_reason") or ""
        content = message.get("content")
    except (TypeError, KeyError, IndexError, AttributeError):
        raise EndpointError("the answer is not a chat completion") from None
    return _reply(_words(content), finish, answer.get("usage"))  # type: ignore[attr-defined]


def read_stream(blob: bytes) -> Reply:
    """The reply in a stream of server-sent events, which has to come to its end."""
    if not blob.strip():
        raise Cut("the stream was cut off")
    if not blob.lstrip().startswith((b"data:", b":", b"event:")):
        return read_reply(blob)
    parts: list[str] = []
    finish, usage, ended = "", None, False
    for line in blob.decode("utf-8", "replace").splitlines():
        if not line.startswith("data:"):
            continue
        data = line[5:].strip()
        if data == "[DONE]":
            ended = True
            break
        try:
            event = json.loads(data)
            usage = event.get("usage") or usage
            for choice in event.get("choices", ())[:1]:
                parts.append(_words(choice.get("delta", {}).get("content")))
                finish = choice.get("finish_reason") or finish
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise Cut("the stream holds an event that cannot be read") from None
    if not ended and not finish:
        raise Cut("the stream was cut off")
    return _reply("".join(parts), finish, usage)


def find_json(reply: Reply, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first JSON object in the reply that has the fields the schema requires."""
    if len(reply.text) > LONGEST:
        raise LanguageModelError(f"the model answered with more than {LONGEST:,} characters")
    if reply.finish == "length":
        raise TooLong("the answer was longer than max_answer_tokens")
    if reply.finish == "content_filter":
        raise LanguageModelError("the endpoint's content filter stopped the answer")
    wanted = frozenset(schema["required"])
    text = _THOUGHT.sub("", reply.text)
    decoder = json.JSONDecoder()
    start = text.find("{")
    for _ in range(20):
        if start < 0:
            break
        try:
            found, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            found, end = None, start + 1
        if isinstance(found, dict) and wanted <= found.keys():
            return found
        start = text.find("{", end)
    raise LanguageModelError("the answer holds no JSON of the shape asked for")


def error_code(said: str) -> str:
    """The well-known code of an error, or nothing."""
    return next((code for code in sorted(CODES) if f'"{code}"' in said), "")


def _reply(text: str, finish: object, usage: object) -> Reply:
    counts = usage if isinstance(usage, dict) else {}
    tokens = (_count(counts.get("prompt_tokens")), _count(counts.get("completion_tokens")))
    return Reply(text, finish if isinstance(finish, str) else "", *tokens)


def _count(value: object) -> int | None:
    usable = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST_TOKENS
    return value if usable and isinstance(value, int) else None


def _words(content: object) -> str:
    """The words of a message, which some endpoints send in parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))
    return ""
