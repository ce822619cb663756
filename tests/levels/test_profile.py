"""What a profile shows of facts, and a timeline of facts and episodes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mnemos.levels import groups, profile, timeline
from mnemos.levels.asking import main_subject, named, profile_of, timeline_of
from mnemos.levels.profile import Known, entries
from mnemos.records import Memory

NOW = datetime(2026, 6, 15, tzinfo=UTC)


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def fact(
    text: str, relation: str, said: str, at: str, since: str = "", until: str = "", subject: str = "Ana"
) -> Memory:
    return Memory(
        id=text, namespace=("default",), kind="fact", text=text, happened_at=day(at),
        valid_at=day(since) if since else None, invalid_at=day(until) if until else None,
        metadata={"subject": subject, "relation": relation, "object": said},
    )  # fmt: skip


def lines(*facts: Memory, now: datetime | None = NOW) -> list[str]:
    return [f"{line.group}: {line}" for line in entries(map(Known.of, facts), now)]


@pytest.mark.parametrize(
    ("relation", "said", "group"),
    [
        ("lives in", "Porto", "home"), ("works as", "a joiner", "work"), ("brother is", "Cormac", "people"),
        ("has", "a dog", "pets"), ("is allergic to", "cats", "health"), ("dislikes", "gels", "likes"),
        ("plans on", "going to Osaka", "plans"), ("date of wedding is", "20 June", "plans"),
        ("phone number is", "07700 900862", "has"), ("passed", "their driving test", "done"),
        ("bought", "a horse", "done"), ("age is", "37", "also"), ("has", "a bicycle", "has"), ("is", "vegan", "health"),
    ],
)  # fmt: skip
def test_groups(relation: str, said: str, group: str) -> None:
    assert groups.group_of(relation, said, f"Ana {relation} {said}") == group


def test_what_was_superseded_is_shown_with_its_end() -> None:
    old = fact("Ana lives in Rome", "lives in", "Rome", "2025-01-01", until="2026-02-01")
    new = fact("Ana lives in Porto since 1 February 2026", "lives in", "Porto", "2026-02-03", since="2026-02-01")
    assert lines(old, new) == ["home: lives in Porto (2026-02-01)", "home: until 2026-02-01: lives in Rome"]
    assert lines(old, new, now=day("2025-06-01")) == ["home: lives in Rome (2025-01-01)"]


def test_a_salary_and_a_boss_go_with_the_job_and_a_flatmate_with_the_home() -> None:
    facts = [
        fact("Ana earns 30k", "earns", "30k", "2025-01-01"),
        fact("Rita is Ana's flatmate", "flatmate is", "Rita", "2025-01-01"),
        fact("Ana works as a baker", "works as", "a baker", "2026-03-01", since="2026-03-09"),
        fact("Ana's address is 1 High Street", "address is", "1 High Street", "2026-04-01"),
    ]
    assert "work: until 2026-03-09: earns 30k" in lines(*facts)
    assert "people: until 2026-04-01: flatmate is Rita" in lines(*facts)


def test_plans_are_shown_until_their_day() -> None:
    plan = fact(
        "Ana plans on going to Osaka in July 2026", "plans on", "going to Osaka", "2026-05-01", since="2026-07-01"
    )
    assert lines(plan) == ["plans: plans on going to Osaka (2026-07-01)"]
    assert lines(plan, now=day("2026-08-01")) == []
    someday = fact("Ana plans to sail", "plans to", "sail", "2026-05-01")
    assert lines(someday) == ["plans: plans to sail (2026-05-01)"]
    assert lines(someday, now=day("2027-05-01")) == []


def test_what_was_ahead_reads_so_once_it_is_behind() -> None:
    moving = fact(
        "Ana is moving to Leeds on 1 February 2026", "is moving to", "Leeds", "2026-01-25", since="2026-02-01"
    )
    assert lines(moving) == ["home: was moving to Leeds (2026-02-01)"]


def test_what_was_failed_and_then_passed_was_passed() -> None:
    facts = [
        fact("Ana failed her driving test", "failed", "her driving test", "2025-11-04"),
        fact("Ana passed her driving test", "passed", "her driving test", "2026-03-12"),
    ]
    assert lines(*facts) == ["done: passed her driving test (2026-03-12)"]
    (line,) = profile_of("Ana", facts, [], day("2026-01-01")).lines
    assert str(line) == "failed her driving test (2025-11-04)"


def test_what_was_said_later_of_an_earlier_time_was_so_then() -> None:
    facts = [
        fact("Ana lives in Rome", "lives in", "Rome", "2025-01-01", until="2026-02-01"),
        fact("Ana lives in Porto", "lives in", "Porto", "2026-02-20", since="2026-02-01"),
    ]
    first, *_ = profile_of("Ana", facts, [], day("2026-02-10")).lines
    assert str(first) == "lives in Porto (2026-02-01)"


def test_what_is_told_long_after_it_was_done_has_no_day() -> None:
    built = fact("Ana built a boat", "built", "a boat", "2026-03-12")
    assert lines(built) == ["done: built a boat"]
    assert not timeline_of("Ana", [built], [], None, None)


def test_groups_have_room_for_so_many_and_the_latest_come_first() -> None:
    liked = [fact(f"Ana likes {n}", "likes", f"thing {n}", f"2026-01-{n:02}") for n in range(1, 20)]
    shown = lines(*liked)
    assert len(shown) == profile.ROOM["likes"]
    assert shown[0] == "likes: likes 19 (2026-01-19)"


def test_the_text_of_a_profile_has_a_line_a_group() -> None:
    found = entries([Known.of(fact("Ana lives in Porto", "lives in", "Porto", "2026-02-03"))], NOW)
    assert profile.told("Ana", found) == "Ana\nhome: lives in Porto (2026-02-03)"
    assert profile.told("Ana", []) is None


def test_somebody_is_found_by_their_name_or_by_what_they_are_called() -> None:
    facts = [
        fact("Ana lives in Porto", "lives in", "Porto", "2026-02-03"),
        fact("Ana's sister is vegan", "is", "vegan", "2026-02-03", subject="Ana's sister"),
        fact("Ana likes tea", "likes", "tea", "2026-02-03"),
    ]
    assert main_subject(facts) == "Ana"
    assert named("ana", facts) == "Ana"
    assert named("sister", facts) == "Ana's sister"
    assert named("Otto", facts) == "Otto"
    assert main_subject([]) is None


def test_who_somebody_is_to_others_is_in_their_profile() -> None:
    facts = [
        fact("Tom is Ana's brother", "brother is", "Tom", "2026-02-03"),
        fact("Tom is a joiner", "works as", "a joiner", "2026-02-03", subject="Tom"),
    ]
    found = profile_of("Tom", facts, [], NOW)
    assert [line.text for line in found.lines] == ["is a joiner", "Tom is Ana's brother"]
    assert [line.memory_ids for line in found.lines] == [("Tom is a joiner",), ("Tom is Ana's brother",)]
    assert "Tom\n  work\n    is a joiner (2026-02-03)" in str(found)
    assert not profile_of("Tom", facts, [], day("2026-01-01"))


def episode(text: str, at: str, **more: Any) -> Memory:
    return Memory(id=text, namespace=("default",), kind="episode", text=text, happened_at=day(at), **more)


def test_a_timeline_is_in_order_and_says_nothing_twice() -> None:
    facts = [
        fact("Ana moved to Porto on 2 March 2026", "lives in", "Porto", "2026-03-04", since="2026-03-02"),
        fact("Ana likes tea", "likes", "tea", "2026-02-03"),
    ]
    episodes = [
        episode("Ana: What do I need for a picnic?\nassistant: A blanket.", "2026-04-01"),
        episode("Ana: I moved to Porto today!!\nBen: Congratulations", "2026-03-02"),
        episode("Ana: The cake was good.\nAna: My brother got married on Friday!", "2026-02-01"),
    ]
    found = timeline_of(None, facts, episodes, None, None)
    assert [str(moment) for moment in found] == [
        "2026-02-01  My brother got married on Friday!",
        "2026-03-02  Ana moved to Porto on 2 March 2026",
    ]
    assert found.moments[1].memory_ids == (facts[0].id, episodes[1].id)
    assert len(timeline_of(None, facts, episodes, day("2026-03-01"), None)) == 1
    assert len(timeline_of(None, facts, episodes, None, day("2026-03-01"))) == 1


def test_a_fact_with_its_day_stands_for_what_was_said_later() -> None:
    said = episode("Ana: I went to a poetry reading on Friday!!", "2026-03-09")
    went = fact(
        "Ana went to a poetry reading on 6 March 2026", "went to", "a poetry reading", "2026-03-09", "2026-03-06"
    )
    heard, read = replace(said, sources=("turn",)), replace(went, sources=("turn",))
    assert [str(moment) for moment in timeline_of(None, [read], [heard], None, None)] == [
        "2026-03-06  Ana went to a poetry reading on 6 March 2026"
    ]
    ahead = replace(read, valid_at=day("2026-04-06"))
    assert len(timeline_of(None, [ahead], [heard], None, None)) == 2


def test_a_timeline_of_somebody_has_what_they_say_and_what_names_them() -> None:
    told = episode("Ana: I baked bread today.\nBen: Otto moved to Graz on Monday!", "2026-03-02")
    otto, ana = (timeline.of_episode(told, name) for name in ("Otto", "Ana"))
    assert otto is not None
    assert (otto.text, otto.speaker) == ("Otto moved to Graz on Monday!", "Ben")
    assert ana is not None
    assert ana.text == "I baked bread today."
    assert timeline.of_episode(told, "Rita") is None


def test_where_only_a_year_was_said_no_day_is_shown() -> None:
    began = fact("Ana started rowing in 2018", "started", "rowing", "2026-05-01", "2018-01-01")
    (moment,) = timeline_of("Ana", [began], [], None, None)
    assert moment.day == "2018"


def test_where_only_a_month_was_said_no_day_is_shown() -> None:
    plan = fact(
        "Ana plans on going to Osaka in July 2026", "plans on", "going to Osaka", "2026-05-01", since="2026-07-01"
    )
    (moment,) = timeline_of("Ana", [plan], [], None, None)
    assert str(moment).startswith("2026-07     Ana plans")
