"""What forgetting leaves of one published conversation; skipped where the data are absent.

The bars for all of them together (0.93 and 0.72 of the full recall) are measured by `mnemos bench forget`; the shortest
conversation alone may stray from them a little.
"""

from __future__ import annotations

from pathlib import Path
from statistics import mean

import pytest

from mnemos import Mnemos
from mnemos.bench import metrics
from mnemos.bench.data import Conversation, read
from mnemos.bench.forget import Simple, answerable
from mnemos.bench.recall import USER, remember
from mnemos.gate.weighing import SalienceStage

LOCOMO = Path(__file__).parents[3] / "shared" / "data" / "locomo-dev.jsonl.gz"
pytestmark = pytest.mark.skipif(not LOCOMO.exists(), reason="the development data are not here")
LONGEST = Simple("longest", lambda memory: float(len(memory.text)))


def recall(memory: Mnemos, conversation: Conversation, turn_of: dict[str, str]) -> float:
    found = []
    for one in answerable(conversation):
        hits = memory.search(one.text, user_id=USER, now=conversation.last_time, limit=10)
        found.append(metrics.recall_at([turn_of[hit.memory.id] for hit in hits], one.evidence, 10))
    return mean(found)


def test_half_of_a_conversation_keeps_most_of_its_recall(tmp_path: Path) -> None:
    conversation = min(read(LOCOMO).conversations, key=lambda one: len(one.turns))
    with Mnemos(tmp_path / "one.db", stages=[SalienceStage()]) as memory:
        turn_of = remember(memory, conversation)
        full = recall(memory, conversation, turn_of)
        memory.backup(tmp_path / "other.db")
        memory.forget(share=0.5, now=conversation.last_time, user_id=USER)
        half = recall(memory, conversation, turn_of)
        memory.forget(share=0.25, now=conversation.last_time, user_id=USER)
        quarter = recall(memory, conversation, turn_of)
    with Mnemos(tmp_path / "other.db", stages=[SalienceStage()]) as memory:
        memory.forget(share=0.5, policy=LONGEST, now=conversation.last_time, user_id=USER)
        longest = recall(memory, conversation, turn_of)
    assert half >= 0.90 * full
    assert quarter >= 0.68 * full
    assert half >= longest + 0.03
