"""Keys and values in 8 or 4 bits: keys per channel, values per token, in groups that each have a range of their own.

As KIVI does it (Liu et al. 2024, "KIVI: A Tuning-Free Asymmetric 2bit Quantization for KV Cache"): a few channels of
the keys are large for every token, so that a channel's tokens share a range; values have no such channels, so that a
token's channels do. A group's lowest value is z, its step Δ = (highest − z) / (2^bits − 1), and x is kept as
round((x − z) / Δ). Keys are kept without rotation, which would mix channels as places go by. A block is quantised once
it is whole, and what is read now stays as the model makes it (past-only, as in Yue et al. 2024, "WKVQuant: Quantizing
Weight and Key/Value Cache for Large Language Models Gains More"), so that no last tokens need be held back.

Ours: z is rounded down and Δ up to what is stored (float16, or float32 where a range is beyond it), before anything is
divided by them. So every value lies in its group's range, none is clipped, and each comes back within Δ / 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import pad

from mnemos.errors import InvalidInput

Storage = Literal["full", "int8", "int4"]
"""How keys and values are kept: as the model made them, in 8 bits, or in 4 bits."""
STORAGES: tuple[Storage, ...] = get_args(Storage)
BITS = {"int8": 8, "int4": 4}
Shape = tuple[int, int, int]
AT_ONCE = 1 << 20
"""Values that are restored at a time."""
GROUP = 32
"""Values that share a range, as in KIVI."""
TOKENS, CHANNELS = 1, 2
"""Along which dimension of [heads, tokens, dimensions] a group runs: keys' along tokens, values' along channels."""


@dataclass(frozen=True, slots=True)
class Quantised:
    """A tensor [heads, tokens, dimensions] in few bits.

    Raises:
        InvalidInput: its parts do not belong together.
    """

    codes: Tensor
    """uint8: one code a byte in the tensor's shape; in 4 bits two a byte, [heads, bytes], the second half of a head's
    codes above the first."""
    low: Tensor
    """The least value z of each group, [heads, groups or tokens, dimensions or groups]."""
    step: Tensor
    """Δ of each group, in the same shape."""
    shape: Shape
    bits: int
    along: int

    def __post_init__(self) -> None:
        ranges = list(self.shape)
        ranges[self.along] = -(-self.shape[self.along] // GROUP)
        count = self.shape[0] * -(-prod(self.shape[1:]) * self.bits // 8)
        if self.codes.numel() != count or [*self.low.shape] != ranges or self.step.shape != self.low.shape:
            problem = f"{self.codes.numel()} bytes and ranges {tuple(self.low.shape)} for a shape {self.shape}"
            raise InvalidInput("codes", problem, f"give {count} bytes and ranges {tuple(ranges)}")

    @property
    def bytes(self) -> int:
        """What it takes."""
        return sum(kept.numel() * kept.element_size() for kept in (self.codes, self.low, self.step))


def quantised(kept: Tensor, bits: int, along: int) -> Quantised:
    """A tensor in few bits.

    Args:
        kept: floating point, [heads, tokens, dimensions].
        bits: 8 or 4.
        along: `TOKENS` or `CHANNELS`: where the values of a group follow each other; a last group may be shorter.

    Raises:
        InvalidInput: a value is NaN or infinite, or a group's range is beyond float32.
    """
    groups = _groups(_finite(kept).float(), along)
    inner = along + 1
    low, high = groups.amin(inner), groups.amax(inner)
    _finite(high - low)
    small = _small(low, high, bits)
    low = _rounded(low, small, up=False)
    step = _rounded((high - low.float()) / (2**bits - 1), small, up=True)
    divisor = torch.where(step == 0, torch.ones_like(step), step).float().unsqueeze(inner)
    codes = (groups - low.float().unsqueeze(inner)).div_(divisor).round_().clamp_(0, 2**bits - 1).to(torch.uint8)
    whole = codes.flatten(along, inner).narrow(along, 0, kept.shape[along])
    return Quantised(two_a_byte(whole) if bits == 4 else whole.contiguous(), low, step, _shape(kept), bits, along)


def restored(kept: Quantised, dtype: torch.dtype) -> Tensor:
    """The tensor again, each value within Δ / 2 of what it was, and rounded to `dtype`."""
    whole = torch.empty(kept.shape, dtype=dtype)
    # few heads at a time stay in a processor's cache
    heads = max(1, AT_ONCE // prod(kept.shape[1:]))
    parts = zip(*(torch.split(one, heads) for one in (kept.codes, kept.low, kept.step, whole)), strict=True)
    for codes, low, step, part in parts:
        part.copy_(_restored(codes, low, step, kept, dtype))
    return whole


def _restored(codes: Tensor, low: Tensor, step: Tensor, kept: Quantised, dtype: torch.dtype) -> Tensor:
    """Some heads of a tensor, float32."""
    inner = kept.along + 1
    single = one_a_byte(codes, kept.shape[1:]) if kept.bits == 4 else codes
    groups = _groups(single, kept.along).float()
    groups.mul_(step.float().unsqueeze(inner)).add_(low.float().unsqueeze(inner))
    if dtype == torch.float16:
        groups.clamp_(torch.finfo(dtype).min, torch.finfo(dtype).max)
    return groups.flatten(kept.along, inner).narrow(kept.along, 0, kept.shape[kept.along])


def packed(keys: Tensor, values: Tensor, storage: Storage) -> dict[str, Tensor]:
    """What is kept of keys and values, by name.

    Args:
        keys: without rotation, [heads, tokens, dimensions]; several layers may stand as more heads.
        values: [heads, tokens, dimensions].
        storage: how.

    Raises:
        InvalidInput: a key or value is NaN or infinite, or the storage is not known.
    """
    if storage == "full":
        return {"keys": _finite(keys), "values": _finite(values)}
    if storage not in BITS:
        raise InvalidInput("storage", f"{storage!r} is not known", f"choose one of {', '.join(STORAGES)}")
    made = {
        "keys": quantised(keys, BITS[storage], TOKENS),
        "values": quantised(values, BITS[storage], CHANNELS),
    }
    return {f"{name}.{part}": getattr(kept, part) for name, kept in made.items() for part in ("codes", "low", "step")}


def unpacked(
    tensors: Mapping[str, Tensor], storage: Storage, dtype: torch.dtype, shapes: tuple[Shape, Shape]
) -> tuple[Tensor, Tensor]:
    """Keys and values again; in full precision the same tensors.

    Args:
        tensors: what `packed` made.
        storage: how.
        dtype: the type to give them.
        shapes: of keys and of values.

    Raises:
        KeyError: a tensor is missing.
        InvalidInput: a tensor is not of that shape or type.
    """
    both = []
    for name, along, shape in zip(("keys", "values"), (TOKENS, CHANNELS), shapes, strict=True):
        if storage == "full":
            whole = tensors[name]
            if whole.shape != shape or whole.dtype != dtype:
                raise InvalidInput(name, f"{tuple(whole.shape)} of {whole.dtype}", f"give {shape} of {dtype}")
        else:
            codes, low, step = (tensors[f"{name}.{part}"] for part in ("codes", "low", "step"))
            whole = restored(Quantised(codes, low, step, shape, BITS[storage], along), dtype)
        both.append(whole)
    return both[0], both[1]


def _finite(kept: Tensor) -> Tensor:
    if not kept.isfinite().all():
        raise InvalidInput("layers", "a key or value is NaN or infinite", "read the text in a wider number type")
    return kept


def _groups(kept: Tensor, along: int) -> Tensor:
    """Values group by group along a dimension; a short last group is filled with its own last value."""
    missing = -kept.shape[along] % GROUP
    if missing:
        last = kept.narrow(along, kept.shape[along] - 1, 1)
        kept = torch.cat([kept, last.expand(*(missing if at == along else -1 for at in range(3)))], along)
    return kept.reshape(*kept.shape[:along], -1, GROUP, *kept.shape[along + 1 :])


def _small(low: Tensor, high: Tensor, bits: int) -> torch.dtype:
    """float16 where every range fits into it."""
    largest = torch.maximum(low.abs().max(), (high - low).max() / (2**bits - 1))
    return torch.float16 if largest < 65000 else torch.float32


def _rounded(exact: Tensor, dtype: torch.dtype, *, up: bool) -> Tensor:
    """The nearest numbers of a type that are not below (above) the exact ones."""
    near = exact.to(dtype)
    wrong = near.float() < exact if up else near.float() > exact
    away = torch.full_like(near, torch.inf if up else -torch.inf)
    return torch.where(wrong, torch.nextafter(near, away), near)


def two_a_byte(codes: Tensor) -> Tensor:
    """Codes below 16, [rows, ...], two in each byte, [rows, bytes]: the second half of a row above its first."""
    flat = codes.flatten(1)
    half = (flat.shape[1] + 1) // 2
    return flat[:, :half] | pad(flat[:, half:], (0, 2 * half - flat.shape[1])) << 4


def one_a_byte(codes: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The inverse of `two_a_byte`, [rows, *shape]."""
    return torch.cat([codes & 15, codes >> 4], 1)[:, : prod(shape)].reshape(-1, *shape)


def _shape(kept: Tensor) -> Shape:
    return kept.shape[0], kept.shape[1], kept.shape[2]
