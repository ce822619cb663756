from __future__ import annotations

import pytest
from recall_cases import CHAT, made

from mnemos.recall.snapshot import Snapshot


@pytest.fixture
def snapshot() -> Snapshot:
    return made(CHAT)
