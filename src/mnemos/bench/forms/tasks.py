"""What the benchmark's small models learn: to say which value a key has, and, where it has had two, the last.

Keys and values are single tokens. A text is two blocks of pairs and then questions: `BOS k v k v …`, `k v …`,
`ASK k v k v …`, where every asked key is followed by its value, so that all are asked in one pass. In **recall** (as
in Arora et al. 2023, "Zoology: Measuring and Improving Recall in Efficient Language Models") no key comes twice, and a
model that reads both blocks apart answers as well as one that reads them together. In **update** the second block gives
half of the keys another value: only there it shows whether the later block knows the earlier one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Task = Literal["recall", "update"]
KEYS = VALUES = 32
BOS, ASK = 0, 2
FIRST_KEY = 3
FIRST_VALUE = FIRST_KEY + KEYS
VOCABULARY = FIRST_VALUE + VALUES


@dataclass(frozen=True, slots=True)
class Draw:
    """Some texts of one task, all of one length."""

    earlier: Tensor
    """Ids of the first block, [texts, tokens]."""
    later: Tensor
    """Ids of the second block, [texts, tokens]."""
    asked: Tensor
    """`ASK`, then every key in some order, each followed by the value that it has at last, [texts, 1 + 2 questions]."""
    changed: Tensor
    """Whether the second block gave an asked key another value, [texts, questions]."""

    @property
    def read(self) -> Tensor:
        """Both blocks, [texts, tokens]."""
        return torch.cat([self.earlier, self.later], 1)

    @property
    def whole(self) -> Tensor:
        """Blocks and questions, [texts, tokens]."""
        return torch.cat([self.read, self.asked], 1)

    def labels(self) -> Tensor:
        """What is to be said where in `whole`, -100 where nothing is: the value after each asked key."""
        labels = torch.full_like(self.whole, -100)
        start = labels.shape[1] - self.asked.shape[1]
        labels[:, start + 2 :: 2] = self.asked[:, 2::2]
        return labels


def draw(task: Task, count: int, pairs: int, generator: torch.Generator, passes: int = 1) -> Draw:
    """Texts drawn by chance.

    Args:
        task: which.
        count: how many.
        pairs: keys in each, at most 32; even for `update`, where half of them are changed, or 1.
        generator: the same one in the same state draws the same texts.
        passes: how often every key is asked for, each time all of them in another order.
    """
    keys = torch.rand(count, KEYS, generator=generator).argsort(1)[:, :pairs]
    values = torch.randint(VALUES, (count, pairs), generator=generator)
    changed = torch.zeros(count, pairs, dtype=torch.bool)
    if task == "recall":
        half = (pairs + 1) // 2
        first, second = _paired(keys[:, :half], values[:, :half]), _paired(keys[:, half:], values[:, half:])
    else:
        which = torch.rand(count, pairs, generator=generator).argsort(1)[:, : max(1, pairs // 2)]
        new = torch.randint(VALUES, which.shape, generator=generator)
        first, second = _paired(keys, values), _paired(keys.gather(1, which), new)
        values, changed = values.scatter(1, which, new), changed.scatter(1, which, True)
    order = torch.cat([torch.rand(count, pairs, generator=generator).argsort(1) for _ in range(passes)], 1)
    questions = _paired(keys.gather(1, order), values.gather(1, order))
    return Draw(_after(BOS, first), second, _after(ASK, questions), changed.gather(1, order))


def right(logits: Tensor, asked: Tensor) -> Tensor:
    """Which questions a model answers.

    Args:
        logits: after each token of `asked`, [texts, tokens, vocabulary].
        asked: as in `Draw`.

    Returns:
        [texts, questions].
    """
    return logits[:, 1::2].argmax(-1) == asked[:, 2::2]


def _paired(keys: Tensor, values: Tensor) -> Tensor:
    return torch.stack([keys + FIRST_KEY, values + FIRST_VALUE], 2).flatten(1)


def _after(token: int, ids: Tensor) -> Tensor:
    return torch.cat([torch.full((len(ids), 1), token), ids], 1)
