"""In which forms memories are, and in which state each form is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from mnemos.records import Form, Forms, FormState, Memory
from mnemos.store.artifact_rows import FORMS, Artifact, Wanted
from mnemos.store.artifacts import Artifacts

SHOWN = 12
"""Digits of a fingerprint by which a model is told from others."""


def forms_of(artifacts: Artifacts, memories: Sequence[Memory], model: Callable[[], str] | None = None) -> list[Forms]:
    """The forms of each memory: its text, what was made of it, and what is wanted and not there.

    Args:
        artifacts: of the store.
        memories: as the store has them now.
        model: tells the fingerprint of the model that is bound: a form that only other models have is wanted still.
            Asked where something is wanted and there, since telling takes a look at every weight.
    """
    ids = [one.id for one in memories]
    made: dict[str, list[Artifact]] = {one: [] for one in ids}
    for artifact in artifacts.find(holding=ids) if ids else ():
        for source in artifact.sources:
            if source in made:
                made[source].append(artifact)
    asked: dict[str, list[Wanted]] = {one: [] for one in ids}
    for wish in artifacts.wanted(ids=ids):
        asked[wish.memory].append(wish)
    now = artifacts.now()
    is_open = model is not None and any(made[one] and asked[one] for one in ids)
    own = model() if model is not None and is_open else None
    return [Forms(one.id, tuple(_all(one, made[one.id], asked[one.id], now, own))) for one in memories]


def state_of(artifact: Artifact, now: datetime) -> FormState:
    """The state of an artifact at a time: one that teaches what ends then is stale from that time on."""
    until = artifact.metadata.get("until")
    ended = isinstance(until, int | float) and until <= now.timestamp()
    return "stale" if ended and artifact.state == "fresh" else artifact.state


def _all(
    memory: Memory, made: Sequence[Artifact], asked: Sequence[Wanted], now: datetime, model: str | None
) -> list[Form]:
    found = [Form("text", "fresh", bytes=len(memory.text.encode()), uses=memory.uses, sources=(memory.id,))]
    wishes: Mapping[str, Wanted] = {wish.form: wish for wish in asked}
    for form in FORMS:
        there = [(one, state_of(one, now)) for one in made if one.form == form]
        usable = any(state == "fresh" and model in (None, one.fingerprint) for one, state in there)
        wish = wishes.get(form)
        if wish is not None and (wish.building or not usable):
            found.append(Form(form, "building" if wish.building else "wanted", sources=(memory.id,)))
        found += [_form(one, state) for one, state in there]
    return found


def _form(artifact: Artifact, state: FormState) -> Form:
    return Form(
        artifact.form,
        state,
        recipe=artifact.recipe,
        model=artifact.fingerprint[:SHOWN],
        bytes=artifact.bytes,
        seconds=artifact.seconds,
        uses=artifact.uses,
        artifact=artifact.id,
        sources=artifact.sources,
    )
