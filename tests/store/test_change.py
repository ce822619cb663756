"""update, history, delete, and time travel by `known_at` and `as_of`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from clock import Clock

from mnemos import InvalidInput, Mnemos, NotFound


def test_update_changes_words_and_search(memory: Mnemos, clock: Clock) -> None:
    (added,) = memory.add("Rita eats fish.", name="Ana", happened_at=clock.now, user_id="ana")
    memory.add("Something else.", user_id="ana")
    assert memory.search("fish", user_id="ana")[0].memory.id == added.id
    clock.tick(60)
    changed = memory.update(added.id, text="Rita is vegan.")
    assert (changed.id, changed.text, changed.version) == (added.id, "Rita is vegan.", 2)
    assert (changed.created_at, changed.updated_at) == (added.created_at, clock.now)
    assert memory.search("vegan", user_id="ana")[0].memory.text == "Rita is vegan."
    assert memory.search("fish", user_id="ana")[0].score < memory.search("vegan", user_id="ana")[0].score
    assert memory.list(user_id="ana")[0].id == added.id, "an update keeps the place in reading order"
    assert memory.check() == []


def test_update_changes_one_attribute_and_leaves_the_others(memory: Mnemos) -> None:
    (added,) = memory.add({"content": "x", "metadata": {"a": 1}, "trust": 0.5, "happened_at": "2026-01-01T00:00:00Z"})
    changed = memory.update(added.id, metadata={"b": 2})
    assert (changed.metadata, changed.trust, changed.happened_at) == ({"b": 2}, 0.5, added.happened_at)
    changed = memory.update(added.id, happened_at=None)
    assert (changed.happened_at, changed.metadata, changed.version) == (None, {"b": 2}, 3)
    assert memory.update(added.id, metadata=None).metadata == {}
    changed = memory.update(added.id, valid_at="2026-01-01T00:00:00Z", invalid_at="2026-02-01T00:00:00Z", trust=1)
    assert (changed.valid_at, changed.invalid_at) == (
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 2, 1, tzinfo=UTC),
    )
    assert memory.get(added.id) == changed
    assert memory.check() == []


def test_update_without_a_change_or_of_nothing(memory: Mnemos) -> None:
    (added,) = memory.add("x")
    with pytest.raises(InvalidInput):
        memory.update(added.id)
    for call in (lambda i: memory.update(i, text="y"), memory.delete, memory.history):
        with pytest.raises(NotFound) as caught:
            call("01900000-0000-7000-8000-000000000000")  # type: ignore[operator]
        assert "01900000" in str(caught.value)
    assert memory.get("01900000-0000-7000-8000-000000000000") is None
    assert memory.get("no id at all") is None
    assert memory.get(added.id.upper()) is not None


def test_history_holds_every_version_and_loses_its_words_with_the_memory(memory: Mnemos, clock: Clock) -> None:
    (added,) = memory.add({"content": "one", "metadata": {"v": 1}})
    memory.update(added.id, text="two")
    clock.tick()
    memory.update(added.id, metadata={"v": 3})
    changes = memory.history(added.id)
    assert [(c.op, c.version, c.text) for c in changes] == [
        ("add", 1, "one"),
        ("update", 2, "two"),
        ("update", 3, None),
    ]
    assert changes[2].at == clock.now
    memory.delete(added.id)
    changes = memory.history(added.id)
    assert [(c.op, c.text, c.metadata) for c in changes] == [
        ("add", None, {}),
        ("update", None, {}),
        ("update", None, {}),
        ("delete", None, {}),
    ]
    assert memory.get(added.id) is None
    with pytest.raises(NotFound):
        memory.delete(added.id)


def test_known_at_gives_what_the_store_held_then(memory: Mnemos, clock: Clock) -> None:
    (rita,) = memory.add({"content": "Rita eats fish.", "metadata": {"v": 1}, "happened_at": "2026-01-01T00:00:00Z"})
    then = clock.now
    clock.tick(60)
    memory.update(rita.id, text="Rita is vegan.", metadata={"v": 2})
    memory.add("Tom came later.")
    for moment, text, total in (
        (then, "Rita eats fish.", 1),
        (clock.now, "Rita is vegan.", 2),
        (None, "Rita is vegan.", 2),
    ):
        listed = memory.list(known_at=moment)
        assert (listed[0].text, listed.total) == (text, total)
        hits = memory.search("What does Rita eat?", known_at=moment)
        assert (hits[0].memory.text, hits.total) == (text, total)
    assert memory.list(known_at=then)[0].metadata == {"v": 1}
    assert memory.list(known_at=then)[0].version == 1
    assert memory.list(known_at=then, filters={"v": 2}).total == 0
    assert memory.list(known_at=then, filters={"v": 1}).total == 1
    assert memory.list(known_at=then - timedelta(seconds=1)).total == 0
    assert memory.search("fish", known_at=then)[0].score > memory.search("fish")[0].score


def test_known_at_shows_no_words_that_were_deleted_since(memory: Mnemos, clock: Clock) -> None:
    (added,) = memory.add("Rita eats fish.")
    then = clock.now
    clock.tick()
    memory.delete(added.id)
    assert memory.list(known_at=then).total == 0
    assert memory.search("fish", known_at=then).total == 0


def test_as_of_is_the_worlds_time(memory: Mnemos) -> None:
    memory.add(
        [
            {"content": "said in January", "happened_at": "2026-01-10T00:00:00Z"},
            {"content": "said in March", "happened_at": "2026-03-10T00:00:00Z"},
            {"content": "true in February", "valid_at": "2026-02-01T00:00:00Z", "invalid_at": "2026-03-01T00:00:00Z"},
        ]
    )

    def texts(moment: str) -> list[str]:
        listed = [m.text for m in memory.list(as_of=moment)]
        assert sorted(listed) == sorted(hit.memory.text for hit in memory.search("said true", as_of=moment))
        return listed

    assert texts("2026-01-01T00:00:00Z") == []
    assert texts("2026-01-10T00:00:00Z") == ["said in January"]
    assert texts("2026-02-01T00:00:00Z") == ["said in January", "true in February"]
    assert texts("2026-03-01T00:00:00Z") == ["said in January"]
    assert texts("2026-04-01T00:00:00Z") == ["said in January", "said in March"]


def test_since_and_until_bound_what_happened(memory: Mnemos) -> None:
    memory.add([{"content": f"day {day}", "happened_at": f"2026-01-{day:02}T00:00:00Z"} for day in (1, 2, 3)])
    memory.add("undated")
    bounds = {"since": "2026-01-02T00:00:00Z", "until": "2026-01-03T00:00:00Z"}
    assert [m.text for m in memory.list(**bounds)] == ["day 2"]  # type: ignore[arg-type]
    assert [h.memory.text for h in memory.search("day", **bounds)] == ["day 2"]  # type: ignore[arg-type]
    assert memory.list(since="2026-01-02T00:00:00Z").total == 2
    assert memory.list(until="2026-01-02T00:00:00Z").total == 1


def test_kinds_and_sessions_narrow(memory: Mnemos) -> None:
    memory.add("a", session_id="s1")
    memory.add("b", session_id="s2", kind="note")
    memory.add("c")
    assert [m.text for m in memory.list(kinds=["turn"])] == ["a", "c"]
    assert [m.text for m in memory.list(sessions=["s1", "s2"])] == ["a", "b"]
    assert [m.text for m in memory.list(sessions=["%"])] == []
    assert memory.list(sessions=[]).total == 0
    assert {hit.memory.text for hit in memory.search("a b c", kinds=["note"])} == {"b"}


def test_pages_say_how_many_more_there_are(memory: Mnemos) -> None:
    memory.add([f"turn number {n}" for n in range(25)])
    page = memory.list(limit=10)
    assert (len(page), page.total, page.more) == (10, 25, 15)
    page = memory.list(limit=10, offset=20)
    assert (len(page), page.more, page[0].text) == (5, 0, "turn number 20")
    assert (len(memory.list(offset=30)), memory.list(offset=30).more) == (0, 0)
    seen = [hit.memory.id for offset in range(0, 30, 10) for hit in memory.search("turn number", offset=offset)]
    assert len(seen) == len(set(seen)) == 25
    assert (memory.search("turn").total, memory.search("turn").more) == (25, 15)


def test_a_list_goes_on_where_it_ended_whatever_came_and_went(memory: Mnemos) -> None:
    memory.add([f"turn number {n}" for n in range(9)])
    first = memory.list(limit=4)
    memory.delete(first[0].id)
    memory.delete(first[3].id)
    memory.add("turn number 9")
    second = memory.list(limit=4, after=first.end)
    assert [m.text[-1] for m in second] == ["4", "5", "6", "7"]
    assert (second.total, second.more) == (8, 2)
    last = memory.list(limit=4, after=second.end)
    assert ([m.text[-1] for m in last], last.more) == (["8", "9"], 0)
    beyond = memory.list(after=last.end)
    assert (list(beyond), beyond.end, beyond.more) == ([], None, 0)
    for wrong in ("", "1", "1.x", "-1.1", "1.1 ", "9" * 30 + ".1", 7):
        with pytest.raises(InvalidInput, match="after"):
            memory.list(after=wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="offset"):
        memory.list(after=first.end, offset=1)


def test_why_adds_up_to_the_scores_logit(memory: Mnemos) -> None:
    memory.add(["My sister Rita is vegan.", "It rained all day.", "Rita came for dinner."])
    from math import exp

    for hit in memory.search("what can Rita eat?"):
        assert 1 / (1 + exp(-sum(hit.why.values()))) == pytest.approx(hit.score, abs=1e-6)
    scores = [hit.score for hit in memory.search("what can Rita eat?")]
    assert scores == sorted(scores, reverse=True)


def test_uses_are_counted_by_context_and_not_by_search(memory: Mnemos, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mnemos.system.threshold", lambda: 0.0)
    monkeypatch.setattr("mnemos.recall.compose.FLOOR", 0.0)
    (added,) = memory.add("My sister Rita is vegan.")
    memory.search("Rita")
    assert memory.context("What can my sister Rita eat?")
    memory.maintain()
    held = memory.get(added.id)
    assert held is not None
    assert (held.uses, held.last_used_at is not None) == (1, True)
