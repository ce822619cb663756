"""Times one memory system inside its own process: texts in (JSONL), JSON out.

A peer is a class with `open(folder)`, `add_all(messages)`, `add(message)`, `search(query) -> list of texts` and
`close()`; its script ends with `main(Peer)`. Only the standard library is imported here, so that what a process
imports, and how much memory it takes, is the peer's own.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

BATCH = 1000
SEARCHES = 100
WARM = 5
ADDS = 100


class Peer(Protocol):
    """What a memory system must do to be measured."""

    packages: tuple[str, ...]

    def open(self, folder: Path) -> None:
        """Open or make a store in a folder."""
        ...

    def add_all(self, messages: list[dict[str, Any]]) -> None:
        """Add many messages, as fast as may be."""
        ...

    def add(self, message: dict[str, Any]) -> None:
        """Add one message; it is kept when this returns."""
        ...

    def search(self, query: str) -> list[str]:
        """The texts of the ten best memories."""
        ...

    def close(self) -> None:
        """Let go of the store."""
        ...


class Clock:
    """A budget of seconds."""

    def __init__(self, seconds: float) -> None:
        self._end = time.perf_counter() + seconds

    @property
    def over(self) -> bool:
        """Whether they are spent."""
        return time.perf_counter() > self._end


def grow(make: Callable[[], Peer], args: argparse.Namespace) -> dict[str, Any]:
    """Import up to each size in turn, and search there; `--keep` leaves a copy of the store at one size."""
    peer, lines = make(), Path(args.texts).read_text(encoding="utf-8").splitlines()
    queries = json.loads(Path(args.queries).read_text(encoding="utf-8"))
    folder = Path(args.folder)
    peer.open(folder)
    clock, done, steps = Clock(args.seconds), 0, []
    stopped = None
    for size in args.sizes:
        started, first = time.perf_counter(), done
        while done < size and not clock.over:
            batch = [json.loads(line) for line in lines[done : min(done + BATCH, size)]]
            peer.add_all(batch)
            done += len(batch)
        seconds = time.perf_counter() - started
        steps.append({"size": done, "added": done - first, "seconds": seconds, "search": searches(peer, queries)})
        if done < size:
            stopped = f"import stopped at {done} memories after {args.seconds} s"
            break
        if size == args.keep:
            peer.close()
            shutil.copytree(folder, f"{folder}-kept")
            peer.open(folder)
    peer.close()
    return {"steps": steps, "stopped": stopped}


def searches(peer: Peer, queries: list[str], seconds: float = 60) -> dict[str, float]:
    """Median and 95th percentile of single searches for the ten best, after a few to warm up."""
    for query in queries[:WARM]:
        peer.search(query)
    clock, times, found = Clock(seconds), [], 0
    for query in queries[WARM : WARM + SEARCHES]:
        started = time.perf_counter()
        found += len(peer.search(query))
        times.append(time.perf_counter() - started)
        if clock.over:
            break
    return {**_spread(times), "hits": found / len(times)}


def adds(make: Callable[[], Peer], args: argparse.Namespace) -> dict[str, Any]:
    """Single adds to the store in a folder, each on its own."""
    peer, lines = make(), Path(args.texts).read_text(encoding="utf-8").splitlines()
    peer.open(Path(args.folder))
    clock, times = Clock(60), []
    for line in lines[-ADDS - WARM :]:
        message = json.loads(line)
        started = time.perf_counter()
        peer.add(message)
        times.append(time.perf_counter() - started)
        if clock.over:
            break
    peer.close()
    return _spread(times[WARM:] or times)


def first(make: Callable[[], Peer], args: argparse.Namespace) -> dict[str, Any]:
    """In a new process: open the store in a folder, search once, and look at the memory taken."""
    queries = json.loads(Path(args.queries).read_text(encoding="utf-8"))
    started = time.perf_counter()
    peer = make()
    peer.open(Path(args.folder))
    opened = time.perf_counter()
    hits = len(peer.search(queries[0]))
    done = time.perf_counter()
    memory = _memory()
    peer.close()
    disk = sum(path.stat().st_size for path in Path(args.folder).rglob("*") if path.is_file()) / 1e6
    return {"open_s": opened - started, "open_and_search_s": done - started, "hits": hits, "disk_mb": disk, **memory}


def long(make: Callable[[], Peer], args: argparse.Namespace) -> dict[str, Any]:
    """Import long texts, in megabytes (10^6 bytes) a second."""
    peer, lines = make(), Path(args.texts).read_text(encoding="utf-8").splitlines()
    peer.open(Path(args.folder))
    clock, started, size, count = Clock(args.seconds), time.perf_counter(), 0, 0
    for batch in _batches(lines, 50):
        messages = [json.loads(line) for line in batch]
        peer.add_all(messages)
        size += sum(len(message["content"].encode()) for message in messages)
        count += len(messages)
        if clock.over:
            break
    seconds = time.perf_counter() - started
    peer.close()
    return {"texts": count, "megabytes": size / 1e6, "seconds": seconds}


def main(make: Callable[[], Peer]) -> None:
    """Run one phase and print its result, the last line of standard output, as JSON."""
    phases = {"grow": grow, "adds": adds, "first": first, "long": long}
    parser = argparse.ArgumentParser()
    parser.add_argument("phase", choices=phases)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--texts")
    parser.add_argument("--queries")
    parser.add_argument("--sizes", type=lambda text: [int(one) for one in text.split(",")], default=[])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--keep", type=int)
    args = parser.parse_args()
    result = phases[args.phase](make, args)
    result["versions"] = {name: _version(name) for name in getattr(make, "packages", ())}
    json.dump(result, sys.stdout)
    print(flush=True)


def _spread(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    high = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    return {"p50_ms": statistics.median(ordered) * 1000, "p95_ms": high * 1000, "n": len(ordered)}


def _memory() -> dict[str, float]:
    fields = dict(
        line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines() if ":" in line
    )
    return {name: int(fields[key].split()[0]) / 1024 for name, key in (("rss_mb", "VmRSS"), ("peak_mb", "VmHWM"))}


def _batches(lines: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(lines), size):
        yield lines[start : start + size]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "source"
