"""Many texts are read at once, each as if it stood alone after the opening.

Shorter texts are filled up on their right: a causal model does not see there, so that nothing of it reaches them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from mnemos.activation.blocks import Block
from mnemos.activation.fingerprint import Fingerprint
from mnemos.activation.joining import steady
from mnemos.activation.models import Decoder, Layers

AT_ONCE = 4096
"""Tokens that are read at once, those that fill up included."""


def read_blocks(
    decoder: Decoder, fingerprint: Fingerprint, texts: Sequence[Tensor], after: tuple[int, ...] = ()
) -> Iterator[tuple[int, Block]]:
    """Read texts, each once.

    Args:
        decoder: the model.
        fingerprint: of that model.
        texts: token ids of each, [tokens].
        after: token ids that stand before each of them.

    Yields:
        The place of a text in `texts`, and its block; shorter texts first.
    """
    before = torch.tensor(after, dtype=torch.int64)
    wholes = [torch.cat([before, text.to("cpu", torch.int64)]) for text in texts]
    for rows in _batches(decoder, [len(whole) for whole in wholes]):
        begun = time.perf_counter()
        read = _read(decoder, [wholes[row] for row in rows])
        if decoder.device.type == "cuda":
            torch.cuda.synchronize(decoder.device)
        a_token = (time.perf_counter() - begun) / sum(len(wholes[row]) for row in rows)
        for row, layers in zip(rows, read, strict=True):
            own = [(keys[:, len(after) :].clone(), values[:, len(after) :].clone()) for keys, values in layers]
            yield row, Block(wholes[row][len(after) :], own, fingerprint, after, a_token * len(wholes[row]))


def _batches(decoder: Decoder, lengths: Sequence[int]) -> Iterator[list[int]]:
    """Rows that are read together, of about the same length; alone where the frequencies depend on the length."""
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        full = (len(batch) + 1) * lengths[row] > AT_ONCE
        if batch and (full or not steady(decoder, lengths[row])):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


@torch.no_grad()
def _read(decoder: Decoder, texts: Sequence[Tensor]) -> list[Layers]:
    """Keys that stand nowhere, and values, of each text."""
    width = max(map(len, texts))
    ids = torch.stack([torch.nn.functional.pad(text, (0, width - len(text))) for text in texts]).to(decoder.device)
    places = torch.arange(width, device=decoder.device)
    cache = DynamicCache()
    with decoder.at_rest() as base:
        base(input_ids=ids, position_ids=places.expand(len(texts), -1), past_key_values=cache, use_cache=True)
    read: Any = cache.layers
    layers: Layers = [(layer.keys, layer.values) for layer in read]
    return [
        decoder.unplaced(
            [(k[row, :, : len(text)], v[row, :, : len(text)]) for k, v in layers], places[: len(text)], width
        )
        for row, text in enumerate(texts)
    ]
