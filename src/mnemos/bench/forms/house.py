"""Stores in which the benchmark tells its facts, and asks for them through `Mnemos.attach`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from mnemos.bench.forms.people import SPEAKERS, Fact, day
from mnemos.bench.forms.words import tokenizer
from mnemos.forms.measured import Measured
from mnemos.forms.policy import ByHand, Policy
from mnemos.forms.session import Session
from mnemos.system import Mnemos

LONGEST = 4
"""Tokens of an answer, at most."""
PRESENT = 600
"""The day on which the asking begins; everything was told before it."""
START = day(PRESENT)
COURSE: Mapping[str, Any] = {"lr": 5e-3, "rank": 8, "batch": 32}
"""How adapters of the small language model are trained."""


@dataclass(slots=True)
class Clock:
    """The present, which goes on when it is told to."""

    now: datetime = START

    def __call__(self) -> datetime:
        """The time that it is."""
        return self.now


@dataclass(slots=True)
class House:
    """A store, the model that reads it, and what was told in it.

    Args:
        memory: the store.
        model: the small language model.
        seconds: how long making forms took, so far.
    """

    memory: Mnemos
    model: LlamaForCausalLM
    tokens: PreTrainedTokenizerFast = field(default_factory=tokenizer)
    clock: Clock = field(default_factory=Clock)
    seconds: float = 0.0
    ids: dict[Fact, str] = field(default_factory=dict)
    """The memory of each fact that is told and neither changed nor deleted."""

    def tell(self, facts: Sequence[Fact], user: str) -> None:
        """Facts about strangers, one a day, the last of them on the day before the present."""
        first = PRESENT - len(facts)
        told = [
            {"content": fact.text, "name": SPEAKERS[0], "happened_at": day(first + number)}
            for number, fact in enumerate(facts)
        ]
        for fact, memory in zip(facts, self.memory.add(told, user_id=user), strict=True):
            self.ids[fact] = memory.id

    def change(self, fact: Fact, new: Fact) -> None:
        """Say something else in place of a fact."""
        memory = self.ids.pop(fact)
        self.ids[new] = self.memory.update(memory, text=new.text).id

    def forget(self, fact: Fact) -> None:
        """Delete a fact."""
        self.memory.delete(self.ids.pop(fact))

    def maintain(self) -> None:
        """Do what there is to do; the seconds that it takes count as making."""
        begun = time.perf_counter()
        self.memory.maintain()
        self.seconds += time.perf_counter() - begun

    def attach(self, user: str, **how: Any) -> Session:
        """A session with somebody's memories."""
        return self.memory.attach(self.model, self.tokens, user_id=user, **how)

    def alone(self, question: str, most: int = LONGEST) -> str:
        """What the model says without any memory."""
        asked = self.tokens(question, return_tensors="pt")
        said = self.model.generate(**asked, max_new_tokens=most, do_sample=False)  # type: ignore[misc]
        return str(self.tokens.decode(said[0, asked["input_ids"].shape[1] :], skip_special_tokens=True)).strip()


@contextmanager
def opened(
    folder: Path, model: LlamaForCausalLM, *, policy: Policy | None = None, costs: Measured | None = None
) -> Iterator[House]:
    """A new store with a model bound to it; nothing is derived in it, so that each fact is one memory."""
    clock = Clock()
    with Mnemos(folder / "store.db", clock=clock, stages=()) as memory:
        house = House(memory, model, clock=clock)
        memory.bind(model, house.tokens, policy=policy or ByHand(), costs=costs, course=COURSE)
        yield house


def says(session: Session, fact: Fact) -> str:
    """What is answered when a fact is asked for."""
    return session.generate(fact.question, max_new_tokens=LONGEST)
