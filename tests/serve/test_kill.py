"""`kill -9` in the middle of many writes: what was acknowledged is there, as it was acknowledged, and whole."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from server_process import ServerProcess
from waiting import until

from mnemos import Mnemos

WRITERS = 6
ENOUGH = 15
"""Acknowledged writes of each kind before the server is killed."""


@dataclass
class Acknowledged:
    """What the server said was done."""

    said: dict[str, str] = field(default_factory=dict)
    """Words by id."""
    deleted: set[str] = field(default_factory=set)
    updates: int = 0


class Writer(threading.Thread):
    """Adds, changes and deletes, and notes what was acknowledged, until the server is gone."""

    def __init__(self, url: str, user: str) -> None:
        super().__init__(name=user)
        self.noted = Acknowledged()
        self.unsure: set[str] = set()
        """What a request was about that was never answered."""
        self._user = user
        self._client = httpx2.Client(base_url=url, timeout=30, trust_env=False)

    def run(self) -> None:
        with self._client:
            try:
                for number in range(100_000):
                    self._turn(number)
            except httpx2.TransportError:
                return

    def _turn(self, number: int) -> None:
        texts = [f"{self._user} wrote letter {number} {part}" for part in "ab"]
        reply = self._client.post("/v1/memories", json={"messages": texts, "user_id": self._user})
        assert reply.status_code == 201, reply.text
        kept, other = [one["id"] for one in reply.json()["memories"]]
        self.noted.said |= dict(zip((kept, other), texts, strict=True))
        self._about(other, lambda: self._change(other, number))

    def _change(self, one: str, number: int) -> None:
        if number % 2:
            assert self._client.delete(f"/v1/memories/{one}").status_code == 200
            del self.noted.said[one]
            self.noted.deleted.add(one)
            return
        text = f"{self._user} wrote letter {number} anew"
        assert self._client.patch(f"/v1/memories/{one}", json={"text": text}).status_code == 200
        self.noted.said[one] = text
        self.noted.updates += 1

    def _about(self, one: str, work: Callable[[], None]) -> None:
        self.unsure.add(one)
        work()
        self.unsure.remove(one)


def test_every_acknowledged_write_is_there_after_a_kill(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with ServerProcess(folder) as server:
        writers = [Writer(server.url, f"user{n}") for n in range(WRITERS)]
        for writer in writers:
            writer.start()

        def is_enough() -> bool:
            return all(len(one.noted.deleted) and one.noted.updates for one in writers) and (
                sum(one.noted.updates for one in writers) >= ENOUGH <= sum(len(one.noted.deleted) for one in writers)
            )

        until(is_enough)
        jobs = [server.client.post(f"/v1/{kind}", json=body) for kind, body in JOBS]
        server.kill()
        for writer in writers:
            writer.join()
    assert all(writer.noted.said for writer in writers)
    with ServerProcess(folder) as server:
        for writer in writers:
            for one in writer.noted.said.keys() - writer.unsure:
                found, text = server.client.get(f"/v1/memories/{one}"), writer.noted.said[one]
                assert (found.status_code, found.json()["text"]) == (200, text)
            for one in writer.noted.deleted:
                assert server.client.get(f"/v1/memories/{one}").status_code == 404
        for begun in jobs:
            assert begun.status_code == 202
            path = begun.headers["location"]
            until(lambda path=path: server.client.get(path).json()["state"] == "done")
    with Mnemos(folder / "tenants" / "default.db") as memory:
        memory.maintain()
        assert memory.check() == []
        for writer in writers:
            texts = [one.text for one in memory.list(user_id=writer.name, kinds=["turn"], limit=10_000)]
            assert len(texts) == len(set(texts)), "nothing is there twice"


JOBS = (("maintain", None), ("forget", {"count": 1_000_000, "user_id": "user0"}))
