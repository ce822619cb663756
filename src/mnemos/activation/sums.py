"""A quick sum over a tensor's bytes: it notices that something was changed or damaged, at the speed of memory.

It is no cryptographic hash. Words of 8 bytes are added in pieces of 64 KiB, and the sums of the pieces are hashed, so
that a changed word, a page of zeros and two pages in each other's place all show.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

PIECE = 8192
"""Words of 8 bytes that are added to one sum."""


def quick_sum(tensor: Tensor) -> str:
    """16 hexadecimal digits that a tensor with other bytes has not, but for one in 2^64.

    Args:
        tensor: of any type, shape and device; shape and type are not in the sum.
    """
    flat = raw(tensor)
    words = _words(flat)
    whole = len(words) // PIECE * PIECE
    pieces = words[:whole].view(-1, PIECE).sum(1, dtype=torch.int64)
    rest = words[whole:].sum(dtype=torch.int64)[None]
    odd = flat[len(words) * words.itemsize :].sum(dtype=torch.int64)[None]
    sums = torch.cat([pieces, rest, odd]).cpu().numpy()
    return hashlib.sha256(sums.tobytes() + flat.numel().to_bytes(8, "little")).hexdigest()[:16]


def raw(tensor: Tensor) -> Tensor:
    """A tensor's bytes in order, [bytes], uint8; no copy where it is contiguous."""
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8)


def _words(flat: Tensor) -> Tensor:
    """As many whole words as there are; the bytes themselves where they do not begin at a word."""
    if flat.storage_offset() % 8:
        return flat
    return flat[: flat.numel() // 8 * 8].view(torch.int64)
