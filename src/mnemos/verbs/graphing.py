"""The verbs of entities: who and what is known, what is around them, and by which names they go."""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Connection

from mnemos.aio import in_thread
from mnemos.arguments import read_bar, read_count
from mnemos.entities.graph import Graph, Node
from mnemos.entities.names import plain
from mnemos.entities.resolve import ALIAS, name_key
from mnemos.entities.walk import Walk, describe
from mnemos.errors import InvalidInput, NotFound
from mnemos.events import read_text
from mnemos.facts.keys import subject_key
from mnemos.facts.scene import THE_USER
from mnemos.keeping import Keeper
from mnemos.namespaces import read_scope
from mnemos.store import around, decisions, entities
from mnemos.store.around import Bounds
from mnemos.store.decisions import USER
from mnemos.store.entities import Named
from mnemos.times import TimeLike, read_optional_time

DEEPEST = 4
"""Steps of the deepest graph."""


class GraphVerbs(Keeper):
    """What `Mnemos` says about people, places and things. It shows what has been derived: `maintain()` derives."""

    def entities(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        min_trust: float | None = None,
    ) -> list[Node]:
        """People, animals, places and things of a namespace, those most often mentioned first.

        Args:
            min_trust: only those that something mentions which is trusted at least so far, 0 to 1.
        """
        scope = read_scope(user_id, agent_id, namespace)
        bar = read_bar(min_trust) or 0.0
        with self._store.db.read() as connection:
            spaces = around.names_in(connection, self._store.namespaces_of(scope))
            roots = [named.num for names in spaces.values() for named in names if named.into is None]
            found = [describe(connection, root, bar) for root in roots]
        shown = [node for node in found if node.memories or not bar]
        return sorted(shown, key=lambda node: (-node.memories, plain(node.name)))

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
    ) -> Graph:
        """What is known around somebody or something: facts as dated edges, and who is mentioned with whom.

        Args:
            entity: a name, any that it goes by; `user` for the one whose memory it is and who has no name in it.
            depth: how many steps to go from there, 1 to 4; a graph has at most 200 nodes.
            as_of: leaves out what was said later, and facts that did not hold then.
            min_trust: only what is trusted at least so far, 0 to 1.

        Returns:
            An empty graph (false) where nothing is known.
        """
        who = read_text(entity, "entity")
        depth = read_count(depth, "depth", 1, DEEPEST)
        bounds = Bounds(read_optional_time(as_of, "as_of", self._zone), read_bar(min_trust) or 0.0)
        scope = read_scope(user_id, agent_id, namespace)
        with self._store.db.read() as connection:
            for num in self._store.namespaces_of(scope):
                asked = THE_USER if plain(who) in ("user", "me", "i") else who
                return Walk(connection, num, subject_key, bounds).around(asked, depth)
        return Graph()

    def alias(
        self,
        name: str,
        *,
        of: str,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
    ) -> Node:
        """Say that a name means an entity that is known by another; a name `of` itself stands for itself again.

        What is said here holds against what derivation would find. It leaves a line in the history of a memory that
        mentions the entity, and `undo` of it parts the two.

        Raises:
            NotFound: nobody is known by the name `of`.
            InvalidInput: one of the names has no letters.
        """
        short, full = _read_name(name, "name"), _read_name(of, "of")
        scope = read_scope(user_id, agent_id, namespace)
        nums = self._store.namespaces_of(scope)
        now = self._now()
        with self._store.db.write() as connection:
            found = entities.by_keys(connection, nums[0], [name_key(short), name_key(full)]) if nums else {}
            target, named = found.get(name_key(full)), found.get(name_key(short))
            if target is None:
                raise NotFound("of", full)
            if name_key(short) == name_key(full):
                entities.part(connection, target, now, for_good=True)
                return describe(connection, target.num)
            _join(connection, nums[0], short, named, target, now)
            return describe(connection, entities.root(connection, target.num))

    aentities = in_thread(entities)
    agraph = in_thread(graph)
    aalias = in_thread(alias)


def _join(connection: Connection, namespace: int, short: str, named: Named | None, target: Named, now: int) -> None:
    """Let a name stand for a target, by a decision about the latest memory that mentions the target."""
    if named is not None:
        if target.num in entities.group(connection, named.num):
            # the target stood for the name: turn that round
            entities.part(connection, target, now, for_good=False)
        entities.part(connection, named, now, for_good=False)
        entities.set_into(connection, named.num, target.num)
    key = name_key(short)
    # both names are known where this memory is read again
    memory = max(around.latest(connection, one.num) for one in (target, named) if one is not None)
    told = {"name": key, "of": target.key}
    made = decisions.decide(connection, memory, ALIAS, USER, now, detail=told)
    num = entities.add_alias(connection, namespace, target.num, key, short, USER, now)
    entities.decided(connection, num, made)


def _read_name(value: str, field: str) -> str:
    text = " ".join(read_text(value, field).split())
    if not plain(text):
        raise InvalidInput(field, "has no letters", "give a name")
    return text
