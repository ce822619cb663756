"""A policy: what a layer keeps when it may not keep all.

A policy is a pure function of what a layer shows. It scores the tokens that each head holds; the highest stay, as many
as there is room for. What it has to remember of a token it has that token carry as a number (a mark), so that it goes
where the token goes: into the cache, out of it, and with a beam.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from mnemos.activation.cache.held import Held
from mnemos.activation.rotation import Rotation
from mnemos.errors import InvalidInput


@dataclass(frozen=True)
class Look:
    """How some of the tokens that were just read looked at what is held, before any of it goes."""

    layer: int
    weights: Tensor
    """Attention weights, the mean over the query heads that share a head, [rows, heads, queries, held], float32; each
    query's add up to 1. All are 0 for padding."""
    at: Tensor
    """The position of each query in its row, [rows, queries], ascending; -1: padding, or a row with fewer."""
    positions: Tensor
    """Of what is held, [rows, heads, held]; -1 where a head holds fewer than another."""
    marks: Mapping[str, Tensor]
    """What each token carries, by name, [rows, heads, held]."""
    first: bool
    """Whether these are the first ones of a reading, of which several looks may be shown."""
    window: int | None
    """How far the layer looks back; None: over all."""


@dataclass(frozen=True)
class Shown:
    """What a layer shows after it has read some tokens, before any token goes."""

    layer: int
    """Its number, from 0."""
    layers: int
    """How many there are."""
    held: Held
    """What it holds, the new tokens included."""
    seen: Tensor
    """Tokens that each row has read, padding not counted, [rows], on the CPU."""
    new: Tensor
    """How many of them were read just now, [rows], on the CPU."""
    rows: Tensor
    """Which row of the first reading each row comes from: rows are reordered and repeated by beams, [rows], on the
    CPU."""
    room: Tensor
    """How many tokens each head may keep, [rows, heads], on the CPU."""
    window: int | None
    """How far the layer looks back; None: over all."""
    queries: Tensor | None
    """The queries of the new tokens, turned to their places, [rows, query heads, new, dimensions]; None where the
    policy does not ask for them."""
    at: Tensor
    """The position of each of these in its row, [rows, new]; -1: padding."""
    places: Tensor | None
    """The rotary place of each of these, as the model counts them, [rows, new]; None where the model does not say."""
    rotation: Rotation | None
    """The model's rotary positions, where the policy asks for them."""
    kind: str
    """The kind of attention layer: some models turn them differently."""
    scaling: float
    """By which the model multiplies the products of queries and keys before their softmax."""

    @cached_property
    def prefill(self) -> Tensor:
        """Whether a row has read a text now, not one token that it made itself, [rows], on the CPU."""
        return (self.new > 1) | (self.new == self.seen)

    @cached_property
    def keys(self) -> Tensor:
        """Turned to their places, [rows, heads, held, dimensions]; 0 where there is no token."""
        return self.held.shaped(self.held.keys.read())

    @cached_property
    def values(self) -> Tensor:
        """[rows, heads, held, dimensions]; 0 where there is no token."""
        return self.held.shaped(self.held.values.read())

    @cached_property
    def positions(self) -> Tensor:
        """Which token of its row each is, [rows, heads, held], ascending; -1 where there is no token (at the end)."""
        return self.held.shaped(self.held.positions, -1)

    def only(self, scores: Tensor) -> Tensor:
        """Scores with minus infinity where there is no token."""
        return scores.masked_fill(self.positions < 0, -torch.inf)

    def mark(self, name: str) -> Tensor:
        """What each token carries under a name, [rows, heads, held]; 0 where there is no token."""
        return self.held.shaped(self.held.marks[name])

    def age(self) -> Tensor:
        """How many tokens of its row came after each, [rows, heads, held]: 0 for the newest."""
        return self.seen.to(self.positions.device)[:, None, None] - 1 - self.positions

    def latest(self, count: int | Tensor) -> Tensor:
        """Which tokens are among the last of their row, [rows, heads, held].

        Args:
            count: how many; or of each head, [rows, heads].
        """
        wide = count[..., None].to(self.positions.device) if isinstance(count, Tensor) else count
        return (self.age() < wide) & (self.positions >= 0)


@dataclass(frozen=True)
class Arrived:
    """What a layer holds when tokens have come, before anything looks at it."""

    positions: Tensor
    """Of what is held, [rows, heads, held]; -1 where there is no token."""
    at: Tensor
    """The position of each new token, [rows, new]; -1: padding."""
    marks: Mapping[str, Tensor]
    """What each token carries, by name, [rows, heads, held]."""


class Policy:
    """Base of all policies: each overrides what it needs. As it stands it keeps what came last.

    `scores` says what stays; `due` when something goes; `looks` how much attention it has to see for that, which `look`
    notes in marks.
    """

    name: ClassVar[str] = ""
    """By which it is chosen, as in `MemoryCache(model, policy=NAME)`."""
    looks: int | None = 0
    """Of how many of the last queries of every reading it has to see the attention weights; 0: of none, and layers may
    use a faster attention; None: of all."""
    steps: bool = True
    """Whether it has to see weights also where a single token was read; else layers may use a faster attention then."""
    queries: bool = False
    """Whether it has to see the queries."""
    rotates: bool = False
    """Whether it has to know how the model turns its keys; models that do not turn them are refused."""
    moves: bool = False
    """Whether it has keys stand elsewhere than where they were read (see `places`)."""
    prunes: bool = False
    """Whether it lets tokens go though there is room; else it is asked only where there is too little."""
    marks: Mapping[str, float] = {}
    """The numbers that it has every token carry, by name, and with which it comes; float32."""

    tokens: bool = False
    """Whether it has to know which tokens come: they carry their number in the vocabulary as the mark "token"."""
    merges: bool = False
    """Whether what goes changes the values of what stays (see `merged`)."""

    def arrive(self, arrived: Arrived) -> Mapping[str, Tensor]:
        """Note which tokens came, if it has `tokens`; returns the marks that change, each [rows, heads, held]."""
        return {}

    def allowed(self, arrived: Arrived) -> Tensor | None:
        """To what of its past each new token is limited, [rows, heads, new, held], if the policy has `tokens`.

        It is asked for some of the new tokens at a time, those of `arrived.at`. None, for all or for none of them: to
        nothing less.
        """
        return None

    def merged(self, shown: Shown, stays: Tensor) -> tuple[Tensor, Tensor]:
        """What takes in some of what goes: where it is told in what is flat, [changed], and its values then, [changed,
        dimensions].

        Args:
            shown: what is held, what goes included.
            stays: which tokens stay, [rows, heads, held].
        """
        nothing = shown.held.counts.new_empty(0, device=shown.positions.device)
        return nothing, shown.held.values.taken(nothing, nothing).read()

    def look(self, look: Look) -> Mapping[str, Tensor]:
        """Note what some queries looked at.

        A long reading comes in several parts, in order; what is noted may not depend on how it is parted.

        Returns:
            The marks that change, each [rows, heads, held].
        """
        return {}

    def due(self, shown: Shown) -> Tensor:
        """From which rows tokens may go now, [rows], bool, on the CPU: from all, at prefill and at every step.

        `shown.prefill` is the answer of a policy that works at prefill only.
        """
        return torch.ones_like(shown.prefill)

    def scores(self, shown: Shown) -> Tensor:
        """How much each token is worth, [rows, heads, held].

        The highest stay, up to `shown.room`; of equal ones the later. Infinity: it stays before all others;
        minus infinity: it goes though there is room.
        """
        return shown.positions.float()

    def places(self, positions: Tensor, at: Tensor) -> Tensor | None:
        """At which places keys stand when queries look at them, [rows, heads, held]; None: where they were read.

        Only how far keys are from queries counts, so that queries stay where they are.

        Args:
            positions: of what is held, [rows, heads, held]; -1 where there is no token.
            at: the position of each query, [rows, queries]; -1: padding.
        """
        return None

    def __repr__(self) -> str:
        """What it is and how it is set."""
        settings = ", ".join(f"{name.strip('_')}={value!r}" for name, value in sorted(vars(self).items()))
        return f"{type(self).__qualname__}({settings})"


POLICIES: dict[str, Callable[..., Policy]] = {}
"""Every policy by its name."""


def registered(policy: type[Policy]) -> type[Policy]:
    """Make a policy known by its name; a decorator."""
    POLICIES[policy.name] = policy
    return policy


def read_policy(given: object) -> Policy:
    """A policy that was given by name or as it is.

    Raises:
        InvalidInput: it is neither.
    """
    if isinstance(given, Policy):
        return given
    if isinstance(given, str) and given in POLICIES:
        return POLICIES[given]()
    raise InvalidInput("policy", f"{given!r} is not known", f"give a Policy, or one of {', '.join(sorted(POLICIES))}")
