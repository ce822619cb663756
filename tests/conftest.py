"""What every test can ask for: a path for a store, a clock that stands still, and a memory on both."""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from collections.abc import Iterator  # noqa: E402 - threads are counted when numpy is imported
from pathlib import Path  # noqa: E402

import pytest  # noqa: E402
from clock import Clock  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

from mnemos import Mnemos  # noqa: E402

settings.register_profile(
    "mnemos", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
settings.load_profile("mnemos")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


@pytest.fixture
def memory(path: Path, clock: Clock) -> Iterator[Mnemos]:
    with Mnemos(path, clock=clock) as memory:
        yield memory
