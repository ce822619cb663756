"""The verbs of the levels: who somebody is, what happened when, and what became of a memory."""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Connection

from mnemos.aio import in_thread
from mnemos.arguments import read_bar, read_flag
from mnemos.events import read_text
from mnemos.ids import read_id
from mnemos.keeping import Keeper
from mnemos.levels import asking
from mnemos.levels.answers import Profile, Timeline
from mnemos.namespaces import read_scope
from mnemos.records import Memory
from mnemos.store import levels
from mnemos.store.rows import fetch
from mnemos.times import TimeLike, from_micros, read_optional_time

FACTS = 20_000
"""The latest facts that a profile or a timeline is read from."""
THEMES = 200
"""The latest themes among which the recurring ones are sought."""
EPISODES = 20_000
"""The latest episodes that a timeline is read from."""


class LevelVerbs(Keeper):
    """What `Mnemos` can say about people and times. Both verbs show what has been derived: `maintain()` derives."""

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
    ) -> Profile:
        """What is stable about somebody: current facts by group, dated and with sources, and recurring themes.

        Args:
            subject: a name, as `Rita`, or what somebody is called, as `mother`; without it, whose memory it is.
            as_of: the time of the profile; without it, now. What held earlier is shown as `until` its last day.
            min_trust: only what is trusted at least so far, 0 to 1.

        Returns:
            An empty profile (false) where nothing is known.
        """
        scope = read_scope(user_id, agent_id, namespace, descendants=read_flag(descendants, "descendants"))
        who = None if subject is None else read_text(subject, "subject")
        at = self._moment(read_optional_time(as_of, "as_of", self._zone))
        bar = read_bar(min_trust)
        nums = self._store.namespaces_of(scope)
        with self._store.db.read() as connection:
            facts = _facts(connection, nums, scope.agent_id, bar)
            found = asking.main_subject(facts) if who is None else asking.named(who, facts)
            if found is None:
                return Profile(who or "")
            own = asking.main_subject(facts) == found
            themes = fetch(connection, levels.levels_in(connection, nums, levels.THEME, THEMES) if own else [])
            pairs = [
                (theme, list(fetch(connection, levels.members(connection, num)).values()))
                for num, theme in themes.items()
                if _is_trusted(theme, bar)
            ]
        return asking.profile_of(found, facts, pairs, at)

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
    ) -> Timeline:
        """What happened in order: facts and plans that have a date, and of each episode the sentence that tells most.

        Args:
            subject: only what concerns this person; without it, everything.
            since: from this time on.
            until: before this time.
            min_trust: only what is trusted at least so far, 0 to 1.
        """
        scope = read_scope(user_id, agent_id, namespace, descendants=read_flag(descendants, "descendants"))
        who = None if subject is None else read_text(subject, "subject")
        bounds = [read_optional_time(value, name, self._zone) for name, value in (("since", since), ("until", until))]
        bar = read_bar(min_trust)
        nums = self._store.namespaces_of(scope)
        with self._store.db.read() as connection:
            facts = _facts(connection, nums, scope.agent_id, bar)
            told = fetch(connection, levels.levels_in(connection, nums, levels.EPISODE, EPISODES)).values()
        episodes = [one for one in told if scope.agent_id in (None, one.agent_id) and _is_trusted(one, bar)]
        found = None if who is None else asking.named(who, facts)
        first, last = (from_micros(bound) for bound in bounds)
        return asking.timeline_of(found, facts, episodes, first, last)

    def derived(self, id: str) -> list[Memory]:
        """The facts and levels that were derived from a memory and are shown, in reading order."""
        with self._store.db.read() as connection:
            return list(fetch(connection, levels.derived_from(connection, read_id(id))).values())

    aprofile = in_thread(profile)
    atimeline = in_thread(timeline)
    aderived = in_thread(derived)


def _facts(connection: Connection, namespaces: Sequence[int], agent_id: str | None, bar: float | None) -> list[Memory]:
    """The latest facts of namespaces (of one agent, where one is named) that are trusted so far, oldest first."""
    rows = levels.facts_in(connection, namespaces, FACTS)
    found = fetch(connection, [row.num for row in rows]).values()
    return [fact for fact in found if agent_id in (None, fact.agent_id) and _is_trusted(fact, bar)]


def _is_trusted(memory: Memory, bar: float | None) -> bool:
    return bar is None or memory.trust >= bar
