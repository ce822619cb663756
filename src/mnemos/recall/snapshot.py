"""What recall holds in memory of one namespace: arrays over its passages, in reading order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnemos.recall.columns import Buffer, Names
from mnemos.recall.postings import Postings

NONE = int(np.iinfo(np.int64).min)
"""Stands for an unknown time."""
MACHINE_NAMES = frozenset({"", "assistant", "ai", "bot", "model", "system", "tool"})
OTHER, MACHINE, USER, NAMED_USER, NAMED_ASSISTANT = range(5)
"""Voices: a machine; its user, without a name or with one; a person in the role of assistant; anyone else."""
_GAP = 30 * 60 * 1_000_000
"""Turns without a session belong together while no two neighbours are further apart than this (µs)."""


class Row(NamedTuple):
    """One passage, as the store keeps it."""

    num: int
    part: int
    seq: int
    kind: str
    session: str | None
    speaker: str | None
    role: str | None
    happened_at: int | None
    start: int
    end: int
    tokens: bytes
    terms: bytes
    vector: bytes


class Columns(NamedTuple):
    """What is known of each unit, one entry per unit."""

    num: NDArray[np.int64]
    part: NDArray[np.int32]
    seq: NDArray[np.int64]
    session: NDArray[np.int32]
    speaker: NDArray[np.int32]
    voice: NDArray[np.int8]
    """Who speaks, by role and name: one of the constants below."""
    time: NDArray[np.int64]
    cues: NDArray[np.uint32]
    words: NDArray[np.int32]
    """How many terms the unit has, header included."""
    start: NDArray[np.int64]
    end: NDArray[np.int64]

    def append(self, other: Columns) -> Columns:
        """With the units of another after these."""
        pairs: list[Any] = [np.concatenate(pair) for pair in zip(self, other, strict=True)]  # type: ignore[arg-type]
        return Columns(*pairs)

    def keep(self, alive: NDArray[np.bool_]) -> Columns:
        """Only the units that are alive."""
        kept: list[Any] = [column[alive] for column in self]
        return Columns(*kept)


@dataclass(frozen=True, repr=False, eq=False)
class Snapshot:
    """An immutable view; `extend` and `without` give another one and share what they can."""

    columns: Columns
    terms: Postings
    phrases: Postings
    """Pairs of terms that follow each other."""
    tokens: Postings
    vectors: NDArray[np.float32]
    sum: NDArray[np.float64]
    """The sum of the vectors."""
    buffer: Buffer
    sessions: Names
    speakers: Names

    @classmethod
    def build(cls, rows: Sequence[Row], embedder_dim: int) -> Snapshot:
        """From all passages of a namespace, ordered by `seq` and `part`."""
        return cls.empty(embedder_dim).extend(rows)

    @classmethod
    def empty(cls, embedder_dim: int) -> Snapshot:
        """A snapshot of nothing."""
        buffer = Buffer(embedder_dim)
        none = Postings(())
        return cls(
            _columns([], Names(), Names()),
            none,
            none,
            none,
            buffer.view(),
            np.zeros(embedder_dim),
            buffer,
            Names(),
            Names(),
        )

    def extend(self, rows: Sequence[Row]) -> Snapshot:
        """With later passages."""
        if not rows:
            return self
        first = len(self.columns.num)
        fresh = _columns(rows, self.sessions, self.speakers, self.columns)
        lengths = fresh.words.astype(np.int64)
        marks = np.cumsum(lengths + 1) - lengths - 1
        flat = np.frombuffer(b"".join([row.terms for row in rows]), np.uint32)
        fresh = fresh._replace(cues=flat[marks])
        words = np.delete(flat, marks)
        terms = self.terms.append(Postings.build(words, lengths, first))
        phrases = self.phrases.append(_phrases(words, lengths, first))
        flat_tokens = np.frombuffer(b"".join([row.tokens for row in rows]), np.uint16)
        counts = np.fromiter((len(row.tokens) // 2 for row in rows), np.int64, len(rows))
        tokens = self.tokens.append(Postings.build(flat_tokens.astype(np.uint32), counts, first))
        buffer = self.buffer.append(first, [row.vector for row in rows])
        columns = self.columns.append(fresh)
        vectors = buffer.view()
        total = self.sum + vectors[first:].sum(axis=0, dtype=np.float64)
        return Snapshot(columns, terms, phrases, tokens, vectors, total, buffer, self.sessions, self.speakers)

    def without(self, nums: Sequence[int] | NDArray[np.int64]) -> Snapshot:
        """Without some memories."""
        alive = ~np.isin(self.columns.num, np.asarray(nums, np.int64))
        if alive.all():
            return self
        number = np.cumsum(alive) - 1
        columns = self.columns.keep(alive)
        buffer = Buffer.of(self.vectors[alive])
        terms, phrases, tokens = (held.keep(alive, number) for held in (self.terms, self.phrases, self.tokens))
        total = self.sum - self.vectors[~alive].sum(axis=0, dtype=np.float64)
        return Snapshot(columns, terms, phrases, tokens, buffer.view(), total, buffer, self.sessions, self.speakers)

    def __len__(self) -> int:
        """How many memories there are."""
        return len(self.memories)

    @cached_property
    def firsts(self) -> NDArray[np.int64]:
        """The number of each memory's first unit."""
        num = self.columns.num
        return np.flatnonzero(np.concatenate(([True], num[1:] != num[:-1]))) if len(num) else np.empty(0, np.int64)

    @cached_property
    def memories(self) -> NDArray[np.int64]:
        """The memories' numbers, in reading order."""
        return self.columns.num[self.firsts]

    def span(self, num: int, part: int) -> tuple[int, int]:
        """Where a passage begins and ends in its memory's text."""
        units = np.flatnonzero((self.columns.num == num) & (self.columns.part == part))
        return int(self.columns.start[units[0]]), int(self.columns.end[units[0]])

    @cached_property
    def simple(self) -> bool:
        """Whether every memory is a single unit."""
        return len(self.firsts) == len(self.columns.num)

    @cached_property
    def reading(self) -> NDArray[np.int64] | None:
        """Units ordered by session, then reading order; None where they stand so already."""
        session = self.columns.session
        if not len(session) or bool((session[1:] >= session[:-1]).all()):
            return None
        return np.argsort(session, kind="stable")

    @cached_property
    def session_starts(self) -> NDArray[np.int64]:
        """Where each session begins in `reading` order."""
        session = self.columns.session if self.reading is None else self.columns.session[self.reading]
        return np.flatnonzero(np.concatenate(([True], session[1:] != session[:-1])))

    @cached_property
    def session_lengths(self) -> NDArray[np.int64]:
        """How many units each session has, in `reading` order."""
        return np.diff(self.session_starts, append=len(self.columns.num))

    @cached_property
    def run_starts(self) -> NDArray[np.int64]:
        """In `reading` order, where a speaker begins to speak: several units in a row by one are a run."""
        speaker = self.columns.speaker if self.reading is None else self.columns.speaker[self.reading]
        changes = self.breaks | (speaker[1:] != speaker[:-1])
        return np.flatnonzero(np.concatenate((np.ones(min(1, len(speaker)), np.bool_), changes)))

    @cached_property
    def run_breaks(self) -> NDArray[np.bool_]:
        """Whether a run and the next one are of different sessions."""
        return np.isin(self.run_starts[1:], self.session_starts)

    @cached_property
    def breaks(self) -> NDArray[np.bool_]:
        """In `reading` order, whether a unit and the next one are of different sessions."""
        broken = np.zeros(max(0, len(self.columns.num) - 1), np.bool_)
        broken[self.session_starts[1:] - 1] = True
        return broken

    @cached_property
    def machine(self) -> NDArray[np.bool_]:
        """Whether a unit's session is a talk with a machine."""
        sessions = np.zeros(int(self.columns.session.max(initial=-1)) + 1, np.bool_)
        sessions[self.columns.session[self.columns.voice == MACHINE]] = True
        return sessions[self.columns.session]

    @cached_property
    def user(self) -> NDArray[np.bool_]:
        """Whether the one whose memory this is speaks. Roles say so only while no person has the other role."""
        voice = self.columns.voice
        among_people = bool((voice == NAMED_ASSISTANT).any())
        spoken: NDArray[np.bool_] = voice == USER
        return spoken if among_people else spoken | (voice == NAMED_USER)

    @cached_property
    def mean_vector(self) -> NDArray[np.float32]:
        """The direction that all units have in common, of length 1."""
        length = max(float(np.linalg.norm(self.sum)), 1e-9)
        return (self.sum / length).astype(np.float32)

    @cached_property
    def token_keys(self) -> NDArray[np.uint32]:
        """The wordpieces that occur, ascending."""
        return self.tokens.keys()

    @cached_property
    def mean_words(self) -> float:
        """The mean number of terms of a unit."""
        return float(self.columns.words.mean() or 1.0) if len(self.columns.words) else 1.0


def pair(first: NDArray[np.uint32], second: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The key of two terms that follow each other."""
    return first * np.uint32(31) + second


def _phrases(words: NDArray[np.uint32], lengths: NDArray[np.int64], first: int) -> Postings:
    keys = pair(words[:-1], words[1:])
    ends = np.cumsum(lengths)[:-1] - 1
    within = np.ones(len(keys), np.bool_)
    within[ends[(ends >= 0) & (ends < len(keys))]] = False
    return Postings.build(keys[within], np.maximum(lengths - 1, 0), first)


def _columns(rows: Sequence[Row], sessions: Names, speakers: Names, before: Columns | None = None) -> Columns:
    return Columns(
        num=np.array([row.num for row in rows], np.int64),
        part=np.array([row.part for row in rows], np.int32),
        seq=np.array([row.seq for row in rows], np.int64),
        session=np.array(_sessions(rows, sessions, before), np.int32),
        speaker=np.array([speakers.number(row.speaker or row.role or "") for row in rows], np.int32),
        voice=np.array([_voice(row.speaker, row.role) for row in rows], np.int8),
        time=np.array([NONE if row.happened_at is None else row.happened_at for row in rows], np.int64),
        cues=np.zeros(len(rows), np.uint32),
        words=np.array([len(row.terms) // 4 - 1 for row in rows], np.int32),
        start=np.array([row.start for row in rows], np.int64),
        end=np.array([row.end for row in rows], np.int64),
    )


def _voice(speaker: str | None, role: str | None) -> int:
    name = (speaker or "").lower()
    if role == "assistant":
        return MACHINE if name in MACHINE_NAMES else NAMED_ASSISTANT
    if role in (None, "user") and name in ("", "user"):
        return USER
    return NAMED_USER if role == "user" else OTHER


def _sessions(rows: Sequence[Row], names: Names, before: Columns | None) -> list[int]:
    """A number per unit: turns by session, other kinds each by themselves, unnamed turns by gaps in time."""
    numbers: list[int] = []
    loose, when = -1, NONE
    if before is not None and (said := np.flatnonzero(before.num > 0)).size:
        loose, when = int(before.session[said[-1]]), int(before.time[said[-1]])
    for row in rows:
        if row.num < 0:
            numbers.append(names.number(f"m{row.num}"))
            continue
        if row.kind != "turn":
            key = f"m{row.num}"
        elif row.session is not None:
            key = f"s{row.session}"
        else:
            near = row.happened_at is not None and when != NONE and abs(row.happened_at - when) <= _GAP
            key = names.name(loose) if near and names.name(loose).startswith("t") else f"t{row.num}"
        loose = names.number(key)
        when = NONE if row.happened_at is None else row.happened_at
        numbers.append(loose)
    return numbers
