"""A run of `mnemos bench layers` as results (JSON) and as tables: tokens a second, and what training has to keep."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mnemos.bench import results
from mnemos.bench.table import Table

STEP, CHUNK, TRAIN = "step", "chunk", "train"
WAYS = (STEP, CHUNK, TRAIN)
SAME = {
    "titans-pytorch": "titans",
    "titans-pytorch, updates of 16": "titans",
    "product-key-memory": "product-keys",
    "PEER-pytorch": "peer",
}
"""By name of another project's layer, ours of the same model."""
FLA = ", fla"
"""What the name of a layer of ours ends with that is read by the kernels of flash-linear-attention."""


@dataclass(frozen=True, slots=True)
class Speed:
    """How long a layer took to read some tokens."""

    name: str
    way: str
    """`STEP`: one by one; `CHUNK`: in parallel; `TRAIN`: in parallel and back."""
    tokens: int
    seconds: Sequence[float]
    """Of each round."""

    @property
    def rate(self) -> float:
        """Tokens a second, by the median."""
        return self.tokens / statistics.median(self.seconds)


@dataclass(frozen=True, slots=True)
class Held:
    """What a layer needs for a text of some length."""

    name: str
    tokens: int
    saved: int
    """Bytes that are kept from the way there for the way back; weights are not counted."""
    state: int
    """Numbers of the state at the end."""


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that was measured."""

    shape: Mapping[str, Any]
    """Width, heads, batch, device, threads."""
    speeds: Sequence[Speed]
    held: Sequence[Held]
    seed: int
    peers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By name of a layer that is not Mnemos', the versions it was measured with."""
    files: Mapping[str, str] = field(default_factory=dict)
    """None: everything is made from the seed."""


def tables(run: Run) -> list[Table]:
    """Speed, and memory."""
    others = others_table(run)
    return [
        speed_table(run),
        *([others] if others.rows else []),
        held_table(run),
        *([state_table(run)] if run.held else []),
    ]


def speed_table(run: Run) -> Table:
    """Tokens a second one by one, in parallel, and in training."""
    names = dict.fromkeys(one.name for one in run.speeds)
    rows = []
    for name in names:
        rates = {one.way: one.rate for one in run.speeds if one.name == name}
        ratio = f"{rates[CHUNK] / rates[STEP]:.1f}" if {CHUNK, STEP} <= rates.keys() else "–"
        rows.append((name, *(f"{rates[way]:,.0f}" if way in rates else "–" for way in WAYS), ratio))
    tokens = max((one.tokens for one in run.speeds), default=0)
    told = run.shape
    note = (
        f"A layer of width {told['width']} with {told['heads']} heads, batch {told['batch']}, float32, "
        f"{told['threads']} thread, {told['device']}."
    )
    if any(name.endswith(FLA) for name in names):
        note += " fla: by the kernels of flash-linear-attention, in bfloat16."
    for name, versions in run.peers.items():
        note += f" {name}: with {', '.join(f'{one} {version}' for one, version in versions.items())}."
    columns = ("layer", "step", "chunk", "chunk, and back", "chunk over step")
    return Table(f"Tokens a second, over {tokens:,} tokens", columns, tuple(rows), note)


def others_table(run: Run) -> Table:
    """How many times as fast our layers are as those of other projects."""
    rates = {(one.name, one.way): one.rate for one in run.speeds}
    rows = []
    for name in dict.fromkeys(one.name for one in run.speeds):
        ours = SAME.get(name, name.removesuffix(FLA))
        if ours == name:
            continue
        pairs = [(rates.get((ours, way)), rates.get((name, way))) for way in WAYS]
        rows.append((ours, name, *(f"{mine / theirs:.1f}" if mine and theirs else "–" for mine, theirs in pairs)))
    note = "Tokens a second of the first over those of the second; –: one of them has no such way."
    return Table("Times as fast as others", ("layer", "beside", *WAYS[:2], "chunk, and back"), tuple(rows), note)


def held_table(run: Run) -> Table:
    """Megabytes that training keeps, by length; and how they grow."""
    lengths = sorted({one.tokens for one in run.held})
    rows = []
    for name, points in kept(run).items():
        found = dict(points)
        shown = [f"{found[tokens]:,.1f}" if tokens in found else "–" for tokens in lengths]
        rows.append((name, *shown, f"{growth(found):.2f}" if len(found) > 1 else "–"))
    columns = ("layer", *(f"{tokens:,}" for tokens in lengths), "growth")
    note = "Growth: the power of the length with which it grows, between the two longest; 1 is linear. –: too much."
    return Table("Megabytes that are kept for the way back, by tokens", columns, tuple(rows), note)


def state_table(run: Run) -> Table:
    """Numbers that are carried on, by length."""
    lengths = sorted({one.tokens for one in run.held})
    rows = []
    for name in dict.fromkeys(one.name for one in run.held):
        found = {one.tokens: one.state for one in run.held if one.name == name}
        rows.append((name, *(f"{found[tokens]:,}" if tokens in found else "–" for tokens in lengths)))
    return Table("Numbers in the state, by tokens", ("layer", *(f"{tokens:,}" for tokens in lengths)), tuple(rows))


def kept(run: Run) -> dict[str, list[tuple[float, float]]]:
    """By layer, the megabytes that are kept at each length."""
    names = dict.fromkeys(one.name for one in run.held)
    return {name: [(one.tokens, one.saved / 1e6) for one in run.held if one.name == name] for name in names}


def growth(saved: Mapping[float, float]) -> float:
    """The power with which what is kept grows with tokens, between the two longest texts."""
    (short, less), (long, more) = sorted(saved.items())[-2:]
    return math.log(more / less) / math.log(long / short)


def to_json(run: Run) -> dict[str, Any]:
    """A run as data, with the tables made from it."""
    measured = {
        "shape": dict(run.shape),
        "speeds": [asdict(one) for one in run.speeds],
        "held": [asdict(one) for one in run.held],
        "peers": {name: dict(versions) for name, versions in run.peers.items()},
    }
    return results.stated(run, measured, tables(run))


def from_json(data: Mapping[str, Any]) -> Run:
    """The run that `to_json` wrote."""
    results.check(data, "layers")
    speeds, held = [Speed(**one) for one in data["speeds"]], [Held(**one) for one in data["held"]]
    return Run(data["shape"], speeds, held, data["seed"], data["peers"], data["files"])
