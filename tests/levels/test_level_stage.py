"""Levels in a store: derived as turns come in, at a constant cost, and gone with what they were derived from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from clock import Clock

from mnemos import Mnemos
from mnemos.levels.cluster import FULL
from mnemos.levels.stage import LevelStage
from mnemos.records import Memory
from mnemos.stages import Batch
from mnemos.store.rows import fetch_num

TOPICS = {
    "garden": "tomatoes compost lettuce slugs beans carrots beetroot worms seedlings greenhouse",
    "trains": "railway platform sleeper ticket Vienna Budapest station carriage conductor timetable",
    "boats": "harbour sail anchor mooring keel rudder dinghy lighthouse tide regatta",
    "baking": "sourdough oven flour yeast crumb crust kneading proving baguette rye",
}
START = datetime(2026, 1, 5, 18, 0, tzinfo=UTC)


def session(number: int, topic: str, length: int = 8) -> list[dict[str, Any]]:
    """A chat about one topic; each turn with words of its own."""
    words = TOPICS[topic].split()
    return [
        {
            "name": ("Ana", "Ben")[place % 2],
            "content": f"{number}: the {words[(number + place) % 10]} and the {words[(place * 3) % 10]} for {topic}",
            "happened_at": START + timedelta(days=number, minutes=place),
            "session_id": f"s{number}",
        }
        for place in range(length)
    ]


def sessions(count: int) -> list[dict[str, Any]]:
    return [turn for number in range(count) for turn in session(number, list(TOPICS)[number % 4])]


def levels(memory: Mnemos, *kinds: str) -> list[Memory]:
    return memory.list(kinds=kinds or ("episode", "theme", "profile"), limit=10_000)


@pytest.fixture
def only(path: Path, clock: Clock) -> Iterator[Mnemos]:
    """A store in which nothing but levels is derived."""
    with Mnemos(path, clock=clock, stages=(LevelStage(),)) as memory:
        yield memory


def test_episodes_cite_their_turns_and_stay_in_their_session(only: Mnemos) -> None:
    added = only.add([*session(0, "garden"), *session(1, "trains")])
    only.maintain()
    episodes = levels(only, "episode")
    assert {episode.session_id for episode in episodes} == {"s0", "s1"}
    by_id = {turn.id: turn for turn in added}
    for episode in episodes:
        assert {by_id[source].session_id for source in episode.sources} == {episode.session_id}
        assert episode.happened_at == by_id[episode.sources[0]].happened_at
        assert episode.recipe == "episode"
    assert [source for episode in episodes for source in episode.sources] == [turn.id for turn in added]
    assert only.check() == []


def test_levels_are_searched_only_when_named(only: Mnemos) -> None:
    only.add(session(0, "garden"))
    only.maintain()
    assert {hit.memory.kind for hit in only.search("compost in the garden")} == {"turn"}
    assert {hit.memory.kind for hit in only.search("compost in the garden", kinds=["episode"])} == {"episode"}


def test_a_session_that_goes_on_keeps_its_episode(only: Mnemos) -> None:
    said = session(0, "garden")
    only.add(said[:5])
    only.maintain()
    (before,) = levels(only, "episode")
    only.add(said[5:])
    only.maintain()
    (after,) = levels(only, "episode")
    assert after.id == before.id
    assert len(after.sources) == 8


def test_a_turn_alone_is_no_episode_until_another_comes(only: Mnemos) -> None:
    said = session(0, "garden")
    only.add(said[0])
    only.maintain()
    assert levels(only) == []
    only.add(said[1])
    only.maintain()
    (episode,) = levels(only, "episode")
    assert len(episode.sources) == 2


def test_turn_by_turn_gives_the_same_episodes_as_all_at_once(tmp_path: Path, clock: Clock) -> None:
    mixed = [
        {**turn, "session_id": "one", "happened_at": START + timedelta(minutes=place)}
        for place, turn in enumerate([*session(0, "garden"), *session(1, "trains"), *session(2, "baking")])
    ]
    found = []
    for size in (1, 5, len(mixed)):
        with Mnemos(tmp_path / f"{size}.db", clock=clock, stages=(LevelStage(),)) as memory:
            for start in range(0, len(mixed), size):
                memory.add(mixed[start : start + size])
                memory.maintain()
            texts = {one.id: one.text for one in memory.list(kinds=["turn"], limit=100)}
            found.append([[texts[i] for i in e.sources] for e in levels(memory, "episode")])
    assert found[0] == found[1] == found[2]
    assert len(found[0]) > 1


def test_deriving_again_from_the_log_keeps_every_id(path: Path, clock: Clock) -> None:
    with Mnemos(path, clock=clock, stages=(LevelStage(),)) as memory:
        memory.add(sessions(9))
        memory.maintain()
        before = {one.id: one.text for one in levels(memory)}
        with memory._store.db.write() as connection:
            connection.execute("DELETE FROM progress")
        memory.add("Something else entirely")
        memory.maintain()
        assert {one.id: one.text for one in levels(memory)} == before


def test_episodes_of_one_topic_become_a_theme_that_cites_them(only: Mnemos) -> None:
    only.add(sessions(13))
    only.maintain()
    episodes = {episode.id: episode for episode in levels(only, "episode")}
    themes = levels(only, "theme")
    assert len(themes) == 4
    for theme in themes:
        told = {topic for topic in TOPICS for source in theme.sources if topic in episodes[source].text}
        assert len(told) == 1
        assert len(theme.sources) == 3
        words, _, span = theme.text.splitlines()[0].partition(" (2026-01-")
        topic = told.pop()
        assert set(words.split(", ")) <= {topic, *TOPICS[topic].split()}
        assert span


def test_a_deleted_turn_leaves_no_trace_in_any_level(only: Mnemos, path: Path) -> None:
    said = sessions(13)
    said[2]["content"] = "The aardvarkish tomatoes in the garden have won a prize for aardvarkish compost!!"
    added = only.add(said)
    only.maintain()
    assert any("aardvarkish" in level.text for level in levels(only, "episode"))
    only.delete(added[2].id)
    assert only.verify_erased(said[2]["content"]).clean
    assert b"aardvarkish" not in path.read_bytes()
    assert only.check() == []
    waiting = len(levels(only))
    only.maintain()
    shown = levels(only)
    assert len(shown) == waiting + 2
    assert not any("aardvarkish" in level.text or added[2].id in level.sources for level in shown)
    assert only.check() == []


def test_a_session_deleted_takes_its_levels_along(only: Mnemos) -> None:
    added = only.add(session(0, "garden"))
    only.maintain()
    for turn in added:
        only.delete(turn.id)
        only.maintain()
    assert levels(only) == []


def test_an_edited_turn_is_told_anew(only: Mnemos) -> None:
    added = only.add(session(0, "garden"))
    only.maintain()
    only.update(added[1].id, text="We adopted a greyhound called Dulse today!!")
    assert levels(only) == []
    only.maintain()
    (episode,) = levels(only, "episode")
    assert "greyhound called Dulse" in episode.text


def test_levels_of_one_namespace_know_nothing_of_another(only: Mnemos) -> None:
    for user in ("ana", "bob"):
        only.add([*session(0, "garden"), *session(4, "garden"), *session(9, "boats")], user_id=user)
    only.maintain()
    for user in ("ana", "bob"):
        found = only.list(user_id=user, kinds=["episode", "theme"], limit=100)
        turns = {turn.id for turn in only.list(user_id=user, kinds=["turn", "episode"], limit=1000)}
        assert {one.kind for one in found} == {"episode", "theme"}
        assert all(set(one.sources) <= turns for one in found)
    assert levels(only) == []


def test_what_came_from_another_store_goes_on_there(path: Path, tmp_path: Path, only: Mnemos, clock: Clock) -> None:
    only.add(sessions(9))
    only.maintain()
    before = {one.id: one.sources for one in levels(only, "episode")}
    only.export_file(tmp_path / "all.jsonl")
    with Mnemos(tmp_path / "other.db", clock=clock, stages=(LevelStage(),)) as other:
        other.import_file(tmp_path / "all.jsonl")
        other.maintain()
        assert {one.id: one.sources for one in levels(other, "episode")} == before
        last = levels(other, "episode")[-1]
        other.add([{**session(8, "garden")[0], "content": "The garden tomatoes again", "happened_at": None}])
        other.maintain()
        (longer,) = [one for one in levels(other, "episode") if one.id == last.id]
        assert len(longer.sources) == len(last.sources) + 1
        assert other.check() == []


# ── what a turn costs ────────────────────────────────────────────────────────────────────────────────────────────


def work(memory: Mnemos, turns: Sequence[dict[str, Any]]) -> int:
    """Steps that SQLite takes to derive the levels of some new turns: a count of rows read and written, no time."""
    nums = memory._store.numbers([one.id for one in memory.add(turns)])
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    with memory._store.db.write() as connection:
        found = [fetch_num(connection, num) for num in nums]
        connection.set_progress_handler(step, 10)
        LevelStage().take(Batch(connection, [one for one in found if one], memory._index, 0))
        connection.set_progress_handler(None, 0)
    return steps


def test_a_turn_costs_no_more_in_a_large_store(only: Mnemos) -> None:
    small, large = 4 * 20, 4 * (20 + 2 * FULL)
    said = sessions(large + 1)
    costs = []
    for start, stop in ((0, small), (small + 1, large)):
        only.add(said[8 * start : 8 * stop])
        only.maintain()
        costs.append(work(only, said[8 * stop : 8 * stop + 8]))
    assert costs[1] < 1.1 * costs[0]


# ── facts and profiles ───────────────────────────────────────────────────────────────────────────────────────────


def tell(memory: Mnemos, text: str, at: str) -> Memory:
    (turn,) = memory.add({"name": "Ana", "content": text, "happened_at": at}, user_id="ana")
    memory.maintain()
    return turn


def test_a_profile_follows_what_changes(memory: Mnemos) -> None:
    tell(memory, "I live in Rome. I work as a baker.", "2025-03-01T12:00:00Z")
    (before,) = memory.list(user_id="ana", kinds=["profile"])
    assert "home: lives in Rome" in before.text
    moved = tell(memory, "I moved to Porto.", "2026-02-01T12:00:00Z")
    (after,) = memory.list(user_id="ana", kinds=["profile"])
    assert after.id == before.id
    assert "lives in Porto" in after.text or "moved to Porto" in after.text
    assert "until 2026-02-01: lives in Rome" in after.text
    profile = memory.profile(user_id="ana")
    assert profile.subject == "Ana"
    assert [line.until is None for line in profile.lines if line.group == "home"] == [True, False]
    then = memory.profile(user_id="ana", as_of="2025-06-01T00:00:00Z")
    assert then.lines[0].text == "lives in Rome"
    memory.delete(moved.id)
    memory.maintain()
    (again,) = memory.list(user_id="ana", kinds=["profile"])
    assert "Porto" not in again.text
    assert memory.check() == []


def test_every_line_of_a_profile_cites_a_memory(memory: Mnemos) -> None:
    tell(memory, "I live in Rome. I work as a baker. I love swimming.", "2025-03-01T12:00:00Z")
    profile = memory.profile("ana", user_id="ana")
    assert profile
    for line in profile.lines:
        for memory_id in line.memory_ids:
            found = memory.get(memory_id)
            assert found is not None
            assert found.sources
    (stored,) = memory.list(user_id="ana", kinds=["profile"])
    assert set(stored.sources) == {i for line in profile.lines for i in line.memory_ids}


def test_a_timeline_is_in_order(memory: Mnemos) -> None:
    tell(memory, "I moved to Porto on 1 February 2026.", "2026-02-03T12:00:00Z")
    memory.add(
        [
            {"name": "Ana", "content": "My brother got married on Friday!!", "happened_at": "2026-01-05T12:00:00Z"},
            {"name": "Ben", "content": "Congratulations to both.", "happened_at": "2026-01-05T12:01:00Z"},
        ],
        user_id="ana",
        session_id="wedding",
    )
    memory.maintain()
    found = memory.timeline(user_id="ana")
    assert [moment.at for moment in found] == sorted(moment.at for moment in found)
    assert any("married" in moment.text for moment in found)
    assert any("Porto" in moment.text for moment in found)
    assert not memory.timeline(user_id="ana", since="2027-01-01T00:00:00Z")
    assert not memory.timeline("Otto", user_id="ana")
    assert not memory.timeline(user_id="nobody")


def test_nothing_is_known_of_nobody(memory: Mnemos) -> None:
    assert not memory.profile()
    assert not memory.profile("Otto", user_id="ana")
    assert str(memory.profile("Otto")) == "Otto"


def test_the_twins(memory: Mnemos) -> None:
    import asyncio

    tell(memory, "I live in Rome. I work as a baker.", "2025-03-01T12:00:00Z")
    assert asyncio.run(memory.aprofile(user_id="ana")) == memory.profile(user_id="ana")
    assert asyncio.run(memory.atimeline(user_id="ana")) == memory.timeline(user_id="ana")


# ── odd input ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_turn_is_in_one_episode_at_most_however_sessions_mix(only: Mnemos) -> None:
    odd = [
        "👍",
        "…",
        "```\ncode\n```",
        "今天下雨了。我们在家里看书。",
        "ok",
        "a" * 5_000,
        "| a | b |",
        "I moved to Porto!! " * 60,
    ]
    for round_ in range(6):
        for number in range(12):
            text = odd[(round_ * 5 + number) % len(odd)]
            only.add({"content": f"{text} {round_}.{number}", "session_id": f"s{number}" if number % 4 else None})
        only.maintain()
    episodes = levels(only, "episode")
    held = [source for episode in episodes for source in episode.sources]
    assert len(held) == len(set(held))
    turns = {turn.id: turn.session_id for turn in only.list(kinds=["turn"], limit=1000)}
    assert all(len({turns[source] for source in episode.sources}) == 1 for episode in episodes)
    assert all(episode.text.strip() for episode in levels(only))
    assert only.check() == []


def test_a_rebuilt_store_goes_on_where_it_was(only: Mnemos) -> None:
    only.add(sessions(9))
    only.maintain()
    before = {one.id: (one.text, one.sources) for one in levels(only)}
    only.reindex()
    only.maintain()
    assert {one.id: (one.text, one.sources) for one in levels(only)} == before
    only.add(sessions(13)[72:])
    only.maintain()
    assert {source for one in levels(only, "episode") for source in one.sources} == {
        turn.id for turn in only.list(kinds=["turn"], limit=1000)
    }


def test_two_that_derive_at_once_derive_once(only: Mnemos, path: Path, clock: Clock) -> None:
    only.add(sessions(4))
    with Mnemos(path, clock=clock, stages=(LevelStage(),)) as other:
        only.add(sessions(6)[32:])
        other.maintain()
        only.maintain()
        other.add(sessions(7)[48:])
        only.maintain()
        other.maintain()
        held = [source for one in levels(other, "episode") for source in one.sources]
    assert len(held) == len(set(held)) == 56
    assert only.check() == []


def test_levels_that_state_what_was_superseded_say_so_or_are_not_shown(memory: Mnemos) -> None:
    def day(text: str, at: str) -> None:
        said = [text, "The bakery opens at six", "Bread sells best on Saturdays"]
        memory.add([{"name": "Ana", "content": one, "happened_at": at} for one in said], user_id="ana", session_id=at)
        memory.maintain()

    def first() -> str:
        return memory.list(user_id="ana", kinds=["episode"])[0].text

    day("I live in Rome.", "2025-03-01T12:00:00Z")
    assert "Ana: I live in Rome." in first()
    day("I moved to Porto.", "2026-02-01T12:00:00Z")
    assert "Ana: I live in Rome (until 2026-02-01)." in first()
    (rome,) = [fact for fact in memory.facts("Ana", "lives in", user_id="ana") if fact.invalid_at is not None]
    (change,) = [change for change in memory.history(rome.id) if change.op == "supersede"]
    assert change.decision is not None
    memory.undo(change.decision)
    assert "Rome" not in first()  # hidden until it has been told again
    memory.maintain()
    assert "Ana: I live in Rome." in first()
    assert memory.check() == []
