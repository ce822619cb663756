"""`python bench/load.py`: one server under load, the load generator on the same cores, beside a bare handler.

Twenty tenants of ten thousand memories each (one store, derived, copied for each tenant); 50 connections send 60
requests a second for 60 seconds at random times, four searches to one add; then 2 and then 50 clients ask again as soon
as they are answered; then the server is killed (-9) in the middle of the first load and started again. Writes
`bench/results/load.json`.

    python bench/load.py --quick --out quick     three tenants of five hundred, to see that it runs
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

from texts import Writer  # noqa: E402

from mnemos import Mnemos  # noqa: E402
from mnemos.bench.machine import load, machine, versions  # noqa: E402
from mnemos.serve.keys import KeyRing  # noqa: E402
from mnemos.serve.ledger import Ledger  # noqa: E402
from mnemos.times import to_micros, utc_now  # noqa: E402

RATE, CONNECTIONS, ADDS = 60, 50, 0.2
PATHS = {"add_path": "/v1/memories", "search_path": "/v1/search"}


def build(folder: Path, tenants: int, size: int, seed: int) -> tuple[list[dict[str, str]], Writer]:
    """A server's folder with its tenants and a key for each; returns those, and the writer of further texts."""
    writer = Writer(seed)
    (folder / "tenants").mkdir(parents=True)
    first = folder / "tenants" / "t0.db"
    with Mnemos(first) as memory:
        messages = writer.messages(size)
        for start in range(0, size, 1000):
            memory.add(messages[start : start + 1000], user_id="bench")
        memory.maintain()
    for number in range(1, tenants):
        shutil.copyfile(first, folder / "tenants" / f"t{number}.db")
    ledger = Ledger(folder)
    ring, now = KeyRing(ledger), to_micros(utc_now())
    keys = [{"name": f"t{n}", "key": ring.create(f"t{n}", now)[0]} for n in range(tenants)]
    ledger.close()
    return keys, writer


@contextmanager
def running(command: list[str], port: int, probe: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server process, ready to answer."""
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{probe}", timeout=2):
                    break
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.1)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def generate(plan: dict[str, Any]) -> dict[str, Any]:
    """Run the load generator in a process of its own."""
    done = subprocess.run(
        [sys.executable, ROOT / "bench" / "clients.py"], input=json.dumps(plan), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """The figures of a run: percentiles by kind, requests a second, errors."""
    kinds = {}
    for kind, times in found["ms"].items():
        ordered = sorted(times)
        shares = {name: round(ordered[int(share * (len(ordered) - 1))], 2) for name, share in SHARES.items()}
        kinds[kind] = {"count": len(ordered), **shares, "mean_ms": round(statistics.fmean(ordered), 2)}
    done = sum(len(times) for times in found["ms"].values())
    return {"kinds": kinds, "per_second": round(done / found["seconds"], 1), "errors": found["errors"]}


SHARES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99, "max_ms": 1.0}


def lost(folder: Path, written: list[list[str]]) -> int:
    """How many acknowledged writes the stores do not hold."""
    by_tenant: dict[str, list[str]] = {}
    for tenant, memory_id in written:
        by_tenant.setdefault(tenant, []).append(memory_id)
    missing = 0
    for tenant, ids in by_tenant.items():
        with Mnemos(folder / "tenants" / f"{tenant}.db") as memory:
            missing += sum(memory.get(one) is None for one in ids)
    return missing


def measure(folder: Path, tenants: int, size: int, seconds: float, seed: int) -> dict[str, Any]:
    """Every part of the benchmark."""
    print(f"building {tenants} tenants of {size:,} memories ...", flush=True)
    keys, writer = build(folder, tenants, size, seed)
    texts = [writer.text(116) for _ in range(2000)]
    base = {"tenants": keys, "questions": writer.questions(500), "texts": texts, "adds": ADDS, **PATHS}
    ports = free_port(), free_port()
    serve = [
        sys.executable,
        "-m",
        "mnemos",
        "serve",
        "--data",
        str(folder),
        "--port",
        str(ports[0]),
        "--rate",
        "100000",
    ]
    bare = [sys.executable, str(ROOT / "bench" / "bare.py"), str(folder / "bare.db"), str(ports[1])]
    plans = {
        "open loop": {"connections": CONNECTIONS, "rate": RATE, "seconds": seconds},
        "2 clients": {"connections": 2, "rate": None, "seconds": seconds / 3},
        "50 clients": {"connections": 50, "rate": None, "seconds": seconds / 3},
    }
    written: list[list[str]] = []
    result: dict[str, Any] = {"load_before": load()}
    for name, command, port in (("Mnemos", serve, ports[0]), ("bare FastAPI, one SQLite read", bare, ports[1])):
        print(f"{name} ...", flush=True)
        url = f"http://127.0.0.1:{port}"
        with running(command, port, "/v1/ready") as process:
            warm(url, base, keys)
            result[name] = {}
            for number, (kind, plan) in enumerate(plans.items()):
                found = generate({**base, **plan, "url": url, "seed": seed + number})
                written += found["written"]
                result[name][kind] = summary(found)
                print(kind, json.dumps(result[name][kind]), flush=True)
            result[name]["peak_mb"] = peak_mb(process.pid)
    result["lost"] = lost(folder, written)
    print("kill -9 ...", flush=True)
    result["killed"] = kill(folder, serve, ports[0], {**base, **plans["open loop"], "seconds": seconds / 3, "seed": 99})
    return result


def warm(url: str, base: dict[str, Any], keys: list[dict[str, str]]) -> None:
    """Let every store be opened once: what is measured is a server that has run for a while."""
    for one in keys:
        generate(
            {**base, "tenants": [one], "url": url, "connections": 1, "rate": 20, "seconds": 0.3, "seed": 7, "adds": 0}
        )


def kill(folder: Path, serve: list[str], port: int, plan: dict[str, Any]) -> dict[str, Any]:
    """Kill the server in the middle of a load, start it again, and count what it had acknowledged and lost."""
    url = f"http://127.0.0.1:{port}"
    with running(serve, port, "/v1/ready") as process:
        timer = threading.Timer(plan["seconds"] / 2, os.kill, (process.pid, signal.SIGKILL))
        timer.start()
        found = generate({**plan, "url": url})
        timer.join()
    with running(serve, port, "/v1/ready"):
        again = summary(generate({**plan, "url": url, "seconds": 5, "seed": plan["seed"] + 1}))
    return {"acknowledged": len(found["written"]), "lost": lost(folder, found["written"]), "afterwards": again}


def peak_mb(pid: int) -> float:
    """The most memory that a process has held."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024, 1)


def main() -> int:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="load")
    told = parser.parse_args()
    tenants, size, seconds = (3, 500, 6.0) if told.quick else (20, 10_000, 60.0)
    with tempfile.TemporaryDirectory(prefix="mnemos-load-") as name:
        found = measure(Path(name), tenants, size, seconds, told.seed)
    about = {"format": 1, "seed": told.seed, "tenants": tenants, "size": size, "seconds": seconds}
    result = {**about, "rate": RATE, "connections": CONNECTIONS, "machine": machine(), "versions": versions(), **found}
    file = ROOT / "bench" / "results" / f"{told.out}.json"
    file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"written: {file.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
