"""How a server is, and what it holds."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from dataclasses import dataclass

from mnemos.client.calls import Call, given, read
from mnemos.client.decoding import named, record
from mnemos.client.verbs import Verb
from mnemos.records import Namespace
from mnemos.store.reading import Stats


@dataclass(frozen=True, slots=True)
class Health:
    """That a server answers, and which release it is."""

    status: str
    version: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a server may be sent requests, and what each part of it says."""

    ready: bool
    ledger: bool
    worker: bool


class StatusVerbs:
    """What a client asks about the server and about all that it holds."""

    @Verb
    def health(self) -> Call[Health]:
        """That the server answers; needs no key."""
        return read("GET", "/v1/health", record(Health))

    @Verb
    def ready(self) -> Call[Readiness]:
        """Whether requests may be sent; a server that starts or stops is waited for a little. Needs no key."""
        return read("GET", "/v1/ready", record(Readiness))

    @Verb
    def stats(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        descendants: bool = False,
    ) -> Call[Stats]:
        """Counts, span and people of a scope; of all that the key may see where none is named."""
        query = given(user_id=user_id, agent_id=agent_id, namespace=namespace, descendants=descendants)
        return read("GET", "/v1/stats", record(Stats), query=query)

    @Verb
    def namespaces(self) -> Call[builtins.list[Namespace]]:
        """Every namespace that holds a memory and that the key may see."""
        return read("GET", "/v1/namespaces", lambda told: [tuple(one) for one in named(told, "namespaces")])
