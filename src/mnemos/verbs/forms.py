"""The verbs of forms: what a model reads as text, as keys and values or as weights, and one way to read it all."""

from __future__ import annotations

import builtins
import math
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from mnemos.aio import in_thread
from mnemos.errors import InvalidInput, NotFound
from mnemos.ids import read_id
from mnemos.keeping import Keeper
from mnemos.maintenance import Maintained
from mnemos.records import Forms, Memory, Move
from mnemos.store import forming
from mnemos.store.artifact_arguments import read_ids
from mnemos.store.artifact_rows import FORMS
from mnemos.store.decisions import USER
from mnemos.store.forming import LOWER
from mnemos.store.rows import Stored, fetch_held
from mnemos.times import TimeLike, read_optional_time
from mnemos.verbs.forgetting import read_scope_of_budget

if TYPE_CHECKING:
    from mnemos.forms.bound import Bound
    from mnemos.forms.desk import Desk
    from mnemos.forms.measured import Measured
    from mnemos.forms.policy import Policy
    from mnemos.forms.session import Session

EXTRA = ("torch", "transformers", "peft", "safetensors")
"""What forms need beside the core."""


class FormVerbs(Keeper):
    """What `Mnemos` does about forms. Only what a model is given for needs torch."""

    _bound: Bound | None = None

    def bind(
        self,
        model: Any,
        tokenizer: Any = None,
        *,
        storage: Literal["full", "int8", "int4"] = "full",
        quota: int | None = None,
        policy: Policy | None = None,
        costs: Measured | None = None,
        course: Mapping[str, Any] | None = None,
    ) -> None:
        """Name the model that `maintain()` makes forms for in this process; None lets go of it.

        Args:
            model: a causal model of `transformers`; it is left as it is.
            tokenizer: the model's own.
            storage: in which type keys and values are stored: as the model made them, or smaller, with an error.
            quota: bytes that stored keys and values may take; what saves least for its bytes goes first.
            policy: what decides which memories move by themselves: `ByCost()` (the default), `ByHand()` (none do), or
                an object with `name` and `plan(standings, costs, room)`; see `mnemos.forms.policy`.
            costs: what reading and building cost this model; by default the first `maintain()` measures it.
            course: settings of the training of adapters, such as `{"epochs": 30, "lr": 5e-4}`; see `AdapterMemory`.

        Raises:
            InvalidInput: an argument cannot be accepted, or `mnemos[torch]` is not installed.
        """
        how = {"storage": storage, "quota": quota, "policy": policy, "costs": costs, "course": course}
        self._bound = None if model is None else self._bound_to(model, tokenizer, **how)

    def promote(
        self, ids: Sequence[str], to: Literal["activation", "parametric"] = "activation"
    ) -> builtins.list[Forms]:
        """Want memories in another form beside their text: as keys and values, or as weights.

        Nothing is made yet, and no model is needed: `maintain()` makes it for the model that is bound, and makes it
        again whenever it has gone, until `demote`. The policy leaves alone what somebody has promoted or demoted.

        Returns:
            The forms of each.

        Raises:
            NotFound: an id is unknown; nothing was noted.
            InvalidInput: a memory is out of the index, or `to` is no form to promote to.
        """
        known = tuple(dict.fromkeys(read_ids(ids, "ids")))
        if to not in FORMS:
            raise InvalidInput("to", f"{str(to)[:40]!r} is no form to promote to", f"use {' or '.join(FORMS)}")
        with self._store.db.write() as connection:
            found = self._to_move(connection, known)
            for place, one in enumerate(found):
                if one.memory.resting is not None:
                    raise InvalidInput(f"ids[{place}]", f"is out of the index ({one.memory.resting})", "admit it first")
            forming.raise_to(connection, [one.num for one in found], to, USER, self._now())
        self._settle()
        return self._forms([one.memory for one in found])

    def demote(self, ids: Sequence[str], to: Literal["text", "activation"] = "text") -> builtins.list[Forms]:
        """Bring memories back to their text, which never left, or from weights to keys and values.

        Blocks and adapters of them are deleted at once, of every model; where an adapter holds others too, those stay
        wanted as weights, and `maintain()` trains them anew, without these. Promote them again to take it back.

        Returns:
            The forms of each.

        Raises:
            NotFound: an id is unknown; nothing was changed.
            InvalidInput: `to` is no form to demote to.
        """
        known = tuple(dict.fromkeys(read_ids(ids, "ids")))
        if to not in LOWER:
            raise InvalidInput("to", f"{str(to)[:40]!r} is no form to demote to", f"use {' or '.join(LOWER)}")
        with self._store.db.write() as connection:
            found = self._to_move(connection, known)
            forming.lower_to(connection, [one.num for one in found], to, USER, self._now())
        self._settle()
        return self._forms([one.memory for one in found])

    def forms(self, id: str) -> Forms:
        """Every form of a memory, its text included, each with its state.

        Raises:
            NotFound: the id is unknown.
        """
        stored = self._store.get(read_id(id), self._now())
        if stored is None:
            raise NotFound("id", id)
        return self._forms([stored.memory])[0]

    def plan_forms(
        self,
        *,
        policy: Policy | None = None,
        now: TimeLike | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        descendants: bool = False,
    ) -> builtins.list[Move]:
        """What `maintain()` would do between forms, each move with its reason in words and figures; writes nothing.

        Where a model is bound, its costs count; else those of the model that was bound last, or, before the first,
        assumed ones, and the reasons say so. Without a scope, of the whole store.

        Args:
            policy: another policy than the one that was bound.
            now: the time by which use and change are judged; by default the clock's.
        """
        from mnemos.forms.policy import read_policy

        scope = read_scope_of_budget(user_id, agent_id, namespace, descendants=descendants)
        chosen = None if policy is None else read_policy(policy)
        nums = self._store.namespaces_of(scope) if scope.explicit else None
        return self._desk(read_optional_time(now, "now", self._zone)).plan(chosen, nums)

    def maintain(
        self,
        seconds: float | None = None,
        *,
        gentle: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> Maintained:
        """Do the queued work: gate and derive, derive again, change embedder, delete what has expired, finish a purge.

        Where a model is bound, forms follow at the end: what is wanted is made, and what the policy plans is carried
        out. The thread of `background=True` leaves that alone: models are used where their user is.

        Args:
            seconds: stop about then, after the batch in hand; the next call goes on from there. One training is not
                interrupted.
            gentle: take small batches, so that a write never waits long for one.
            progress: is told how many new memories have been read, after each batch.
        """
        begun = time.monotonic()
        done = super().maintain(seconds, gentle=gentle, progress=progress)
        left = math.inf if seconds is None else seconds - (time.monotonic() - begun)
        done = self._desk(None).carry_out(done, left)
        self._settle()
        return done

    def attach(
        self,
        model: Any,
        tokenizer: Any,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        budget: int = 1000,
        bytes: int | None = None,
        repair: float = 0.15,
    ) -> Session:
        """Let a model see a namespace's memories, each in the form that it has, for the length of a `with` block.

            with memory.attach(model, tokenizer, user_id="ana") as session:
                print(session.generate("What can Rita eat?", max_new_tokens=40))

        The namespace's adapter is on the model, fresh blocks stand before the question as keys and values, and what
        else search finds for the question is read as text; nothing is read in two forms. When the block is left, also
        by an exception, the model is what it was, bit for bit.

        Args:
            model: a causal model of `transformers`.
            tokenizer: the model's own.
            budget: tokens of memories that are read as text, at most.
            bytes: of the cache of keys and values, at most; None: as many as there are.
            repair: the share of joined blocks that is read again, 0 to 1; see `KVMemory.assemble`.

        Raises:
            InvalidInput: an argument cannot be accepted, or `mnemos[torch]` is not installed.
        """
        bound = self._bound
        if bound is None or not bound.is_for(model, tokenizer):
            bound = self._bound_to(model, tokenizer)
        from mnemos.forms.attach import attach

        where = {"user_id": user_id, "agent_id": agent_id, "namespace": namespace}
        system: Any = self  # what is missing here, Mnemos has
        return attach(system, bound, where, budget=budget, bytes=bytes, repair=repair)

    def _bound_to(self, model: Any, tokenizer: Any, **how: Any) -> Bound:
        try:
            from mnemos.forms.bound import Bound
        except ModuleNotFoundError as error:
            if error.name not in EXTRA:
                raise
            problem = f"needs {error.name}, which is not installed"
            raise InvalidInput("model", problem, "install it with: pip install 'mnemos[torch]'") from error
        return Bound(self, model, tokenizer, **how)  # type: ignore[arg-type]  # what is missing here, Mnemos has

    def _desk(self, now: int | None) -> Desk:
        from mnemos.forms.desk import Desk

        return Desk(self._store.db, self.artifacts, self._bound, self._moment(now), dict(self._uses))

    def _count_uses(self, ids: Sequence[str]) -> None:
        """Count a use of each of these memories, outside the durability promise."""
        self._uses.update(ids)

    def _to_move(self, connection: sqlite3.Connection, ids: Sequence[str]) -> builtins.list[Stored]:
        found = []
        for place, one in enumerate(ids):
            stored = fetch_held(connection, one, self._now())
            if stored is None:
                raise NotFound(f"ids[{place}]", one)
            found.append(stored)
        return found

    def _forms(self, memories: Sequence[Memory]) -> builtins.list[Forms]:
        from mnemos.forms.listing import forms_of

        bound = self._bound
        return forms_of(self.artifacts, memories, None if bound is None else lambda: bound.fingerprint.digest)

    abind = in_thread(bind)
    apromote = in_thread(promote)
    ademote = in_thread(demote)
    aforms = in_thread(forms)
    aplan_forms = in_thread(plan_forms)
    amaintain = in_thread(maintain)  # type: ignore[arg-type]  # that of a Keeper knows no forms
    aattach = in_thread(attach)
