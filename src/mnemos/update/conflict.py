"""Conflict: a statement that contradicts an older one supersedes it.

The older one is closed in time, kept, linked and ranks below; what was derived from it is hidden until it is derived
again, so that nothing states as current what is not. Nothing is deleted, and `undo` reverses each decision for good.
The order is that of the world, not of arrival: an old diary imported today supersedes nothing. Nor does what is trusted
less than the older statement, whatever the policy says: what a person says of themselves outranks hearsay, and who is
trusted less cannot make the store forget what it was told. Both stand then.
"""

from __future__ import annotations

from mnemos.stages import Batch
from mnemos.store import decisions, superseding
from mnemos.store.deriving import derived_from
from mnemos.store.levels import told_of
from mnemos.store.superseding import SUPERSEDE, SUPERSEDES, Rival
from mnemos.update.newest import Newest
from mnemos.update.verdict import Policy, Verdict

RIVALS = 64
"""How many facts of one matter are looked at: the last ones read."""


class Resolver:
    """Settles what a new or merged fact means for the others of its matter."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy: Policy = policy or Newest()

    def __call__(self, batch: Batch, num: int) -> None:
        """Close what the fact contradicts, or the fact itself where a newer one contradicts it; repeatable."""
        superseding.yield_to_trusted(batch.connection, num, batch.now)
        _close_again(batch, num)
        rivals = superseding.matter_of(batch.connection, num, RIVALS)
        place = next((at for at, one in enumerate(rivals) if one.num == num), None)
        if place is None:
            return
        for older in rivals[:place]:
            self._settle(batch, older, rivals[place])
        for newer in rivals[place + 1 :]:
            if self._settle(batch, rivals[place], newer):
                break

    def _settle(self, batch: Batch, older: Rival, newer: Rival) -> bool:
        """Do what the policy says of two facts; True where the older one is closed by it."""
        until = newer.heard_at if newer.since is None else newer.since
        if older.invalid_at is not None and older.invalid_at <= until:
            return False
        if older.num > 0 and superseding.is_joined(batch.connection, newer.num, older.num):
            return True
        verdict = self.policy.judge(older, newer)
        if (
            verdict is Verdict.APPEND
            or _is_outranked(verdict, older, newer)
            or batch.was_undone(older.num, SUPERSEDE, newer.num)
        ):
            return False
        if verdict is Verdict.PASS:
            batch.rest(newer.num, "repeat", self.policy.name, older.num)
            return False
        supersede(batch, older, newer, until, self.policy.name)
        if verdict is Verdict.DELETE:
            superseding.close(batch.connection, newer.num, until, batch.now)
            batch.touch([newer.num])
        return True


def _is_outranked(verdict: Verdict, older: Rival, newer: Rival) -> bool:
    """Whether what a verdict takes away is trusted more than what it leaves."""
    return newer.trust > older.trust if verdict is Verdict.PASS else newer.trust < older.trust


def supersede(batch: Batch, older: Rival, newer: Rival, until: int, policy: str) -> None:
    """Close a fact in time, by a newer one, in a way that `undo` reverses."""
    connection = batch.connection
    superseding.close(connection, older.num, until, batch.now)
    superseding.join(connection, newer.num, older.num)
    batch.decide(older.num, SUPERSEDE, policy, newer.num, {"until": until, "was_until": older.invalid_at})
    batch.decide(newer.num, SUPERSEDES, policy, older.num)
    batch.touch([older.num, newer.num])
    batch.derive_again([*derived_from(connection, older.num), *told_of(connection, older.num)])


def _close_again(batch: Batch, num: int) -> None:
    """Let decisions that stand hold for a fact that was derived anew, whatever its matter: as after a restore."""
    fact = superseding.rival(batch.connection, num)
    if fact is None or fact.invalid_at is not None:
        return
    for made in decisions.about(batch.connection, num):
        if made.op == SUPERSEDE and made.undone_at is None and made.other is not None:
            superseding.close(batch.connection, num, made.detail.get("until"), batch.now)
            superseding.join(batch.connection, made.other, num)


resolve = Resolver()
"""The default: call it with a batch and the number of a fact that was just written or merged."""
