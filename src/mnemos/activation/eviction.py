"""Which blocks go when there is no room: those that save least for their bytes.

A block is worth the seconds that it saves at each use, times the uses to be expected, for each byte. What was used
before is likely to be used again, and the less the longer ago that was (as in the least-frequently and least-recently
used rules, with the cost of making it again as in Cao & Irani 1997, "Cost-Aware WWW Proxy Caching Algorithms").
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from mnemos.store.artifact_rows import Artifact

HALF_LIFE = timedelta(days=7)
"""After which a use counts half."""


def value(artifact: Artifact, now: datetime) -> float:
    """Seconds saved per byte, times the uses that may be expected.

    Args:
        artifact: a block.
        now: the time from which its last use is looked back at.
    """
    age = max(timedelta(0), now - (artifact.used_at or artifact.created_at))
    faded: float = 0.5 ** (age / HALF_LIFE)
    return (1 + artifact.uses) * artifact.seconds / max(1, artifact.bytes) * faded


def least_valuable(artifacts: Iterable[Artifact], room: int, spared: Collection[str] = ()) -> list[Artifact] | None:
    """What has to go so that so many bytes become free, the least valuable first.

    Args:
        artifacts: all that there are; those that share a file free its bytes only together.
        room: bytes that have to become free.
        spared: ids of those that stay, because they are being used.

    Returns:
        Which; None where there is not so much.
    """
    known = list(artifacts)
    now = max((one.used_at or one.created_at for one in known), default=datetime.min)
    left: dict[str, int] = {}
    for one in known:
        left[one.hash] = left.get(one.hash, 0) + 1
    going: list[Artifact] = []
    for one in sorted((one for one in known if one.id not in spared), key=lambda one: (value(one, now), one.id)):
        if room <= 0:
            break
        going.append(one)
        left[one.hash] -= 1
        room -= one.bytes if not left[one.hash] else 0
    return going if room <= 0 else None
