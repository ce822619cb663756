"""One JSON endpoint over HTTP with the standard library: deadlines, retries, and a key that stays secret."""

from __future__ import annotations

import http.client
import json
import random
import time
from http.client import HTTPResponse
from typing import IO
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from mnemos.errors import EmbedderError, InvalidInput

RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
LONGEST_WAIT = 30.0
LARGEST_ANSWER = 256 * 2**20


class Retriable(Exception):
    """A failure that may pass; `wait` is how long the server asks to wait, if it does."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


class _NoRedirect(HTTPRedirectHandler):
    """Redirects are not followed: they would carry the key to a host that nobody named."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> None:
        return None


class JsonEndpoint:
    """Posts JSON to one URL and returns the JSON it answers. The API key appears in no message and no `repr`."""

    def __init__(self, url: str, *, api_key: str | None, timeout: float, retries: int, backoff: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise InvalidInput("base_url", "is not an http or https address", "pass one like http://localhost:8000/v1")
        if parts.username or parts.password:
            raise InvalidInput("base_url", "holds a user name or password", "pass the secret as api_key")
        if timeout <= 0 or retries < 0 or backoff < 0:
            raise InvalidInput("timeout, retries, backoff", "are negative", "pass a positive timeout and others from 0")
        self.url = url
        self._headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "mnemos"}
        self._key = api_key
        if api_key:
            if not (api_key.isascii() and api_key.isprintable()):
                raise InvalidInput("api_key", "holds a character that no key has", "pass the key without line breaks")
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._timeout = timeout
        self._retries = retries
        self._backoff = backoff
        self._opener = build_opener(_NoRedirect)

    def post(self, body: object) -> object:
        """The answer to `body`; tries again after what may pass, and raises EmbedderError after what won't."""
        data = json.dumps(body).encode()
        for attempt in range(self._retries + 1):
            try:
                return self._once(data)
            except Retriable as error:
                if attempt == self._retries:
                    raise EmbedderError(f"{self.url}: {error} (tried {attempt + 1} times)") from None
                wait = self._backoff * 2**attempt * random.uniform(0.75, 1.25)
                time.sleep(min(max(wait, error.wait), LONGEST_WAIT))
        raise AssertionError("the loop returns or raises")

    def _once(self, data: bytes) -> object:
        deadline = time.monotonic() + self._timeout
        request = Request(self.url, data=data, headers=self._headers, method="POST")
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                blob = _read(response, deadline)
        except HTTPError as error:
            with error:
                raise self._refusal(error) from None
        except TimeoutError:
            raise Retriable(f"no answer within {self._timeout:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            raise Retriable(f"no connection: {self._redacted(str(error) or type(error).__name__)}") from None
        try:
            answer: object = json.loads(blob)
        except ValueError:
            raise EmbedderError(f"{self.url}: the answer is not JSON") from None
        return answer

    def _refusal(self, error: HTTPError) -> Exception:
        """What an answer other than 2xx means, with the start of what the server says."""
        try:
            said = error.read(2000).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException):
            said = ""
        message = f"the server answered {error.code}: {self._redacted(' '.join(said.split())[:300])}"
        if error.code in RETRIED:
            after = error.headers.get("Retry-After", "")
            return Retriable(message, float(after) if after.isdecimal() else 0.0)
        return EmbedderError(f"{self.url}: {message}")

    def _redacted(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text


def _read(response: HTTPResponse, deadline: float) -> bytes:
    """The whole body, unless it drips past the deadline or never ends."""
    parts = []
    size = 0
    while part := response.read1(2**16):
        parts.append(part)
        size += len(part)
        if size > LARGEST_ANSWER:
            raise EmbedderError(f"the server answered with more than {LARGEST_ANSWER >> 20} MB")
        if time.monotonic() > deadline:
            raise TimeoutError
    return b"".join(parts)
