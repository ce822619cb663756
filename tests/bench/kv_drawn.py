"""Some texts of a task."""

from __future__ import annotations

import torch

from mnemos.bench.caches import tasks
from mnemos.bench.caches.texts import Texts, draw


def drawn(name: str, count: int = 20, seed: int = 0) -> Texts:
    return draw(tasks.TASKS[name], count, torch.Generator().manual_seed(seed))
