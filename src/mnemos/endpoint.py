"""One JSON endpoint over HTTP with the standard library: deadlines, retries, and a key that stays secret."""

from __future__ import annotations

import http.client
import json
import random
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from http.client import HTTPResponse
from typing import IO
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from mnemos.errors import InvalidInput, MnemosError

RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
LONGEST_WAIT = 30.0
"""Seconds that a call waits between two tries; a server that asks for more is not waited for."""
LARGEST_ANSWER = 256 * 2**20


class EndpointError(MnemosError):
    """No usable answer came.

    Attributes:
        problem: what is wrong, without a word of what the server said.
        said: the start of what the server said, which may quote what it was sent.
        status: the HTTP status, where there was one.
        wait: seconds that the server asks to wait.
    """

    def __init__(self, problem: str, *, said: str = "", status: int | None = None, wait: float = 0.0) -> None:
        super().__init__(f"{problem}: {said}" if said else problem)
        self.problem = problem
        self.said = said
        self.status = status
        self.wait = wait


class Retriable(EndpointError):
    """A failure that may pass. `begun` where the server may have done (and charged) the work."""

    begun = False


class Cut(Retriable):
    """The answer stopped before its end, or did not come in time."""

    begun = True


class _NoRedirect(HTTPRedirectHandler):
    """Redirects are not followed: they would carry the key to a host that nobody named."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> None:
        return None


def read_json(blob: bytes) -> object:
    """The JSON of a body."""
    try:
        answer: object = json.loads(blob)
    except (ValueError, RecursionError):
        raise EndpointError("the answer is not JSON") from None
    return answer


class JsonEndpoint:
    """Posts JSON to one URL and returns the JSON it answers. The API key appears in no message and no `repr`."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None,
        timeout: float,
        retries: int,
        backoff: float,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
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
        self._sleep = sleep
        self._opener = build_opener(_NoRedirect)

    def post(
        self,
        body: object,
        *,
        read: Callable[[bytes], object] = read_json,
        lost: Callable[[], None] = lambda: None,
    ) -> object:
        """What `read` makes of the answer to `body`; tries again after what may pass.

        `lost` is called for every try whose answer was cut or late.

        Raises:
            EndpointError: nothing usable came, after as many tries as are allowed.
        """
        data = json.dumps(body).encode()
        for attempt in range(self._retries + 1):
            try:
                return read(self._once(data))
            except Retriable as error:
                if error.begun:
                    lost()
                if attempt == self._retries or error.wait > LONGEST_WAIT:
                    error.args = (f"{self.url}: {error} (tried {attempt + 1} times)",)
                    raise
                wait = self._backoff * 2**attempt * random.uniform(0.75, 1.25)
                self._sleep(min(max(wait, error.wait), LONGEST_WAIT))
            except EndpointError as error:
                error.args = (f"{self.url}: {error}",)
                raise
        raise AssertionError("the loop returns or raises")

    def _once(self, data: bytes) -> bytes:
        deadline = time.monotonic() + self._timeout
        request = Request(self.url, data=data, headers=self._headers, method="POST")
        begun = False
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                begun = True
                return _read(response, deadline)
        except HTTPError as error:
            with error:
                raise self._refusal(error) from None
        except TimeoutError:
            raise Cut(f"no answer within {self._timeout:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            if isinstance(getattr(error, "reason", None), TimeoutError):
                raise Retriable(f"no connection within {self._timeout:g} s") from None
            if begun:
                raise Cut(f"the answer was cut off ({type(error).__name__})") from None
            reason = getattr(error, "reason", error)
            if isinstance(reason, http.client.RemoteDisconnected):
                raise Cut("no answer: the server hung up") from None
            told = getattr(reason, "strerror", None) or type(reason).__name__
            raise Retriable(f"no connection ({self._redacted(str(told))})") from None

    def _refusal(self, error: HTTPError) -> EndpointError:
        """What an answer other than 2xx means, with the start of what the server says."""
        try:
            said = error.read(2000).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException):
            said = ""
        kind = Retriable if error.code in RETRIED else EndpointError
        return kind(
            f"the server answered {error.code}",
            said=self._redacted(" ".join(said.split())[:300]),
            status=error.code,
            wait=_seconds(error.headers.get("Retry-After", "")),
        )

    def _redacted(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text


def _seconds(after: str) -> float:
    """How long a `Retry-After` asks to wait: a number of seconds, or a date."""
    if after.strip().isdecimal():
        return float(after)
    try:
        return max(0.0, parsedate_to_datetime(after).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0


def _read(response: HTTPResponse, deadline: float) -> bytes:
    """The whole body, unless it drips past the deadline, stops short or never ends."""
    parts = []
    size = 0
    while part := response.read1(2**16):
        parts.append(part)
        size += len(part)
        if size > LARGEST_ANSWER:
            raise EndpointError(f"the server answered with more than {LARGEST_ANSWER >> 20} MB")
        if time.monotonic() > deadline:
            raise TimeoutError
    promised = response.headers.get("Content-Length", "")
    if promised.isdecimal() and size < int(promised):
        raise http.client.IncompleteRead(b"", int(promised) - size)
    return b"".join(parts)
