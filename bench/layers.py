"""Times the memory layers of other projects beside Mnemos', each in an environment of its own.

`python bench/layers.py` adds what it finds to `bench/results/layers.json`, which `mnemos bench layers --save` wrote, on
the same shapes. An environment is made under `.bench/` on first use.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "src")]

from run import Failed, System, prepare  # noqa: E402

from mnemos.bench import layers_report as report  # noqa: E402
from mnemos.bench.results import load, save  # noqa: E402

PEERS = (
    System("titans-pytorch", "titans_pytorch", with_mnemos=False),
    System("product-key-memory", "product_key_memory", with_mnemos=False),
    System("PEER-pytorch", "peer_pytorch", with_mnemos=False),
)
RESULTS = ROOT / "bench" / "results" / "layers.json"


def measured(system: System, run: report.Run) -> dict[str, Any]:
    """What a peer's script says of its layers, on the shapes of a run."""
    shape = {name: run.shape[name] for name in ("width", "heads", "batch")}
    shape |= {"tokens": max(one.tokens for one in run.speeds) // run.shape["batch"]}
    shape |= {"rounds": len(run.speeds[0].seconds), "seed": run.seed}
    words = [str(word) for name, value in shape.items() for word in (f"--{name}", value)]
    done = subprocess.run([system.python, system.script, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"it ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> int:
    """Measure every peer, and add it to the results."""
    run, failed = report.from_json(load(RESULTS)), 0
    for system in PEERS:
        try:
            prepare(system)
            found = measured(system, run)
        except Failed as error:
            print(f"{system.name}: {error}", file=sys.stderr)
            failed += 1
            continue
        new = [report.Speed(**one) for one in found["speeds"]]
        names = {one.name for one in new}
        speeds = [*(one for one in run.speeds if one.name not in names), *new]
        run = report.Run(
            run.shape, speeds, run.held, run.seed, {**run.peers, system.name: found["versions"]}, run.files
        )
        save(report.to_json(run), RESULTS)
    for table in report.tables(run):
        print(f"{table.title}\n\n{table.markdown()}\n")
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
