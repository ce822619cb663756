"""A load generator in one process: connections kept open, requests at given times or one after another.

Speaks just enough HTTP/1.1 over asyncio streams to cost little beside what it measures. Reads a JSON plan from
standard input (`url`, `connections`, `seconds`, `rate` or null for a closed loop, `seed`, `tenants` with their keys,
`questions`, `texts`, `adds` as a share), writes JSON to standard output: milliseconds by kind of request, errors, and
what was acknowledged.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import defaultdict
from typing import Any
from urllib.parse import urlsplit

Plan = dict[str, Any]


class Connection:
    """One connection that is kept open, and opened again where the other side closed it."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def post(self, path: str, key: str | None, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        assert self._reader is not None
        shown = f"Authorization: Bearer {key}\r\n" if key else ""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{shown}"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        try:
            self._writer.write(head.encode() + body)
            lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
            answer = await self._reader.readexactly(int(fields["content-length"]))
        except BaseException:
            self.close()
            raise
        return int(lines[0].split()[1]), answer

    def close(self) -> None:
        """Let it go."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


class Load:
    """One run of a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.random = random.Random(plan["seed"])
        self.times: dict[str, list[float]] = defaultdict(list)
        self.errors: dict[str, int] = defaultdict(int)
        self.written: list[tuple[str, str]] = []
        self.number = 0

    def request(self) -> tuple[str, str, str | None, bytes, str]:
        """The next one: kind, path, key, body and tenant."""
        tenant = self.random.choice(self.plan["tenants"])
        self.number += 1
        if self.random.random() < self.plan["adds"]:
            text = f"{self.random.choice(self.plan['texts'])} ({self.plan['seed']}-{self.number})"
            body = {"messages": [{"role": "user", "content": text}], "user_id": "bench"}
            return "add", self.plan["add_path"], tenant["key"], json.dumps(body).encode(), tenant["name"]
        body = {"query": self.random.choice(self.plan["questions"]), "user_id": "bench", "limit": 10}
        return "search", self.plan["search_path"], tenant["key"], json.dumps(body).encode(), tenant["name"]

    async def send(self, connection: Connection, since: float) -> None:
        """Make one request; its time counts from when it was due."""
        kind, path, key, body, tenant = self.request()
        try:
            status, answer = await connection.post(path, key, body)
        except (OSError, asyncio.IncompleteReadError) as error:
            self.errors[f"{kind}: {type(error).__name__}"] += 1
            return
        self.times[kind].append(1000 * (time.perf_counter() - since))
        if status >= 300:
            self.errors[f"{kind}: {status}"] += 1
        elif kind == "add":
            self.written += [(tenant, one["id"]) for one in json.loads(answer)["memories"]]

    async def open_loop(self, connections: list[Connection]) -> None:
        """Requests at random times of a given rate, whether or not the ones before were answered."""
        free: asyncio.Queue[Connection] = asyncio.Queue()
        for connection in connections:
            free.put_nowait(connection)

        async def one(due: float) -> None:
            connection = await free.get()
            try:
                await self.send(connection, due)
            finally:
                free.put_nowait(connection)

        began = due = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            while due < began + self.plan["seconds"]:
                await asyncio.sleep(due - time.perf_counter())
                group.create_task(one(due))
                due += self.random.expovariate(self.plan["rate"])

    async def closed_loop(self, connections: list[Connection]) -> None:
        """Each connection asks again as soon as it was answered."""
        end = time.perf_counter() + self.plan["seconds"]

        async def one(connection: Connection) -> None:
            while (now := time.perf_counter()) < end:
                await self.send(connection, now)

        await asyncio.gather(*map(one, connections))

    async def run(self) -> dict[str, Any]:
        """Everything that was measured."""
        where = urlsplit(self.plan["url"])
        connections = [Connection(str(where.hostname), int(where.port or 80)) for _ in range(self.plan["connections"])]
        began = time.perf_counter()
        await (self.open_loop(connections) if self.plan["rate"] else self.closed_loop(connections))
        seconds = time.perf_counter() - began
        for connection in connections:
            connection.close()
        return {"seconds": seconds, "ms": self.times, "errors": self.errors, "written": self.written}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(Load(json.load(sys.stdin)).run())))
