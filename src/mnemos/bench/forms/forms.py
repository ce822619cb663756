"""Measures the same facts as text, as keys and values, and as weights; and who chooses best among them.

The model is a small one that knows 2,000 facts by heart and reads others; these are 200 others, about strangers. Every
form is read in the same way, through `Mnemos.attach`, and answers are generated freely.
"""

from __future__ import annotations

import hashlib
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from transformers import LlamaForCausalLM

from mnemos.bench import forms_report as report
from mnemos.bench.forms.fixtures import schooled
from mnemos.bench.forms.house import House, opened, says
from mnemos.bench.forms.mixed import SHORT, WORKLOAD, Workload, compare
from mnemos.bench.forms.people import STRANGERS, Fact, facts, learned
from mnemos.bench.forms.school import SCHOOL
from mnemos.bench.forms.training import one_thread
from mnemos.bench.forms.widening import widened
from mnemos.forms.measured import Measured

USER = "ana"
EVERYTHING = 100_000
"""Tokens: more than all facts have."""
SOME = 100
"""Tokens of what search finds."""
REPAIRS = (0.0, 0.15)

FORMS: dict[str, tuple[Literal["activation", "parametric"], ...]] = {
    "text": (),
    "activation": ("activation",),
    "parametric": ("parametric",),
    "both": ("activation", "parametric"),
}
"""Stores that are told the same facts, and what these are promoted to, in turn."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    facts: int = 200
    by_heart: int = 2000
    """Of the facts that the model was taught, how many are asked for."""
    rounds: int = 5
    """Sessions of each form that are timed."""
    workload: Workload = WORKLOAD
    wide: int = 3
    """How many times as wide the model is made, so that reading takes more than what is around it."""


FULL = Size()
QUICK = Size(facts=20, by_heart=20, rounds=2, workload=SHORT, wide=1)


def run(
    size: Size = FULL,
    *,
    model: LlamaForCausalLM | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> report.Run:
    """Tell a model facts in each form, and ask.

    Args:
        size: how much is measured.
        model: the small language model; None: it is trained here, if that has not been done yet.
        seed: of the facts, and of the workload.
        progress: told what is done.
    """
    tell = progress or (lambda what, done, total: None)
    if model is None:
        model = schooled(SCHOOL, lambda step, stage, loss: tell(f"training: {stage}, {loss:.2f}", step, SCHOOL.most))
    told = facts(STRANGERS, random.Random(f"new {seed}"), size.facts)
    with one_thread(), tempfile.TemporaryDirectory(prefix="mnemos-bench-") as folder:
        wide = widened(model, size.wide)
        knows = _by_heart(Path(folder), model, learned(SCHOOL.seed)[: size.by_heart], tell)
        ways = _ways(Path(folder), wide, told, size.rounds, tell)
        mixed = compare(Path(folder), wide, size.workload, seed, tell)
    made = {
        "key": SCHOOL.key,
        "weights": _hash(model),
        "layers": SCHOOL.layers,
        "width": SCHOOL.width,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "asked_by_heart": size.by_heart,
        "known_by_heart": round(knows, 4),
        "wide": wide.config.hidden_size,
        "wide_parameters": sum(weight.numel() for weight in wide.parameters()),
    }
    files = {"facts": hashlib.sha256("".join(f"{fact.text}\n" for fact in told).encode()).hexdigest()}
    return report.Run(made, size.facts, ways, size.workload.told(), mixed, seed, files)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A form in which all facts are read."""

    way: report.Way
    house: House
    how: dict[str, Any]
    """Keywords of `attach`; empty: without any memory."""


def _ways(folder: Path, model: LlamaForCausalLM, told: Sequence[Fact], rounds: int, tell: Progress) -> list[report.Way]:
    with ExitStack() as stack:
        houses = {}
        for number, (form, parts) in enumerate(FORMS.items()):
            own = folder / form
            own.mkdir()
            houses[form] = stack.enter_context(opened(own, model, costs=Measured()))
            houses[form].tell(told, USER)
            ids = list(houses[form].ids.values())
            for place, to in enumerate(parts):
                houses[form].memory.promote(ids[place :: len(parts)], to=to)
            houses[form].maintain()
            tell(f"making: {form}", number + 1, len(FORMS))
        readings = list(_readings(houses))
        seconds = _timed(readings, told, rounds, tell)
        made = []
        for number, (reading, (first, next_)) in enumerate(zip(readings, seconds, strict=True)):
            right, tokens = _answered(reading, told)
            made.append(replace(reading.way, right=round(right, 4), tokens=tokens, first=first, next=next_))
            tell(f"asking: {reading.way.name}", number + 1, len(readings))
    return made


def _readings(houses: dict[str, House]) -> Iterator[_Reading]:
    def way(name: str, form: str) -> report.Way:
        house = houses[form or "text"]
        bytes_ = 0 if form in ("", "text") else house.memory.artifacts.bytes()
        build = 0.0 if form in ("", "text") else round(house.seconds, 3)
        return report.Way(name, form, 0.0, (), (), 0.0, bytes_, build)

    yield _Reading(way(report.NOTHING, ""), houses["text"], {})
    yield _Reading(way(report.TEXT, "text"), houses["text"], {"budget": EVERYTHING})
    yield _Reading(way(report.FOUND, "text"), houses["text"], {"budget": SOME})
    for repair in REPAIRS:
        how = {"budget": EVERYTHING, "repair": repair}
        yield _Reading(way(f"{report.KV}, repair={repair:g}", "activation"), houses["activation"], how)
    yield _Reading(way(report.WEIGHTS, "parametric"), houses["parametric"], {"budget": EVERYTHING})
    yield _Reading(way(report.BOTH, "both"), houses["both"], {"budget": EVERYTHING})


def _timed(
    readings: Sequence[_Reading], told: Sequence[Fact], rounds: int, tell: Progress
) -> list[tuple[list[float], list[float]]]:
    """Seconds to the first token, of a session's first question and of its second, round by round in all forms."""
    seconds: list[tuple[list[float], list[float]]] = [([], []) for _ in readings]
    for round_ in range(rounds):
        one, other = told[2 * round_ % len(told)], told[(2 * round_ + 1) % len(told)]
        for reading, (first, next_) in zip(readings, seconds, strict=True):
            begun = time.perf_counter()
            if not reading.how:
                reading.house.alone(one.question, 1)
                first.append(round(time.perf_counter() - begun, 5))
                next_.append(first[-1])
                continue
            with reading.house.attach(USER, **reading.how) as session:
                session.generate(one.question, max_new_tokens=1)
                done = time.perf_counter()
                first.append(round(done - begun, 5))
                session.generate(other.question, max_new_tokens=1)
                next_.append(round(time.perf_counter() - done, 5))
        tell("timing", round_ + 1, rounds)
    return seconds


def _answered(reading: _Reading, told: Sequence[Fact]) -> tuple[float, float]:
    """The share of facts that are answered, and the tokens that are read for a question."""
    house = reading.house
    if not reading.how:
        right = sum(house.alone(fact.question) == fact.answer for fact in told)
        return right / len(told), sum(len(house.tokens(fact.question)["input_ids"]) for fact in told) / len(told)
    right = tokens = 0
    with house.attach(USER, **reading.how) as session:
        for fact in told:
            right += says(session, fact) == fact.answer
            tokens += session.seen.tokens + len(house.tokens(fact.question)["input_ids"])
    return right / len(told), tokens / len(told)


def _by_heart(folder: Path, model: LlamaForCausalLM, known: Sequence[Fact], tell: Progress) -> float:
    """The share of what the model was taught that it answers without any memory."""
    own = folder / "by-heart"
    own.mkdir()
    with opened(own, model, costs=Measured()) as house:
        right = 0
        for number, fact in enumerate(known):
            right += house.alone(fact.question) == fact.answer
            tell("asking by heart", number + 1, len(known))
        return right / len(known)


def _hash(model: LlamaForCausalLM) -> str:
    """SHA-256 of all weights, in the order of their names."""
    told = hashlib.sha256()
    for _, weight in sorted(model.state_dict().items()):
        told.update(weight.numpy().tobytes())
    return told.hexdigest()
