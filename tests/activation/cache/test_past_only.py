"""WKVQuant: what is past is coded, what is present is not."""

from __future__ import annotations

import pytest
import torch
from caches_built import Heavy, batch, memory, said, texts
from caches_built import model as tiny
from models_built import tokens
from torch import Tensor
from transformers import DynamicCache

from mnemos.activation.cache.quantisers import KIVI, Smoothing, WKVQuant
from mnemos.activation.cache.quantisers.wkvquant import Channels
from mnemos.activation.quantising import CHANNELS, quantised, restored
from mnemos.errors import InvalidInput

FAMILY = "llama"


def smoothing() -> Smoothing:
    return Smoothing.fitted(tiny(FAMILY), [tokens(40, 7), tokens(31, 8)])


def coded(made: Tensor, bits: int, channels: tuple[Tensor, Tensor] | None) -> Tensor:
    """Token by token, what WKVQuant makes of [heads, tokens, dimensions]."""
    out = torch.empty_like(made)
    for head in range(len(made)):
        for at in range(made.shape[1]):
            token = made[head, at]
            even = token if channels is None else (token - channels[0][head]) / channels[1][head]
            back = restored(quantised(even[None, None], bits, CHANNELS), torch.float32)[0, 0]
            out[head, at] = back if channels is None else back * channels[1][head] + channels[0][head]
    return out


def plain(ids: Tensor, bits: int, smooth: Smoothing | None, steps: int) -> tuple[list[Tensor], DynamicCache]:
    """A cache of the library's own whose keys and values are replaced after each step by what they are once coded."""
    cache, said, left = DynamicCache(), [], ids
    done = 0
    for _ in range(steps):
        with torch.no_grad():
            scores = tiny(FAMILY)(left, past_key_values=cache, use_cache=True).logits[:, -1]
        for number, layer in enumerate(cache.layers):
            for name in ("keys", "values"):
                whole = getattr(layer, name)
                own = None if smooth is None else getattr(smooth, name)[number]
                fresh = coded(whole[0, :, done:], bits, None if own is None else (own.middle, own.reach))
                setattr(layer, name, torch.cat([whole[:, :, :done], fresh[None]], 2))
        done += left.shape[1]
        said.append(scores)
        left = scores.argmax(-1, keepdim=True)
    return said, cache


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("smooth", [False, True])
def test_says_what_the_plain_reference_says(bits: int, smooth: bool) -> None:
    ids, own = texts()[0], smoothing() if smooth else None
    expected, past = plain(ids, bits, own, 6)
    cache = memory(FAMILY, "full", quantise=WKVQuant(bits, own))
    found = said(tiny(FAMILY), ids, cache, 6)
    torch.testing.assert_close(found[0], torch.cat(expected), atol=1e-4, rtol=1e-4)
    for mine, theirs in zip(cache.layers, past.layers, strict=True):
        torch.testing.assert_close(mine.keys, theirs.keys[:, :, : mine.keys.shape[2]], atol=1e-4, rtol=1e-4)


def test_a_first_reading_is_exact() -> None:
    ids = texts()[0]
    full = said(tiny(FAMILY), ids, None, 1)
    assert torch.equal(full, said(tiny(FAMILY), ids, memory(FAMILY, "full", quantise="wkvquant"), 1))
    later = said(tiny(FAMILY), ids, memory(FAMILY, "full", quantise="wkvquant"), 2)
    assert not torch.equal(said(tiny(FAMILY), ids, None, 2), later)


def test_nothing_exact_is_left_after_a_step() -> None:
    cache = memory(FAMILY, "full", quantise="wkvquant")
    said(tiny(FAMILY), texts()[0], cache)
    for layer in cache.layers:
        assert not len(layer.held.keys.tensors()["exact"])
        assert not len(layer.held.values.tensors()["exact"])


def test_smoothing_helps_where_channels_differ() -> None:
    """One channel of the keys is far off: a range over a token's dimensions is wide, unless that is taken off."""
    made = torch.randn(2, 60, 32, generator=torch.Generator().manual_seed(0))
    made[:, :, 3] = made[:, :, 3] * 0.5 + 50
    own = Channels.of(made[:, :30])
    far = [(coded(made[:, 30:], 4, one) - made[:, 30:]).abs().mean() for one in (None, (own.middle, own.reach))]
    assert far[1] < far[0] / 5


@pytest.mark.parametrize("policy", ["full", "streaming", Heavy()])
def test_a_padded_row_is_the_row_alone(policy: object) -> None:
    ids, mask = batch()
    budget, own = (1.0 if policy == "full" else 0.6), smoothing()
    together = said(tiny(FAMILY), ids, memory(FAMILY, policy, budget, quantise=WKVQuant(4, own)), mask=mask)
    for row, text in enumerate(texts()):
        alone = said(tiny(FAMILY), text, memory(FAMILY, policy, budget, quantise=WKVQuant(4, own)))
        torch.testing.assert_close(together[row], alone[0], atol=1e-5, rtol=1e-5)


def test_smoothings_are_told_apart() -> None:
    other = Smoothing.fitted(tiny(FAMILY), [tokens(12, 9)])
    assert repr(smoothing()) == repr(smoothing()) != repr(other)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InvalidInput, match="bits"):
        WKVQuant(3)
    with pytest.raises(InvalidInput, match="texts"):
        Smoothing.fitted(tiny(FAMILY), [])
    cache = memory("gemma", "full", quantise=WKVQuant(4, Smoothing((), ())))
    with pytest.raises(InvalidInput, match="another model"):
        said(tiny("gemma"), texts()[0], cache, 2)
    assert KIVI().bits == WKVQuant().bits == 4
