"""Noting in which form memories are to be from now on, and what has to go for it, in the caller's transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from mnemos.store import forming
from mnemos.store.artifact_rows import FORMS, ArtifactForm
from mnemos.store.artifacts import Artifacts
from mnemos.store.rows import Stored

LOWER: tuple[Literal["text", "activation"], ...] = ("text", "activation")
"""Forms to which memories are demoted."""


def promoted(
    connection: sqlite3.Connection,
    artifacts: Artifacts,
    found: Sequence[Stored],
    to: ArtifactForm,
    policy: str,
    now: int,
    figures: Mapping[str, Any] | None = None,
) -> None:
    """Note that memories are wanted in a form, and who decided so."""
    artifacts.want([one.memory.id for one in found], to)
    forming.decide(connection, [one.num for one in found], forming.PROMOTE, policy, now, {"to": to, **(figures or {})})


def demoted(
    connection: sqlite3.Connection,
    artifacts: Artifacts,
    found: Sequence[Stored],
    to: Literal["text", "activation"],
    policy: str,
    now: int,
    figures: Mapping[str, Any] | None = None,
) -> None:
    """Note that memories are no longer wanted in higher forms than one, and delete what was made of them there.

    What was in an adapter together with them is wanted as weights, so that one without them can be trained.
    """
    ids, nums = [one.memory.id for one in found], [one.num for one in found]
    for form in FORMS[LOWER.index(to) :]:
        artifacts.unwant(ids, form)
        holding = forming.holders(connection, nums, form)
        if form == "parametric":
            artifacts.want(forming.others_in(connection, holding, nums, now), form)
        artifacts.drop(holding)
    if to == "activation":
        artifacts.want(ids, to)
    forming.decide(connection, nums, forming.DEMOTE, policy, now, {"to": to, **(figures or {})})
