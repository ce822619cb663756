"""Memories that a model has read once are kept as keys and values, and put back without being read again.

    kv = KVMemory(memory, model, tokenizer)
    kv.encode(ids)
    cache = kv.assemble(hits)
    out = model.generate(**tokenizer(question, return_tensors="pt"), past_key_values=cache)

Every block is read after the same opening (the model's first token, and the line that says that what follows is
quoted), which serves as attention sink (Xiao et al. 2023, "Efficient Streaming Language Models with Attention Sinks")
and stands first in every context.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Unpack

import torch
from torch import Tensor
from transformers import PreTrainedModel

from mnemos.activation.assembled import Assembled, Place
from mnemos.activation.blocks import Block
from mnemos.activation.fingerprint import Fingerprint, fingerprint_of
from mnemos.activation.gathering import NO_ROOM, Gatherer, Line
from mnemos.activation.joining import Wish, join
from mnemos.activation.models import Decoder
from mnemos.activation.quantising import Storage
from mnemos.activation.shelf import CONTEXT, Shelf, System, TooLarge, read_quota, read_storage
from mnemos.activation.texts import Order, Texts
from mnemos.arguments import Where, read_count
from mnemos.errors import InvalidInput, NotFound
from mnemos.records import Hit, Memory
from mnemos.rendering import OPENING_LINE


@dataclass(frozen=True, slots=True)
class Encoded:
    """What `encode` did."""

    made: tuple[str, ...]
    """Ids of the memories that were read and stored."""
    fresh: tuple[str, ...]
    """Ids of those that had a block already."""
    left: Mapping[str, str] = field(default_factory=dict)
    """Ids of those that have no block now, and why."""
    evicted: tuple[str, ...] = ()
    """Ids of the artifacts that went to make room."""
    tokens: int = 0
    """That were read."""
    bytes: int = 0
    """That were stored."""
    seconds: float = 0.0
    """That reading took, without storing."""


class KVMemory:
    """The memories of a store as one model's keys and values.

    Args:
        memory: the store; blocks are kept beside it, and go with their memories.
        model: a causal model of `transformers` with rotary positions; it is left as it is.
        tokenizer: the model's own.
        storage: `full`: as the model made them; `int8`, `int4`: smaller, with an error (see `quantising`).
        quota: bytes that stored blocks may take, those of other models included; what saves least goes first, and
            never what is being used.
        opening: what stands before the memories, after the model's first token.

    Raises:
        InvalidInput: the model cannot be read from or moved in, or the tokenizer is another model's.
    """

    def __init__(
        self,
        memory: System,
        model: PreTrainedModel,
        tokenizer: Any,
        *,
        storage: Storage = "full",
        quota: int | None = None,
        opening: str = OPENING_LINE,
    ) -> None:
        rows = int(model.get_input_embeddings().num_embeddings)  # type: ignore[arg-type]
        if len(tokenizer) > rows:
            problem = f"it knows {len(tokenizer)} tokens, the model {rows}"
            raise InvalidInput("tokenizer", problem, "give the model's own tokenizer")
        self._memory = memory
        self._gatherer = Gatherer(Decoder(model))
        self._texts = Texts(memory, tokenizer, opening)
        self._storage = read_storage(storage)
        self._quota = read_quota(quota)

    @property
    def fingerprint(self) -> Fingerprint:
        """What the model is at this moment."""
        return fingerprint_of(self._gatherer.decoder.model, self._texts.tokenizer)

    @cached_property
    def token_bytes(self) -> int:
        """What the keys and values of one token take in a cache, at most."""
        read = self._gatherer.decoder.read(torch.tensor([0]))
        return sum(one.numel() * one.element_size() for pair in read for one in pair)

    def encode(
        self, ids: Sequence[Hit | Memory | str] | None = None, *, sinks: int = 4, **where: Unpack[Where]
    ) -> Encoded:
        """Read memories that have no block yet, several at once, and store their blocks.

        Args:
            ids: which; None: all that `memory.list(**where)` tells.
            sinks: as in `assemble`.
            where: keywords of `memory.list`, in place of ids.

        Raises:
            NotFound: an id is unknown.
        """
        if ids is not None and where:
            raise InvalidInput("ids", "are given together with where", "give one of the two")
        shelf, after = self._shelf(), self._texts.opening(sinks)
        lines = self._lines(self._texts.listed(where) if ids is None else self._texts.found(ids))
        left = {memory.id: "it says nothing" for memory in lines.silent}
        stored = shelf.blocks([line.memory.id for line in lines.said], after)
        missing = [line for line in lines.said if not shelf.is_fresh(stored.get(line.memory.id), line.ids, after)]
        made, tokens, seconds = [], 0, 0.0
        for line, block, why in self._gatherer.read(shelf, missing, after):
            tokens, seconds = tokens + len(block), seconds + block.seconds
            if why:
                left[line.memory.id] = why
            else:
                made.append(line.memory.id)
            if why == NO_ROOM:
                break
        wanted = {line.memory.id for line in missing}
        left |= dict.fromkeys(wanted - left.keys() - set(made), NO_ROOM)
        fresh = tuple(line.memory.id for line in lines.said if line.memory.id not in wanted)
        return Encoded(tuple(made), fresh, left, tuple(shelf.evicted), tokens, shelf.stored, seconds)

    def assemble(
        self,
        hits: Sequence[Hit | Memory | str],
        sinks: int = 4,
        repair: float = 0.15,
        *,
        following: int = 0,
        order: Order = "reading",
        encode: bool = True,
        keep: bool = True,
        count: bool = True,
    ) -> Assembled:
        """A cache that holds memories, each once, ready as `past_key_values`.

        Args:
            hits: hits, memories or ids.
            sinks: how many tokens have to stand first, at least; the opening is one line, and stays whole. 0: none.
            repair: the share of the later blocks' (token, layer) pairs that may be read again, 0 to 1: 0 leaves the
                blocks as they were read, 1 makes the whole what reading it at once makes.
            following: tokens of the question; matters only where frequencies depend on the length of the whole.
            order: `reading`: in the order in which the memories came to be known; `given`: as given.
            encode: whether memories without a block are read on the way; else they are refused.
            count: whether this is a use of every block in it; else whoever asks counts what was of use.
            keep: whether a whole that was repaired entirely is stored, so that it need not be again.

        Raises:
            NotFound: an id is unknown.
            BlockRefused: a memory has a block of another model only, and `encode` is False; each difference is named.
            InvalidInput: a memory has no block, and `encode` is False; or an argument cannot be accepted.
        """
        begun = time.perf_counter()
        if isinstance(repair, bool) or not isinstance(repair, int | float) or not 0 <= repair <= 1:
            raise InvalidInput("repair", f"{repair!r} is not a share", "give a number from 0 to 1")
        following = read_count(following, "following", 0)
        shelf, after = self._shelf(), self._texts.opening(sinks)
        lines = self._lines(self._texts.ordered(self._texts.found(hits), order)).said
        ids = torch.cat([torch.tensor(after, dtype=torch.int64), *(line.ids for line in lines)])
        gathered = self._gatherer.gather(shelf, lines, after, encode=encode)
        wish = Wish(float(repair), gathered.exact, gathered.lossless, following, keep and len(lines) > 1)
        joined = join(self._gatherer.decoder, gathered.parts, ids, wish)
        if joined.whole is not None:
            whole = Block(ids, joined.whole, shelf.fingerprint, (), time.perf_counter() - begun)
            self._keep_whole(shelf, whole, [line.memory for line in lines])
        if count:
            shelf.used(gathered.used)
        cache = Assembled(self._gatherer.decoder.config, joined.layers, ids, before=joined.before)
        cache.places = _places(lines, len(after))
        cache.cost, cache.exact, cache.encoded = joined.cost, joined.exact, tuple(gathered.encoded)
        cache.seconds = time.perf_counter() - begun
        return cache

    def inputs(self, cache: Assembled, question: str | Sequence[str] | Tensor) -> dict[str, Tensor]:
        """What is given beside a cache, as in `model.generate(**kv.inputs(cache, question), past_key_values=cache)`.

        Needed where several questions are asked at once, where the model is called by itself, and where its
        frequencies change with the length; right everywhere. A first token is not put before the question again.
        """
        if isinstance(question, Tensor):
            texts = question.reshape(1, -1).tolist() if question.dim() < 2 else question.tolist()
        else:
            texts = [self._texts.ids_of(one) for one in ([question] if isinstance(question, str) else question)]
        return cache.following(texts, self._gatherer.decoder.device)

    def _shelf(self) -> Shelf:
        return Shelf(self._memory.artifacts, self.fingerprint, self._storage, self._quota)

    def _lines(self, memories: Sequence[Memory]) -> _Lines:
        lines = [Line(memory, self._texts.of(memory)) for memory in memories]
        return _Lines([line for line in lines if len(line.ids)], [line.memory for line in lines if not len(line.ids)])

    def _keep_whole(self, shelf: Shelf, whole: Block, memories: Sequence[Memory]) -> None:
        """Store a context that is exact, if there is room, and its memories are of one namespace and still the same."""
        if len({memory.namespace for memory in memories}) > 1:
            return
        try:
            shelf.keep(whole, memories, recipe=CONTEXT)
        except (TooLarge, NotFound, InvalidInput):
            return


@dataclass(frozen=True, slots=True)
class _Lines:
    """Memories that say something, and those that say nothing."""

    said: list[Line]
    silent: list[Memory]


def _places(lines: Sequence[Line], start: int) -> tuple[Place, ...]:
    places = []
    for line in lines:
        places.append(Place(line.memory.id, start, start + len(line.ids)))
        start += len(line.ids)
    return tuple(places)
