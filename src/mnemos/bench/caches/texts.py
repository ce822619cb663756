"""What is asked of a cache: a text in which few tokens matter, and questions about it.

Keys and values are those of `bench.forms.tasks`. A text is `BOS`, then pairs `k v` between words of filler, each a
token that says nothing. `NAMED k k k k` may tell which keys will be asked for, as a question at the end of a prompt
does; `ASK k v k v …` then asks for them one by one, and every answer is given, right or not, before the next question.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mnemos.bench.forms.tasks import ASK, BOS, FIRST_KEY, FIRST_VALUE, KEYS, VALUES
from mnemos.bench.forms.tasks import VOCABULARY as WITHOUT_FILLER

NAMED = 1
OPEN, CLOSE = WITHOUT_FILLER, WITHOUT_FILLER + 1
"""Tokens around a list of steps that are needed no more once it is closed."""
FIRST_WORD = CLOSE + 1
WORDS = 64
VOCABULARY = FIRST_WORD + WORDS
IGNORED = -100


@dataclass(frozen=True, slots=True)
class Shape:
    """How texts of a task are drawn."""

    pairs: int
    """Keys that have a value, at most 32 (with `scratch` of all lists)."""
    filler: int
    """Words of filler, of each list where there are lists."""
    changes: int = 0
    """Keys that are given another value later, at most `pairs`; these are the ones that are asked for."""
    asked: int = 4
    """Keys that are asked for."""
    rounds: int = 1
    """How often each is asked for, every time all of them in another order."""
    named: bool = True
    """Whether the prompt tells which will be asked for."""
    latest: bool = False
    """Whether those are asked for whose pairs stand last; else any."""
    scratch: int = 0
    """If above 0 every pair is followed by a list, of filler and of so many pairs that nobody will ask for."""

    @property
    def tokens(self) -> int:
        """Of a prompt."""
        named = 1 + self.asked if self.named else 0
        if self.scratch:
            return 1 + self.pairs * (4 + self.filler + 2 * self.scratch) + named
        return 1 + 2 * (self.pairs + self.changes) + self.filler + named


@dataclass(frozen=True, slots=True)
class Texts:
    """Some texts of one shape."""

    prompt: Tensor
    """The text, and which keys will be asked for, [texts, tokens]."""
    asked: Tensor
    """`ASK`, then keys and the values that they have at last, [texts, 1 + 2 questions]."""
    named: Tensor
    """The values of the keys that the prompt names, [texts, keys], or [texts, 0]."""
    needed: Tensor
    """Where in the prompt what is asked for stands, each key and its last value, [texts, 2 keys]."""

    @property
    def whole(self) -> Tensor:
        """Prompt and questions, [texts, tokens]."""
        return torch.cat([self.prompt, self.asked], 1)

    def first(self, count: int) -> Texts:
        """Some of them."""
        return Texts(self.prompt[:count], self.asked[:count], self.named[:count], self.needed[:count])

    def labels(self) -> Tensor:
        """What is to be said where, as the library's models take it: the value of a key after each named or asked key.

        After a named key stands another one, so that this is no prediction of what stands there.
        """
        labels = torch.full_like(self.whole, IGNORED)
        tokens, named = self.prompt.shape[1], self.named.shape[1]
        labels[:, tokens - named + 1 : tokens + 1] = self.named
        labels[:, tokens + 2 :: 2] = self.asked[:, 2::2]
        return labels


def draw(shape: Shape, count: int, generator: torch.Generator, words: Tensor | None = None) -> Texts:
    """Texts drawn by chance.

    Args:
        shape: what they are like.
        count: how many.
        generator: the same one in the same state draws the same texts.
        words: a long row of filler, 0 to 63 each, to take stretches from; None: words are drawn, few of them often.
    """
    text, keys, values, starts = (_lists if shape.scratch else _scattered)(shape, count, generator, words)
    lots = torch.rand(count, keys.shape[1], generator=generator)
    chosen = (-starts if shape.latest else lots).argsort(1)[:, : shape.asked]
    keys, values, starts = keys.gather(1, chosen), values.gather(1, chosen), starts.gather(1, chosen)
    order = [torch.rand(count, shape.asked, generator=generator).argsort(1) for _ in range(shape.rounds)]
    turns = torch.cat(order, 1)
    pairs = torch.stack([keys.gather(1, turns), values.gather(1, turns)], 2).flatten(1)
    parts = [torch.full((count, 1), BOS), text]
    if shape.named:
        parts += [torch.full((count, 1), NAMED), keys]
    named = values if shape.named else values[:, :0]
    needed = torch.stack([starts + 1, starts + 2], 2).flatten(1)
    return Texts(torch.cat(parts, 1), torch.cat([torch.full((count, 1), ASK), pairs], 1), named, needed)


def _scattered(
    shape: Shape, count: int, generator: torch.Generator, words: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Texts without `BOS`; and of what may be asked for the keys, their last values, and where these pairs stand."""
    keys = torch.rand(count, KEYS, generator=generator).argsort(1)[:, : shape.pairs] + FIRST_KEY
    keys = torch.cat([keys, keys[:, : shape.changes]], 1)
    events = keys.shape[1]
    values = torch.randint(VALUES, keys.shape, generator=generator) + FIRST_VALUE
    order = torch.rand(count, events + shape.filler, generator=generator).argsort(1)
    sizes = torch.where(order < events, 2, 1)
    begins = torch.empty_like(order).scatter_(1, order, sizes.cumsum(1) - sizes)
    starts, places = begins[:, :events], begins[:, events:].sort(1).values
    text = torch.zeros(count, 2 * events + shape.filler, dtype=torch.int64)
    text.scatter_(1, starts, keys).scatter_(1, starts + 1, values)
    text.scatter_(1, places, _filler(count, shape.filler, generator, words))
    if not shape.changes:
        return text, keys, values, starts
    first, second = slice(None, shape.changes), slice(shape.pairs, None)
    later = starts[:, second] > starts[:, first]
    last = torch.where(later, values[:, second], values[:, first])
    return text, keys[:, first], last, torch.where(later, starts[:, second], starts[:, first])


def _lists(
    shape: Shape, count: int, generator: torch.Generator, words: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The same, of pairs that are each followed by a list."""
    number, inner = shape.pairs, 2 * shape.scratch + shape.filler
    keys = torch.rand(count, KEYS, generator=generator).argsort(1) + FIRST_KEY
    values = torch.randint(VALUES, keys.shape, generator=generator) + FIRST_VALUE
    scratch = Shape(shape.scratch, shape.filler)
    body = torch.empty(count, number, inner, dtype=torch.int64)
    for at in range(number):
        drawn, *_ = _scattered(scratch, count, generator, words)
        is_key = (drawn >= FIRST_KEY) & (drawn < FIRST_VALUE)
        others = keys[:, number + at * shape.scratch : number + (at + 1) * shape.scratch]
        body[:, at] = torch.where(is_key, others.gather(1, (is_key.cumsum(1) - 1).clamp_min(0)), drawn)
    edge = torch.ones(count, number, 1, dtype=torch.int64)
    tasks = [keys[:, :number, None], values[:, :number, None], edge * OPEN, body, edge * CLOSE]
    starts = torch.arange(number).expand(count, -1) * (inner + 4)
    return torch.cat(tasks, 2).flatten(1), keys[:, :number], values[:, :number], starts


def _filler(count: int, tokens: int, generator: torch.Generator, words: Tensor | None) -> Tensor:
    """Words of filler, [texts, tokens]: of n words drawn by chance the n-th is 1/n as frequent as the first."""
    if not tokens:
        return torch.empty(count, 0, dtype=torch.int64)
    if words is None:
        odds = 1 / torch.arange(1, WORDS + 1)
        drawn = torch.multinomial(odds.expand(count, -1), tokens, replacement=True, generator=generator)
        return drawn + FIRST_WORD
    begins = torch.randint(len(words) - tokens + 1, (count, 1), generator=generator)
    return words[begins + torch.arange(tokens)] + FIRST_WORD
