"""What a server is told at its start: where its data is, where it listens, and what it allows."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from mnemos.errors import InvalidInput

PORT = 8765
COUNTS = (
    "body_bytes", "chat_bytes", "upload_bytes", "rate", "searching", "waiting", "open_stores", "spool_bytes",
)  # fmt: skip
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Settings:
    """One server. Sizes are bytes, times are seconds."""

    folder: Path
    """Holds `serve.db` (keys, jobs), `tenants/` (one store each) and `uploads/`."""
    store: Path | None = None
    """Serve this store as that of tenant `default`, in place of the one in the folder."""
    host: str = "127.0.0.1"
    port: int = PORT
    hosts: tuple[str, ...] = ()
    """Names under which an open server may be asked for, besides those of the loopback."""
    upstream: str | None = None
    """Base address of the OpenAI-compatible service to which `/v1/chat/completions` is forwarded."""
    upstream_key: str | None = field(default=None, repr=False)
    """The key shown to it; without one, the caller's own Authorization goes there."""
    upstream_timeout: float = 600.0
    context_budget: int = 1000
    """Tokens of memories that the proxy puts into a prompt, unless a request says otherwise; 0 for none."""
    memory_timeout: float = 3.0
    """How long the proxy waits for them before it forwards a request without."""
    body_bytes: int = 4 * 2**20
    """A longer body is refused; uploads of imports have their own bound."""
    chat_bytes: int = 64 * 2**20
    """The same for chats that are forwarded, which may hold pictures."""
    upload_bytes: int = 2 * 2**30
    rate: int = 600
    """Requests that one key may make in ten seconds."""
    searching: int = 1
    """Searches that are computed side by side; the others queue."""
    waiting: int = 1000
    """Requests that may queue; more are told to come back."""
    open_stores: int = 64
    """Stores that are kept open at the same time."""
    spool_bytes: int = 64 * 2**20
    """Exchanges that the proxy keeps on disk, beside their stores, while those cannot take them."""
    drain: float = 30.0
    """How long requests in hand may take to finish when the server is told to stop."""

    def __post_init__(self) -> None:
        for name in COUNTS:
            if getattr(self, name) < 1:
                raise InvalidInput(name, f"is {getattr(self, name)}", "give a whole number above 0")
        if self.upstream is not None and not self.upstream.startswith(("http://", "https://")):
            raise InvalidInput("upstream", "is not an http or https address", "give one like https://host/v1")

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a host, as an address or a name, is this machine's own loopback."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
