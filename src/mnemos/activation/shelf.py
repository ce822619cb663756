"""Where a model's blocks are kept between readings: artifacts of the store, within a quota of bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol, Unpack

from torch import Tensor

from mnemos.activation.blocks import Block, BlockDamaged, BlockRefused
from mnemos.activation.eviction import least_valuable
from mnemos.activation.files import described, load, save
from mnemos.activation.fingerprint import Fingerprint, differences
from mnemos.activation.quantising import STORAGES, Storage
from mnemos.arguments import Where
from mnemos.errors import InvalidInput, NotFound, StoreError
from mnemos.records import Memory, Page
from mnemos.store.artifact_rows import Artifact, block_recipe, bytes_of, is_block
from mnemos.store.artifacts import Artifacts

CONTEXT = block_recipe("context")
"""The recipe of a whole context that was read exactly."""


class System(Protocol):
    """What is needed of `Mnemos`."""

    @property
    def artifacts(self) -> Artifacts:
        """What was made of memories."""
        ...

    def get(self, id: str) -> Memory | None:
        """The memory of an id, or None."""
        ...

    def list(
        self, *, limit: int = 100, offset: int = 0, after: str | None = None, **where: Unpack[Where]
    ) -> Page[Memory]:
        """Memories in reading order."""
        ...


class TooLarge(Exception):
    """Something does not fit into the quota, whatever else goes."""


@dataclass(slots=True)
class Shelf:
    """The blocks of one model, as they are stored."""

    artifacts: Artifacts
    fingerprint: Fingerprint
    storage: Storage
    quota: int | None
    """Bytes that blocks of all models may take together; None: as many as there is room for."""
    held: set[str] = field(default_factory=set)
    """Ids of artifacts that are in use, and stay."""
    evicted: list[str] = field(default_factory=list)
    """Ids of artifacts that went to make room."""
    stored: int = 0
    """Bytes that were stored."""

    @property
    def recipe(self) -> str:
        """What makes a block here."""
        return block_recipe(self.storage)

    def blocks(self, ids: Sequence[str], after: tuple[int, ...]) -> dict[str, Artifact]:
        """The block of each memory that has one for this model and this opening."""
        mark = opening_mark(after)
        found = self.artifacts.find(
            form="activation", recipe=self.recipe, fingerprint=self.fingerprint.digest, holding=ids
        )
        # the latest of each memory stands first
        return {one.sources[0]: one for one in reversed(found) if one.metadata.get("opening") == mark}

    def is_fresh(self, artifact: Artifact | None, ids: Tensor, after: tuple[int, ...]) -> bool:
        """Whether a block need not be made again; one that may be out of date is looked into."""
        if artifact is None:
            return False
        if artifact.state == "fresh" and artifact.metadata.get("tokens") == len(ids):
            self.held.add(artifact.id)
            return True
        return self.open(artifact, ids, after) is not None

    def open(self, artifact: Artifact, ids: Tensor | None = None, after: tuple[int, ...] | None = None) -> Block | None:
        """A stored block; None where it is gone, damaged, or of other words, and has to be made again."""
        try:
            block = load(self.artifacts.path(artifact), self.fingerprint, ids=ids, after=after)
        except (NotFound, StoreError, BlockDamaged, BlockRefused):
            self.artifacts.drop([artifact.id])
            return None
        if artifact.state == "stale":
            self.artifacts.mark([artifact.id], "fresh")
        self.held.add(artifact.id)
        return block

    def ids_of(self, artifact: Artifact) -> tuple[int, ...]:
        """The token ids of a stored block; its keys and values are not looked at. Empty where it cannot be read."""
        try:
            block = load(self.artifacts.path(artifact), self.fingerprint, check=False)
        except (NotFound, StoreError, BlockDamaged, BlockRefused):
            return ()
        return tuple(block.ids.tolist())

    def keep(self, block: Block, sources: Sequence[Memory], *, recipe: str | None = None) -> Artifact:
        """Store a block of some memories, and make room for it.

        Raises:
            TooLarge: it is larger than the quota leaves.
            InvalidInput: a memory has changed since it was read.
            NotFound: a memory is gone.
        """
        exact = recipe == CONTEXT
        with self.artifacts.scratch() as path:
            save(block, path, "full" if exact else self.storage)
            self._make_room(path.stat().st_size)
            kept = self.artifacts.keep(
                "activation",
                recipe or self.recipe,
                self.fingerprint.digest,
                sources,
                path,
                metadata={"tokens": len(block), "opening": opening_mark(block.after)},
                seconds=block.seconds,
            )
        self.held.add(kept.id)
        self.stored += kept.bytes
        return kept

    def contexts(self) -> dict[str, Artifact]:
        """The whole contexts that are stored for this model, by id; those that tell what is no longer so go."""
        found = self.artifacts.find(form="activation", recipe=CONTEXT, fingerprint=self.fingerprint.digest)
        stale = [one.id for one in found if one.state == "stale"]
        if stale:
            self.artifacts.drop(stale)
        return {one.id: one for one in found if one.state == "fresh"}

    def used(self, artifacts: Iterable[Artifact]) -> None:
        """Count a use of each."""
        self.artifacts.used([one.id for one in artifacts])

    def refusal(self, memory_id: str) -> InvalidInput:
        """Why a memory without a block cannot be read here: whose blocks it has, and what differs."""
        others = self.artifacts.find(form="activation", holding=[memory_id])
        for one in others:
            try:
                found, storage, _ = described(self.artifacts.path(one))
            except (NotFound, StoreError, BlockDamaged):
                continue
            different = differences(self.fingerprint, found)
            if not different and storage != self.storage:
                different = [f"storage: it was {storage}, is {self.storage}"]
            if different:
                return BlockRefused(different)
        return InvalidInput("hits", f"memory {memory_id} has no block", "encode it, or assemble with encode=True")

    def _make_room(self, size: int) -> None:
        if self.quota is None:
            return
        blocks = [one for one in self.artifacts.find(form="activation") if is_block(one)]
        over = bytes_of(blocks) + size - self.quota
        if over <= 0:
            return
        going = least_valuable(blocks, over, self.held) if size <= self.quota else None
        if going is None:
            raise TooLarge
        self.artifacts.drop([one.id for one in going])
        self.evicted.extend(one.id for one in going)


def read_storage(value: object) -> Storage:
    """A type in which blocks are stored.

    Raises:
        InvalidInput: it is none.
    """
    if value not in STORAGES:
        raise InvalidInput("storage", f"{str(value)[:40]!r} is not known", f"choose one of {', '.join(STORAGES)}")
    return value


def read_quota(value: object) -> int | None:
    """Bytes that blocks may take; None: as many as there is room for.

    Raises:
        InvalidInput: it is no number of bytes.
    """
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise InvalidInput("quota", f"{str(value)[:40]!r} is not a number of bytes", "give a whole number, or None")
    return value


def opening_mark(after: tuple[int, ...]) -> str:
    """Which opening a block was read after; no words of memories are in it."""
    return sha256(repr(after).encode()).hexdigest()[:16]
