"""A quick sum over a tensor's bytes: it notices that something was changed or damaged, at nearly the speed of memory.

It is no cryptographic hash. Words of 8 bytes stand in rows of 8 KiB; the sum of each row and of each column is hashed.
Any change of one word shows, and so do words, rows and pages in each other's place; other changes but for one in 2^64.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

ROW = 1024
"""Words of 8 bytes in a row."""


def quick_sum(tensor: Tensor) -> str:
    """16 hexadecimal digits that a tensor with other bytes has not.

    Args:
        tensor: of any type, shape and device; shape and type are not in the sum.
    """
    flat = raw(tensor)
    rows = flat.numel() // (8 * ROW)
    table = _words(flat[: rows * 8 * ROW]).view(rows, ROW)
    digest = hashlib.sha256(flat.numel().to_bytes(8, "little"))
    for part in (table.sum(1), table.sum(0), flat[rows * 8 * ROW :]):
        digest.update(part.cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def raw(tensor: Tensor) -> Tensor:
    """A tensor's bytes in order, [bytes], uint8; no copy where it is contiguous."""
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8)


def _words(flat: Tensor) -> Tensor:
    """Whole words; of a copy where the bytes do not begin at a word."""
    return (flat.clone() if flat.storage_offset() % 8 else flat).view(torch.int64)
