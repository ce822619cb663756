"""One torch thread: two on a busy machine are many times slower. The town's model is trained once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")
torch.set_num_threads(1)

from town import Town  # noqa: E402

from mnemos import Mnemos  # noqa: E402


@pytest.fixture(scope="session")
def town() -> Town:
    return Town()


@pytest.fixture
def memory() -> Iterator[Mnemos]:
    with Mnemos(":memory:") as memory:
        yield memory
