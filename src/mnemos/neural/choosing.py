"""Which form the four choices take: an exact recurrence where there is one, else a memory trained at test time."""

from __future__ import annotations

from mnemos.errors import InvalidInput
from mnemos.neural.learners import Learner
from mnemos.neural.memories import MATRIX, Memory, Vector, memory_of
from mnemos.neural.objectives import L2, Dot, Objective
from mnemos.neural.periodic import Periodic
from mnemos.neural.recurrence import MatrixRecurrence, VectorRecurrence
from mnemos.neural.retentions import Retention
from mnemos.neural.trained import Trained

Engine = MatrixRecurrence | VectorRecurrence | Trained | Periodic
"""What learns inside a `NeuralMemory`: it sees queries, keys, values and gates (`Tokens`), and holds the state.

Each has `start(batch)`, `step(tokens, state)`, `chunk(tokens, state)`, and `recall(q, state)`, which does not write.
"""


def engine_of(
    heads: int,
    keys: int,
    values: int,
    memory: str | Memory,
    objective: Objective,
    retention: Retention,
    learner: Learner,
    chunk: int | None,
) -> Engine:
    """The form of four choices.

    Raises:
        InvalidInput: they do not go together.
    """
    memory = memory_of(memory)
    check(memory, objective, retention, learner)
    size = chunk or (32 if retention.decay == "channel" else 64)
    if learner.delta or (objective == Dot() and learner == Learner() and retention.linear):
        if isinstance(memory, Vector):
            memory.shapes(keys, values)
            return VectorRecurrence(heads, keys, delta=learner.delta)
        if memory == MATRIX:
            return MatrixRecurrence(heads, keys, values, delta=learner.delta, size=size)
    if learner.period > 1:
        return Periodic(
            heads, keys, values, memory=memory, objective=objective, retention=retention, period=learner.period
        )
    return Trained(
        heads, keys, values, memory=memory, objective=objective, retention=retention, learner=learner, size=chunk or 16
    )


def check(memory: Memory, objective: Objective, retention: Retention, learner: Learner) -> None:
    """Refuse what has no meaning here.

    Raises:
        InvalidInput: two of the choices do not go together; it says which.
    """
    shallow = isinstance(memory, Vector) or memory.depth == 1
    if learner.delta and (objective != L2() or not retention.linear or not (memory == MATRIX or memory == Vector())):
        raise InvalidInput(
            "learner", "the delta rule is for a vector or matrix, L2 and a plain decay", "choose gradient or momentum"
        )
    if learner.orthogonal and isinstance(memory, Vector):
        raise InvalidInput("learner", "a vector has no singular values to even out", "choose a matrix or mlp")
    if not retention.linear and (isinstance(memory, Vector) or retention.decay == "channel"):
        raise InvalidInput("retention", "is for matrices with one decay a head", "choose a matrix or mlp, and scalar")
    if retention.decay == "channel" and not learner.delta and (not shallow or learner != Learner()):
        raise InvalidInput(
            "retention", "decay by channels is for one layer, without momentum or window", "choose scalar or gradient"
        )
