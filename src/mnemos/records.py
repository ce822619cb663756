"""The words that the rest of Mnemos speaks: Memory, Hit, Page, Context, and the times and names in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar, get_args

Namespace = tuple[str, ...]
"""Whose memory it is: a non-empty tuple of non-empty strings, e.g. `("user", "ana")`."""

Kind = Literal["turn", "note", "document", "fact", "skill", "item", "episode", "theme", "profile"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LEVELS: tuple[Kind, ...] = ("episode", "theme", "profile")
"""Kinds that summarise others; `search` returns them only when they are named in `kinds`."""
LEAVES: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind not in LEVELS)

FormName = Literal["text", "activation", "parametric"]
FormState = Literal["fresh", "building", "stale", "wanted"]
FORM_STATES: tuple[FormState, ...] = get_args(FormState)
"""Best first."""

DEFAULT_NAMESPACE: Namespace = ("default",)

_MASK = re.compile(r"\[secret: ([^\]\n]{1,60})\]")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Memory:
    """One remembered thing. All times are aware UTC datetimes; `None` means unknown or open."""

    id: str
    namespace: Namespace
    kind: Kind
    text: str
    form: FormName = "text"
    speaker: str | None = None
    """Who said it, by name (`Ana`), where a name is known."""
    role: str | None = None
    """`user`, `assistant`, `system` or `tool`, as the message said."""
    session_id: str | None = None
    agent_id: str | None = None
    happened_at: datetime | None = None
    """When it was said or took place."""
    valid_at: datetime | None = None
    """Since when it is true in the world."""
    invalid_at: datetime | None = None
    """When it ceased to be true in the world."""
    created_at: datetime | None = None
    """When the store began to hold it."""
    updated_at: datetime | None = None
    """When its words or attributes last changed."""
    expired_at: datetime | None = None
    """When the store ceased to show it (superseded, or its time to live ran out)."""
    strength: float = 1.0
    uses: int = 0
    last_used_at: datetime | None = None
    trust: float = 1.0
    """How far its source is trusted, 0 to 1."""
    version: int = 1
    metadata: Mapping[str, Any] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    """Ids of the memories it was derived from."""
    key: str | None = None
    """For kind `item`: its key, unique in the namespace."""
    value: Any = None
    """For kind `item`: its JSON value."""
    recipe: str | None = None
    """For a derived memory: the name of what derived it."""
    is_new: bool = True
    """False where `add` found that this event is stored already."""
    resting: str | None = None
    """Why it is out of the index (`filler`, `repeat`, `forgotten`, …); None while search finds it."""
    pinned: bool = False
    """Whether it is kept whatever is forgotten."""
    salience: float | None = None
    """How likely it is to be asked for, 0 to 1, judged without a question; None until derivation has read it."""
    channel: str | None = None
    """What its words were written through (`rest`, `mcp`, `cli`, …); None where that is unknown, or it was derived."""
    writer: str | None = None
    """Who wrote them there, as the id of a key."""

    @property
    def masked(self) -> tuple[str, ...]:
        """Kinds of secrets that stand masked in its words, as in `[secret: AWS access key]`; each once, in order."""
        return tuple(dict.fromkeys(_MASK.findall(self.text)))


@dataclass(frozen=True, slots=True)
class Link:
    """A directed, typed edge between two memories, with a weight between 0 and 1."""

    source: str
    target: str
    relation: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Hit:
    """A memory that answers a query."""

    memory: Memory
    score: float
    """Calibrated probability, 0 to 1, of being relevant; comparable between queries and stores."""
    why: Mapping[str, float]
    """What each signal contributed, in logits; the values add up to the logit of `score`."""
    also: tuple[str, ...] = ()
    """Ids of memories that say the same and were folded into this one (a fact and its source)."""
    passage: tuple[int, int] | None = None
    """Where in a long text the best passage stands, as a character range; None for a short text."""


class Page(list[T], Generic[T]):
    """A list that knows how many more there are."""

    def __init__(
        self, items: Iterable[T] = (), *, total: int | None = None, offset: int = 0, end: str | None = None
    ) -> None:
        super().__init__(items)
        self.total = len(self) + offset if total is None else total
        self.offset = offset
        self.end = end
        """Where a page of `list` ends, for its `after`; None for other pages, and for one that is empty."""

    @property
    def more(self) -> int:
        """How many matching results come after this page."""
        return max(0, self.total - self.offset - len(self))


@dataclass(frozen=True, slots=True)
class ContextItem:
    """One line of a context: what it shows, and the memories that it cites (at most three)."""

    text: str
    memory_ids: tuple[str, ...]
    score: float
    happened_at: datetime | None = None
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """Text for a prompt, inside a token budget: dated, cited, in reading order. `str()` gives the text."""

    text: str
    tokens: int
    items: tuple[ContextItem, ...] = ()

    def __str__(self) -> str:
        return self.text

    def __bool__(self) -> bool:
        return bool(self.items)


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of a memory's history. `text` is None where the words have been deleted."""

    id: str
    op: str
    """`add`, `update`, `delete`, `link`, or what was decided: `rest`, `admit`, `merge`, `supersede`, `pin`, …"""
    at: datetime
    version: int
    text: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What else the entry says; for a decision, its reasons."""
    by: str | None = None
    """What decided, where it was a decision: a policy's name, or `user`."""
    decision: str | None = None
    """The id by which `undo` reverses it, where it was a decision."""
    undone: bool = False
    channel: str | None = None
    """What it was written through; None where that is unknown."""
    writer: str | None = None
    """Who wrote it there."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """What a delete did. `purge` is `pending` while another reader keeps old pages of the WAL alive."""

    ids: tuple[str, ...]
    purge: Literal["done", "pending"] = "done"


@dataclass(frozen=True, slots=True)
class Form:
    """A memory in one of its forms, for one model."""

    form: FormName
    state: FormState
    """`fresh`; `stale`: what it was made of is no longer as it was; `wanted`: not made yet; `building`: just now."""
    recipe: str | None = None
    """What made it, such as `kv-int8` or `lora`; None for text, and for what is not made yet."""
    model: str | None = None
    """The model that reads it: the first 12 digits of its fingerprint."""
    bytes: int = 0
    """That its file takes, or the text in UTF-8; an adapter's file is shared by all its sources."""
    seconds: float = 0.0
    """That it took to make."""
    uses: int = 0
    """How often it was read in this form; an adapter: how often it was put on."""
    artifact: str | None = None
    """The id of its artifact."""
    sources: tuple[str, ...] = ()
    """Ids of all memories that it was made of."""


@dataclass(frozen=True, slots=True)
class Forms:
    """A memory in all its forms: text first, which never leaves, then what was made of it, the latest first."""

    memory: str
    """Its id."""
    all: tuple[Form, ...]

    def of(self, form: FormName) -> tuple[Form, ...]:
        """Those of one form."""
        return tuple(one for one in self.all if one.form == form)

    def state(self, form: FormName) -> FormState | None:
        """The best state that it has in a form; None where it is neither there in it nor wanted in it."""
        found = {one.state for one in self.of(form)}
        return next((state for state in FORM_STATES if state in found), None)


@dataclass(frozen=True, slots=True)
class Move:
    """One step between forms: which memories, and why, in words and in figures."""

    memories: tuple[str, ...]
    """Ids of memories of one namespace."""
    source: FormName
    """The form that they are read in before it."""
    target: FormName
    """The form that they are read in after it; the same as before where something is made again."""
    reason: str
    figures: Mapping[str, float] = field(default_factory=dict)
    """By name, what the reason speaks of: `tokens`, `uses_per_day`, `build_seconds`, `saving_seconds_per_day`, …"""
    asked: bool = False
    """Whether somebody asked for it; else the policy chose it."""
    wanted: bool = False
    """Whether they are wanted in that form already, so that it has only to be made, or made again."""
