"""What moving memories between forms reads and writes: who may move, how often it was used and changed, who decided."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from mnemos.records import LEVELS, Namespace
from mnemos.store import artifact_rows as rows
from mnemos.store import decisions
from mnemos.store.artifact_rows import FORMS, ArtifactForm
from mnemos.store.decisions import USER, Decision
from mnemos.store.log import namespace_num
from mnemos.store.meta import read_meta, write_meta

PROMOTE, DEMOTE = "promote", "demote"
"""Decisions."""
Lower = Literal["text", "activation"]
LOWER: tuple[Lower, ...] = ("text", "activation")
"""Forms to which memories are demoted."""
MOST = 20_000
"""Memories of a namespace that are looked at: those that are wanted in another form, then those used most."""
_COSTS, _ASKED = "form costs", "form sessions"


class Mover(NamedTuple):
    """A memory that may move, as far as the tables say. Times are microseconds."""

    num: int
    changes: int
    """How often its words, or what is true of its matter, have changed."""
    known_since: int
    """When its matter was first spoken of."""
    decided_by: str | None
    """The policy of the last decision about its form that stands, `user` where a person decided; None: nobody has."""
    decided_at: int | None


def movers(connection: sqlite3.Connection, namespace: int, now: int, used: Iterable[str] = ()) -> list[Mover]:
    """The memories of a namespace that were used, are wanted in another form than text, or are there in one.

    Args:
        namespace: its number.
        now: microseconds; what ends by then is left out.
        used: ids of memories that were used just now, which the tables do not know yet.
    """
    query = f"""
        WITH chosen AS (
            SELECT m.* FROM memories m WHERE m.namespace = :namespace AND m.hidden = 0 AND m.resting IS NULL
            AND (m.expires_at IS NULL OR m.expires_at > :now)
            AND (EXISTS (SELECT 1 FROM wanted w WHERE w.memory = m.num)
                 OR EXISTS (SELECT 1 FROM artifact_sources s WHERE s.memory = m.num)
                 OR (m.kind NOT IN ({", ".join(f"'{kind}'" for kind in LEVELS)})
                     AND (m.uses > 0 OR m.id IN (SELECT value FROM json_each(:used)))))
            ORDER BY EXISTS (SELECT 1 FROM wanted w WHERE w.memory = m.num) DESC, m.uses DESC, m.num LIMIT :most
        )
        SELECT m.num, m.version - 1 + coalesce(o.changes, 0),
               min(coalesce(m.valid_at, m.happened_at, m.created_at), m.created_at, coalesce(o.since, m.created_at)),
               d.policy, d.at
        FROM chosen m
        LEFT JOIN (
            SELECT f.memory, count(*) AS changes, min(coalesce(x.valid_at, x.happened_at, x.created_at)) AS since
            FROM facts f JOIN facts g ON (g.namespace, g.matter) = (f.namespace, f.matter) AND g.memory <> f.memory
            JOIN memories x ON x.num = g.memory AND x.hidden = 0 AND x.invalid_at IS NOT NULL
            WHERE f.namespace = :namespace GROUP BY f.memory
        ) o ON o.memory = m.num
        LEFT JOIN decisions d ON d.num = (
            SELECT max(num) FROM decisions WHERE memory = m.num AND op IN ('{PROMOTE}', '{DEMOTE}')
            AND undone_at IS NULL)
        ORDER BY m.seq, m.num DESC
    """
    values = {"namespace": namespace, "now": now, "used": json.dumps(list(used)), "most": MOST}
    return [Mover(*row) for row in connection.execute(query, values)]


def namespaces_moving(connection: sqlite3.Connection, used: Iterable[str] = ()) -> list[int]:
    """The numbers of the namespaces in which something was used, is wanted in another form, or is there in one."""
    query = (
        "SELECT DISTINCT namespace FROM memories m WHERE m.uses > 0 OR m.id IN (SELECT value FROM json_each(?)) "
        "UNION SELECT m.namespace FROM wanted w JOIN memories m ON m.num = w.memory "
        "UNION SELECT namespace FROM artifacts ORDER BY 1"
    )
    return [num for (num,) in connection.execute(query, (json.dumps(list(used)),))]


def raise_to(
    connection: sqlite3.Connection,
    nums: Sequence[int],
    to: ArtifactForm,
    policy: str,
    now: int,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Note that memories are wanted in a form, and who decided so."""
    rows.want(connection, nums, to, now)
    for num in nums:
        _decide(connection, num, PROMOTE, policy, now, {"to": to, **(detail or {})})


def lower_to(
    connection: sqlite3.Connection,
    nums: Sequence[int],
    to: Lower,
    policy: str,
    now: int,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Note that memories are no longer wanted above a form, and by whom; delete what was made of them there.

    What was in an adapter together with them is wanted as weights, so that one without them can be trained.
    """
    for num in nums:
        was = _highest(connection, num)
        _decide(connection, num, DEMOTE, policy, now, {"to": to, "from": was, **(detail or {})})
    for form in FORMS[LOWER.index(to) :]:
        _unwant(connection, nums, form)
        holding = _holders(connection, nums, form)
        if form == "parametric":
            rows.want(connection, _others_in(connection, holding, nums, now), form, now)
        rows.delete(connection, holding)
    if to == "activation":
        rows.want(connection, nums, to, now)


def left_weights(
    connection: sqlite3.Connection, nums: Sequence[int], to: Lower, policy: str, now: int, detail: Mapping[str, Any]
) -> None:
    """Note the same of memories that were weights, where there is an adapter without them already."""
    _unwant(connection, nums, "parametric")
    for num in nums:
        _decide(connection, num, DEMOTE, policy, now, {"to": to, "from": "parametric", **detail})


def leave_blocks(connection: sqlite3.Connection, nums: Sequence[int]) -> None:
    """Want memories as keys and values no more, and delete their blocks."""
    _unwant(connection, nums, "activation")
    rows.delete(connection, _holders(connection, nums, "activation"))


def is_asked(connection: sqlite3.Connection, num: int) -> bool:
    """Whether a person decided last in which form a memory is to be."""
    query = (
        "SELECT policy FROM decisions WHERE memory = ? AND op IN (?, ?) AND undone_at IS NULL ORDER BY num DESC LIMIT 1"
    )
    row = connection.execute(query, (num, PROMOTE, DEMOTE)).fetchone()
    return row is not None and row[0] == USER


def take_back(connection: sqlite3.Connection, decision: Decision, now: int) -> None:
    """Reverse a decision about the form of a memory; from then on it counts as asked for by a person."""
    form = decision.detail.get("to" if decision.op == PROMOTE else "from")
    if decision.op == PROMOTE:
        lower_to(connection, [decision.memory], "activation" if _is_below(connection, decision) else "text", USER, now)
    elif form in FORMS:
        raise_to(connection, [decision.memory], form, USER, now)


def _is_below(connection: sqlite3.Connection, decision: Decision) -> bool:
    """Whether a memory that was promoted to weights is wanted as keys and values besides."""
    query = "SELECT 1 FROM wanted WHERE memory = ? AND form = 'activation'"
    there = connection.execute(query, (decision.memory,)).fetchone() is not None
    return there and decision.detail.get("to") == "parametric"


def _highest(connection: sqlite3.Connection, num: int) -> str:
    """The highest form in which a memory is wanted, or is there for some model."""
    query = (
        "SELECT max(form) FROM (SELECT form FROM wanted WHERE memory = ?1 UNION SELECT a.form FROM artifacts a "
        "JOIN artifact_sources s ON s.artifact = a.num WHERE s.memory = ?1)"
    )
    return connection.execute(query, (num,)).fetchone()[0] or "text"


def _decide(
    connection: sqlite3.Connection, num: int, op: str, policy: str, now: int, detail: Mapping[str, Any]
) -> None:
    """Record in which form a memory is to be; what was decided about that before no longer stands."""
    for made in decisions.about(connection, num):
        if made.op in (PROMOTE, DEMOTE) and made.undone_at is None:
            decisions.release(connection, made.id, now)
    decisions.decide(connection, num, op, policy, now, detail=detail)


def _unwant(connection: sqlite3.Connection, nums: Sequence[int], form: str) -> None:
    query = "DELETE FROM wanted WHERE form = ? AND memory IN (SELECT value FROM json_each(?))"
    connection.execute(query, (form, json.dumps(list(nums))))


def _holders(connection: sqlite3.Connection, nums: Sequence[int], form: str) -> list[str]:
    """The ids of all artifacts of a form, of whatever model, that were made of one of these memories."""
    query = (
        "SELECT id FROM artifacts WHERE form = ? AND num IN (SELECT artifact FROM artifact_sources "
        "WHERE memory IN (SELECT value FROM json_each(?))) ORDER BY num"
    )
    return [artifact for (artifact,) in connection.execute(query, (form, json.dumps(list(nums))))]


def _others_in(connection: sqlite3.Connection, artifacts: Sequence[str], nums: Sequence[int], now: int) -> list[int]:
    """The memories of which artifacts were made beside these, as far as they have not ended."""
    query = (
        "SELECT DISTINCT m.num FROM artifacts a JOIN artifact_sources s ON s.artifact = a.num "
        "JOIN memories m ON m.num = s.memory WHERE a.id IN (SELECT value FROM json_each(?1)) "
        "AND m.num NOT IN (SELECT value FROM json_each(?2)) AND m.hidden = 0 "
        "AND (m.expires_at IS NULL OR m.expires_at > ?3)"
    )
    return [one for (one,) in connection.execute(query, (json.dumps(list(artifacts)), json.dumps(list(nums)), now))]


def read_costs(connection: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    """What was measured of each model, by fingerprint, the latest last."""
    found: dict[str, dict[str, Any]] = json.loads(read_meta(connection, _COSTS, "{}"))
    return found


def write_costs(connection: sqlite3.Connection, fingerprint: str, costs: Mapping[str, Any], most: int = 8) -> None:
    """Keep what was measured of a model, and of a few others before it."""
    found = {name: told for name, told in read_costs(connection).items() if name != fingerprint}
    found[fingerprint] = dict(costs)
    write_meta(connection, _COSTS, json.dumps(dict(list(found.items())[-most:])))


def read_asked(connection: sqlite3.Connection, namespace: int) -> tuple[int, int]:
    """How many sessions a namespace has had, and how many questions were asked in them."""
    sessions, questions = json.loads(read_meta(connection, _ASKED, "{}")).get(str(namespace), (0, 0))
    return sessions, questions


def count_asked(connection: sqlite3.Connection, counts: Mapping[Namespace, tuple[int, int]]) -> None:
    """Add to these: by namespace, sessions and questions."""
    held: dict[str, list[int]] = json.loads(read_meta(connection, _ASKED, "{}"))
    for namespace, (sessions, questions) in counts.items():
        num = namespace_num(connection, namespace)
        if num is not None:
            before = held.get(str(num), [0, 0])
            held[str(num)] = [before[0] + sessions, before[1] + questions]
    write_meta(connection, _ASKED, json.dumps(held))
