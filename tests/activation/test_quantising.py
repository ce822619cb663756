"""Whatever the values and the shape, each comes back within half a step of its group's own range."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models_built import GROUPED, build, tokens
from torch import Tensor
from transformers import Qwen2Config

from mnemos import InvalidInput
from mnemos.activation.models import Decoder
from mnemos.activation.quantising import (
    CHANNELS,
    GROUP,
    TOKENS,
    Quantised,
    one_a_byte,
    packed,
    quantised,
    restored,
    two_a_byte,
    unpacked,
)

DTYPES = [torch.float32, torch.float16, torch.bfloat16]


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    """Normal values of any size about any middle, with some constant rows, zeros and outliers."""
    heads, count, width = draw(st.integers(1, 3)), draw(st.integers(1, 70)), draw(st.sampled_from([1, 3, 8, 32, 40]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    dtype = draw(st.sampled_from(DTYPES))
    size, middle = 10.0 ** draw(st.integers(-9, 4)), draw(st.sampled_from([0.0, 1.0, -300.0, 20000.0]))
    made = torch.randn(heads, count, width, generator=generator) * size + middle
    kind = draw(st.sampled_from(["plain", "constant tokens", "constant channels", "zeros", "outlier"]))
    if kind == "constant tokens":
        made[:, count // 2] = made[0, 0, 0]
    elif kind == "constant channels":
        made[:, :, width // 2] = made[0, 0, 0]
    elif kind == "zeros":
        made[:, : count // 2] = 0
    elif kind == "outlier":
        made[0, 0, 0] = -60000.0 if dtype == torch.float16 else 1e30
    largest = torch.finfo(dtype).max
    return made.clamp(-largest, largest).to(dtype)


def half_steps(kept: Tensor, bits: int, along: int) -> Tensor:
    """How far each value may be off, from its group alone, group by group; with what float16 adds to low and step."""
    bounds = torch.zeros(kept.shape, dtype=torch.float64)
    whole = kept.double()
    for begin in range(0, kept.shape[along], GROUP):
        count = min(GROUP, kept.shape[along] - begin)
        group = whole.narrow(along, begin, count)
        low, high = group.amin(along, keepdim=True), group.amax(along, keepdim=True)
        step = (high - low + low.abs() * 2**-10 + 2**-24) / (2**bits - 1) * (1 + 2**-9) + 2**-24
        bounds.narrow(along, begin, count).copy_((step / 2).expand_as(group))
    rounding = torch.finfo(kept.dtype).eps / 2 + 4 * torch.finfo(torch.float32).eps
    return bounds + rounding * (whole.abs() + bounds)


@settings(max_examples=300, deadline=None)
@given(tensors(), st.sampled_from([4, 8]), st.sampled_from([TOKENS, CHANNELS]))
def test_each_value_comes_back_within_half_a_step(kept: Tensor, bits: int, along: int) -> None:
    before = kept.clone()
    made = quantised(kept, bits, along)
    again = restored(made, kept.dtype)
    assert torch.equal(kept, before), "what is given is not changed"
    assert (again.shape, again.dtype, again.is_contiguous()) == (kept.shape, kept.dtype, True)
    assert again.isfinite().all()
    # cancellation: a group that is far from zero is added and taken away in float32
    slack = 4 * torch.finfo(torch.float32).eps * kept.double().abs().amax(along, keepdim=True)
    assert ((again.double() - kept.double()).abs() <= half_steps(kept, bits, along) + slack).all()


@settings(max_examples=100, deadline=None)
@given(tensors(), st.sampled_from([4, 8]), st.sampled_from([TOKENS, CHANNELS]))
def test_bytes_are_those_that_are_counted(kept: Tensor, bits: int, along: int) -> None:
    made = quantised(kept, bits, along)
    ranges = kept.numel() // kept.shape[along] * math.ceil(kept.shape[along] / GROUP)
    assert made.codes.nbytes == len(kept) * math.ceil(kept[0].numel() * bits / 8)
    assert made.bytes == made.codes.nbytes + 2 * ranges * made.low.element_size()
    assert made.low.dtype == made.step.dtype
    assert made.low.dtype == torch.float16 or kept.abs().max() > 60000


@given(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32))
def test_two_codes_in_a_byte_are_taken_apart_again(heads: int, count: int, width: int, seed: int) -> None:
    codes = torch.randint(0, 16, (heads, count, width), generator=torch.Generator().manual_seed(seed)).to(torch.uint8)
    together = two_a_byte(codes)
    assert together.numel() == heads * ((count * width + 1) // 2)
    assert torch.equal(one_a_byte(together, (count, width)), codes)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("along", [TOKENS, CHANNELS])
@pytest.mark.parametrize("value", [0.0, 1.0, -2.5, 1000.0])
def test_what_is_constant_comes_back_exactly(bits: int, along: int, value: float) -> None:
    kept = torch.full((2, 45, 40), value)
    assert torch.equal(restored(quantised(kept, bits, along), torch.float32), kept)


@pytest.mark.parametrize("bits", [4, 8])
def test_the_ends_of_a_range_are_told_apart_from_the_rest(bits: int) -> None:
    levels = 2**bits - 1
    kept = torch.cat([torch.arange(GROUP - 2) % levels, torch.tensor([0, levels])]).float().view(1, GROUP, 1)
    made = quantised(kept, bits, TOKENS)
    assert (made.low.item(), made.step.item()) == (0, 1)
    assert torch.equal(restored(made, torch.float32), kept), "whole numbers fit exactly"


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 70), st.sampled_from([4, 8]), st.integers(0, 2**32))
def test_groups_do_not_know_each_other(count: int, bits: int, seed: int) -> None:
    kept = torch.randn(2, count, 8, generator=torch.Generator().manual_seed(seed))
    louder = kept.clone()
    louder[:, GROUP:] *= 1000
    mine, other = (restored(quantised(one, bits, TOKENS), torch.float32) for one in (kept, louder))
    assert torch.equal(mine[:, :GROUP], other[:, :GROUP])
    alone = restored(quantised(kept[:, GROUP:], bits, TOKENS), torch.float32) if count > GROUP else mine[:, GROUP:]
    assert torch.equal(mine[:, GROUP:], alone), "a short last group is as if it stood alone"


def test_more_bits_err_less_by_as_much_as_they_should() -> None:
    kept = torch.randn(4, 256, 64, generator=torch.Generator().manual_seed(0))
    errors = [(restored(quantised(kept, bits, TOKENS), torch.float32) - kept).square().mean().sqrt() for bits in (4, 8)]
    assert errors[0] / errors[1] == pytest.approx(255 / 15, rel=0.05)
    # a uniform error of a step of range / 15: 32 normal values span about 4.1
    assert errors[0] == pytest.approx(4.1 / 15 / math.sqrt(12), rel=0.05)


def test_keys_go_by_channel_without_rotation_since_some_channels_are_large() -> None:
    model = build(Qwen2Config(**GROUPED))
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.k_proj.bias[::5] = 40.0
    decoder = Decoder(model)
    read = decoder.read(tokens(64, 1))
    unplaced = decoder.unplaced(read, torch.arange(64), 64)

    def error(keys: Tensor, along: int) -> float:
        return (restored(quantised(keys, 4, along), torch.float32) - keys).square().mean().sqrt().item()

    ours = sum(error(keys, TOKENS) for keys, _ in unplaced)
    assert ours < 0.5 * sum(error(keys, TOKENS) for keys, _ in read), "rotated"
    assert ours < 0.3 * sum(error(keys, CHANNELS) for keys, _ in unplaced), "per token"


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_not_finite_is_refused(wrong: float, dtype: torch.dtype) -> None:
    kept = torch.ones(2, 5, 8, dtype=dtype)
    kept[1, 4, 7] = wrong
    for bits in (4, 8):
        with pytest.raises(InvalidInput, match="NaN or infinite"):
            quantised(kept, bits, TOKENS)


def test_a_range_beyond_all_numbers_is_refused() -> None:
    with pytest.raises(InvalidInput, match="NaN or infinite"):
        quantised(torch.tensor([[[3e38], [-3e38]]]), 8, TOKENS)


def test_parts_that_do_not_belong_together_are_refused() -> None:
    made = quantised(torch.randn(2, 33, 8), 4, TOKENS)
    with pytest.raises(InvalidInput, match="codes"):
        Quantised(made.codes[:-1], made.low, made.step, made.shape, 4, TOKENS)
    with pytest.raises(InvalidInput, match="codes"):
        Quantised(made.codes, made.low[:, :1], made.step, made.shape, 4, TOKENS)
    with pytest.raises(InvalidInput, match="codes"):
        Quantised(made.codes, made.low, made.step, made.shape, 4, CHANNELS)
    with pytest.raises(InvalidInput, match="codes"):
        Quantised(made.codes, made.low, made.step, (2, 32, 8), 4, TOKENS)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_layer_is_packed_and_unpacked(dtype: torch.dtype) -> None:
    keys, values = torch.randn(2, 33, 40).to(dtype), torch.randn(2, 33, 40).to(dtype)
    shapes = ((2, 33, 40), (2, 33, 40))
    assert unpacked(packed(keys, values, "full"), "full", dtype, shapes) == (keys, values), "the same tensors"
    for storage, least in (("int8", 0.01), ("int4", 0.2)):
        mine = unpacked(packed(keys, values, storage), storage, dtype, shapes)
        for kept, again in zip((keys, values), mine, strict=True):
            assert (again.float() - kept.float()).square().mean().sqrt() < least
