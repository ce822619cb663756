"""`python bench/congruence.py`: does Mnemos keep the tokens that kvpress keeps, of the same text in the same model?

Small models of three families, their weights drawn from a seed, and the small trained model that comes with Mnemos read
a text once in kvpress' own environment (it needs an older `transformers`; made under `.bench/kvpress` on first use) and
once here. Every policy that both have is set
alike, and the sets of kept tokens are compared, one for each layer and head. Where the two define a policy differently,
ours is compared a second time with the difference taken out. Writes `bench/results/congruence.json`, with all that
kvpress kept, so that the comparison can be made again without it.

    python bench/congruence.py --python PATH     with an environment that is there already
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedConfig, PreTrainedModel, Qwen2Config, Qwen3Config

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

from agreement import Found, Kept, agreement, table  # noqa: E402

from mnemos.activation.cache import (  # noqa: E402
    H2O,
    TOVA,
    AdaKV,
    ExpectedAttention,
    MemoryCache,
    Policy,
    PyramidKV,
    Shown,
    SnapKV,
    StreamingLLM,
)
from mnemos.activation.cache.budgets import Spread, Uniform  # noqa: E402
from mnemos.bench.forms.fixtures import bundled  # noqa: E402
from mnemos.bench.forms.people import STRANGERS, facts  # noqa: E402
from mnemos.bench.forms.words import ids_of  # noqa: E402
from mnemos.bench.results import save, stated  # noqa: E402

PEER = ROOT / "bench" / "peers" / "kvpress" / "peer.py"
SEED, TOKENS, STEPS, WINDOW = 0, 250, 24, 16
VOCABULARY, RATIOS = 97, (0.5, 0.75, 0.9)
SMALL = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
}
MODELS: dict[str, Callable[[], PreTrainedConfig]] = {
    "llama": lambda: LlamaConfig(**SMALL),
    "qwen2": lambda: Qwen2Config(**SMALL),
    "qwen3": lambda: Qwen3Config(**SMALL, head_dim=24),
}
TRAINED = "trained"
"""A Llama that has learned to look things up."""


class WindowFirst(SnapKV):
    """SnapKV whose window goes before all else, as in kvpress, also where there is room for nothing else."""

    def scores(self, shown: Shown) -> Tensor:
        """The window first."""
        return super().scores(shown).masked_fill(shown.latest(self.window), torch.inf)


class LastStays(TOVA):
    """TOVA as kvpress has it: the last token stays whatever it looked at."""

    def scores(self, shown: Shown) -> Tensor:
        """The last first."""
        return super().scores(shown).masked_fill(shown.latest(1), torch.inf)


class MeanLooks(H2O):
    """Attention in the mean of the queries that could see a token, as kvpress has it; no token stays for being late."""

    def scores(self, shown: Shown) -> Tensor:
        """By that mean."""
        return shown.mark("seen") / (shown.age() + 1)


class Told:
    """Every layer gets as many tokens as it is told.

    Args:
        kept: the sets whose sizes count.
    """

    def __init__(self, kept: Kept) -> None:
        self._rooms = [len(heads[0]) for heads in kept]

    def rooms(self, room: Tensor, seen: Tensor, layer: int, layers: int) -> Tensor:
        """As told."""
        return torch.full_like(room, self._rooms[layer])

    def counts(self, scores: Tensor, room: Tensor, counts: Tensor) -> Tensor:
        """The same for every head."""
        return Uniform().counts(scores, room, counts)


@dataclass(frozen=True)
class Pair:
    """A policy here and the press of kvpress that stands for the same paper, set alike."""

    name: str
    press: str
    policy: Callable[[], Policy]
    settings: Mapping[str, int] = field(default_factory=dict)
    """Of the press."""
    spread: Callable[[], Spread] = Uniform
    floor: float | None = None
    """Of Ada-KV around the press; None: no Ada-KV."""
    ratios: tuple[float, ...] = RATIOS
    steps: bool = False
    """Whether tokens are read one by one after the text, and one goes at every step."""
    aligned: Callable[[], Policy] | None = None
    """The policy with the difference taken out; None: there is none, or it cannot be."""
    told: bool = False
    """Whether what is taken out is how much each layer gets."""
    in_order: bool = False
    """Whether kvpress' cache is put back into the order of the text before each step."""


SNAP = {"window_size": WINDOW, "kernel_size": 5}
LOOKING_AHEAD = {"n_future_positions": 512, "n_sink": 4}
PAIRS = (
    Pair("streaming", "streaming", StreamingLLM, {"n_sink": 4}),
    Pair("streaming, 24 steps later", "streaming", StreamingLLM, {"n_sink": 4}, steps=True),
    Pair("streaming, 24 steps later, in order", "streaming", StreamingLLM, {"n_sink": 4}, steps=True, in_order=True),
    Pair("snapkv", "snapkv", lambda: SnapKV(WINDOW), SNAP),
    Pair("snapkv, less room than window", "snapkv", lambda: SnapKV(64), {"window_size": 64}, ratios=RATIOS[1:]),
    Pair("snapkv, adakv", "snapkv", lambda: SnapKV(WINDOW), SNAP, AdaKV, 0.2),
    Pair(
        "snapkv, pyramidkv", "pyramidkv", lambda: SnapKV(WINDOW), {**SNAP, "beta": 20},
        lambda: PyramidKV(20, WINDOW), aligned=lambda: WindowFirst(WINDOW), told=True,
    ),
    Pair("expected", "expected", ExpectedAttention, LOOKING_AHEAD),
    Pair("expected, adakv", "expected", ExpectedAttention, LOOKING_AHEAD, AdaKV, 0.2),
    Pair("tova", "tova", TOVA, aligned=LastStays),
    Pair("tova, 24 steps later", "tova", TOVA, steps=True, aligned=LastStays),
    Pair("h2o", "observed", H2O, aligned=MeanLooks),
)  # fmt: skip


def model_of(name: str) -> PreTrainedModel:
    """A model, its weights drawn here so that every version of every library has the same; or the trained one."""
    if name == TRAINED:
        return bundled()[0]
    model = AutoModelForCausalLM.from_config(MODELS[name]()).eval()
    chance = np.random.RandomState(SEED)
    with torch.no_grad():
        for part, weight in sorted(model.named_parameters()):
            drawn = chance.standard_normal(weight.shape)
            if "norm" in part:
                drawn = 1 + drawn / 10
            elif weight.dim() > 1 and "embed" not in part:
                # queries and keys of some size, so that attention is neither even nor on one token
                drawn *= (1.5 if "q_proj" in part or "k_proj" in part else 1) / weight.shape[1] ** 0.5
            weight.copy_(torch.from_numpy(drawn))
    return model


def text(name: str) -> tuple[list[int], list[int]]:
    """What a model reads: the tokens of the text, and those that follow one by one."""
    if name == TRAINED:
        drawn = ids_of(" ".join(fact.text for fact in facts(STRANGERS, random.Random(SEED))))
    else:
        drawn = np.random.RandomState(SEED + 1).randint(3, VOCABULARY, TOKENS + STEPS).tolist()
    return drawn[:TOKENS], drawn[TOKENS : TOKENS + STEPS]


def room(ratio: float) -> int:
    """How many tokens are left for kvpress when it lets go so many."""
    return int(TOKENS * (1 - ratio))


@torch.no_grad()
def kept_here(name: str, model: PreTrainedModel, pair: Pair, ratio: float, *, like: Kept | None = None) -> Kept:
    """What Mnemos keeps.

    Args:
        name: of the model.
        model: that reads.
        pair: what is compared.
        ratio: that goes.
        like: what kvpress kept, where the difference is to be taken out; None: as the policy is defined.
    """
    ids, more = text(name)
    policy = pair.policy if like is None or pair.aligned is None else pair.aligned
    spread = Told(like) if like is not None and pair.told else pair.spread()
    cache = MemoryCache(model, policy(), room(ratio), spread=spread)
    model(torch.tensor([ids]), past_key_values=cache)
    for one in more if pair.steps else ():
        model(torch.tensor([[one]]), past_key_values=cache)
    return [heads[0] for heads in cache.kept]


def compared(name: str, model: PreTrainedModel, pair: Pair, ratio: float, theirs: Kept) -> Found:
    """What was kept there, and how far it is what is kept here."""
    aligned = None
    if pair.aligned is not None:
        aligned = agreement(kept_here(name, model, pair, ratio, like=theirs), theirs)
    return Found(name, pair.name, ratio, theirs, agreement(kept_here(name, model, pair, ratio), theirs), aligned)


def kept_there(name: str, model: PreTrainedModel, python: Path) -> dict[str, Any]:
    """What kvpress keeps, of every pair at every ratio, and its versions.

    Raises:
        SystemExit: its script failed.
    """
    ids, more = text(name)
    cases = [
        {name: getattr(p, name) for name in ("press", "settings", "floor", "steps", "in_order")} | {"ratio": ratio}
        for p in PAIRS
        for ratio in p.ratios
    ]
    with tempfile.TemporaryDirectory(prefix="mnemos-congruence-") as folder:
        model.save_pretrained(folder)
        asked = Path(folder, "asked.json")
        asked.write_text(json.dumps({"ids": ids, "more": more, "cases": cases}), encoding="utf-8")
        command = [str(python), str(PEER), folder, str(asked)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"kvpress ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@dataclass(frozen=True)
class Run:
    """What results say of themselves."""

    seed: int = SEED
    files: Mapping[str, str] = field(default_factory=dict)


def own_environment() -> Path:
    """The interpreter of kvpress' environment, which is made if it is not there."""
    from run import System, prepare

    system = System("kvpress", "kvpress", with_mnemos=False)
    prepare(system)
    return system.python


def main() -> int:
    """Compare, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", type=Path, help="of an environment with kvpress; without it one is made")
    parser.add_argument("--out", default="congruence")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    python, found, systems = asked.python or own_environment(), [], {}
    for name in (*MODELS, TRAINED):
        model = model_of(name)
        there = kept_there(name, model, python)
        systems = {"kvpress": {"versions": there["versions"]}}
        both = zip([(pair, ratio) for pair in PAIRS for ratio in pair.ratios], there["kept"], strict=True)
        found += [compared(name, model, pair, ratio, theirs) for (pair, ratio), theirs in both]
    shown = table(found)
    measured = {"systems": systems, "tokens": TOKENS, "steps": STEPS, "found": [one.stated() for one in found]}
    file = ROOT / "bench" / "results" / f"{asked.out}.json"
    save(stated(Run(), measured, [shown]), file)
    print(f"{shown.markdown()}\n\nwritten: {file.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
