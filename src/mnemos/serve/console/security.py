"""What keeps the console to itself: headers of every page, the cookie with the key, and the proof behind each form."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from fastapi import Request
from starlette.responses import Response

from mnemos.serve.access import Forbidden
from mnemos.serve.server import COOKIE

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
}
"""Other sites learn nothing of where a link was followed; a form of our own still says whose it is (`Origin`)."""
PATH = "/ui"
"""Where the cookie is sent."""


class Proof:
    """What a form carries so that only pages of this server can send it: bound to the key in the cookie."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def of(self, request: Request) -> str:
        """The proof for whoever asks."""
        shown = request.cookies.get(COOKIE, "").encode("utf-8", "surrogateescape")
        return hmac.new(self._secret, shown, hashlib.sha256).hexdigest()

    def check(self, request: Request, shown: object) -> None:
        """Refuse a form that another site's page has sent.

        Raises:
            Forbidden: it was, or the page was opened before the server last started or somebody else signed in.
        """
        refuse_others(request)
        if not isinstance(shown, str) or not hmac.compare_digest(shown.encode(), self.of(request).encode()):
            raise Forbidden("this page is from before you signed in or the server was started; go back and reload it")


def refuse_others(request: Request) -> None:
    """Refuse what a browser says another site's page has sent.

    Raises:
        Forbidden: it was.
    """
    if not _is_own(request):
        raise Forbidden("this was sent by another site's page")


def _is_own(request: Request) -> bool:
    """What says nothing of whose page it is comes from no browser."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host")


def keep_key(request: Request, response: Response, key: str) -> None:
    """Let the browser show a key from now on, until it is closed; no script can read it, no other site send it."""
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, key, path=PATH, httponly=True, samesite="strict", secure=secure)


def drop_key(response: Response) -> None:
    """Let the browser forget the key."""
    response.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="strict")
