"""The verbs of forgetting: what stays whatever happens, what ends when, and what goes where there is too much."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

from mnemos.aio import in_thread
from mnemos.arguments import read_flag
from mnemos.errors import InvalidInput, NotFound
from mnemos.forget.budget import KINDS, Budget, Forgotten
from mnemos.forget.carrying import Place, carry_out, look
from mnemos.forget.policy import DEFAULT, POLICIES, Policy
from mnemos.ids import read_id
from mnemos.keeping import Keeper
from mnemos.namespaces import Scope, namespace_from_key, read_scope
from mnemos.records import LEAVES, Memory, Namespace
from mnemos.stages import Batch
from mnemos.store import decisions, forgetting, log
from mnemos.store.decisions import USER
from mnemos.store.rows import Stored, fetch_held, fetch_num
from mnemos.times import TimeLike, read_optional_time

DRY_SECONDS = 1.0
"""For which what waits to be derived is derived before a dry run, which is to answer soon."""


class ForgetVerbs(Keeper):
    """What `Mnemos` does about too much."""

    def pin(self, id: str) -> Memory:
        """Keep a memory whatever is forgotten; one that had left the index comes back into it.

        Raises:
            NotFound: the id is unknown.
        """
        return self._set_pinned(read_id(id), pinned=True)

    def unpin(self, id: str) -> Memory:
        """Let a memory go again when its time comes."""
        return self._set_pinned(read_id(id), pinned=False)

    def expire(self, id: str, at: TimeLike | None) -> Memory:
        """Let a memory end at a time: from then on nothing returns it, and `maintain()` deletes it. None: never.

        Raises:
            NotFound: the id is unknown, or what it names has ended already.
        """
        end = read_optional_time(at, "at", self._zone)
        with self._store.db.write() as connection:
            batch, stored = self._found(connection, read_id(id))
            if stored.num < 0:
                raise InvalidInput("id", "is a derived memory, which ends with its sources", "let those expire")
            detail = {"at": end, "was": stored.expires_at}
            batch.decide(stored.num, "expire", USER, detail=detail)
            forgetting.set_expiry(connection, stored.num, end)
            batch.touch([stored.num])
            return _read(batch, stored.num)

    def forget(
        self,
        *,
        count: int | None = None,
        bytes: int | None = None,
        share: float | None = None,
        policy: str | Policy = DEFAULT,
        kinds: Sequence[str] = KINDS,
        summarise_after: float = 30.0,
        delete: bool = False,
        delete_after: float = 90.0,
        dry_run: bool = False,
        now: TimeLike | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        descendants: bool = False,
    ) -> builtins.list[Forgotten]:
        """Keep only so many memories in the index of each namespace of a scope; what goes is said, and why.

        What is worth least goes, one step a call: out of the index, where `admit`, `pin` and `undo` bring it back;
        after `summarise_after` days into its episode, which speaks of it from then on; after `delete_after` days out
        of the store, where `delete` is True. Pinned memories never go, nor what a person has admitted. What waits to
        be derived is derived first; before a dry run, for a second at most.

        Args:
            count: how many may stay; or
            bytes: how much text, in bytes; or
            share: what part of all that is stored, 0 to 1. Without any of the three: the budget that was set.
            policy: `salience` (what is likely to be asked for stays), `ebbinghaus`, `layered`, or an object with
                `name`, `strength(memory, now)` and `worth(memory, now)`.
            kinds: the kinds that count and that may go.
            dry_run: True only says what would go.
            now: the time by which strengths are judged; by default the clock's.

        Returns:
            One record for each step, what is worth least first.
        """
        scope = read_scope_of_budget(user_id, agent_id, namespace, descendants=descendants)
        dry = read_flag(dry_run, "dry_run")
        moment = read_optional_time(now, "now", self._zone)
        own: Policy | None = None
        if not isinstance(policy, str):
            if not isinstance(policy, Policy):
                raise InvalidInput("policy", "lacks strength or worth", f"use one of {', '.join(POLICIES)}")
            own = policy
        name = policy if isinstance(policy, str) else DEFAULT
        given = read_budget(count, bytes, share, name, kinds, summarise_after, delete, delete_after)
        self._flush_uses()
        self._maintainer.run(self._now(), DRY_SECONDS if dry else None)
        at = self._now() if moment is None else moment
        with self._store.db.read() as connection:
            standing = forgetting.terms(connection)
        found: builtins.list[Forgotten] = []
        for num in self._store.namespaces_of(scope):
            budget = given if given is not None else _standing(standing.get(num))
            if budget is None:
                continue
            place = Place(self._store.db, self._index, num)
            steps = look(place, budget, at, own)
            name = budget.policy if own is None else own.name
            found += [step.record for step in steps] if dry else carry_out(place, steps, name, at, lambda: False)
        if not dry and any(one.step == "delete" for one in found):
            self._store.purge()
        return found

    def set_budget(
        self,
        *,
        count: int | None = None,
        bytes: int | None = None,
        share: float | None = None,
        policy: str = DEFAULT,
        kinds: Sequence[str] = KINDS,
        summarise_after: float = 30.0,
        delete: bool = False,
        delete_after: float = 90.0,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
    ) -> Budget | None:
        """Set what a namespace may hold; `maintain()` keeps to it from then on. Without a limit: no budget any more.

        The arguments are those of `forget`.
        """
        scope = read_scope_of_budget(user_id, agent_id, namespace)
        budget = read_budget(count, bytes, share, policy, kinds, summarise_after, delete, delete_after)
        with self._store.db.write() as connection:
            num = log.ensure_namespace(connection, scope.namespace)
            forgetting.set_terms(connection, num, None if budget is None else budget.to_terms(), self._now())
        return budget

    def budgets(self) -> dict[Namespace, Budget]:
        """The budget of every namespace that has one."""
        with self._store.db.read() as connection:
            held = forgetting.terms(connection)
            paths = dict(connection.execute("SELECT num, path FROM namespaces").fetchall()) if held else {}
        return {namespace_from_key(paths[num]): Budget.from_terms(terms) for num, terms in held.items()}

    def _set_pinned(self, memory_id: str, *, pinned: bool) -> Memory:
        with self._store.db.write() as connection:
            batch, stored = self._found(connection, memory_id)
            if stored.memory.pinned != pinned:
                for made in decisions.about(connection, stored.num):
                    ended = made.op == "rest" if pinned else made.op == "pin"
                    if ended and made.undone_at is None:
                        decisions.mark_undone(connection, made.id, batch.now)
                batch.decide(stored.num, "pin" if pinned else "unpin", USER)
                forgetting.set_pinned(connection, stored.num, pinned=pinned)
                if stored.memory.resting is not None:
                    batch.touch([stored.num])
            return _read(batch, stored.num)

    def _found(self, connection: Any, memory_id: str) -> tuple[Batch, Stored]:
        now = self._now()
        stored = fetch_held(connection, memory_id, now)
        if stored is None:
            raise NotFound("id", memory_id)
        return Batch(connection, [], self._index, now), stored

    apin = in_thread(pin)
    aunpin = in_thread(unpin)
    aexpire = in_thread(expire)
    aforget = in_thread(forget)
    aset_budget = in_thread(set_budget)
    abudgets = in_thread(budgets)


def read_scope_of_budget(
    user_id: str | None = None,
    agent_id: str | None = None,
    namespace: Sequence[str] | None = None,
    *,
    descendants: bool = False,
) -> Scope:
    """The scope of a budget, which is for whole namespaces."""
    scope = read_scope(user_id, agent_id, namespace, descendants=read_flag(descendants, "descendants"))
    if scope.agent_id is not None:
        raise InvalidInput("agent_id", "is given beside another scope", "a budget is for a whole namespace")
    return scope


def read_budget(
    count: int | None,
    bytes: int | None,
    share: float | None,
    policy: str,
    kinds: Sequence[str],
    summarise_after: float,
    delete: bool,
    delete_after: float,
) -> Budget | None:
    """The budget that the arguments of `forget` say; None where they name no limit."""
    if (count, bytes, share) == (None, None, None):
        return None
    if isinstance(kinds, str) or not set(kinds) <= set(LEAVES) or not kinds:
        raise InvalidInput("kinds", f"is {str(kinds)[:40]!r}", f"give a list of {', '.join(LEAVES)}")
    return Budget(count, bytes, share, policy, tuple(kinds), summarise_after, read_flag(delete, "delete"), delete_after)


def _standing(terms: dict[str, Any] | None) -> Budget | None:
    return None if terms is None else Budget.from_terms(terms)


def _read(batch: Batch, num: int) -> Memory:
    stored = fetch_num(batch.connection, num)
    assert stored is not None
    return stored.memory
