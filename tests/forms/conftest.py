"""Real models, small: the town's, which learns facts. One torch thread; files that need torch skip without it."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

for _name in ("activation", "parametric"):
    sys.path.append(str(Path(__file__).parents[1] / _name))
if find_spec("torch"):
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def town() -> Any:
    """People and where they live, and a model that can learn it."""
    pytest.importorskip("torch")
    pytest.importorskip("peft")
    from town import Town

    return Town()


@pytest.fixture(scope="session")
def reader() -> Any:
    """Notes of who lives where, and a model that looks them up in what it reads."""
    pytest.importorskip("torch")
    pytest.importorskip("peft")
    from reader import Reader

    return Reader()
