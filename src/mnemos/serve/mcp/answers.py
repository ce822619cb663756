"""What the tools return: the same for programs, as structured content, and for models, as text to read.

Memories are always quoted: behind a line that says that they are data, with their dates and ids.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from mnemos.levels.answers import Moment, ProfileLine
from mnemos.quoting import OPENING
from mnemos.recall.excerpt import one_line
from mnemos.records import ContextItem, Memory

NOTHING = "Nothing is known about this."


def day_of(moment: datetime | None) -> str:
    """The day of a time, for people."""
    return "undated" if moment is None else moment.date().isoformat()


def quote(rows: Iterable[tuple[str, str]]) -> str:
    """Lines under their headers, numbered, in the form in which Mnemos knows again what it has quoted itself."""
    lines, last = [OPENING], ""
    for number, (header, text) in enumerate(rows, 1):
        if header != last:
            lines.append(f"[{header}]")
            last = header
        lines.append(f"{one_line(text)} [{number}]")
    return "\n".join(lines) if len(lines) > 1 else NOTHING


class Answer(BaseModel):
    """What a tool returns."""

    def readable(self) -> str:
        """The same, to read."""
        return json.dumps(self.content(), ensure_ascii=False)

    def content(self) -> dict[str, Any]:
        """The same, for programs."""
        return self.model_dump(mode="json")


class MemoryOut(BaseModel):
    """One memory. Times are ISO 8601 in UTC; null means unknown or open."""

    id: str
    text: str
    kind: str = Field(description="turn, note, document, item: as it was given; fact, episode, …: derived.")
    speaker: str | None = Field(description="Who said it.")
    role: str | None
    happened_at: datetime | None = Field(description="When it was said or took place.")
    valid_at: datetime | None = Field(description="Since when it is true.")
    invalid_at: datetime | None = Field(description="When it ceased to be true.")
    created_at: datetime | None
    updated_at: datetime | None
    session_id: str | None
    namespace: list[str]
    trust: float
    channel: str | None = Field(description="Through what it was written: mcp, rest, console, …")
    version: int
    metadata: dict[str, Any]
    sources: list[str] = Field(description="Ids of what it was derived from.")

    @classmethod
    def of(cls, memory: Memory, text: str | None = None) -> MemoryOut:
        """A memory as it is shown; `text` in place of its own words, where they are cut."""
        told = {name: getattr(memory, name) for name in cls.model_fields}
        words = memory.text if text is None else text
        lists = {"namespace": list(memory.namespace), "sources": list(memory.sources)}
        return cls(**{**told, **lists, "text": words, "metadata": dict(memory.metadata)})

    def row(self, *more: str) -> tuple[str, str]:
        """Its day, and a line: who said what, with its id."""
        said = f"{self.speaker}: {self.text}" if self.speaker else self.text
        kind = [] if self.kind == "turn" else [self.kind]
        return day_of(self.happened_at), said + _noted([*kind, *_until(self.invalid_at), *more], [self.id])


class Added(Answer):
    """What `add_memory` did."""

    memory: MemoryOut
    is_new: bool = Field(description="False where the same was stored before; nothing was added then.")
    masked: list[str] = Field(description="Kinds of secrets that were masked in it.")

    def readable(self) -> str:
        """One line."""
        said = "Remembered" if self.is_new else "This was remembered before"
        masked = f" Masked in it, because secrets are not stored: {', '.join(self.masked)}." if self.masked else ""
        return f"{said} (id {self.memory.id}).{masked}"


class HitOut(MemoryOut):
    """A memory that answers a question."""

    score: float = Field(0.0, description="The probability that it is about the question, 0 to 1.")
    also: list[str] = Field(default_factory=list, description="Ids of memories that say the same.")
    is_cut: bool = Field(False, description="Whether text is only the part that answers; get_memory has all of it.")


class Found(Answer):
    """What `search_memories` found, best first."""

    results: list[HitOut]
    total: int = Field(description="How many there are in all; what comes later is less likely to be of use.")

    def readable(self) -> str:
        """Quoted lines."""
        return quote(hit.row(f"score {hit.score:.2f}") for hit in self.results)


class ContextLine(BaseModel):
    """One line of a context."""

    text: str
    memory_ids: list[str]
    speaker: str | None
    happened_at: datetime | None

    @classmethod
    def of(cls, item: ContextItem) -> ContextLine:
        """A line as it is shown."""
        return cls(text=item.text, memory_ids=list(item.memory_ids), speaker=item.speaker, happened_at=item.happened_at)


class ContextOut(Answer):
    """What `get_context` composed."""

    context: str = Field(description="The block for a prompt; empty where nothing is known.")
    tokens: int
    items: list[ContextLine]

    def readable(self) -> str:
        """The block itself."""
        return self.context or NOTHING


class Listed(Answer):
    """What `list_memories` lists."""

    memories: list[MemoryOut]
    total: int
    offset: int
    more: int = Field(description="How many come after these.")

    def readable(self) -> str:
        """Quoted lines."""
        shown = quote(memory.row() for memory in self.memories)
        return (
            f"{shown}\n({self.more} more; go on with offset {self.offset + len(self.memories)})" if self.more else shown
        )


class Whole(Answer):
    """One memory with everything about it."""

    memory: MemoryOut

    def readable(self) -> str:
        """Its fields; the words in quotation marks, as they are."""
        return f"{OPENING}\n{super().readable()}"


class Changed(Answer):
    """What `update_memory` did."""

    memory: MemoryOut

    def readable(self) -> str:
        """One line."""
        return f"Changed (id {self.memory.id}, version {self.memory.version}); what it said before is in its history."


class Deleted(Answer):
    """What `delete_memory` did."""

    ids: list[str] = Field(description="What went: the memory, and what was derived only from it.")
    purge: str = Field(description="pending: some bytes go only when another process has stopped reading them.")

    def readable(self) -> str:
        """One line."""
        return f"Deleted for good: {', '.join(self.ids)}."


class ProfileLineOut(BaseModel):
    """One thing that is known about somebody."""

    group: str
    text: str
    since: datetime | None
    until: datetime | None = Field(description="When it ceased to hold; null for what holds now.")
    memory_ids: list[str]

    @classmethod
    def of(cls, line: ProfileLine) -> ProfileLineOut:
        """A line as it is shown."""
        ids = list(line.memory_ids)
        return cls(group=line.group, text=line.text, since=line.since, until=line.until, memory_ids=ids)


class ProfileOut(Answer):
    """Who somebody is, as far as it is known."""

    subject: str
    lines: list[ProfileLineOut]

    def readable(self) -> str:
        """Quoted lines by group."""
        return quote((line.group, self._row(line)) for line in self.lines)

    def _row(self, line: ProfileLineOut) -> str:
        said = line.text if line.text.startswith(self.subject) else f"{self.subject}: {line.text}"
        since = [] if line.until or not line.since else [day_of(line.since)]
        return said + _noted([*since, *_until(line.until)], line.memory_ids)


def _until(moment: datetime | None) -> list[str]:
    return [] if moment is None else [f"until {day_of(moment)}"]


def _noted(notes: list[str], memory_ids: list[str]) -> str:
    """Remarks in brackets after a line, the memory that it comes from at the end."""
    told = ", ".join([*notes, *(f"id {id}" for id in memory_ids[:1])])
    return f" ({told})" if told else ""


class MomentOut(BaseModel):
    """Something that happened."""

    at: datetime
    text: str
    kind: str
    speaker: str | None
    until: datetime | None = Field(description="For a fact that no longer holds: when it ceased to.")
    memory_ids: list[str]
    day: str = Field(description="The day, or the month or year where no more is known.")

    @classmethod
    def of(cls, moment: Moment) -> MomentOut:
        """A moment as it is shown."""
        told = {name: getattr(moment, name) for name in cls.model_fields}
        return cls(**{**told, "memory_ids": list(moment.memory_ids)})


class TimelineOut(Answer):
    """What happened, in order."""

    subject: str | None
    moments: list[MomentOut]
    total: int

    def readable(self) -> str:
        """Quoted lines by day."""
        return quote((one.day, one.text + _noted(_until(one.until), one.memory_ids)) for one in self.moments)


class Result(BaseModel):
    """One result of `search`."""

    id: str
    title: str
    url: str


class Results(Answer):
    """What `search` found; its text is the same as JSON, which is what connectors read."""

    results: list[Result]


class Document(Answer):
    """What `fetch` returns; its text is the same as JSON, which is what connectors read."""

    id: str
    title: str
    text: str
    url: str
    metadata: dict[str, str]


def title_of(memory: Memory) -> str:
    """What a memory is called in a list of results."""
    said = one_line(f"{memory.speaker}: {memory.text}" if memory.speaker else memory.text)
    short = said if len(said) <= 80 else said[:79].rsplit(" ", 1)[0] + "…"
    return f"{day_of(memory.happened_at)} {short}" if memory.happened_at else short
