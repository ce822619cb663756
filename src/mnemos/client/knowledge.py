"""What a server has derived: facts, who somebody is, what happened when, and who is who."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Unpack

from mnemos.arguments import Where
from mnemos.client.calls import Call, asked, given, part, read
from mnemos.client.decoding import listed, named, record
from mnemos.client.verbs import Verb
from mnemos.entities.graph import Graph, Node
from mnemos.levels.answers import Profile, Timeline
from mnemos.records import Memory, Page
from mnemos.times import TimeLike


class KnowledgeVerbs:
    """What a client asks about people, places, things and times."""

    @Verb
    def facts(
        self,
        subject: str | None = None,
        relation: str | None = None,
        *,
        closed: bool = True,
        limit: int = 100,
        offset: int = 0,
        **where: Unpack[Where],
    ) -> Call[Page[Memory]]:
        """Facts in the order in which they became true, those that no longer are included; as `Mnemos.facts`."""

        def page(data: object) -> Page[Memory]:
            return Page(listed(Memory, "memories")(data), total=named(data, "total"), offset=offset)

        narrowed = asked(subject=subject, relation=relation, closed=closed, limit=limit, offset=offset, **where)
        return read("GET", "/v1/facts", page, query=narrowed)

    @Verb
    def profile(
        self,
        subject: str | None = None,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        descendants: bool = False,
        as_of: TimeLike | None = None,
        min_trust: float | None = None,
    ) -> Call[Profile]:
        """What is stable about somebody; empty, and false, where nothing is known. As `Mnemos.profile`."""
        query = given(
            subject=subject,
            user_id=user_id,
            agent_id=agent_id,
            namespace=namespace,
            descendants=descendants,
            as_of=as_of,
            min_trust=min_trust,
        )
        return read("GET", "/v1/profile", record(Profile), query=query)

    @Verb
    def timeline(
        self,
        subject: str | None = None,
        *,
        since: TimeLike | None = None,
        until: TimeLike | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        descendants: bool = False,
        min_trust: float | None = None,
    ) -> Call[Timeline]:
        """What happened, in order; as `Mnemos.timeline`."""
        query = given(
            subject=subject,
            since=since,
            until=until,
            user_id=user_id,
            agent_id=agent_id,
            namespace=namespace,
            descendants=descendants,
            min_trust=min_trust,
        )
        return read("GET", "/v1/timeline", record(Timeline), query=query)

    @Verb
    def graph(
        self,
        entity: str,
        *,
        depth: int = 1,
        as_of: TimeLike | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        min_trust: float | None = None,
    ) -> Call[Graph]:
        """What is known around somebody or something, as nodes and dated edges; as `Mnemos.graph`."""
        query = given(
            entity=entity,
            depth=depth,
            as_of=as_of,
            user_id=user_id,
            agent_id=agent_id,
            namespace=namespace,
            min_trust=min_trust,
        )
        return read("GET", "/v1/graph", record(Graph), query=query)

    @Verb
    def entities(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        min_trust: float | None = None,
    ) -> Call[builtins.list[Node]]:
        """People, animals, places and things of a namespace, those most often mentioned first."""
        query = given(user_id=user_id, agent_id=agent_id, namespace=namespace, min_trust=min_trust)
        return read("GET", "/v1/entities", listed(Node, "entities"), query=query)

    @Verb
    def derived(self, id: str) -> Call[builtins.list[Memory]]:
        """The facts and levels that were derived from a memory and are shown, in reading order."""
        return read("GET", f"/v1/memories/{part(id)}/derived", listed(Memory, "memories"), about=id)
