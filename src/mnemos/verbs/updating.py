"""The verbs of update: what is known and was known, undoing what was decided, and teaching by use."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Unpack

from mnemos.aio import in_thread
from mnemos.arguments import Where, read_count, read_flag, read_query_text, read_request
from mnemos.errors import InvalidInput, NotFound
from mnemos.events import read_text
from mnemos.facts.keys import keys, plain, subject_key
from mnemos.ids import read_id
from mnemos.keeping import Keeper
from mnemos.namespaces import read_scope
from mnemos.recall.look import Asked, select
from mnemos.recall.taught import NAME
from mnemos.records import KINDS, Memory, Namespace, Page
from mnemos.stages import Batch
from mnemos.store import decisions, superseding
from mnemos.store import feedback as store
from mnemos.store.rows import fetch, fetch_id, fetch_num
from mnemos.times import TimeLike, to_micros
from mnemos.update.feedback import learn
from mnemos.update.undo import undo

NOT_A_SIGNAL = ("level", "currency", NAME)
"""What hits show beside their signals."""


class UpdateVerbs(Keeper):
    """What `Mnemos` does where something has changed."""

    def facts(
        self,
        subject: str | None = None,
        relation: str | None = None,
        *,
        closed: bool = True,
        limit: int = 100,
        offset: int = 0,
        **where: Unpack[Where],
    ) -> Page[Memory]:
        """Facts in the order in which they became true, those that no longer are included.

        Args:
            subject: only facts about this one, by name; case, articles and punctuation do not matter.
            relation: only facts of this relation, as `lives in`.
            closed: False leaves out what has ceased to be true; `as_of` shows what was true then.
        """
        limit, offset = read_count(limit, "limit", 1), read_count(offset, "offset", 0)
        closed = read_flag(closed, "closed")
        who = None if subject is None else read_text(subject, "subject")
        what = None if relation is None else read_text(relation, "relation")
        request = replace(read_request(where, self._zone), kinds=("fact",))
        now = to_micros(self._moment(request.now))
        selection = select(self._store, request)
        if not selection.namespaces:
            return Page(offset=offset)
        one = None if who is None else subject_key(who)
        matter = keys(who, what, "").matter if who is not None and what is not None else None
        with self._store.db.read() as connection:
            selected = set(self._store.select(selection, now))
            nums = superseding.facts_of(connection, list(selection.namespaces), one, matter)
            found = list(fetch(connection, [num for num in nums if num in selected]).values())
        if what is not None and who is None:
            wanted = plain(what, verbs=True)
            found = [fact for fact in found if plain(str(fact.metadata.get("relation", "")), verbs=True) == wanted]
        if not closed:
            found = [fact for fact in found if fact.invalid_at is None or to_micros(fact.invalid_at) > now]
        return Page(found[offset : offset + limit], total=len(found), offset=offset)

    def undo(self, decision_id: str) -> Memory:
        """Reverse an automatic decision for good: `history(id)` shows each with its id.

        What was superseded stands again; what left the index comes back, and the next `maintain()` derives from it.
        Derivation does not decide the same again. Undoing twice changes nothing.

        Returns:
            The memory that the decision was about.

        Raises:
            NotFound: no decision has this id.
            InvalidInput: decisions of its sort cannot be undone.
        """
        wanted = read_id(decision_id, "decision_id")
        with self._store.db.write() as connection:
            decision = decisions.find(connection, wanted)
            if decision is None:
                raise NotFound("decision_id", wanted)
            if not undo(Batch(connection, [], self._index, self._now()), decision):
                raise InvalidInput("decision_id", f"is of a {decision.op!r}", "undo what was decided automatically")
            stored = fetch_num(connection, decision.memory)
        self._settle()
        if stored is None:
            raise NotFound("decision_id", wanted)
        return stored.memory

    def feedback(
        self,
        query: str,
        *,
        used: Sequence[str] = (),
        not_used: Sequence[str] = (),
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        now: TimeLike | None = None,
    ) -> Mapping[str, float]:
        """Say which memories served an answer; the signals that found them weigh more in this namespace from now on.

        Args:
            query: what was asked.
            used: ids of memories that the answer used; counts as a use of them.
            not_used: ids of memories that were shown and were of no use.

        Returns:
            The factor of every signal that differs from 1, each between 0.5 and 2.

        Raises:
            NotFound: an id is unknown in this scope; nothing was learnt.
        """
        text = read_query_text(query)
        shown = [*_read_ids(used, "used"), *_read_ids(not_used, "not_used")]
        if not shown or len(set(shown)) != len(shown):
            raise InvalidInput("used", "and not_used name nothing, or one memory twice", "name each memory once")
        scope = {"user_id": user_id, "agent_id": agent_id, "namespace": namespace, "now": now, "kinds": KINDS}
        request = read_request(scope, self._zone)
        ranking = self._searcher.judge(Asked(text, self._moment(request.now)), request)
        with self._store.db.write() as connection:
            nums = []
            for place, memory_id in enumerate(shown):
                stored = fetch_id(connection, memory_id)
                if stored is None or stored.memory.namespace != request.scope.namespace:
                    raise NotFound("used" if place < len(used) else "not_used", memory_id)
                nums.append(stored.num)
            taught = store.taught(connection, request.scope.namespace).factors
            if ranking is not None:
                places = {num: place for place, num in enumerate(ranking.nums.tolist())}
                at = [[places[num] for num in part if num in places] for part in (nums[: len(used)], nums[len(used) :])]
                signals = {name: said for name, said in ranking.contributions.items() if name not in NOT_A_SIGNAL}
                taught = learn(taught, signals, ranking.logits, *at)
                store.teach(connection, request.scope.namespace, taught, self._now())
        self._uses.update(shown[: len(used)])
        self._flush_uses()
        return taught

    def reset_feedback(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
    ) -> bool:
        """Let every signal of a namespace weigh what it weighs by itself again; False where nothing was taught."""
        where: Namespace = read_scope(user_id, agent_id, namespace).namespace
        with self._store.db.write() as connection:
            return store.unlearn(connection, where)

    afacts = in_thread(facts)
    aundo = in_thread(undo)
    afeedback = in_thread(feedback)
    areset_feedback = in_thread(reset_feedback)


def _read_ids(ids: object, field: str) -> builtins.list[str]:
    if isinstance(ids, str) or not isinstance(ids, Sequence | set | frozenset):
        raise InvalidInput(field, f"is a {type(ids).__name__}", "give a list of ids")
    return [read_id(one, field) for one in ids]
