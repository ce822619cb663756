"""What a prompt holds already is not quoted in it, and what was written is read before somebody asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from mnemos import InvalidInput, Mnemos

RITA = "My sister Rita is vegan and lives in Porto."
SAID = [RITA, "My brother Tom eats fish every Friday.", "Rita moved to Porto in 2024 for her new job."]


@pytest.fixture
def memory(tmp_path: Path) -> Mnemos:
    found = Mnemos(tmp_path / "a.db")
    found.add(SAID, user_id="ana", role="user")
    found.maintain()
    return found


def test_what_the_prompt_says_is_left_out(memory: Mnemos) -> None:
    with memory:
        asked = "Where does my sister Rita live, in Porto?"
        assert RITA in str(memory.context(asked, user_id="ana"))
        left = memory.context(asked, user_id="ana", beside=[RITA])
        assert RITA not in str(left)
        assert SAID[2] in str(left)
        facts = [
            one.id for one in memory.list(user_id="ana", kinds=["fact"]) if set(one.sources) <= {ids(memory)[RITA]}
        ]
        assert facts
        assert not {one for item in left.items for one in item.memory_ids} & set(facts)
        assert not memory.context(asked, user_id="ana", beside=set(SAID))


def ids(memory: Mnemos) -> dict[str, str]:
    return {one.text: one.id for one in memory.list(user_id="ana", kinds=["turn"])}


def test_texts_are_given_as_a_list(memory: Mnemos) -> None:
    with memory, pytest.raises(InvalidInput, match="beside"):
        memory.context("Rita?", user_id="ana", beside=RITA)


def test_what_was_written_is_read_ahead(memory: Mnemos) -> None:
    with memory:
        memory.keep_up()
        memory.search("Rita", user_id="ana")
        memory.add("Rita has a dog called Milo.", user_id="ana")
        before = reads(memory)
        memory.keep_up()
        assert reads(memory) == before + 1
        found = [hit.memory.text for hit in memory.search("Rita's dog Milo", user_id="ana")]
        assert reads(memory) == before + 1
    assert found[0] == "Rita has a dog called Milo."


def reads(memory: Mnemos) -> int:
    """How often the store was read for searches."""
    snapshots = memory._searcher._snapshots
    if not hasattr(snapshots, "reads"):
        refresh = snapshots._refresh
        snapshots.reads = 0  # type: ignore[attr-defined]

        def counted(*args: object) -> object:
            snapshots.reads += 1  # type: ignore[attr-defined]
            return refresh(*args)  # type: ignore[arg-type]

        snapshots._refresh = counted  # type: ignore[method-assign,assignment]
    found: int = snapshots.reads  # type: ignore[attr-defined]
    return found
