"""How fast memory layers read, one by one and in parallel, and what they keep for the way back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mnemos.bench import layers_report as report
from mnemos.bench.forms.training import one_thread
from mnemos.bench.neural.entrants import entrants, with_heads
from mnemos.neural import kernels
from mnemos.neural.memory import MemoryLayer, State
from mnemos.neural.mixers import Described, feed_of, mixer_of
from mnemos.neural.presets import PRESETS
from mnemos.neural.recurrence import MatrixRecurrence
from mnemos.neural.state import size

Progress = Callable[[str, int, int], None]
LENGTHS = (512, 1024, 2048, 4096, 8192, 16384)
LAYERS: dict[str, Described] = {
    "attention": "attention",
    "lstm": "lstm",
    **{name: name for name in PRESETS},
    "product-keys": {"feed": "product-keys", "is_gated": False},
    "peer": "peer",
}
LOOKUPS = ("product-keys", "peer")
"""Tables that are looked up: they read every token by itself, and carry nothing."""
QUICK_ONES = ("attention", "gated-delta-net", "titans")


@dataclass(frozen=True, slots=True)
class Plan:
    """Of what shape layers are, and how much is read."""

    width: int = 128
    heads: int = 2
    batch: int = 1
    tokens: int = 2048
    """For speed."""
    lengths: Sequence[int] = LENGTHS
    """For memory."""
    most: float = 4e9
    """Bytes that may be kept; longer texts of a layer that would keep more are left out."""
    rounds: int = 3
    """The median of so many counts."""
    device: str = "cpu"


FULL = Plan()
QUICK = Plan(tokens=256, lengths=(256, 512), rounds=1)


def run(plan: Plan = FULL, *, names: Sequence[str] = (), seed: int = 0, progress: Progress | None = None) -> report.Run:
    """Time layers, and see what they keep.

    Args:
        plan: of what shape layers are, and how much is read.
        names: of layers or mixers, or layers in JSON, see `entrants`; none: all of `LAYERS`.
        seed: of weights and tokens.
        progress: told what is done.

    Raises:
        InvalidInput: a name is not known.
    """
    chosen = entrants(names, LAYERS, lambda described: built("preset", described, plan, seed))
    speeds: list[report.Speed] = []
    held: list[report.Held] = []
    with one_thread():
        for done, (name, described) in enumerate(chosen.items()):
            layer = built(name, described, plan, seed)
            speeds += timed(name, layer, plan, seed)
            held += growing(name, layer, plan, seed)
            speeds += by_kernels(name, layer, plan, seed)
            if progress:
                progress(name, done + 1, len(chosen))
    told = {"width": plan.width, "heads": plan.heads, "batch": plan.batch, "device": plan.device, "threads": 1}
    return report.Run(told, speeds, held, seed)


def built(name: str, described: Described, plan: Plan, seed: int) -> nn.Module:
    """A layer of that shape; the caller's random state stays."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        table = feed_of(described, plan.width, name) if name in LOOKUPS else None
        layer = table or mixer_of(with_heads(described, plan.heads), plan.width, name)
        return layer.to(plan.device)


def texts(plan: Plan, tokens: int, seed: int) -> Tensor:
    """Hidden states of so many tokens, [batch, tokens, width]."""
    drawn = torch.randn(plan.batch, tokens, plan.width, generator=torch.Generator().manual_seed(seed))
    return drawn.to(plan.device)


def by_kernels(name: str, layer: nn.Module, plan: Plan, seed: int) -> list[report.Speed]:
    """The parallel ways again, by flash-linear-attention; none where it has no kernel for the layer, see `kernels`."""
    engine, kind = getattr(layer, "engine", None), torch.bfloat16
    if not isinstance(engine, MatrixRecurrence):
        return []
    if not kernels.served(torch.device(plan.device), kind, *engine.empty.shape[1:]):
        return []
    half, x = deepcopy(layer).to(kind), texts(plan, plan.tokens, seed).to(kind)
    return rounds(name + report.FLA, in_parallel(half, x), plan)


def timed(name: str, layer: nn.Module, plan: Plan, seed: int) -> list[report.Speed]:
    """Every way, step by step only where there are steps."""
    x = texts(plan, plan.tokens, seed)
    ways = in_parallel(layer, x)
    if isinstance(layer, MemoryLayer):
        _read(lambda: layer.unrolled(x[:, :16]))
        ways = {report.STEP: lambda: _read(lambda: layer.unrolled(x)), **ways}
    return rounds(name, ways, plan)


def in_parallel(layer: nn.Module, x: Tensor) -> dict[str, Callable[[], object]]:
    """The ways of reading a text at once, each done once already."""
    ways: dict[str, Callable[[], object]] = {
        report.CHUNK: lambda: _read(lambda: layer(x)),
        report.TRAIN: lambda: _trained(layer, x),
    }
    for go in ways.values():
        go()
    return ways


def rounds(name: str, ways: Mapping[str, Callable[[], object]], plan: Plan) -> list[report.Speed]:
    """How long each way takes, in turn."""
    found: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(plan.rounds):
        for way, go in ways.items():
            _idle(plan)
            begun = time.perf_counter()
            go()
            _idle(plan)
            found[way].append(round(time.perf_counter() - begun, 5))
    return [report.Speed(name, way, plan.batch * plan.tokens, seconds) for way, seconds in found.items()]


def growing(name: str, layer: nn.Module, plan: Plan, seed: int) -> list[report.Held]:
    """What is kept at each length, up to the one that would keep too much."""
    found: list[report.Held] = []
    for tokens in plan.lengths:
        if found and found[-1].saved * tokens / found[-1].tokens > plan.most:
            break
        found.append(kept(name, layer, texts(plan, tokens, seed)))
    return found


def kept(name: str, layer: nn.Module, x: Tensor) -> report.Held:
    """What is kept for the way back, counted: the same on every machine."""
    own = {one.untyped_storage().data_ptr() for one in layer.parameters()}
    with counted(own) as found:
        y, state = _answered(layer, x.requires_grad_())
    bytes_ = sum(found.values())
    del y
    return report.Held(name, x.shape[1], bytes_, size(state))


@contextmanager
def counted(known: set[int]) -> Iterator[dict[int, int]]:
    """Bytes of each storage that the graph of what runs inside keeps, by where it lies; those known are left out."""
    found: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            found[storage.data_ptr()] = storage.nbytes()
        # what an operation saves of its own result would hold the graph for ever
        return tensor.detach()

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield found


def _idle(plan: Plan) -> None:
    """Wait for what a GPU still computes."""
    if plan.device != "cpu":
        torch.cuda.synchronize()


def _read(go: Callable[[], object]) -> None:
    with torch.no_grad():
        go()


def _answered(layer: nn.Module, x: Tensor) -> tuple[Tensor, State]:
    """What a layer says, and its state; None where it has none."""
    if isinstance(layer, MemoryLayer):
        y, state = layer(x)
        return y, state
    return layer(x), None


def _trained(layer: nn.Module, x: Tensor) -> None:
    y, _ = _answered(layer, x)
    y.square().mean().backward()  # type: ignore[no-untyped-call]
