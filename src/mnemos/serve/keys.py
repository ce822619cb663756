"""API keys: made once, shown once, stored as digests; each opens one tenant, for some scopes and namespaces."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mnemos.errors import InvalidInput, NotFound
from mnemos.events import read_trust
from mnemos.namespaces import read_label, read_namespace
from mnemos.records import Namespace
from mnemos.serve.ledger import Ledger
from mnemos.times import from_micros

SCOPES = ("read", "write", "admin", "metrics")
"""`admin` is for what concerns a whole tenant (deleting a scope, importing, maintaining); `metrics` for `/metrics`."""
PREFIX = "mnemos"
TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_KEY = re.compile(rf"{PREFIX}_([a-z0-9]{{12}})_([A-Za-z0-9_-]{{43}})")
_NOBODY = bytes(32)
_FIELDS = "id, tenant, scopes, namespaces, trust, name, created_at, expires_at, revoked_at, last_used_at"


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key; its secret is not."""

    id: str
    tenant: str
    scopes: frozenset[str]
    namespaces: tuple[Namespace, ...] | None
    """The namespaces to which it is bound, with those below them; None: all of the tenant."""
    trust: float
    """The most that what it writes is trusted, 0 to 1."""
    name: str | None
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None


class KeyRing:
    """The keys of a server."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._made = False

    def create(
        self,
        tenant: str,
        now: int,
        *,
        scopes: Sequence[str] = ("read", "write"),
        namespaces: Iterable[Sequence[str]] | None = None,
        lifetime: int | None = None,
        trust: float = 1.0,
        name: str | None = None,
    ) -> tuple[str, Key]:
        """Make a key; returns it as it is shown, this once, and what is known of it. `lifetime` is microseconds."""
        read_tenant(tenant)
        chosen = _read_scopes(scopes)
        bound = None if namespaces is None else [read_namespace(one, "namespaces") for one in namespaces]
        if bound == []:
            raise InvalidInput("namespaces", "is empty", "name at least one, or leave it out")
        if lifetime is not None and lifetime <= 0:
            raise InvalidInput("expires", "is not in the future", "give a length of time above 0, as 90d")
        trust = read_trust(trust, "trust")
        label = None if name is None else read_label(name, "name")
        key_id = "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(12))
        secret = secrets.token_urlsafe(32)
        with self._ledger.write() as connection:
            connection.execute(
                f"INSERT INTO keys ({_FIELDS}, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, ?)",
                (
                    key_id, tenant, json.dumps(chosen), None if bound is None else json.dumps(bound), trust, label,
                    now, None if lifetime is None else now + lifetime, _digest(secret),
                ),
            )  # fmt: skip
        return f"{PREFIX}_{key_id}_{secret}", self.get(key_id)

    def get(self, key_id: str) -> Key:
        """What is known of a key.

        Raises:
            NotFound: there is none of this id.
        """
        with self._ledger.read() as connection:
            row = connection.execute(f"SELECT {_FIELDS} FROM keys WHERE id = ?", (key_id,)).fetchone()
        if row is None:
            raise NotFound("key", key_id)
        return _key(row)

    def listed(self, tenant: str | None = None) -> list[Key]:
        """All keys, or a tenant's, oldest first; revoked and expired ones too."""
        query = f"SELECT {_FIELDS} FROM keys WHERE tenant = coalesce(?, tenant) ORDER BY created_at, id"
        with self._ledger.read() as connection:
            return [_key(row) for row in connection.execute(query, (tenant,))]

    def revoke(self, key_id: str, now: int) -> Key:
        """Let a key open nothing from now on; a second time changes nothing."""
        self.get(key_id)
        with self._ledger.write() as connection:
            connection.execute("UPDATE keys SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?", (now, key_id))
        return self.get(key_id)

    def any(self) -> bool:
        """Whether a key was ever made: a server that had keys never runs open again."""
        if not self._made:
            with self._ledger.read() as connection:
                self._made = bool(connection.execute("SELECT EXISTS (SELECT 1 FROM keys)").fetchone()[0])
        return self._made

    def verify(self, shown: str, now: int) -> Key | None:
        """The key that was shown, if it is one and still holds."""
        match = _KEY.fullmatch(shown)
        key_id, secret = match.groups() if match else ("", "")
        with self._ledger.read() as connection:
            row = connection.execute(f"SELECT {_FIELDS}, digest FROM keys WHERE id = ?", (key_id,)).fetchone()
        right = hmac.compare_digest(_digest(secret), _NOBODY if row is None else bytes(row[-1]))
        if row is None or not right or row[8] is not None or (row[7] is not None and row[7] <= now):
            return None
        return _key(row[:-1])

    def note_used(self, key_ids: Iterable[str], now: int) -> None:
        """Note that keys were used about now."""
        with self._ledger.write() as connection:
            connection.executemany("UPDATE keys SET last_used_at = ? WHERE id = ?", [(now, one) for one in key_ids])


def looks_like_key(shown: str) -> bool:
    """Whether a credential is one of ours (and must not be passed on to anybody)."""
    return shown.startswith(f"{PREFIX}_")


def read_tenant(tenant: str) -> str:
    """A tenant's name, which is also the name of its file."""
    if not isinstance(tenant, str) or not TENANT.fullmatch(tenant):
        raise InvalidInput(
            "tenant", f"{str(tenant)[:70]!r} is not a name of a tenant", "use a-z, 0-9, - and _, at most 63 characters"
        )
    return tenant


def _read_scopes(scopes: Sequence[str]) -> list[str]:
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes or isinstance(scopes, str):
        raise InvalidInput("scopes", f"{str(list(scopes))[:60]} are not scopes", f"give some of {', '.join(SCOPES)}")
    return [scope for scope in SCOPES if scope in scopes]


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _key(row: tuple[Any, ...]) -> Key:
    key_id, tenant, scopes, namespaces, trust, name, *times = row
    bound = None if namespaces is None else tuple(tuple(one) for one in json.loads(namespaces))
    created, expires, revoked, used = map(from_micros, times)
    assert created is not None
    return Key(key_id, tenant, frozenset(json.loads(scopes)), bound, trust, name, created, expires, revoked, used)
