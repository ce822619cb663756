"""What the gate costs: the secret scan in `add`, and the judging of each turn afterwards, at two sizes of a store."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mnemos import Mnemos
from mnemos.gate.detect import find
from mnemos.gate.stage import GateStage

BATCH = 1000


def cost(folder: Path, turns: Sequence[Mapping[str, Any]], small: int = 1000) -> dict[str, Any]:
    """Microseconds of processor time a turn of each part of the gate, over turns like `add` takes them.

    The stage is measured over the first `small` turns, and over the last so many of all of them: what it costs a turn
    must not grow with the store.
    """
    texts = [str(turn["content"]) for turn in turns]
    # patterns are compiled on first use
    find("x" * 32)
    started = time.process_time()
    for text in texts:
        find(text)
    scan = time.process_time() - started
    with Mnemos(folder / "gate.db", stages=[GateStage()]) as memory:
        first = _judge(memory, turns[:small])
        _judge(memory, turns[small:-small])
        last = _judge(memory, turns[-small:])
    return {
        "turns": len(texts),
        "characters": round(sum(map(len, texts)) / len(texts)),
        "scan_us": 1e6 * scan / len(texts),
        "judge_us": {str(small): first, str(len(texts)): last},
    }


def _judge(memory: Mnemos, turns: Sequence[Mapping[str, Any]]) -> float:
    """Microseconds of processor time a turn that `maintain` takes for turns that were just added."""
    for start in range(0, len(turns), BATCH):
        memory.add(list(turns[start : start + BATCH]), user_id="bench")
    started = time.process_time()
    memory.maintain()
    return 1e6 * (time.process_time() - started) / max(1, len(turns))
