"""Episodes end where the topic changes, wherever the batches do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from mnemos.levels import segment
from mnemos.levels.episodes import divided, told
from mnemos.levels.segment import LONGEST, SHORTEST, Said, cut, modularity
from mnemos.records import Memory

GARDEN = [
    "I planted tomatoes in the garden this morning",
    "The tomato plants need more compost and water",
    "Slugs have eaten half of the lettuce in the garden",
    "I put copper tape around the raised beds against slugs",
    "The beans in the garden are climbing up their poles",
    "Next I will sow carrots and beetroot in the raised beds",
    "The compost heap in the garden is warm and full of worms",
]
TRAINS = [
    "The night train to Vienna leaves at nine from platform four",
    "I booked a sleeper compartment on the train to Vienna",
    "The railway ticket was cheap because I booked early",
    "In Vienna I change to the train for Budapest",
    "The station in Budapest has a beautiful old hall",
    "The train journey back goes through Prague by day",
    "My railway pass is valid for a month on every train",
]


def turns(texts: Sequence[str], speaker: str = "Ana", minutes: int = 1) -> list[Memory]:
    start = datetime(2026, 3, 2, 18, 40, tzinfo=UTC)
    return [
        Memory(f"m{i}", ("default",), "turn", text, speaker=speaker, happened_at=start + timedelta(minutes=i * minutes))
        for i, text in enumerate(texts)
    ]


def lengths(memories: Sequence[Memory]) -> list[int]:
    return [len(part) for part in divided(memories)]


def test_an_episode_ends_where_the_topic_changes() -> None:
    ends = np.cumsum(lengths(turns([*GARDEN, *TRAINS])))
    assert len(GARDEN) in ends
    assert len(ends) <= 3
    assert ends[-1] == len(GARDEN) + len(TRAINS)


def test_one_topic_stays_one_episode() -> None:
    assert lengths(turns(GARDEN)) == [len(GARDEN)]


def test_a_long_pause_ends_an_episode_whatever_is_said() -> None:
    said = turns(GARDEN)
    late = [Memory("late", ("default",), "turn", "The garden again", happened_at=datetime(2026, 3, 4, tzinfo=UTC))]
    assert lengths([*said, *late]) == [len(said), 1]


def test_no_episode_is_longer_than_the_longest() -> None:
    said = turns([GARDEN[i % len(GARDEN)] for i in range(3 * LONGEST)])
    assert max(lengths(said)) <= LONGEST
    assert sum(lengths(said)) == len(said)


def test_an_answer_stays_with_what_it_answers() -> None:
    said = turns([text for pair in zip(GARDEN + TRAINS, TRAINS + GARDEN, strict=True) for text in pair])
    chat = [
        Memory(one.id, one.namespace, "turn", one.text, role="assistant" if i % 2 else "user")
        for i, one in enumerate(said)
    ]
    place = 0
    for part in divided(chat):
        assert chat[place].role == "user"
        place += len(part)


def test_the_boundaries_do_not_depend_on_how_turns_come_in() -> None:
    said = turns([*GARDEN, *TRAINS, *GARDEN, *TRAINS])
    whole = [[one.id for one in part] for part in divided(said)]
    parts: list[list[str]] = []
    held: list[Memory] = []
    for one in said:
        found = [list(part) for part in divided([*held, one], len(held))]
        parts += [[turn.id for turn in part] for part in found[:-1]]
        held = found[-1]
    assert [*parts, [turn.id for turn in held]] == whole


def test_an_episode_that_may_go_on_is_not_cut() -> None:
    said = [Said(frozenset({"rain"})) for _ in range(SHORTEST + 1)]
    assert cut(said, np.full((len(said), 4), 0.5, np.float32)) is None


def test_modularity_is_best_between_two_clusters() -> None:
    one, other = np.eye(2, dtype=np.float32)
    parts = modularity(np.stack([one, one, one, other, other]))
    assert max(range(1, 5), key=parts) == 3
    assert parts(3) == pytest.approx(1 - (3**2 * 2**2 + 2**2) / 8**2)  # two cliques of 6 and 2 ends among 8


@pytest.mark.parametrize("text", ["Hey Ana!", "hi, how are you?", "Good morning"])
def test_greetings_are_known(text: str) -> None:
    assert segment.greets(text)
    assert not segment.greets(f"She said {text}")


def test_what_an_episode_tells_is_in_its_turns_words() -> None:
    said = turns(GARDEN)
    lines = (told(said) or "").splitlines()
    assert 0 < len(lines) <= 4
    for line in lines:
        speaker, _, words = line.partition(": ")
        assert speaker == "Ana"
        assert any(words in one.text for one in said)


def test_nothing_is_told_of_code_alone() -> None:
    assert told(turns(["```python\nprint(1)\n```", "|a|b|\n|---|---|"])) is None
