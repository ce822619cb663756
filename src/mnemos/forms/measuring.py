"""What a model that is at hand takes to read, to fetch a block and to join blocks: tried once on words of nobody's."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from mnemos.activation.blocks import Block, read_block
from mnemos.activation.files import load, save
from mnemos.activation.fingerprint import Fingerprint
from mnemos.activation.joining import Wish, join
from mnemos.activation.models import Decoder
from mnemos.activation.quantising import Storage
from mnemos.errors import InvalidInput
from mnemos.forms.measured import TEACHING, Measured

TOKENS = 256
"""That are read at once; fewer where the model's places end before."""
BLOCKS = 8
"""Into which they are cut."""
REPAIR = 0.15
"""The share that is repaired, as in `attach`."""
TRIES = 3
"""Of which the fastest counts."""
RANK, BYTES = 16, 4
"""Of an adapter's matrices, and of each of their numbers."""


def measure(model: PreTrainedModel, fingerprint: Fingerprint, storage: Storage) -> Measured:
    """Read some tokens, store them as blocks, fetch and join them. The model is left as it is.

    Args:
        model: the model, with nothing on it.
        fingerprint: what it is.
        storage: in which type blocks are stored.
    """
    config = model.config.get_text_config()
    most = int(getattr(config, "max_position_embeddings", TOKENS) or TOKENS)
    count = max(BLOCKS, min(TOKENS, most // 2) // BLOCKS * BLOCKS)
    chance = torch.Generator().manual_seed(0)
    ids = torch.randint(0, int(config.vocab_size), (count,), generator=chance)
    try:
        decoder = Decoder(model)
    except InvalidInput:
        prefill = _fastest(model, lambda: _forward(model, ids)) / count
        return _with_weights(model, fingerprint, prefill, blocks=False)
    prefill = _fastest(model, lambda: decoder.read(ids)) / count
    with TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}" for number in range(BLOCKS)]
        for path, part in zip(paths, torch.split(ids, count // BLOCKS), strict=True):
            save(read_block(decoder, fingerprint, part), path, storage)
        fetched: list[Block] = []

        def fetch() -> None:
            fetched[:] = [load(path, fingerprint) for path in paths]
            join(decoder, [block.layers for block in fetched], ids, Wish(0.0, 0, 0, 0, False))

        fetching = _fastest(model, fetch)
        parts = [block.layers for block in fetched]
        first = len(fetched[0])
        plain = _fastest(model, lambda: join(decoder, parts, ids, Wish(0.0, first, first, 0, False)))
        repaired = _fastest(model, lambda: join(decoder, parts, ids, Wish(REPAIR, first, first, 0, False)))
        size = sum(path.stat().st_size for path in paths)
    return _with_weights(
        model,
        fingerprint,
        prefill,
        block_bytes=size / count,
        block_seconds=fetching / BLOCKS,
        join_seconds=max(0.0, repaired - plain) / count,
    )


def _with_weights(model: PreTrainedModel, fingerprint: Fingerprint, prefill: float, **found: Any) -> Measured:
    """The same with what an adapter is likely to take, which is not tried."""
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    taught = [one for one in model.modules() if isinstance(one, nn.Linear) and one is not head]
    return Measured(
        model=fingerprint.digest,
        prefill_seconds=prefill,
        teach_seconds=prefill * TEACHING,
        adapter_bytes=float(sum(one.in_features + one.out_features for one in taught) * RANK * BYTES),
        assumed=("teach_seconds", "adapter_bytes", "switch_seconds"),
        **found,
    )


@torch.no_grad()
def _forward(model: PreTrainedModel, ids: Tensor) -> None:
    training = model.training
    model.train(False)
    try:
        model(input_ids=ids[None].to(model.device), use_cache=True)
    finally:
        model.train(training)


def _fastest(model: PreTrainedModel, work: Callable[[], object]) -> float:
    times = []
    for _ in range(TRIES):
        begun = time.perf_counter()
        work()
        if model.device.type == "cuda":
            torch.cuda.synchronize(model.device)
        times.append(time.perf_counter() - begun)
    return min(times)
