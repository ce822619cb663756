"""Blocks on disk: one safetensors file each, mapped into memory when it is read.

A file holds the token ids, the ids that stood before them, and keys and values, layer after layer; in its header stand
the fingerprint, how it is stored, and a quick sum of every tensor. Nothing in it is executed. What is loaded in full
precision is a private view of the file: its bytes are fetched as they are used, and a change to it never reaches the
file. To be kept for good a file is handed to the store, which names it by its content and writes it durably.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

import torch
from torch import Tensor

from mnemos.activation.blocks import Block, BlockRefused, misfits
from mnemos.activation.fingerprint import Fingerprint, differences
from mnemos.activation.models import Layers
from mnemos.activation.quantising import STORAGES, Storage, packed, unpacked
from mnemos.activation.sealed import Header, Sealed, Tensors
from mnemos.activation.sums import quick_sum

SMALL = 1 << 18
"""Keys of layers that are written as one."""
BLOCKS = Sealed("block", "mnemos.block.1", "drop it and encode the memory again")


def save(block: Block, path: Path, storage: Storage = "full") -> None:
    """Write a block to a file, in place of any that is there, which stays whole for those that have it mapped.

    Args:
        block: what to write; it is not changed.
        path: where.
        storage: `full`: as the model made it; `int8`, `int4`: see `quantising`.

    Raises:
        InvalidInput: a key or value is NaN or infinite, or the storage is not known.
    """
    tensors = {"ids": block.ids.to(torch.int32), "after": torch.tensor(block.after, dtype=torch.int32)}
    runs = []
    for number, run in enumerate(_runs(block.layers)):
        keys, values = (torch.cat([pair[which].detach().cpu() for pair in run]) for which in (0, 1))
        tensors |= {f"{number}.{name}": kept for name, kept in packed(keys, values, storage).items()}
        runs.append((len(run), tuple(keys.shape), tuple(values.shape)))
    header = {
        "storage": storage,
        "runs": runs,
        "seconds": block.seconds,
        "fingerprint": block.fingerprint.to_json(),
        "sums": {name: quick_sum(kept) for name, kept in tensors.items()},
    }
    part = path.with_name(f"{path.name}.part")
    try:
        BLOCKS.write(tensors, header, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def load(
    path: Path,
    expected: Fingerprint,
    *,
    ids: Tensor | None = None,
    after: tuple[int, ...] | None = None,
    check: bool = True,
) -> Block:
    """Read a block from a file.

    Args:
        path: where `save` wrote it.
        expected: the fingerprint of the model at hand.
        ids: token ids that it has to be made of; None: whatever it is made of.
        after: the sinks that it has to be read after; None: any.
        check: whether to compare sums. That reads every byte once, at the speed of the disk or of memory; without it,
            the bytes of a block in full precision are not touched before they are used.

    Returns:
        The block on the CPU, in the model's number type.

    Raises:
        BlockRefused: another model made it, or it is of another text or after other sinks; each difference is named.
        BlockDamaged: the file is missing, cut off, damaged, or no block.
    """
    header, tensors = BLOCKS.opened(path)
    with BLOCKS.whole(path):
        found = Fingerprint.from_json(header["fingerprint"])
    if found != expected and (different := differences(expected, found)):
        raise BlockRefused(different)
    with BLOCKS.whole(path):
        if check:
            _compare(tensors, header["sums"], path)
        block = _block(header, tensors, found)
    different = misfits(block, ids, after)
    if different:
        raise BlockRefused(different)
    return block


def described(path: Path) -> tuple[Fingerprint, Storage, int]:
    """Who made a file, how it is stored and how many tokens it has, without reading keys or values.

    Raises:
        BlockDamaged: the file is missing, cut off, or no block.
    """
    header, tensors = BLOCKS.opened(path)
    with BLOCKS.whole(path):
        return Fingerprint.from_json(header["fingerprint"]), _storage(header), len(tensors["ids"])


def _block(header: Header, tensors: Tensors, fingerprint: Fingerprint) -> Block:
    dtype = getattr(torch, fingerprint.dtype)
    storage = _storage(header)
    layers: Layers = []
    for number, (count, *shapes) in enumerate(header["runs"]):
        if count < 1 or [len(shape) for shape in shapes] != [3, 3] or any(shape[0] % count for shape in shapes):
            raise ValueError(f"{count} layers cannot be made of {shapes}")
        own = {name.partition(".")[2]: kept for name, kept in tensors.items() if name.startswith(f"{number}.")}
        keys, values = unpacked(own, storage, dtype, (tuple(shapes[0]), tuple(shapes[1])))
        layers += zip(keys.chunk(count), values.chunk(count), strict=True)
    after = tuple(tensors["after"].tolist())
    return Block(tensors["ids"].to(torch.int64), layers, fingerprint, after, float(header["seconds"]))


def _storage(header: Header) -> Storage:
    for storage in STORAGES:
        if header["storage"] == storage:
            return storage
    raise ValueError(f"it is stored as {str(header['storage'])[:20]!r}")


def _compare(tensors: Tensors, sums: Mapping[str, str], path: Path) -> None:
    wrong = sorted(name for name, kept in tensors.items() if sums.get(name) != quick_sum(kept))
    if wrong or set(sums) != set(tensors):
        raise BLOCKS.damaged(
            path, f"is damaged: the bytes of {', '.join(wrong[:3]) or 'a tensor'} are not those written"
        )


def _runs(layers: Layers) -> Iterator[Layers]:
    """Layers that follow each other and have one shape, as many as are small together.

    They are written as one, since a file of few tensors opens faster; large ones gain nothing by it.
    """
    for _, alike in groupby(layers, lambda pair: (pair[0].shape, pair[1].shape)):
        run = list(alike)
        count = max(1, SMALL // max(run[0][0].numel(), run[0][1].numel()))
        yield from (run[at : at + count] for at in range(0, len(run), count))
