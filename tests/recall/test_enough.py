"""In a store of a few memories a context says what is known of someone who is named, and nothing of other matters."""

from __future__ import annotations

import pytest

from mnemos import Mnemos
from mnemos.recall.enough import FEW, NAMED, enough


@pytest.mark.parametrize("question", ["what can I cook for Rita?", "dinner for Rita", "what does Rita eat?"])
def test_a_single_memory_is_shown_for_a_name_also_after_derivation(question: str) -> None:
    with Mnemos(":memory:") as memory:
        memory.add("My sister Rita is vegan.", user_id="ana", name="Ana")
        memory.maintain()
        assert "vegan" in str(memory.context(question, user_id="ana"))


@pytest.mark.parametrize("question", ["What is the capital of France?", "Who wrote Hamlet?", "what does Otto eat?"])
def test_nothing_is_shown_for_other_matters(question: str) -> None:
    with Mnemos(":memory:") as memory:
        memory.add("My sister Rita is vegan.", user_id="ana", name="Ana")
        memory.maintain()
        assert not memory.context(question, user_id="ana")


def test_only_names_in_small_scopes_lower_what_is_enough() -> None:
    assert enough("What does Rita’s cat eat?", "Rita has a cat.", 3, 0.2) == 0.2 * NAMED
    assert enough("What does Rita eat?", "Rita has a cat.", FEW + 1, 0.2) == 0.2
    assert enough("What does Rita eat?", "Margarita has a cat.", 3, 0.2) == 0.2
    assert enough("Rita", "Otto has a cat.", 3, 0.2) == 0.2
    assert enough("What can I eat?", "I am vegan.", 3, 0.2) == 0.2
