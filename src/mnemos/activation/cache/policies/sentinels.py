"""A span between two sentinels is seen by the second one only, which stands for it from then on.

Ren, Jia, Zhu 2023, "Context Compression for Auto-regressive Transformers with Sentinel Tokens".
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from mnemos.activation.cache.policy import Arrived, Policy, Shown, registered
from mnemos.activation.cache.settings import whole
from mnemos.errors import InvalidInput


@registered
class Sentinels(Policy):
    """At prefill and at decoding: once a span is closed, its tokens and the sentinel before it are freed.

    As in the paper, the closing sentinel sees nothing but the opening one, its span and itself; the opening one sees
    itself, and is seen by the closing one only; all other tokens see what was not closed before them. A model has to be
    trained so: pass `mask` as its attention mask, and take the sentinels out of the labels. A sentinel that closes
    nothing is a token like others.

    Ours: spans may be nested, and the closing sentinel of an inner one then goes with the outer one; sentinels have
    places of their own in the text, where the paper gives them that of the token before; and where the budget has too
    little room all the same, the latest tokens stay.

    Args:
        opens: the id of the token that opens a span.
        closes: of the token that closes it.

    Raises:
        InvalidInput: an id is none, or both are the same.
    """

    name = "sentinels"
    tokens = True
    prunes = True
    marks: Mapping[str, float] = {"token": -1.0, "until": math.inf, "since": 0.0}

    def __init__(self, opens: int = 0, closes: int = 1) -> None:
        self.opens, self.closes = whole("opens", opens, 0), whole("closes", closes, 0)
        if opens == closes:
            raise InvalidInput("closes", "is the token that opens a span", "give another one")

    def arrive(self, arrived: Arrived) -> Mapping[str, Tensor]:
        """Note up to where each token is seen, and since where each sentinel sees."""
        told = arrived.marks["token"]
        sentinels = ((told == self.opens) | (told == self.closes)) & (arrived.positions >= 0)
        # of a row that reads padding only, nothing is new
        first = arrived.at.masked_fill(arrived.at < 0, torch.iinfo(arrived.at.dtype).max).amin(1)
        fresh = sentinels & (arrived.positions >= first[:, None, None])
        if not bool(fresh.any()):
            return {}
        until, since = arrived.marks["until"].clone(), arrived.marks["since"].clone()
        for row, head in fresh.any(-1).nonzero().tolist():
            slots = sentinels[row, head].nonzero()[:, 0].tolist()
            self._paired(arrived, (row, head), slots, int(first[row]), until[row, head], since[row, head])
        return {"until": until, "since": since}

    def allowed(self, arrived: Arrived) -> Tensor | None:
        """Everything but closed spans and opening sentinels; for sentinels, their own."""
        keys, at = arrived.positions[:, :, None], arrived.at[:, None, :, None]
        opening = (arrived.marks["token"] == self.opens)[:, :, None]
        if not bool(opening.any()):
            return None
        own = (keys == at) & (at >= 0)
        since = (own * arrived.marks["since"][:, :, None]).sum(-1, keepdim=True)
        allowed = (keys >= since) & (at <= arrived.marks["until"][:, :, None])
        return allowed & (~opening | own | ((keys == since) & (since < at) & self._closing(arrived, own)))

    def scores(self, shown: Shown) -> Tensor:
        """What is closed goes; of the rest the latest stay."""
        closed = shown.mark("until") < shown.seen.to(shown.positions.device)[:, None, None]
        return shown.positions.float().masked_fill(closed, -math.inf)

    def mask(self, ids: Tensor, real: Tensor | None = None) -> Tensor:
        """Which token may see which, to train a model by, [rows, 1, tokens, tokens], bool.

        Args:
            ids: token ids, [rows, tokens].
            real: which are no padding, [rows, tokens]; None: all.
        """
        there = torch.ones_like(ids, dtype=torch.bool) if real is None else real.bool()
        at = torch.where(there, there.long().cumsum(1) - 1, -1)
        marks = {name: torch.full(at[:, None].shape, value, device=ids.device) for name, value in self.marks.items()}
        marks["token"] = torch.where(there, ids, -1)[:, None].float()
        arrived = Arrived(at[:, None], at, marks)
        allowed = self.allowed(Arrived(at[:, None], at, {**marks, **self.arrive(arrived)}))
        past = (at[:, None, None, :] >= 0) & (at[:, None, None, :] <= at[:, None, :, None])
        return past if allowed is None else past & allowed

    def _closing(self, arrived: Arrived, own: Tensor) -> Tensor:
        """Which new tokens close something, [rows, heads, new, 1]."""
        return (own & (arrived.marks["token"] == self.closes)[:, :, None]).any(-1, keepdim=True)

    def _paired(
        self, arrived: Arrived, where: tuple[int, int], slots: list[int], first: int, until: Tensor, since: Tensor
    ) -> None:
        """Pair the sentinels of one head, and write where spans end and begin.

        Args:
            arrived: what is held.
            where: row and head.
            slots: of the sentinels, in their order.
            first: the position of the first new token: only new sentinels close.
            until: of each token that is held, [held].
            since: the same.
        """
        told, places = arrived.marks["token"][where].tolist(), arrived.positions[where].tolist()
        open_ones: list[int] = []
        for slot in slots:
            place = places[slot]
            if told[slot] == self.opens:
                since[slot] = place
                if until[slot] == math.inf:
                    open_ones.append(slot)
            elif place >= first and open_ones:
                begin = open_ones.pop()
                since[slot] = places[begin]
                until[begin:slot] = until[begin:slot].clamp_max(place)
