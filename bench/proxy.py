"""`python bench/proxy.py`: what the proxy adds to a chat, beside asking directly and through a bare proxy.

An upstream that answers at once, a bare FastAPI handler that forwards to it, and Mnemos with tenants of 1,000, 10,000
and 50,000 memories, each a process of its own, are asked the same question in turn, over connections that are kept
open; beside them the library searches, and composes a context, in a copy of the same store. Every exchange is learnt.
Writes `bench/results/proxy.json`.

    python bench/proxy.py --quick --out quick     two small tenants, to see that it runs
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

from clients import Connection  # noqa: E402
from load import free_port, running  # noqa: E402
from texts import Writer  # noqa: E402

from mnemos import Mnemos  # noqa: E402
from mnemos.bench.machine import load, machine, versions  # noqa: E402
from mnemos.bench.results import FORMAT, save  # noqa: E402
from mnemos.serve.keys import KeyRing  # noqa: E402
from mnemos.serve.ledger import Ledger  # noqa: E402
from mnemos.times import to_micros, utc_now  # noqa: E402

SIZES, ROUNDS, WARM = (1_000, 10_000, 50_000), 100, 10
PAUSE = 0.2
"""Seconds between two rounds: nobody sends a chat the moment that the one before was answered."""
PACKAGES = ("numpy", "tokenizers", "fastapi", "starlette", "uvicorn", "httpx2", "h11")
WAYS = ("direct", "bare", "proxy", "search", "context")
PATH = "/v1/chat/completions"


def build(folder: Path, size: int, writer: Writer) -> list[dict[str, Any]]:
    """A tenant of a server's folder; returns what it was told."""
    messages = writer.messages(size)
    with Mnemos(folder / "tenants" / f"t{size}.db") as memory:
        for start in range(0, size, 1000):
            memory.add(messages[start : start + 1000], user_id="bench")
        memory.maintain()
    return messages


def questions(messages: list[dict[str, Any]], count: int, chance: random.Random) -> list[str]:
    """Questions about what somebody said, in some of its words."""
    told = [one for one in messages if len(one["content"].split()) > 9]
    asked = []
    for one in chance.sample(told, count):
        words = [word.strip(".!?").lower() for word in one["content"].split()]
        start = chance.randrange(len(words) - 6)
        asked.append(f"What did {one['name']} say about {' '.join(words[start : start + 6])}?")
    return asked


class Asked:
    """One size: the same question every way, in turn."""

    def __init__(self, ports: dict[str, int], key: str, memory: Mnemos) -> None:
        self._connections = {way: Connection("127.0.0.1", port) for way, port in ports.items()}
        self._key = key
        self._memory = memory
        self.contexts = 0

    async def round(self, question: str) -> dict[str, float]:
        """Milliseconds by way."""
        body = json.dumps({"model": "m", "messages": [SYSTEM, {"role": "user", "content": question}], "user": "bench"})
        taken = {}
        for way, connection in self._connections.items():
            started = time.perf_counter()
            status, _ = await connection.post(PATH, self._key, body.encode())
            taken[way] = 1000 * (time.perf_counter() - started)
            if status != 200:
                raise SystemExit(f"{way} answered {status}")
        started = time.perf_counter()
        self._memory.search(question, user_id="bench")
        taken["search"] = 1000 * (time.perf_counter() - started)
        started = time.perf_counter()
        self.contexts += bool(self._memory.context(question, user_id="bench"))
        taken["context"] = 1000 * (time.perf_counter() - started)
        return taken

    async def rounds(self, asked: list[str]) -> list[dict[str, float]]:
        """All questions, the first few of which only warm up."""
        found = []
        for question in asked:
            found.append(await self.round(question))
            await asyncio.sleep(PAUSE)
        for connection in self._connections.values():
            connection.close()
        return found[WARM:]


SYSTEM = {"role": "system", "content": "You are a helpful assistant."}


def summary(found: list[dict[str, float]]) -> dict[str, Any]:
    """Medians, and what each way adds to asking directly: the median over the rounds of the difference."""
    ways = {}
    for way in WAYS:
        times = sorted(one[way] for one in found)
        ways[way] = {
            "p50_ms": round(statistics.median(times), 2),
            "p95_ms": round(times[int(0.95 * (len(times) - 1))], 2),
        }
    adds = {way: round(statistics.median(one[way] - one["direct"] for one in found), 2) for way in ("bare", "proxy")}
    beyond = statistics.median(one["proxy"] - one["direct"] - one["search"] for one in found)
    composing = statistics.median(one["context"] - one["search"] for one in found)
    return {
        "rounds": len(found),
        "ways": ways,
        "adds_ms": adds,
        "beyond_search_ms": round(beyond, 2),
        "context_beyond_search_ms": round(composing, 2),
    }


def measure(folder: Path, sizes: tuple[int, ...], rounds: int, seed: int) -> dict[str, Any]:
    """Every size."""
    (folder / "tenants").mkdir(parents=True)
    writer, chance = Writer(seed), random.Random(seed)
    told = {}
    for size in sizes:
        print(f"building a tenant of {size:,} memories ...", flush=True)
        told[size] = build(folder, size, writer)
        shutil.copyfile(folder / "tenants" / f"t{size}.db", folder / f"{size}.db")
    ledger = Ledger(folder)
    ring, now = KeyRing(ledger), to_micros(utc_now())
    keys = {size: ring.create(f"t{size}", now)[0] for size in sizes}
    ledger.close()
    ports = {way: free_port() for way in ("direct", "bare", "proxy")}
    upstream = f"http://127.0.0.1:{ports['direct']}/v1"
    python, handlers = sys.executable, str(ROOT / "bench" / "forwarding.py")
    serve = ["-m", "mnemos", "serve", "--data", str(folder), "--port", str(ports["proxy"]), "--upstream", upstream]
    commands = {
        "direct": [python, handlers, str(ports["direct"])],
        "bare": [python, handlers, str(ports["bare"]), upstream],
        "proxy": [python, *serve],
    }
    found = {}
    with ExitStack() as stack:
        for way, command in commands.items():
            stack.enter_context(running(command, ports[way], "/v1/ready"))
        for size in sizes:
            asked = questions(told[size], WARM + rounds, chance)
            with Mnemos(folder / f"{size}.db") as memory:
                one = Asked(ports, keys[size], memory)
                before = load()
                found[str(size)] = summary(asyncio.run(one.rounds(asked)))
                found[str(size)] |= {"contexts": one.contexts, "load_before": before}
            print(size, json.dumps(found[str(size)]), flush=True)
    return found


def main() -> int:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="proxy")
    asked = parser.parse_args()
    sizes, rounds = ((300, 1000), 20) if asked.quick else (SIZES, ROUNDS)
    with tempfile.TemporaryDirectory(prefix="mnemos-proxy-") as name:
        found = measure(Path(name), sizes, rounds, asked.seed)
    about = {"format": FORMAT, "seed": asked.seed, "machine": machine(), "versions": versions(PACKAGES)}
    file = ROOT / "bench" / "results" / f"{asked.out}.json"
    save({**about, "pause_s": PAUSE, "sizes": found}, file)
    for size, one in found.items():
        ratio = one["ways"]["proxy"]["p50_ms"] / one["ways"]["bare"]["p50_ms"]
        adds, beyond = one["adds_ms"]["proxy"], one["beyond_search_ms"]
        print(f"{int(size):,} memories: adds {adds} ms, {beyond} beyond the search; {ratio:.2f} times a bare proxy")
    print(f"written: {file.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
