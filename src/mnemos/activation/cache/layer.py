"""One layer of a cache: it holds what its policy leaves of the tokens that were read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import CacheLayerMixin

from mnemos.activation.cache.budgets import Budget, Spread, best
from mnemos.activation.cache.held import NOWHERE, Held, Storing
from mnemos.activation.cache.looking import Asked, Seen, attention
from mnemos.activation.cache.noting import Noted, carrying, limited, merged
from mnemos.activation.cache.policy import Policy, Shown
from mnemos.activation.cache.stepping import step
from mnemos.activation.cache.turning import Turning
from mnemos.activation.rotation import Rotation
from mnemos.errors import InvalidInput

LAYER = "_mnemos_layer"
"""The attribute of the keys that a layer hands to the model, by which attention finds the layer again."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What all layers of a cache share, and what one layer of it is."""

    policy: Policy
    budget: Budget
    spread: Spread
    rotation: Rotation | None
    """Where the policy asks for it."""
    turning: Turning | None
    """Where the policy moves keys."""
    store: Storing
    layer: int
    layers: int
    window: int | None
    """How many tokens the layer looks back, itself included; None: all."""
    kind: str


class MemoryLayer(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """A layer that looks at what it holds, and then lets go of what its policy does not keep.

    Tokens are counted twice: `columns` counts what the batch has read, padding included, as the library does; `seen`
    counts the tokens of each row, from which budgets, windows and positions are taken.
    """

    is_compileable = False
    is_croppable = False
    supports_early_init = False

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.is_sliding = rules.window is not None
        self.reset()

    def reset(self) -> None:
        """Hold nothing, as at first."""
        self.held: Held | None = None
        self.columns = 0
        self.seen = torch.zeros(0, dtype=torch.int64)
        self.rows = torch.zeros(0, dtype=torch.int64)
        self.is_initialized = False
        self._waiting: tuple[Tensor, Tensor] | None = None
        self.ids: Tensor | None = None

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Take shape, type and device from the first keys and values."""
        rows, heads = key_states.shape[:2]
        held = self.nothing(rows, heads, key_states.flatten(0, 2)[:0], value_states.flatten(0, 2)[:0])
        self.resumed(held, 0, torch.zeros(rows, dtype=torch.int64), torch.arange(rows))

    def nothing(self, rows: int, heads: int, keys: Tensor, values: Tensor) -> Held:
        """No tokens, in the way in which this layer keeps them.

        Args:
            rows: of the batch.
            heads: that have keys and values.
            keys: of no token, [0, dimensions], of the type and on the device of the model.
            values: the same of values.
        """
        store, layer = self.rules.store, self.rules.layer
        kept = store(keys.clone(), "keys", layer), store(values.clone(), "values", layer)
        return Held.nothing(rows, heads, *kept, self.rules.policy.marks)

    def resumed(self, held: Held, columns: int, seen: Tensor, rows: Tensor) -> None:
        """Go on from where another layer stood: see the attributes of these names."""
        self.held, self.columns, self.seen, self.rows = held, columns, seen, rows
        self.is_initialized = True

    def more(self) -> dict[str, Tensor]:
        """What is to be saved besides what is held, by name."""
        return {}

    def with_more(self, tensors: Mapping[str, Tensor], rows: int, like: Tensor) -> Callable[[], None]:
        """Read what `more` told; what is returned has the layer go on from it, once it was resumed.

        Args:
            tensors: by name, on the CPU.
            rows: of the batch.
            like: any tensor of the type and on the device of the model's keys.

        Raises:
            KeyError, ValueError: they do not belong together.
        """
        return lambda: None

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Hand keys and values on to attention, which brings them back with their queries (see `attend`).

        Raises:
            InvalidInput: the last ones never came back.
        """
        if self._waiting is not None:
            problem = "does not hand the cache's keys to the attention function as it got them"
            raise InvalidInput("model", problem, "use a model with plain rotary or absolute attention")
        self._waiting = key_states, value_states
        setattr(key_states, LAYER, self)
        return key_states, value_states

    def forgo(self) -> None:
        """Forget the keys and values that were handed on, so that the same text can be read again."""
        self._waiting = None

    @torch.no_grad()
    def _arrive(self, asked: Asked) -> tuple[Held, Tensor]:
        """Take in the tokens that were handed on; returns what is held with them, and their positions."""
        assert self._waiting is not None
        (keys, values), self._waiting = self._waiting, None
        if not self.is_initialized:
            self.lazy_initialization(keys, values)
        rows, new = len(keys), keys.shape[-2]
        if rows != len(self.seen):
            self._widen(rows)
        at = self.seen[:, None] + torch.arange(new)
        if asked.real is not None:
            real = asked.real.cpu()
            at = torch.where(real, self.seen[:, None] + real.cumsum(1) - 1, NOWHERE)
        self.seen = self.seen + (new if asked.real is None else (at != NOWHERE).sum(1))
        self.columns += new
        assert self.held is not None
        held = self.held.added(keys, values, at, self.rules.policy.marks, full=asked.real is None)
        return (carrying(held, self.ids, at, self.rules.policy) if self.rules.policy.tokens else held), at

    def attend(self, asked: Asked) -> Tensor:
        """What the queries find among all that is held, [rows, query heads, queries, dimensions].

        Afterwards the layer holds what its policy keeps.
        """
        held, at = self._arrive(asked)
        there = at.to(asked.query.device)
        rules, positions = self.rules, held.shaped(held.positions, NOWHERE)
        only = limited(rules.policy, held, there) if rules.policy.tokens else None
        noted = Noted(rules.policy, rules.layer, rules.window, held, positions)
        if only is None and asked.is_step:
            wanted = noted if rules.policy.steps and rules.policy.looks != 0 else None
            found = step(asked, there, held, self._moved(held, positions, there), wanted)
        else:
            is_whole = held.is_even and only is None and (asked.real is None or bool((at != NOWHERE).all()))
            keys, values = self._placed(held, positions, there), held.shaped(held.values.read())
            seen = Seen(keys, values, positions, there, rules.window, is_whole, only)
            found = attention(asked, seen, rules.policy.looks, noted, steps=rules.policy.steps)
        with torch.no_grad():
            self.held = self._left(asked, self._within(noted.held), at).settled()
        return found

    @property
    def keys(self) -> Tensor | None:  # type: ignore[override]
        """What is held, turned to its places, [rows, heads, held, dimensions]; 0 where a head holds fewer."""
        return None if self.held is None else self.held.shaped(self.held.keys.read())

    @property
    def values(self) -> Tensor | None:  # type: ignore[override]
        """What is held, [rows, heads, held, dimensions]; 0 where a head holds fewer."""
        return None if self.held is None else self.held.shaped(self.held.values.read())

    @property
    def tensors(self) -> list[Tensor]:
        """All that takes bytes."""
        return [] if self.held is None else [*self.held.tensors, self.seen, self.rows]

    @property
    def kept(self) -> list[list[list[int]]]:
        """The positions that are held, by row and head."""
        if self.held is None:
            return []
        parts = torch.split(self.held.positions.cpu(), self.held.counts.flatten().tolist())
        heads = self.held.counts.shape[1]
        return [[part.tolist() for part in parts[at : at + heads]] for at in range(0, len(parts), heads)]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """For how many tokens, and from which on, the library would make a mask."""
        return self.columns + query_length, 0

    def get_seq_length(self) -> int:
        """Tokens that were read, padding included, held or not: the library counts places from it."""
        return self.columns

    def get_max_length(self) -> int:
        """No maximum."""
        return -1

    def crop(self, tokens_to_remove: int) -> None:
        """Refuse to take back tokens: what went to make room for them is gone.

        Raises:
            InvalidInput: always, unless there is nothing to remove.
        """
        if tokens_to_remove:
            problem = "cannot be cut back: what its policy dropped since is gone"
            raise InvalidInput("past_key_values", problem, "generate without assistant, prompt lookup or contrast")

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Let every row go on from another one."""
        self.batch_select_indices(beam_idx)

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep some rows, in this order; indices or a mask over rows."""
        if self.held is not None:
            rows = torch.arange(len(self.seen))[indices.cpu()]
            self.held, self.seen, self.rows = self.held.picked(rows), self.seen[rows], self.rows[rows]

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Have every row so many times, its copies one after another."""
        self.batch_select_indices(torch.arange(len(self.seen)).repeat_interleave(repeats))

    def _widen(self, rows: int) -> None:
        """Share what is held by few rows between many, where one conversation goes on in several ways."""
        if not len(self.seen) or rows % len(self.seen):
            problem = f"holds {len(self.seen)} rows, and is given {rows}"
            raise InvalidInput("past_key_values", problem, "go on with the batch that it has read")
        self.batch_repeat_interleave(rows // len(self.seen))

    def _placed(self, held: Held, positions: Tensor, at: Tensor) -> Tensor:
        """Keys where the policy wants them to stand, [rows, heads, held, dimensions]."""
        moved = self._moved(held, positions, at)
        keys = held.keys.read()
        return held.shaped(keys if moved is None else keys.index_copy(0, *moved))

    def _moved(self, held: Held, positions: Tensor, at: Tensor) -> tuple[Tensor, Tensor] | None:
        """The keys that the policy wants to stand elsewhere: where they are told in what is flat, and turned."""
        places = self.rules.policy.places(positions, at)
        if places is None:
            return None
        if self.rules.turning is None:
            raise InvalidInput("policy", "moves keys, and does not say so", "set its `moves`")
        wanted = held.flat(places)
        index = (held.positions != wanted).nonzero()[:, 0]
        old, new = held.positions[index], wanted[index]
        return index, self.rules.turning.moved(held.keys.taken(index, old).read(), old, new, self.rules.kind)

    def _within(self, held: Held) -> Held:
        """What is still in the layer's window when the next token comes."""
        if self.rules.window is None or int(self.seen.max()) < self.rules.window:
            return held
        behind = self.seen.to(held.positions.device)[:, None, None] - self.rules.window
        gone = held.shaped(held.positions, NOWHERE) <= behind
        return best(held, torch.zeros_like(gone, dtype=torch.float32).masked_fill_(gone, -math.inf), held.counts)

    def _left(self, asked: Asked, held: Held, at: Tensor) -> Held:
        """What stays of what is held."""
        policy, spread = self.rules.policy, self.rules.spread
        room = spread.rooms(self.rules.budget.room(self.seen), self.seen, self.rules.layer, self.rules.layers)
        shown = self._shown(asked, held, at, room)
        due = policy.due(shown)
        if not policy.prunes:
            due = due & (held.counts > room[:, None]).any(1)
        if not bool(due.any()):
            return held
        scores = policy.scores(shown).float()
        if not bool(due.all()):
            scores = scores.masked_fill(~due.to(scores.device)[:, None, None], 0)
        counts = spread.counts(scores if held.is_even else shown.only(scores), room, held.counts)
        left = best(held, scores, torch.where(due[:, None], counts, held.counts))
        return merged(policy, shown, held, left) if policy.merges and left is not held else left

    def _shown(self, asked: Asked, held: Held, at: Tensor, room: Tensor) -> Shown:
        rules = self.rules
        return Shown(
            layer=rules.layer,
            layers=rules.layers,
            held=held,
            seen=self.seen,
            new=(at != NOWHERE).sum(1),
            rows=self.rows,
            room=torch.minimum(held.counts, room[:, None]),
            window=rules.window,
            queries=asked.query if rules.policy.queries else None,
            at=at.to(asked.query.device),
            places=asked.places,
            rotation=rules.rotation,
            kind=rules.kind,
            scaling=asked.scaling,
        )
