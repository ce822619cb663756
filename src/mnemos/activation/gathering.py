"""What a context is put together from: stored blocks, those that are read on the way, and beginnings read before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mnemos.activation.blocks import Block, read_block
from mnemos.activation.contexts import Contexts
from mnemos.activation.models import Decoder, Layers
from mnemos.activation.reading import read_blocks
from mnemos.activation.shelf import Shelf, TooLarge
from mnemos.errors import InvalidInput, NotFound
from mnemos.records import Memory
from mnemos.store.artifact_rows import Artifact

NO_ROOM = "the quota leaves no room for it"
GONE = "it went or changed while it was read"


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A memory and the tokens that are read of it."""

    memory: Memory
    ids: Tensor


@dataclass(slots=True)
class Gathered:
    """The parts of a context, in their order."""

    parts: list[Layers] = field(default_factory=list)
    exact: int = 0
    """Tokens at the beginning that have seen all that comes before them."""
    lossless: int = 0
    """Tokens at the beginning that are as the model made them, too."""
    encoded: list[str] = field(default_factory=list)
    """Ids of the memories that were read on the way."""
    used: list[Artifact] = field(default_factory=list)


@dataclass(slots=True)
class Gatherer:
    """Gathers what one model has read.

    The blocks of openings are held in memory: a few tokens, read once for as long as the model stays as it is.
    """

    decoder: Decoder
    _openings: dict[tuple[str, tuple[int, ...]], Block] = field(default_factory=dict)
    _contexts: dict[str, Contexts] = field(default_factory=dict)

    def gather(self, shelf: Shelf, lines: Sequence[Line], after: tuple[int, ...], *, encode: bool) -> Gathered:
        """The parts of a context of these lines after an opening.

        Args:
            shelf: where blocks are kept.
            lines: in their order.
            after: token ids of the opening.
            encode: whether lines without a block are read now; else they are refused.
        """
        made = Gathered()
        ids = torch.cat([torch.tensor(after, dtype=torch.int64), *(line.ids for line in lines)])
        certain = len(after) + (len(lines[0].ids) if lines else 0)
        contexts = self._contexts.setdefault(shelf.fingerprint.digest, Contexts())
        begun = contexts.beginning(shelf, ids, certain + 1) if len(lines) > 1 else None
        if begun is None:
            if after:
                made.parts.append(self._opening(shelf, after).layers)
            made.exact, made.lossless = certain, certain if shelf.storage == "full" else len(after)
        else:
            made.parts.append(begun.layers)
            made.used.append(begun.artifact)
            made.exact = made.lossless = begun.length
        place, left = len(after), []
        for line in lines:
            end = place + len(line.ids)
            if begun is None or end > begun.length:
                left.append((line, 0 if begun is None else max(0, begun.length - place)))
            place = end
        blocks = self._blocks(shelf, [line for line, _ in left], after, made, encode=encode)
        made.parts += [_from(block.layers, cut) for block, (_, cut) in zip(blocks, left, strict=True)]
        return made

    def read(self, shelf: Shelf, lines: Sequence[Line], after: tuple[int, ...]) -> Iterator[tuple[Line, Block, str]]:
        """Read lines and store their blocks, the shorter ones first.

        Yields:
            Each line, its block, and why it could not be stored: `NO_ROOM`, `GONE`, or nothing where it was.
        """
        for row, block in read_blocks(self.decoder, shelf.fingerprint, [line.ids for line in lines], after):
            why = ""
            try:
                kept = shelf.keep(block, [lines[row].memory])
                # what is smaller on disk is to be the same now as later
                block = block if shelf.storage == "full" else shelf.open(kept, block.ids, after) or block
            except TooLarge:
                why = NO_ROOM
            except (NotFound, InvalidInput):
                why = GONE
            yield lines[row], block, why

    def _blocks(
        self, shelf: Shelf, lines: Sequence[Line], after: tuple[int, ...], made: Gathered, *, encode: bool
    ) -> list[Block]:
        """The block of each line."""
        stored = shelf.blocks([line.memory.id for line in lines], after)
        found: dict[str, Block] = {}
        for line in lines:
            artifact = stored.get(line.memory.id)
            block = None if artifact is None else shelf.open(artifact, line.ids, after)
            if artifact is not None and block is not None:
                found[line.memory.id] = block
                made.used.append(artifact)
        missing = [line for line in lines if line.memory.id not in found]
        if missing and not encode:
            raise shelf.refusal(missing[0].memory.id)
        for line, block, why in self.read(shelf, missing, after):
            if why == GONE:
                raise NotFound("hits", line.memory.id)
            found[line.memory.id] = block
            made.encoded.append(line.memory.id)
        return [found[line.memory.id] for line in lines]

    def _opening(self, shelf: Shelf, after: tuple[int, ...]) -> Block:
        key = shelf.fingerprint.digest, after
        if key not in self._openings:
            self._openings[key] = read_block(self.decoder, shelf.fingerprint, torch.tensor(after))
        return self._openings[key]


def _from(layers: Layers, start: int) -> Layers:
    """Layers without their first tokens."""
    return [(keys[:, start:], values[:, start:]) for keys, values in layers] if start else layers
