"""Keys: made once, shown once, kept as digests; each opens one tenant, for its scopes, until it ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemos import InvalidInput, NotFound
from mnemos.serve.keys import Key, KeyRing, looks_like_key, read_tenant
from mnemos.serve.ledger import Ledger
from mnemos.times import to_micros

NOW = 1_800_000_000_000_000
DAY = 86_400_000_000


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[KeyRing]:
    ledger = Ledger(tmp_path)
    yield KeyRing(ledger)
    ledger.close()


def held(key: Key | None) -> Key:
    assert key is not None
    return key


def test_a_key_opens_its_tenant(ring: KeyRing) -> None:
    shown, made = ring.create("acme", NOW, scopes=("write", "read"), namespaces=[("user", "ana")], trust=0.5, name="ci")
    found = held(ring.verify(shown, NOW))
    assert found == made
    assert (found.tenant, found.scopes, found.namespaces) == ("acme", {"read", "write"}, (("user", "ana"),))
    assert (found.trust, found.name) == (0.5, "ci")
    assert looks_like_key(shown)


def test_only_a_digest_is_kept(ring: KeyRing, tmp_path: Path) -> None:
    shown, made = ring.create("acme", NOW)
    secret = shown.split("_", 2)[2]
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert made.id.encode() in kept
    assert secret.encode() not in kept
    assert (tmp_path / "serve.db").stat().st_mode & 0o077 == 0


def test_an_expired_or_revoked_key_opens_nothing(ring: KeyRing) -> None:
    short, made = ring.create("acme", NOW, lifetime=DAY)
    assert ring.verify(short, NOW + DAY - 1)
    assert ring.verify(short, NOW + DAY) is None
    long, other = ring.create("acme", NOW)
    ring.revoke(other.id, NOW + 5)
    ring.revoke(other.id, NOW + 9)
    assert ring.verify(long, NOW + 6) is None
    assert {key.id for key in ring.listed("acme")} == {made.id, other.id}
    revoked = ring.get(other.id).revoked_at
    assert revoked is not None
    assert to_micros(revoked) == NOW + 5


@pytest.mark.parametrize("change", [lambda k: k[:-1], lambda k: k + "A", lambda k: k[:-1] + "!", str.upper, str.strip])
def test_a_changed_key_opens_nothing(ring: KeyRing, change: object) -> None:
    shown, _ = ring.create("acme", NOW)
    changed = change(shown)  # type: ignore[operator]
    assert (ring.verify(changed, NOW) is None) == (changed != shown)


def test_another_keys_secret_does_not_fit(ring: KeyRing) -> None:
    (one, _), (two, _) = ring.create("acme", NOW), ring.create("acme", NOW)
    prefix, key_id, _ = one.split("_", 2)
    assert ring.verify(f"{prefix}_{key_id}_{two.split('_', 2)[2]}", NOW) is None


@given(shown=st.text(max_size=80))
def test_no_text_that_was_not_made_is_a_key(shown: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("ring"))
    assert KeyRing(ledger).verify(shown, NOW) is None
    ledger.close()


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"tenant": "../etc"}, "tenant"),
        ({"tenant": ""}, "tenant"),
        ({"tenant": "A"}, "tenant"),
        ({"tenant": "a" * 64}, "tenant"),
        ({"tenant": "a\n"}, "tenant"),
        ({"scopes": ()}, "scopes"),
        ({"scopes": ("root",)}, "scopes"),
        ({"scopes": "read"}, "scopes"),
        ({"namespaces": []}, "namespaces"),
        ({"namespaces": [()]}, "namespaces"),
        ({"lifetime": 0}, "expires"),
        ({"trust": 2.0}, "trust"),
        ({"name": ""}, "name"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(ring: KeyRing, settings: dict[str, object], field: str) -> None:
    told = {"tenant": "acme", **settings}
    with pytest.raises(InvalidInput) as refused:
        ring.create(told.pop("tenant"), NOW, **told)  # type: ignore[arg-type]
    assert refused.value.field == field
    assert ring.listed() == []


def test_an_unknown_key_cannot_be_revoked(ring: KeyRing) -> None:
    with pytest.raises(NotFound):
        ring.revoke("nosuchkey", NOW)


@given(name=st.text(max_size=70))
def test_a_tenants_name_is_a_safe_name_of_a_file(name: str) -> None:
    try:
        read_tenant(name)
    except InvalidInput:
        return
    assert Path(f"{name}.db").name == f"{name}.db"
    assert name == name.lower().strip()
    assert not name.startswith((".", "-"))
