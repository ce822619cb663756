"""Measures where episodes end on files of conversations, and writes `bench/results/episodes.json`.

python tools/episode_boundaries.py FILE...
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

from mnemos.bench import boundaries
from mnemos.bench.data import read
from mnemos.bench.machine import machine, versions

RESULTS = Path(__file__).resolve().parent.parent / "bench/results/episodes.json"


def main(files: list[str]) -> int:
    """Measure, print the table, and write the results."""
    cuttings = boundaries.run(files)
    data = {
        "seed": 0,
        "files": {Path(file).name: read(file).sha256 for file in files},
        "versions": versions(),
        "machine": machine(),
        "cuttings": [dataclasses.asdict(cutting) for cutting in cuttings],
    }
    RESULTS.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    print(boundaries.table(cuttings).markdown())
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
