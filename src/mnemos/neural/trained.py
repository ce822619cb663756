"""Memories trained at test time: gradients of an objective, taken by hand, and a parallel form that freezes them.

`step` takes the gradient at the weights it finds. `chunk` takes those of all its tokens at the weights at the chunk's
start, and then follows decay and momentum token by token, all at once: a chunk of one token is `step`, and a chunk of
C is what a plain loop over its tokens reads with gradients at the start. Each gradient is a product of two vectors, so
that the weights at a token need not be made to be read: a query meets the keys of the chunk, weighted by
`coefficients`, as in attention. Only for Newton–Schulz, whose steps are no sums, are the weights of each token made.

Where a map that is not linear lies between what is learnt and what is read (Lq, entropy), it too is frozen at the
chunk's start, and applied anew at its last token, as in Miras: see `Retention.towards`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mnemos.neural.coefficients import Coefficients, coefficients
from mnemos.neural.learners import Learner, newton_schulz
from mnemos.neural.matrix import scores
from mnemos.neural.memories import Factors, Memory
from mnemos.neural.objectives import Objective
from mnemos.neural.retentions import Retention, multiplied
from mnemos.neural.tokens import Tokens
from mnemos.neural.windows import Past

Weights = tuple[Tensor, ...]


class Start(NamedTuple):
    """What a chunk begins with, and the one before it ended with."""

    weights: list[Tensor]
    """That are read, [batch, heads, inputs, outputs] each."""
    factors: list[Tensor | None]
    """The second part of the link of each."""


class TrainedState(NamedTuple):
    """What a trained memory holds; the retention's link makes of `raw` the weights that are read."""

    raw: Weights
    """[batch, heads, inputs, outputs] each."""
    momentum: Weights
    """As `raw`; empty without momentum."""
    past: Past | None
    """The tokens that the next window reaches back to; None where it is one token long."""


def first_weights(memory: Memory, retention: Retention, heads: int, keys: int, values: int) -> nn.ParameterList:
    """What a memory starts from, learnt with the layer: zeros, but drawn where from zeros nothing could be learnt."""
    shapes = memory.shapes(keys, values)
    drawn = len(shapes) > 1 or not retention.linear
    return nn.ParameterList(retention.first(heads, *shape) if drawn else torch.zeros(heads, *shape) for shape in shapes)


def recalled(memory: Memory, retention: Retention, raw: Weights, q: Tensor) -> Tensor:
    """What a memory answers to queries, [batch, heads, tokens, keys]; it stays as it is."""
    return read_through(memory, q, [retention.weights(one) for one in raw])


def read_through(memory: Memory, q: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """What a memory of these weights answers."""
    return memory.forward(q, lambda layer, x: memory.through(x, weights[layer]))


def factors_at(memory: Memory, objective: Objective, weights: Sequence[Tensor], pairs: Past | Tokens) -> Factors:
    """The gradients of an objective for some pairs at weights, in factors."""
    return memory.factors(weights, pairs.k, lambda answer: objective.gradient(answer, pairs.v, pairs.threshold))


class Trained(nn.Module):
    """Any memory, objective, retention and learner, but the delta rule; it starts from weights that are learnt."""

    def __init__(
        self,
        heads: int,
        keys: int,
        values: int,
        *,
        memory: Memory,
        objective: Objective,
        retention: Retention,
        learner: Learner,
        size: int,
    ) -> None:
        super().__init__()
        self.heads, self.keys, self.values, self.size = heads, keys, values, size
        self.memory, self.objective, self.retention, self.learner = memory, objective, retention, learner
        self.first = first_weights(memory, retention, heads, keys, values)

    def start(self, batch: int) -> TrainedState:
        """The weights that were learnt to start from."""
        raw = tuple(one.expand(batch, -1, -1, -1) for one in self.first)
        momentum = tuple(torch.zeros_like(one) for one in raw) if self.learner.momentum else ()
        length, some = self.learner.window - 1, self.first[0]
        past = None
        if length:
            limited = self.objective.needs_threshold
            past = Past.empty(some, batch, self.heads, length, self.keys, self.values, limited)
        return TrainedState(raw, momentum, past)

    def recall(self, q: Tensor, state: TrainedState) -> Tensor:
        """Read without writing."""
        return recalled(self.memory, self.retention, state.raw, q)

    def step(self, tokens: Tokens, state: TrainedState) -> tuple[Tensor, TrainedState]:
        """Write one token, and read."""
        lone = tokens.each(lambda one: one.unsqueeze(2))
        seen = Past.of(lone) if state.past is None else state.past.then(lone)
        decay = 1.0 if tokens.log_decay is None else self._column(tokens.log_decay.exp())
        rate = tokens.rate[..., None, None]
        written = 1.0 if tokens.write is None else tokens.write[..., None, None]
        raw, momentum = [], []
        for layer, gradient in enumerate(self._gradients(seen, state)):
            surprise = gradient if self.learner.orthogonal else -rate * gradient
            if tokens.log_momentum is not None:
                surprise = surprise + tokens.log_momentum.exp()[..., None, None] * state.momentum[layer]
                momentum.append(written * surprise + (1 - written) * state.momentum[layer])
            change = -rate * newton_schulz(surprise, self.learner.orthogonal) if self.learner.orthogonal else surprise
            raw.append(decay * state.raw[layer] + written * change)
        past = None if state.past is None else state.past.moved(lone, seen)
        state = TrainedState(tuple(raw), tuple(momentum), past)
        return self.recall(tokens.q.unsqueeze(2), state).squeeze(2), state

    def chunk(self, tokens: Tokens, state: TrainedState) -> tuple[Tensor, TrainedState]:
        """Write tokens, and read at each; gradients are those at the start of their chunk."""
        read, start = [], self._start(state.raw)
        for at in range(0, tokens.q.shape[2], self.size):
            y, state, start = self._chunk(tokens.between(at, at + self.size), state, start)
            read.append(y)
        return torch.cat(read, 2), state

    def _start(self, raw: Weights) -> Start:
        linked = [self.retention.link(one) for one in raw]
        return Start([multiplied(one) for one in linked], [factor for _, factor in linked])

    def _chunk(self, tokens: Tokens, state: TrainedState, start: Start) -> tuple[Tensor, TrainedState, Start]:
        """One chunk, and what the next begins with."""
        seen = Past.of(tokens) if state.past is None else state.past.then(tokens)
        past = None if state.past is None else state.past.moved(tokens, seen)
        factors = factors_at(self.memory, self.objective, start.weights, seen)
        if self.retention.decay == "channel":
            read, raw = self._by_channels(tokens, factors, state.raw)
            return read, TrainedState(raw, (), past), self._start(raw)
        band = None if state.past is None else state.past.band(tokens, seen)
        c = coefficients(tokens, band, self.learner.orthogonal > 0)
        unfold = self.learner.orthogonal or self.memory.diagonal
        read, raw, momentum = (self._unfolded if unfold else self._folded)(tokens.q, factors, state, start, c)
        after = self._start(raw)
        if not self.retention.linear:
            last = read_through(self.memory, tokens.q[:, :, -1:], after.weights)
            read = torch.cat([read[:, :, :-1], last], 2)
        return read, TrainedState(raw, momentum, past), after

    def _folded(
        self, q: Tensor, factors: Factors, state: TrainedState, start: Start, c: Coefficients
    ) -> tuple[Tensor, Weights, Weights]:
        """The weights of a token are never made: a query goes through those at the start, and meets the gradients."""

        def through(layer: int, x: Tensor) -> Tensor:
            a, delta = factors[layer]
            z, x = c.kept * (x @ start.weights[layer]), self.retention.towards(x, start.factors[layer])
            z = z + (c.learnt * (x @ a.transpose(-1, -2))) @ delta
            return z if c.carried is None else z + c.carried * (x @ state.momentum[layer])

        raw, momentum = [], []
        for layer, (a, delta) in enumerate(factors):
            a = a.transpose(-1, -2)
            weight = torch.addcmul((a * c.learnt[..., -1:, :]) @ delta, c.kept[..., -1:, :], state.raw[layer])
            if c.carried is not None and c.after is not None:
                old = state.momentum[layer]
                weight = torch.addcmul(weight, c.carried[..., -1:, :], old)
                momentum.append(torch.addcmul((a * c.own[..., -1:, :]) @ delta, c.after[..., -1:, :], old))
            raw.append(weight)
        return self.memory.forward(q, through), tuple(raw), tuple(momentum)

    def _unfolded(
        self, q: Tensor, factors: Factors, state: TrainedState, start: Start, c: Coefficients
    ) -> tuple[Tensor, Weights, Weights]:
        """What each token changes is made, [batch, heads, tokens, inputs, outputs]."""
        changes, momentum = [], []
        for layer, (a, delta) in enumerate(factors):
            old = state.momentum[layer].unsqueeze(2) if state.momentum else None
            if self.learner.orthogonal:
                surprise = _plus(self._summed(c.own, a, delta), c.after, old)
                even = newton_schulz(surprise, self.learner.orthogonal)
                changes.append((c.learnt @ even.flatten(-2)).reshape(even.shape))
                momentum += [] if old is None else [surprise[:, :, -1]]
                continue
            changes.append(_plus(self._summed(c.learnt, a, delta), c.carried, old))
            if c.after is not None:
                momentum.append(_plus(self._summed(c.own[..., -1:, :], a, delta), c.after[..., -1:, :], old)[:, :, 0])

        def through(layer: int, x: Tensor) -> Tensor:
            factor = start.factors[layer]
            old = c.kept.unsqueeze(-1) * self.memory.through(x, start.weights[layer].unsqueeze(2))
            x = self.retention.towards(x, None if factor is None else factor.unsqueeze(2))
            return old + self.memory.through(x, changes[layer])

        read = self.memory.forward(q.unsqueeze(-2), through).squeeze(-2)
        last = c.kept[..., -1:, :]
        raw = tuple(last * one + change[:, :, -1] for one, change in zip(state.raw, changes, strict=True))
        return read, raw, tuple(momentum)

    def _summed(self, share: Tensor, a: Tensor, delta: Tensor) -> Tensor:
        """Gradients in shares [batch, heads, tokens, gradients], [batch, heads, tokens, inputs, outputs]."""
        if self.memory.diagonal:
            return (share @ (a * delta)).unsqueeze(-2)
        shared = share.unsqueeze(-2) * a.transpose(-1, -2).unsqueeze(2)
        return (shared.flatten(2, 3) @ delta).view(*shared.shape[:4], -1)

    def _by_channels(self, tokens: Tokens, factors: Factors, raw: Weights) -> tuple[Tensor, Weights]:
        """One layer of weights that decays by channels: what a token adds, decays towards each later one."""
        assert tokens.log_decay is not None
        total, start = tokens.log_decay.cumsum(-2), raw[0]
        end = total[..., -1:, :]
        a, delta = factors[0]
        delta = -tokens.rate.unsqueeze(-1) * delta
        if self.memory.diagonal:
            later = torch.ones(a.shape[2], a.shape[2], dtype=torch.bool, device=a.device).triu(1).unsqueeze(-1)
            between = (total.unsqueeze(-2) - total.unsqueeze(-3)).masked_fill(later, -torch.inf).exp()
            weights = total.exp() * start + (between * (a * delta).unsqueeze(-3)).sum(-2)
            return self.memory.forward(tokens.q, lambda _, x: x * weights), (weights[..., -1:, :],)
        read = self.memory.forward(tokens.q, lambda _, x: (x * total.exp()) @ start + scores(x, a, total) @ delta)
        left = (a * (end - total).exp()).transpose(-1, -2) @ delta
        return read, (self._column(end.squeeze(-2).exp()) * start + left,)

    def _gradients(self, seen: Past, state: TrainedState) -> list[Tensor]:
        """Summed over the pairs, each as much as it counts."""
        weight = seen.weight.unsqueeze(-1)
        at = [self.retention.weights(raw) for raw in state.raw]
        factors = factors_at(self.memory, self.objective, at, seen)
        return [self.memory.gradient(weight * a, delta) for a, delta in factors]

    def _column(self, decay: Tensor) -> Tensor:
        """Decays [batch, heads, 1 or keys], shaped to multiply weights."""
        return decay.unsqueeze(-2 if self.memory.diagonal else -1)


def _plus(one: Tensor, share: Tensor | None, other: Tensor | None) -> Tensor:
    """Weights [batch, heads, tokens, inputs, outputs] and a share [batch, heads, tokens, 1] of others."""
    return one if share is None or other is None else torch.addcmul(one, share.unsqueeze(-1), other)
