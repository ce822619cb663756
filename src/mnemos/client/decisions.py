"""What was decided about memories on a server, and what a person decides and teaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mnemos.client.calls import Call, given, part, read, write
from mnemos.client.decoding import named, record
from mnemos.client.verbs import Verb
from mnemos.records import Memory
from mnemos.times import TimeLike
from mnemos.verbs.gating import Kept


class DecisionVerbs:
    """What a client asks about decisions, and decides itself."""

    @Verb
    def why_kept(self, id: str) -> Call[Kept]:
        """Why a memory is in the index or out of it: what was decided, what it repeats, what was masked."""
        return read("GET", f"/v1/memories/{part(id)}/why", record(Kept), about=id)

    @Verb
    def admit(self, id: str) -> Call[Memory]:
        """Let a memory back into the index, to stay there."""
        return write("POST", f"/v1/memories/{part(id)}/admit", record(Memory), about=id)

    @Verb
    def pin(self, id: str) -> Call[Memory]:
        """Keep a memory whatever is forgotten; one that had left the index comes back into it."""
        return write("PUT", f"/v1/memories/{part(id)}/pin", record(Memory), about=id)

    @Verb
    def unpin(self, id: str) -> Call[Memory]:
        """Let a memory go again when its time comes."""
        return write("DELETE", f"/v1/memories/{part(id)}/pin", record(Memory), about=id)

    @Verb
    def expire(self, id: str, at: TimeLike | None) -> Call[Memory]:
        """Let a memory end at a time: from then on nothing returns it, and later it is deleted. None: never."""
        return write("PUT", f"/v1/memories/{part(id)}/expiry", record(Memory), body={"at": at}, about=id)

    @Verb
    def undo(self, decision_id: str) -> Call[Memory]:
        """Reverse an automatic decision for good: `history(id)` shows each with its id."""
        path = f"/v1/decisions/{part(decision_id, 'decision_id')}/undo"
        return write("POST", path, record(Memory), about=decision_id)

    @Verb
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
    ) -> Call[Mapping[str, float]]:
        """Say which memories served an answer: what found them weighs more in this namespace from now on.

        Returns:
            The factor of every signal that differs from 1, each between 0.5 and 2.
        """
        body = given(
            query=query,
            used=used,
            not_used=not_used,
            user_id=user_id,
            agent_id=agent_id,
            namespace=namespace,
            now=now,
        )
        return write("POST", "/v1/feedback", lambda told: dict(named(told, "factors")), body=body)

    @Verb
    def reset_feedback(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
    ) -> Call[bool]:
        """Let every signal of a namespace weigh what it weighs by itself again; False where nothing was taught."""
        query = given(user_id=user_id, agent_id=agent_id, namespace=namespace)
        return write("DELETE", "/v1/feedback", lambda told: bool(named(told, "reset")), query=query)
