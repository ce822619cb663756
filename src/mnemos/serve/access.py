"""Who is asking, and what they may see: the one place through which every surface reaches a tenant's memories."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from mnemos.errors import InvalidInput, MnemosError, NotFound
from mnemos.namespaces import read_scope
from mnemos.origin import writing_as
from mnemos.records import Namespace
from mnemos.serve.desk import Desk, Lane
from mnemos.serve.tenants import Tenants
from mnemos.system import Mnemos

T = TypeVar("T")
OPEN_TENANT = "default"
"""Whose memories an open server (no keys, loopback only) holds."""


class Unauthorized(MnemosError):
    """No key was shown, or one that opens nothing."""


class Forbidden(MnemosError):
    """The key does not allow this, whatever is or is not there."""


class TooMany(MnemosError):
    """A key made more requests than it may."""


@dataclass(frozen=True, slots=True)
class Access:
    """One caller of one surface. Replies about what lies outside are those about what does not exist."""

    tenants: Tenants
    desk: Desk
    tenant: str
    channel: str
    """The surface: `rest`, `mem0`, `proxy`, `mcp`, `console`; every write records it, and the key."""
    scopes: frozenset[str]
    key_id: str | None = None
    namespaces: tuple[Namespace, ...] | None = None
    """The namespaces to which the caller is bound, with those below them; None: all of the tenant."""
    trust: float = 1.0

    def need(self, scope: str) -> Access:
        """This access, if it has a scope.

        Raises:
            Forbidden: it has not.
        """
        if scope not in self.scopes:
            raise Forbidden(f"this key lacks the scope {scope!r}; use one that was created with it")
        return self

    def via(self, channel: str) -> Access:
        """The same caller on another surface."""
        return replace(self, channel=channel)

    async def call(self, work: Callable[[Mnemos], T], *, lane: Lane = "call") -> T:
        """What `work` makes of the tenant's open store, in a thread; its writes bear this caller's channel and key."""
        return await self.desk.run(lambda: self.now(work), lane)

    async def search(self, work: Callable[[Mnemos], T]) -> T:
        """Like `call`, for what ranks memories: a few at a time."""
        return await self.call(work, lane="search")

    def now(self, work: Callable[[Mnemos], T]) -> T:
        """Like `call`, in this thread."""
        with self.tenants.use(self.tenant) as memory, writing_as(self.channel, self.key_id, self.trust):
            return work(memory)

    def scope(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        descendants: bool = False,
    ) -> dict[str, Any]:
        """The keyword arguments by which the library is told this scope, once it is known to be allowed.

        A bound key that names no scope means its namespace, where it has only one. `descendants` is left out where it
        is False, for verbs that do not know it.

        Raises:
            Forbidden: the scope lies outside of what the key is bound to.
            InvalidInput: the scope cannot be read, or has to be named.
        """
        scope = read_scope(user_id, agent_id, namespace, descendants=descendants)
        below = {"descendants": True} if descendants else {}
        if self.namespaces is not None and not scope.explicit:
            if len(self.namespaces) > 1:
                raise InvalidInput("namespace", "is missing", "this key is bound to several: name one of them")
            return {"namespace": self.namespaces[0], **below}
        if not self.allows(scope.namespace):
            raise Forbidden("this key is bound to other namespaces; name one of them, or leave the scope out")
        named = {"user_id": user_id, "agent_id": agent_id, "namespace": namespace}
        return {name: value for name, value in named.items() if value is not None} | below

    def allows(self, namespace: Namespace) -> bool:
        """Whether a namespace is one of those that the caller is bound to, or below one."""
        return self.namespaces is None or any(namespace[: len(bound)] == bound for bound in self.namespaces)

    def own(self, memory: Mnemos, id: str, field: str = "id") -> str:
        """An id of a memory or of a decision, where the caller may know of it.

        Raises:
            NotFound: it does not exist, or not for this caller.
        """
        namespace = memory.owner(id)
        if namespace is None or not self.allows(namespace):
            raise NotFound(field, id)
        return id
