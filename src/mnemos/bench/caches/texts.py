"""What is asked of a cache: a text in which few tokens matter, and questions about it.

Keys and values are those of `bench.forms.tasks`. A text is `BOS`, then pairs `k v` between words of filler, each a
token that says nothing; `NAMED k` asks for the value of a key, which is not told. A prompt may end with
`NAMED k k k k`, as with a question. `ASK k v k v …` then asks for keys one by one, and every answer is given, right or
not, before the next question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

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
THOUGHT = 3
"""Words of filler behind the pair that a list has come to."""
PAUSE = 2
"""Words of filler around the pairs of a stream."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How texts of a task are drawn."""

    pairs: int
    """Keys that have a value; with those of all lists, or of a stream, at most 32."""
    filler: int
    """Words of filler, of each list where there are lists."""
    changes: int = 0
    """Keys that are given another value later, at most `pairs`; these are the ones that are asked for."""
    asked: int = 4
    """Keys that are asked for."""
    named: bool = True
    """Whether the end of the prompt names those that will be asked for."""
    mentions: int = 0
    """How often the text itself has asked for each of them before."""
    scratch: int = 0
    """If above 0 every pair follows a list, of filler and of so many pairs that nobody will ask for."""
    stream: bool = False
    """Whether it is not the prompt that is asked for: new pairs go on coming, and each is asked for soon."""

    @property
    def tokens(self) -> int:
        """Of a prompt."""
        named = 1 + self.asked if self.named else 0
        if self.scratch:
            return 1 + self.pairs * (4 + THOUGHT + self.filler + 2 * self.scratch) + named
        return 1 + 2 * (self.pairs + self.changes + self.mentions * self.asked) + self.filler + named


@dataclass(frozen=True, slots=True)
class Texts:
    """Some texts of one shape."""

    prompt: Tensor
    """The text, and which keys will be asked for, [texts, tokens]."""
    asked: Tensor
    """What comes after it, token by token, [texts, steps]."""
    questions: tuple[int, ...]
    """Those steps after which a value is to be said."""
    labels: Tensor
    """What is to be said where, as the library's models take it, [texts, tokens + steps]: a key's value at the token
    after it, wherever it is asked for; -100 elsewhere. Where another key is asked for next, this is no prediction of
    what stands there."""

    @property
    def whole(self) -> Tensor:
        """Prompt and what comes after it, [texts, tokens + steps]."""
        return torch.cat([self.prompt, self.asked], 1)

    @property
    def answers(self) -> Tensor:
        """The values that are to be said, [texts, questions]."""
        tokens = self.prompt.shape[1]
        return self.labels[:, [tokens + at + 1 for at in self.questions]]

    def first(self, count: int) -> Texts:
        """Some of them."""
        return Texts(self.prompt[:count], self.asked[:count], self.questions, self.labels[:count])


class Body(NamedTuple):
    """Texts without `BOS`, and their pairs."""

    text: Tensor
    """[texts, tokens]."""
    keys: Tensor
    """That may be asked for, [texts, keys]."""
    values: Tensor
    """Theirs at last."""
    labels: Tensor
    """Of the keys that the text asks for, [texts, tokens + 1]: the last is said behind the text."""


def draw(shape: Shape, count: int, generator: torch.Generator, words: Tensor | None = None) -> Texts:
    """Texts drawn by chance.

    Args:
        shape: what they are like.
        count: how many.
        generator: the same one in the same state draws the same texts.
        words: a long row of filler, 0 to 63 each, to take stretches from; None: words are drawn, few of them often.
    """
    body = (_lists if shape.scratch else _scattered)(shape, count, generator, words)
    keys, values = body.keys[:, : shape.asked], body.values[:, : shape.asked]
    begin = torch.full((count, 1), BOS)
    prompt = torch.cat([begin, body.text, *([torch.full((count, 1), NAMED), keys] if shape.named else [])], 1)
    if shape.stream:
        asked, questions, told = _stream(body.keys, shape.asked, generator, words)
    else:
        turns = torch.rand(count, shape.asked, generator=generator).argsort(1)
        pairs = torch.stack([keys.gather(1, turns), values.gather(1, turns)], 2).flatten(1)
        asked, questions = torch.cat([torch.full((count, 1), ASK), pairs], 1), tuple(range(1, 2 * shape.asked, 2))
        told = _nothing(asked)
        told[:, 2::2] = asked[:, 2::2]
    labels = torch.cat([_nothing(prompt), told], 1)
    labels[:, 1 : 1 + body.labels.shape[1]] = body.labels
    if shape.named:
        labels[:, shape.tokens - shape.asked + 1 : shape.tokens + 1] = values
    return Texts(prompt, asked, questions, labels)


def _scattered(shape: Shape, count: int, generator: torch.Generator, words: Tensor | None) -> Body:
    """Pairs, and mentions of keys behind theirs, between words."""
    keys, values = _pairs(count, shape.pairs, generator)
    keys = torch.cat([keys, keys[:, : shape.changes]], 1)
    values = torch.cat([values, torch.randint(VALUES, (count, shape.changes), generator=generator) + FIRST_VALUE], 1)
    events, mentions = keys.shape[1], shape.mentions * shape.asked
    wide = events + mentions
    order = torch.rand(count, wide + shape.filler, generator=generator).argsort(1)
    if mentions:
        own = torch.cat([order[:, : shape.asked], order[:, events:wide]], 1).view(count, -1, shape.asked)
        own = own.sort(1).values
        order[:, : shape.asked], order[:, events:wide] = own[:, 0], own[:, 1:].flatten(1)
    sizes = torch.ones_like(order)
    sizes[:, :wide] = 2
    by_place = torch.empty_like(sizes).scatter_(1, order, sizes)
    starts = (by_place.cumsum(1) - by_place).gather(1, order)
    text = torch.zeros(count, 2 * wide + shape.filler, dtype=torch.int64)
    told, asking = starts[:, :events], starts[:, events:wide]
    text.scatter_(1, told, keys).scatter_(1, told + 1, values)
    text.scatter_(1, asking, torch.full_like(asking, NAMED))
    text.scatter_(1, asking + 1, keys[:, : shape.asked].repeat(1, shape.mentions))
    filler = starts[:, wide:].sort(1).values
    text.scatter_(1, filler, _filler(count, shape.filler, generator, words))
    labels = _nothing(torch.cat([text, text[:, :1]], 1))
    labels.scatter_(1, asking + 2, values[:, : shape.asked].repeat(1, shape.mentions))
    if shape.changes:
        first, second = slice(None, shape.changes), slice(shape.pairs, None)
        values = torch.where(told[:, second] > told[:, first], values[:, second], values[:, first])
        keys = keys[:, first]
    return Body(text, keys, values, labels)


def _lists(shape: Shape, count: int, generator: torch.Generator, words: Tensor | None) -> Body:
    """Lists, each followed by the pair that it has come to, and a few words."""
    number, inner = shape.pairs, 2 * shape.scratch + shape.filler
    keys, values = _pairs(count, number * (1 + shape.scratch), generator)
    scratch = Shape(shape.scratch, shape.filler)
    body = torch.empty(count, number, inner, dtype=torch.int64)
    for at in range(number):
        drawn = _scattered(scratch, count, generator, words).text
        is_key = (drawn >= FIRST_KEY) & (drawn < FIRST_VALUE)
        others = keys[:, number + at * shape.scratch : number + (at + 1) * shape.scratch]
        body[:, at] = torch.where(is_key, others.gather(1, (is_key.cumsum(1) - 1).clamp_min(0)), drawn)
    edge = torch.ones(count, number, 1, dtype=torch.int64)
    thought = _filler(count, number * THOUGHT, generator, words).view(count, number, THOUGHT)
    tasks = [edge * OPEN, body, edge * CLOSE, keys[:, :number, None], values[:, :number, None], thought]
    text = torch.cat(tasks, 2).flatten(1)
    mixed = torch.rand(count, number, generator=generator).argsort(1)
    labels = _nothing(torch.cat([text, edge[:, 0]], 1))
    return Body(text, keys[:, :number].gather(1, mixed), values[:, :number].gather(1, mixed), labels)


def _stream(
    told: Tensor, number: int, generator: torch.Generator, words: Tensor | None
) -> tuple[Tensor, tuple[int, ...], Tensor]:
    """Pairs of keys that were not told before, each asked for soon; and one more word behind the last question."""
    count = len(told)
    lots = torch.rand(count, KEYS, generator=generator).scatter_(1, told - FIRST_KEY, 2.0)
    keys = lots.argsort(1)[:, :number] + FIRST_KEY
    values = torch.randint(VALUES, keys.shape, generator=generator) + FIRST_VALUE
    pauses = _filler(count, 2 * PAUSE * number, generator, words).view(count, number, 2, PAUSE)
    asking = torch.full((count, number, 1), NAMED)
    parts = [pauses[:, :, 0], keys[..., None], values[..., None], pauses[:, :, 1], asking, keys[..., None]]
    asked = torch.cat([torch.cat(parts, 2).flatten(1), _filler(count, 1, generator, words)], 1)
    each = 2 * PAUSE + 4
    labels = _nothing(asked)
    labels[:, each::each] = values
    return asked, tuple(range(each - 1, asked.shape[1] - 1, each)), labels


def _pairs(count: int, number: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Keys, none of them twice in a text, and a value of each."""
    keys = torch.rand(count, KEYS, generator=generator).argsort(1)[:, :number] + FIRST_KEY
    return keys, torch.randint(VALUES, keys.shape, generator=generator) + FIRST_VALUE


def _nothing(text: Tensor) -> Tensor:
    return torch.full_like(text, IGNORED)


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
