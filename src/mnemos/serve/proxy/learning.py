"""Learning from an exchange after it: into the memory, else onto the disk, else counted as lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from mnemos.errors import InvalidInput, MnemosError
from mnemos.serve.access import Access
from mnemos.serve.metrics import Metrics
from mnemos.serve.proxy.answers import Answer
from mnemos.serve.proxy.backlog import Backlog, Waiting
from mnemos.serve.proxy.caller import Wishes
from mnemos.serve.proxy.chat import Chat
from mnemos.serve.proxy.conversations import Conversations
from mnemos.serve.proxy.exchange import Exchange, read_exchange, store
from mnemos.store.spool import Entry
from mnemos.system import Mnemos

log = logging.getLogger("mnemos.serve")


class Learner:
    """Learns from what goes through one server's proxy."""

    def __init__(self, known: Conversations, backlog: Backlog, metrics: Metrics, clock: Callable[[], datetime]) -> None:
        self.known = known
        self.backlog = backlog
        self.metrics = metrics
        self.clock = clock

    def lost(self, why: str, error: Exception) -> None:
        """Say that an exchange was not learnt."""
        self.metrics.proxied.labels("learn", "lost").inc()
        log.error("an exchange was not learnt", extra={"fields": {"why": why, "error": type(error).__name__}})


class Lesson:
    """What one request may teach."""

    def __init__(self, learner: Learner, access: Access, chat: Chat, wishes: Wishes) -> None:
        self._learner = learner
        self._access = access
        self._chat = chat
        self._wishes = wishes
        self._at = learner.clock()
        self._waiting: Waiting | None = None
        self._told: Exchange | None = None

    async def keep(self) -> bool:
        """Keep on disk what the user said, because memory fails; returns whether that was possible."""
        return await asyncio.to_thread(self._keep)

    async def heard(self, answer: Answer | None) -> None:
        """Remember what was said. Nothing that goes wrong here reaches the caller, who has his answer."""
        if answer is None or self._waiting is not None:
            await asyncio.to_thread(self.cut_off, answer)
            return
        try:
            await self._access.call(lambda memory: self._store(memory, answer))
        except InvalidInput as error:
            self._learner.lost("it cannot be stored", error)
        except (MnemosError, OSError):
            await asyncio.to_thread(self.cut_off, answer)
        else:
            self._learner.metrics.proxied.labels("learn", "learned").inc()

    def cut_off(self, answer: Answer | None) -> None:
        """Keep on disk what was said; let go of what was kept where nothing was answered."""
        if answer is None:
            if self._waiting is not None:
                self._learner.backlog.drop(self._waiting)
            return
        try:
            self._put(answer)
        except (MnemosError, OSError) as error:
            self._learner.lost("it could not be kept", error)
        else:
            self._learner.metrics.proxied.labels("learn", "spooled").inc()
        finally:
            if self._waiting is not None:
                self._learner.backlog.close(self._waiting)

    def _keep(self) -> bool:
        try:
            exchange = self._exchange()
            self._waiting = self._learner.backlog.put(self._access.tenant, Entry(exchange.head, exchange.question))
        except (MnemosError, OSError) as error:
            log.error("an exchange could not be kept", extra={"fields": {"error": type(error).__name__}})
            return False
        return True

    def _store(self, memory: Mnemos, answer: Answer) -> None:
        store(memory, self._entry(answer))
        memory.keep_up()

    def _put(self, answer: Answer) -> None:
        entry = self._entry(answer)
        if self._waiting is None:
            self._waiting = self._learner.backlog.put(self._access.tenant, entry)
        else:
            self._learner.backlog.extend(self._waiting, entry.messages[len(self._exchange().question) :])

    def _exchange(self) -> Exchange:
        if self._told is None:
            self._told = read_exchange(self._chat, self._wishes, self._access, self._at, self._learner.known)
        return self._told

    def _entry(self, answer: Answer) -> Entry:
        exchange = self._exchange()
        text = answer.text() if self._chat.has_one_answer else None
        return Entry(exchange.head, (*exchange.question, *exchange.answer(text, self._learner.clock())))
