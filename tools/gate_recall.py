"""What the gate lets rest, and what that costs in recall: each conversation with and without the gate.

    python tools/gate_recall.py FILE...         # writes bench/results/gate.json

Turns that say something are added to a store, and every question that names its evidence is asked with `search`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mnemos import Mnemos
from mnemos.bench.data import Conversation, read
from mnemos.bench.machine import machine, versions
from mnemos.gate.stage import GateStage

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results" / "gate.json"
BATCH = 500
HITS = 10


def messages(conversation: Conversation) -> tuple[list[str], list[dict[str, Any]]]:
    """Ids of the turns that say something, and the turns as `add` takes them."""
    ids, found = [], []
    for turn in conversation.turns:
        if turn.text.strip():
            given = {
                "content": turn.text, "role": turn.role, "name": turn.speaker, "session_id": turn.session,
                "happened_at": turn.happened_at,
            }  # fmt: skip
            ids.append(turn.id)
            found.append({name: value for name, value in given.items() if value is not None})
    return ids, found


def ask(conversation: Conversation, file: Path, *, gated: bool) -> tuple[Counter[str], list[float]]:
    """What rested (`evidence` counts turns that a question names), and each question's recall among ten hits."""
    ids, said = messages(conversation)
    counts: Counter[str] = Counter(turns=len(ids))
    with Mnemos(file, stages=[GateStage()] if gated else [], timezone="UTC") as memory:
        added = [one for at in range(0, len(said), BATCH) for one in memory.add(said[at : at + BATCH], user_id="one")]
        turn_of = {one.id: turn for one, turn in zip(added, ids, strict=True)}
        memory.maintain()
        evidence = {turn for question in conversation.questions for turn in question.evidence}
        for one in memory.list(user_id="one", limit=100_000):
            if one.resting is not None:
                counts[one.resting] += 1
                counts["evidence"] += turn_of[one.id] in evidence
        recalls = []
        for question in conversation.questions:
            if wanted := set(question.evidence):
                hits = memory.search(question.text, user_id="one", limit=HITS, now=question.asked_at)
                recalls.append(len(wanted & {turn_of[hit.memory.id] for hit in hits}) / len(wanted))
    return counts, recalls


def measure(file: str) -> dict[str, Any]:
    """One row: a data file."""
    data = read(file)
    counts: Counter[str] = Counter()
    recalls: dict[bool, list[float]] = {True: [], False: []}
    for conversation in data.conversations:
        with tempfile.TemporaryDirectory(prefix="mnemos-gate-") as folder:
            for gated in (True, False):
                found, asked = ask(conversation, Path(folder) / f"{gated}.db", gated=gated)
                recalls[gated] += asked
                counts += found if gated else Counter()
    mean = {gated: 100 * sum(found) / max(1, len(found)) for gated, found in recalls.items()}
    return {
        "file": Path(file).name, "sha256": data.sha256, "turns": counts["turns"], "filler": counts["filler"],
        "repeats": counts["repeat"], "echoes": counts["echo"], "evidence": counts["evidence"],
        "questions": len(recalls[True]), "without": mean[False], "with": mean[True],
    }  # fmt: skip


def main(files: Sequence[str]) -> None:
    """Measure each file, print a line of each, write all."""
    rows = []
    for file in files:
        rows.append(measure(file))
        print(rows[-1])
    made = {"format": 1, "machine": machine(), "versions": versions(), "rows": rows}
    RESULTS.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
