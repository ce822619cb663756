"""`make bench`: speed and size of Mnemos beside its peers, in one run, each in a process of its own.

Writes `bench/results/speed.json` and prints it as tables with ratios. Peers' environments are made under `.bench/`
on first use; one that cannot be made is left out, and the results say so.

    python bench/run.py                          everything: about five minutes, once the environments are made
    python bench/run.py --quick --out quick      small sizes, to see that it runs
    python bench/run.py --only Mnemos,LanceDB
    python bench/run.py --gate                   what the gate costs only; the rest of the results stays as it is
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from mnemos.bench.machine import load, machine, versions

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

from tables import own_table, tables  # noqa: E402
from texts import Writer  # noqa: E402

ENVIRONMENTS = ROOT / ".bench"
RESULTS = ROOT / "bench" / "results"
SIZES, QUICK = (1000, 2000, 5000, 10_000, 20_000, 50_000), (500, 1000, 2000)
KEPT, QUICK_KEPT = 10_000, 1000
LONG = (400, 20_000)
"""How many long texts, and how many characters each."""


LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TOKENIZERS_PARALLELISM")
"""Left out of the environment that is measured in: every system uses the cores as it does when installed."""


class Failed(Exception):
    """A phase ended without a result; the message is the end of what it said."""


@dataclass(frozen=True)
class System:
    """Something to measure: where its script is, and how long and how far it may go."""

    name: str
    folder: str
    own_environment: bool = True
    with_mnemos: bool = True
    """Whether it embeds with Mnemos' vectors, and needs the package in its environment."""
    largest: int = 50_000
    seconds: float = 600
    long: bool = True

    @property
    def script(self) -> Path:
        """What measures it."""
        return ROOT / "bench" / "peers" / self.folder / "peer.py"

    @property
    def python(self) -> Path:
        """The interpreter of its environment."""
        return ENVIRONMENTS / self.folder / "bin" / "python" if self.own_environment else Path(sys.executable)


SYSTEMS = (
    System("Mnemos", "mnemos", own_environment=False),
    System("sqlite-vec", "sqlite_vec"),
    System("LanceDB", "lancedb"),
    System("mem0", "mem0", with_mnemos=False, largest=10_000, seconds=300, long=False),
)


def prepare(system: System) -> None:
    """Make a peer's environment, once."""
    ready = system.python.parents[1] / ".ready"
    needs = [system.script.parent / "requirements.txt", *([ROOT / "pyproject.toml"] if system.with_mnemos else [])]
    wanted = "\n".join(file.read_text(encoding="utf-8") for file in needs)
    if ready.is_file() and ready.read_text(encoding="utf-8") == wanted:
        return
    print(f"making the environment of {system.name} in {system.python.parents[1]} ...", flush=True)
    install = [system.python, "-m", "pip", "install", "-q", "-r", system.script.parent / "requirements.txt"]
    try:
        subprocess.run([sys.executable, "-m", "venv", system.python.parents[1]], check=True)
        subprocess.run([*install, *(["-e", ROOT] if system.with_mnemos else [])], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Failed(f"its environment could not be made: {error}") from error
    ready.write_text(wanted, encoding="utf-8")


def phase(system: System, name: str, folder: Path, *options: str | Path) -> dict[str, Any]:
    """Run one phase of a system's script in a process of its own, and read the JSON it prints."""
    command = [system.python, system.script, name, "--folder", folder, *options]
    environment = {name: value for name, value in os.environ.items() if name not in LIMITS}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode < 0:
        print(f"{system.name}: {name} was killed by signal {-done.returncode}; once more", file=sys.stderr)
        if name in ("grow", "long"):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(f"{folder}-kept", ignore_errors=True)
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        raise Failed(f"{name} ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-400:]}")
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def measure(system: System, work: Path, data: Path, sizes: tuple[int, ...], kept: int) -> dict[str, Any]:
    """Every phase of one system."""
    folder = work / system.folder
    texts, queries, seconds = data / "turns.jsonl", data / "questions.json", str(system.seconds)
    within = ",".join(str(size) for size in sizes if size <= system.largest)
    result: dict[str, Any] = {"load_before": load()}
    result |= phase(
        system, "grow", folder, "--texts", texts, "--queries", queries, "--seconds", seconds,
        "--sizes", within, "--keep", str(kept),
    )  # fmt: skip
    size, copy = result["steps"][-1]["size"], Path(f"{folder}-kept")
    if not copy.exists():
        shutil.copytree(folder, copy)
        kept = size
    result["first"] = {str(kept): phase(system, "first", copy, "--queries", queries)}
    if size != kept:
        result["first"][str(size)] = phase(system, "first", folder, "--queries", queries)
    result["add"] = {"size": kept, **phase(system, "adds", copy, "--texts", texts)}
    if system.long:
        long = work / f"{system.folder}-long"
        result["long"] = phase(system, "long", long, "--texts", data / "long.jsonl", "--seconds", "120")
    result["load_after"] = load()
    return result


def own(work: Path, data: Path, kept: int) -> dict[str, Any]:
    """What only Mnemos has: the importer of JSONL files, the command line, and the gate."""
    from mnemos import Mnemos

    lines = (data / "turns.jsonl").read_text(encoding="utf-8").splitlines()[:kept]
    source = work / "import.jsonl"
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with Mnemos(work / "import.db") as memory:
        started = time.perf_counter()
        memory.import_file(source, user_id="bench")
        seconds = time.perf_counter() - started
        size = memory.stats(user_id="bench").memories
    question = json.loads((data / "questions.json").read_text(encoding="utf-8"))[0]
    command = [
        Path(sys.executable).parent / "mnemos",
        "search",
        question,
        "--store",
        work / "import.db",
        "--user",
        "bench",
    ]
    times = []
    for _ in range(7):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    shell = {"size": size, "p50_s": sorted(times)[3]}
    return {"import_file": {"size": size, "seconds": seconds}, "shell": shell, "gate": gate(work, data)}


def gate(work: Path, data: Path) -> dict[str, Any]:
    """What the gate costs, over all turns of this run."""
    from mnemos.bench.gating import cost

    lines = (data / "turns.jsonl").read_text(encoding="utf-8").splitlines()
    return cost(work, [json.loads(line) for line in lines])


def write_data(folder: Path, count: int, seed: int, long: tuple[int, int]) -> None:
    """The texts of this run, as JSONL."""
    folder.mkdir(parents=True, exist_ok=True)
    writer = Writer(seed)
    lines = "\n".join(json.dumps(message) for message in writer.messages(count + 105))
    (folder / "turns.jsonl").write_text(lines + "\n", encoding="utf-8")
    (folder / "questions.json").write_text(json.dumps(writer.questions(105)), encoding="utf-8")
    documents = [{"role": "user", "content": text, "kind": "document"} for text in writer.documents(*long)]
    (folder / "long.jsonl").write_text("\n".join(map(json.dumps, documents)) + "\n", encoding="utf-8")


def gate_only(file: Path, count: int, seed: int) -> None:
    """Measure the gate anew, and nothing else."""
    results = json.loads(file.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="mnemos-gate-") as name:
        write_data(Path(name) / "data", count, seed, (1, LONG[1]))
        results["systems"]["Mnemos"]["gate"] = gate(Path(name), Path(name) / "data")
    file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    Console().print(own_table(results).rich())


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--only", help="names of systems, with commas between")
    parser.add_argument("--gate", action="store_true", help="what the gate costs only, into the results that are there")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="speed", help="bench/results/NAME.json")
    args = parser.parse_args()
    sizes, kept = (QUICK, QUICK_KEPT) if args.quick else (SIZES, KEPT)
    if args.gate:
        gate_only(RESULTS / f"{args.out}.json", sizes[-1], args.seed)
        return
    wanted = args.only.split(",") if args.only else [system.name for system in SYSTEMS]
    results: dict[str, Any] = {
        "format": 1, "seed": args.seed, "sizes": list(sizes), "kept": kept, "machine": machine(),
        "versions": versions(), "systems": {}, "left_out": {},
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="mnemos-speed-") as name:
        work = Path(name)
        write_data(work / "data", sizes[-1], args.seed, (40, LONG[1]) if args.quick else LONG)
        for system in SYSTEMS:
            if system.name not in wanted:
                continue
            print(f"{system.name} ...", flush=True)
            try:
                if system.own_environment:
                    prepare(system)
                measured = measure(system, work, work / "data", sizes, kept)
                if system.name == "Mnemos":
                    measured |= own(work, work / "data", kept)
            except Failed as error:
                results["left_out"][system.name] = str(error)
                print(f"{system.name} is left out: {error}", file=sys.stderr)
            else:
                results["systems"][system.name] = measured
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{args.out}.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    console = Console(width=max(120, Console().width))
    for table in tables(results):
        console.print(table.rich())


if __name__ == "__main__":
    main()
