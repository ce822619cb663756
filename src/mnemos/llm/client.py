"""A language model behind any OpenAI-compatible `/chat/completions` endpoint."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

from mnemos.endpoint import EndpointError, JsonEndpoint
from mnemos.errors import InvalidInput, LanguageModelError
from mnemos.llm.budget import Budget
from mnemos.llm.question import Question, Spend, TooLong, Usage
from mnemos.llm.reading import Reply, error_code, find_json, read_reply, read_stream

Structured = Literal["schema", "object", "text"]
MODES: tuple[Structured, ...] = ("schema", "object", "text")
"""How JSON is asked for, strictest first; an endpoint that refuses one is asked the next way."""
REFUSING = frozenset({400, 404, 415, 422, 501})
"""Statuses by which endpoints refuse a response format."""
UNREACHABLE = frozenset({401, 402, 403, 404})
"""Statuses that are about the endpoint or the account, not about one question."""


class LanguageModel:
    """Asks an OpenAI-compatible endpoint (OpenAI, vLLM, Ollama, llama.cpp, …) for JSON of a given shape.

    Args:
        base_url: the address before `/chat/completions`, such as `http://localhost:11434/v1`.
        model: the model's name, as the endpoint knows it.
        api_key: the secret; local servers need none.
        use_environment_key: take the key from `OPENAI_API_KEY` where none is given.
        timeout: seconds that one try may take.
        retries: tries after the first, within one call.
        backoff: seconds before the second try, doubled before each further one.
        max_attempts: how often a job is tried, later each time, before it is a dead letter.
        price_in, price_out: price of a million tokens in and out, in any one currency; the ledger adds them up.
        budget: the most that a store may spend.
        max_answer_tokens: the most that one answer may have.
        quiet: seconds for which a session or a level has to be left alone before the model is asked about it, so that
            a store that grows turn by turn asks once and not once a turn.
        structured: how JSON is asked for; by default the strictest way that the endpoint takes.
        stream: read the answer as it is written, for endpoints behind proxies that close quiet connections.
        extra: further fields of the request; None takes a field out (`{"temperature": None}`).
        sleep: waits between tries; for tests.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: str | None = None,
        *,
        use_environment_key: bool = False,
        timeout: float = 120.0,
        retries: int = 2,
        backoff: float = 1.0,
        max_attempts: int = 5,
        price_in: float = 0.0,
        price_out: float = 0.0,
        budget: Budget | None = None,
        max_answer_tokens: int = 4_000,
        quiet: float = 0.0,
        structured: Structured | None = None,
        stream: bool = False,
        extra: Mapping[str, Any] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not isinstance(model, str) or not model.strip():
            raise InvalidInput("model", "is missing", "name the model as the endpoint knows it")
        if quiet < 0:
            raise InvalidInput("quiet", "is negative", "give seconds from 0")
        if price_in < 0 or price_out < 0 or max_answer_tokens < 1 or max_attempts < 1:
            raise InvalidInput(
                "price_in, price_out, max_answer_tokens, max_attempts",
                "are negative",
                "give prices from 0, others from 1",
            )
        if structured not in (None, *MODES):
            raise InvalidInput("structured", f"is {structured!r}", f"use one of {', '.join(MODES)}, or None")
        key = api_key or (os.environ.get("OPENAI_API_KEY") if use_environment_key else None)
        self._endpoint = JsonEndpoint(
            base_url.rstrip("/") + "/chat/completions",
            api_key=key,
            timeout=timeout,
            retries=retries,
            backoff=backoff,
            sleep=sleep,
        )
        self.name = model
        self.budget = budget
        self.max_attempts = max_attempts
        self.max_answer_tokens = max_answer_tokens
        self.quiet = quiet
        self._prices = (price_in, price_out)
        self._modes = MODES if structured is None else (structured,)
        self._stream = stream
        self._extra = dict(extra or {})

    @classmethod
    def from_environment(
        cls, base_url: str | None = None, model: str | None = None, **settings: Any
    ) -> LanguageModel | None:
        """The model that the environment names, where the arguments do not; None where neither does.

        `MNEMOS_LLM_URL`, `MNEMOS_LLM_MODEL` and `MNEMOS_LLM_KEY`; prices of a million tokens `MNEMOS_LLM_PRICE_IN` and
        `MNEMOS_LLM_PRICE_OUT`; the budget in money `MNEMOS_LLM_BUDGET`, in tokens `MNEMOS_LLM_BUDGET_TOKENS`.
        """
        base_url = base_url or os.environ.get("MNEMOS_LLM_URL")
        model = model or os.environ.get("MNEMOS_LLM_MODEL")
        if not base_url and not model:
            return None
        if not base_url or not model:
            missing = "MNEMOS_LLM_MODEL" if base_url else "MNEMOS_LLM_URL"
            raise InvalidInput(
                missing, "is not set, but its twin is", "name both the address and the model, or neither"
            )
        money, tokens = _amount("MNEMOS_LLM_BUDGET"), _amount("MNEMOS_LLM_BUDGET_TOKENS")
        capped = money is not None or tokens is not None
        found: dict[str, Any] = {
            "price_in": _amount("MNEMOS_LLM_PRICE_IN") or 0.0,
            "price_out": _amount("MNEMOS_LLM_PRICE_OUT") or 0.0,
            "budget": Budget(money, None if tokens is None else int(tokens)) if capped else None,
        }
        return cls(base_url, model, os.environ.get("MNEMOS_LLM_KEY"), **(found | settings))

    def __repr__(self) -> str:
        return f"LanguageModel({self._endpoint.url.removesuffix('/chat/completions')!r}, {self.name!r})"

    def most(self, question: Question) -> Usage:
        """The most that asking once may cost, by estimate."""
        return self._usage(_estimate(question.rules + question.data), self.max_answer_tokens, estimated=True)

    def ask(self, question: Question, spend: Spend = lambda usage: None) -> Mapping[str, Any]:
        """The JSON object that the model answers; `spend` hears what each answer cost, a lost or useless one too.

        Raises:
            LanguageModelError: no usable answer, after as many tries as are allowed.
            TooLong: the question or the answer is longer than the model takes.
        """
        for place, mode in enumerate(self._modes):
            try:
                found = self._endpoint.post(
                    self._body(question, mode),
                    read=read_stream if self._stream else read_reply,
                    lost=lambda: spend(self._usage(_estimate(question.rules + question.data), 0, estimated=True)),
                )
            except EndpointError as error:
                if error.status in REFUSING and place + 1 < len(self._modes) and not _is_too_long(error):
                    continue
                raise self._failure(error) from None
            assert isinstance(found, Reply)
            spend(self._usage_of(question, found))
            answer = find_json(found, question.schema)
            self._modes = self._modes[place:]
            return answer
        raise AssertionError("the loop returns or raises")

    def _body(self, question: Question, mode: Structured) -> dict[str, object]:
        rules = question.rules
        if mode != "schema":
            rules += f"\n\nAnswer with one JSON object of this schema and nothing else:\n{json.dumps(question.schema)}"
        body: dict[str, object] = {
            "model": self.name,
            "messages": [{"role": "system", "content": rules}, {"role": "user", "content": question.data}],
            "temperature": 0,
            "max_tokens": self.max_answer_tokens,
            "stream": self._stream,
        }
        if self._stream:
            body["stream_options"] = {"include_usage": True}
        if mode == "schema":
            shape = {"name": question.name, "strict": True, "schema": question.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": shape}
        elif mode == "object":
            body["response_format"] = {"type": "json_object"}
        body |= self._extra
        return {name: value for name, value in body.items() if value is not None}

    def _usage_of(self, question: Question, found: Reply) -> Usage:
        if found.prompt_tokens is not None and found.completion_tokens is not None:
            return self._usage(found.prompt_tokens, found.completion_tokens, estimated=False)
        return self._usage(_estimate(question.rules + question.data), _estimate(found.text), estimated=True)

    def _usage(self, prompt: int, completion: int, *, estimated: bool) -> Usage:
        cost = (prompt * self._prices[0] + completion * self._prices[1]) / 1e6
        return Usage(self.name, prompt, completion, cost, estimated)

    def _failure(self, error: EndpointError) -> LanguageModelError:
        """The error without what the server said, which may quote memories."""
        code = error_code(error.said)
        problem = f"{self._endpoint.url}: {error.problem}{f' ({code})' if code else ''}"
        if _is_too_long(error):
            return TooLong(problem)
        reachable = error.status is not None and error.status not in UNREACHABLE and error.status < 429
        return LanguageModelError(problem, wait=error.wait, reachable=reachable)


def _is_too_long(error: EndpointError) -> bool:
    return error.status == 413 or error_code(error.said) == "context_length_exceeded"


def _estimate(text: str) -> int:
    """About how many tokens a text has: a quarter of its bytes."""
    return len(text.encode("utf-8", "replace")) // 4 + 1


def _amount(variable: str) -> float | None:
    """The amount that an environment variable names."""
    said = os.environ.get(variable, "").strip()
    if not said:
        return None
    try:
        amount = float(said)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < math.inf:
        raise InvalidInput(variable, "is not an amount", "set it to a number from 0, or unset it")
    return amount
