"""Salience: how likely a turn is ever to be asked for, judged when it is read and no question is known.

A logistic model over a dozen cheap features (`features.py`), fitted on which turns of annotated conversations answer
questions (`tools/fit_salience.py`). Talk between people and talk with a machine share its weights but for fitted
deviations: what a machine says at length is asked for less than what its user tells.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemos.gate.features import FEATURES, Read, Seen, is_welcome, read
from mnemos.records import Memory


class Model(NamedTuple):
    """Weights in logits, by feature."""

    people: Mapping[str, float]
    machine: Mapping[str, float]
    """For what its user says in a talk with a machine, and for what the machine says."""
    spoken: float
    """Added where the machine speaks itself ..."""
    spoken_length: float
    """... and this for each unit of length."""
    bias: tuple[float, float]
    """Among people, and with a machine."""

    def logits(self, seen: Read) -> NDArray[np.float64]:
        """How salient each one is, in logits."""
        one, other = (np.array([weights[name] for name in FEATURES]) for weights in (self.people, self.machine))
        among = seen.features @ one + self.bias[0]
        with_machine = seen.features @ other + self.bias[1]
        by_machine = seen.machine * (self.spoken + self.spoken_length * seen.size)
        logits: NDArray[np.float64] = np.where(seen.talk, with_machine + by_machine, among)
        return logits


@cache
def bundled() -> Model:
    """The model that ships with Mnemos."""
    held = json.loads(files("mnemos.gate").joinpath("salience.json").read_text(encoding="utf-8"))
    return Model(held["people"], held["machine"], held["spoken"], held["spoken_length"], tuple(held["bias"]))


def saliences(
    memories: Sequence[Memory], seen: Seen | None = None, before: Mapping[str | None, Memory] | None = None
) -> NDArray[np.float64]:
    """The salience of each of some memories in reading order, 0 to 1.

    Args:
        seen: the words met before these; they are added to it. Without it nothing has been met.
        before: by session, the turn before the first of these.
    """
    if not memories:
        return np.empty(0)
    return _chance(bundled().logits(read(memories, seen or Seen(), before)))


def salience(memory: Memory, seen: Seen | None = None, previous: Memory | None = None) -> float:
    """The salience of one memory, 0 to 1."""
    before = {} if previous is None else {memory.session_id: previous}
    return float(saliences([memory], seen, before)[0])


def after_reply(known: float, reply: Memory) -> float:
    """A turn's salience once it is known how the next one receives it."""
    if not is_welcome(reply.text):
        return known
    known = min(max(known, 1e-9), 1 - 1e-9)
    return float(_chance(np.log(known / (1 - known)) + bundled().people["was welcomed"]))


def _chance(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    chances: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(logits, -60, 60)))
    return chances
