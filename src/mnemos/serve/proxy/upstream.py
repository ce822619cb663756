"""The service behind the proxy: a pooled client, and what of a caller's headers it is sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import urlsplit

import httpx2
from starlette.datastructures import Headers

from mnemos.serve.keys import looks_like_key
from mnemos.serve.settings import Settings, is_loopback

OWN = "x-mnemos-"
"""How the names of headers begin that are for Mnemos alone."""
UPSTREAM_KEY = "x-mnemos-upstream-key"
CONNECT_SECONDS = 10.0
IDLE_SECONDS = 30.0
HOP_BY_HOP = frozenset(
    "connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding "
    "upgrade".split()
)
_REPLACED = frozenset("host content-length expect cookie accept-encoding authorization".split())
_OURS = frozenset(("date",))

Pairs = list[tuple[bytes, bytes]]


class Upstream:
    """Where requests are forwarded. Cookies that it sets are not kept, so that no caller gets another's."""

    def __init__(self, settings: Settings, url: str) -> None:
        self._url = url.rstrip("/")
        self._key = settings.upstream_key
        local = is_loopback(urlsplit(url).hostname or "")
        self._client = httpx2.AsyncClient(
            timeout=httpx2.Timeout(settings.upstream_timeout, connect=CONNECT_SECONDS),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=IDLE_SECONDS),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            trust_env=not local,
        )

    def request(self, method: str, path: str, query: str, headers: Headers, body: bytes) -> httpx2.Request:
        """The request that goes there for one that came here; `path` begins after the base address."""
        url = f"{self._url}{path}?{query}" if query else f"{self._url}{path}"
        return self._client.build_request(method, url, headers=self._sent(headers), content=body or None)

    async def send(self, request: httpx2.Request) -> httpx2.Response:
        """Its answer, of which no body is read yet; it has to be closed."""
        return await self._client.send(request, stream=True)

    async def close(self) -> None:
        """Let go of its connections."""
        await self._client.aclose()

    def _sent(self, headers: Headers) -> Pairs:
        """The headers that go there: the caller's own, less what is for this server, and the key."""
        named = _named(headers.getlist("connection"))
        kept = [
            (name, value)
            for name, value in headers.raw
            if (text := name.decode("latin-1")) not in HOP_BY_HOP | _REPLACED | named
            and not text.startswith(OWN)
            and not _is_our_key(value)
        ]
        credential = self._credential(headers)
        if credential is not None:
            kept.append((b"authorization", credential))
        # what is read along is not packed, unless the upstream insists
        return [*kept, (b"accept-encoding", b"identity")]

    def _credential(self, headers: Headers) -> bytes | None:
        """The upstream's key: one sent for it, else the server's, else the caller's own if it is not ours."""
        given = headers.get(UPSTREAM_KEY) or self._key
        if given is not None:
            return f"Bearer {given}".encode("latin-1", "replace")
        shown = headers.get("authorization")
        return None if shown is None or _is_our_key(shown.encode("latin-1")) else shown.encode("latin-1")


def passed_back(response: httpx2.Response) -> Pairs:
    """The headers of an answer that go back to the caller."""
    dropped = HOP_BY_HOP | _OURS | _named(response.headers.get_list("connection"))
    kept = [
        (name.lower(), value) for name, value in response.headers.raw if name.decode("latin-1").lower() not in dropped
    ]
    return [*kept, *((b"x-upstream-request-id", value) for name, value in kept if name == b"x-request-id")]


def _named(values: Sequence[str]) -> frozenset[str]:
    """The headers that `Connection` says are for one hop."""
    return frozenset(name.strip().lower() for value in values for name in value.split(","))


def _is_our_key(value: bytes) -> bool:
    """Whether a header's value holds a key of this server."""
    words: Iterable[str] = value.decode("latin-1").replace(",", " ").split()
    return any(looks_like_key(word) for word in words)
