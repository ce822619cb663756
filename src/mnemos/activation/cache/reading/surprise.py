"""How surprising a text is to the model that reads it: −log of the probability that it gave to each token."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from mnemos.activation.cache.held import NOWHERE
from mnemos.activation.cache.reading.layer import ReadingLayer
from mnemos.errors import InvalidInput

SLICE = 1 << 12
"""How many tokens are compared with those before them at a time."""
AT_ONCE = 1 << 24
"""How many scores of the vocabulary are made at a time, about."""


def watched(model: PreTrainedModel, cache: Any) -> None:
    """Have every token that is read into a cache carry its surprise as a mark, once the model is through.

    It ends when the cache does. Reading takes as much longer as the model's head takes for all tokens.
    """
    mine = weakref.ref(cache)

    def after(module: Any, args: tuple[Any, ...], given: dict[str, Any], out: Any) -> None:
        cache = mine()
        if cache is not None and given.get("past_key_values") is cache:
            ids = given.get("input_ids", args[0] if args else None)
            _noted(model, cache, ids, out.last_hidden_state)

    handle = model.base_model.register_forward_hook(after, with_kwargs=True)
    weakref.finalize(cache, handle.remove)


@torch.no_grad()
def _noted(model: PreTrainedModel, cache: Any, ids: Tensor | None, hidden: Tensor) -> None:
    """Mark the tokens that were just read.

    Raises:
        InvalidInput: the model was given vectors, which are no tokens that it could have expected.
    """
    layers = [layer for layer in cache.layers if isinstance(layer, ReadingLayer)]
    if not layers:
        return
    if ids is None:
        raise InvalidInput("inputs_embeds", "are no tokens, whose surprise could be told", "give input_ids")
    first, window = layers[0], layers[0].reads.surprises
    assert first.at is not None
    real = (first.at != NOWHERE).to(hidden.device)
    states = first.read_last or [hidden[0, :0]] * len(hidden)
    past = first.surprised_last or [torch.zeros(0, device=hidden.device)] * len(hidden)
    above, read, values = torch.full(real.shape, -torch.inf, device=hidden.device), [], []
    for row, own in enumerate(real):
        states_here, known = torch.cat([states[row], hidden[row][own]]), ids[row][own]
        expecting = states_here[-len(known) - 1 : -1]
        fresh = _surprise(model, expecting, known[len(known) - len(expecting) :])
        values.append(torch.cat([past[row], fresh]))
        out = standing_out(values[row], window)[len(past[row]) :]
        above[row, own.nonzero()[len(known) - len(out) :, 0]] = out
        read.append(states_here[-1:].clone())
    first.read_last, first.surprised_last = read, [own[-window:].clone() for own in values]
    for layer in layers:
        layer.surprised(above)


def standing_out(surprise: Tensor, window: int) -> Tensor:
    """By how many standard deviations each token's surprise is above the mean of those before it, [tokens], float32.

    Args:
        surprise: of each token, [tokens].
        window: of how many tokens before it; with fewer than two it stands out by minus infinity.
    """
    found = torch.full_like(surprise, -torch.inf, dtype=torch.float32)
    ahead = surprise.new_full((window,), torch.nan, dtype=torch.float64)
    before = torch.cat([ahead, surprise.double()]).unfold(0, window, 1)[:-1]
    for some, values, part in zip(
        torch.split(before, SLICE), torch.split(surprise, SLICE), torch.split(found, SLICE), strict=True
    ):
        mean = some.nanmean(1)
        spread = (some - mean[:, None]).square().nanmean(1).sqrt()
        above = values.double() - mean
        # equal values have a spread that is a hair off 0
        level = spread <= 1e-9 * mean.abs()
        out = torch.where(level, above.sign() * torch.inf, above / spread)
        out = torch.where(level & (above.abs() <= 1e-9 * mean.abs()), 0.0, out)
        part.copy_(torch.where(some.isnan().logical_not().sum(1) > 1, out, -torch.inf))
    return found


def _surprise(model: PreTrainedModel, hidden: Tensor, ids: Tensor) -> Tensor:
    """Of tokens that come each after a hidden state, [tokens], float32, in nats."""
    owner: Any = model
    head: Any = owner.get_output_embeddings()
    cap = getattr(model.config.get_text_config(), "final_logit_softcapping", None)
    size, parts = max(1, AT_ONCE // model.config.get_text_config().vocab_size), []
    for some, own in zip(torch.split(hidden, size), torch.split(ids, size), strict=True):
        scores = head(some).float()
        scores = torch.tanh(scores / cap) * cap if cap else scores
        parts.append(scores.logsumexp(-1) - scores.gather(-1, own[:, None])[:, 0])
    return torch.cat(parts) if parts else hidden.new_zeros(0, dtype=torch.float32)
