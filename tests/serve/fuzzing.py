"""`python tests/serve/fuzzing.py --examples 200`: schemathesis over the whole API of a server of its own.

No answer is a 500, and each is what OpenAPI says: for `/v1`, mem0's routes, jobs and the proxy.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from live_server import serve
from upstream import upstream

HERE = Path(__file__).parent
PHASES = "examples,coverage,fuzzing,stateful"


def fuzz(folder: Path, *, examples: int, seed: int, phases: str = PHASES) -> tuple[int, str]:
    """Ask so many questions of each sort about each route; returns schemathesis' verdict (0: well) and its report."""
    with upstream() as up, serve(folder / "data", rate=10**9, upstream=up.url) as running:
        key = running.key()
        with running.client(key) as client:
            said = {"messages": ["My sister Rita is vegan.", "I moved to Lisbon."], "user_id": "ana"}
            client.post("/v1/memories", json=said).raise_for_status()
        told = subprocess.run(
            [
                sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "fuzz.toml"), "--no-color",
                "run", f"{running.url}/openapi.json", "--header", f"Authorization: Bearer {key}",
                "--max-examples", str(examples), "--seed", str(seed), "--phases", phases, "--warnings", "off",
            ],
            cwd=folder,
            env={**os.environ, "SCHEMATHESIS_HOOKS": "fuzz_checks", "PYTHONPATH": str(HERE)},
            capture_output=True,
            text=True,
        )  # fmt: skip
    return told.returncode, told.stdout + told.stderr


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--phases", default=PHASES)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        verdict, report = fuzz(Path(folder), examples=told.examples, seed=told.seed, phases=told.phases)
    print(report)
    return verdict


if __name__ == "__main__":
    sys.exit(main())
