"""The clients: every verb, on either way to a server."""

from __future__ import annotations

from mnemos.client.carrying import CarryingVerbs
from mnemos.client.decisions import DecisionVerbs
from mnemos.client.drivers import AsyncDriver, Driver
from mnemos.client.jobs import JobVerbs
from mnemos.client.knowledge import KnowledgeVerbs
from mnemos.client.memories import MemoryVerbs
from mnemos.client.recall import RecallVerbs
from mnemos.client.status import StatusVerbs


class Verbs(MemoryVerbs, RecallVerbs, KnowledgeVerbs, DecisionVerbs, CarryingVerbs, JobVerbs, StatusVerbs):
    """The verbs of both clients."""


class Client(Verbs, Driver):
    """The memories of a server, under one key: `with Client(url, key=…) as memory: memory.add("…", user_id="ana")`."""


class AsyncClient(Verbs, AsyncDriver):
    """The same, awaited: `async with AsyncClient(url, key=…) as memory: await memory.add("…", user_id="ana")`."""
