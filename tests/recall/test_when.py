"""What words of time mean, in questions and in turns, and which words are not words of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemos.recall.when import (
    OPEN_END,
    OPEN_START,
    TimeRange,
    read_event_anchor,
    read_times,
    resolve_relative,
)

NOW = datetime(2023, 8, 16, 15, 0, tzinfo=UTC)
"""A Wednesday."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def shown(found: TimeRange) -> tuple[str, str]:
    """First and last day of a range, `..` where it is open."""
    first = ".." if found.start == OPEN_START else str((EPOCH + timedelta(microseconds=found.start)).date())
    last = ".." if found.end == OPEN_END else str((EPOCH + timedelta(microseconds=found.end - 1)).date())
    return first, last


def one(ranges: list[TimeRange]) -> tuple[str, str]:
    assert len(ranges) == 1, ranges
    return shown(ranges[0])


DATES = [
    ("What did Ana do on 7 May 2023?", "2023-05-07", "2023-05-07"),
    ("What did Ana do on May 7th, 2023?", "2023-05-07", "2023-05-07"),
    ("what happened 2023-05-07", "2023-05-07", "2023-05-07"),
    ("what happened on 13/7/2023", "2023-07-13", "2023-07-13"),
    ("what happened on 7/13/2023", "2023-07-13", "2023-07-13"),
    ("what happened on 7.5.2023", "2023-05-07", "2023-05-07"),
    ("on the 7th of May", "2023-05-07", "2023-05-07"),
    ("on 7th of may", "2023-05-07", "2023-05-07"),
    ("in May 2023", "2023-05-01", "2023-05-31"),
    ("in May, 2023", "2023-05-01", "2023-05-31"),
    ("in 2023-05", "2023-05-01", "2023-05-31"),
    ("Where was I in March?", "2023-03-01", "2023-03-31"),
    ("Where was I in november?", "2022-11-01", "2022-11-30"),
    ("What happened in August?", "2023-08-01", "2023-08-31"),
    ("in 2022", "2022-01-01", "2022-12-31"),
    ("my 2021 holiday", "2021-01-01", "2021-12-31"),
    ("summer of 2022", "2022-06-01", "2022-08-31"),
    ("in winter 2022", "2022-12-01", "2023-02-28"),
    ("What did we plan in the fall?", "2022-09-01", "2022-11-30"),
    ("last december", "2022-12-01", "2022-12-31"),
    ("April 6-7", "2023-04-06", "2023-04-07"),
    ("Aug 15th", "2023-08-15", "2023-08-15"),
    ("Aug 17th", "2022-08-17", "2022-08-17"),
    ("on 29 February", "2020-02-29", "2020-02-29"),
    ("What is planned for September 3?", "2023-09-03", "2023-09-03"),
    ("What did I do on the 20th?", "2023-07-20", "2023-07-20"),
    ("Q3 2022", "2022-07-01", "2022-09-30"),
    ("the second quarter of last year", "2022-04-01", "2022-06-30"),
    ("music from the 90s", "1990-01-01", "1999-12-31"),
    ("the nineties", "1990-01-01", "1999-12-31"),
    ("the 2010s", "2010-01-01", "2019-12-31"),
    ("What did we do at Christmas?", "2022-12-24", "2022-12-26"),
    ("at New Year", "2022-12-31", "2023-01-01"),
    ("on New Year's Eve", "2022-12-31", "2022-12-31"),
    ("on Valentine’s day", "2023-02-14", "2023-02-14"),
    ("for Halloween 2021", "2021-10-31", "2021-10-31"),
    ("over Thanksgiving", "2022-11-24", "2022-11-27"),
    ("next Thanksgiving", "2023-11-23", "2023-11-26"),
    ("at Easter", "2023-04-07", "2023-04-10"),
    ("the 4th of July", "2023-07-04", "2023-07-04"),
    ("2024年4月1日", "2024-04-01", "2024-04-01"),
    ("三月", "2023-03-01", "2023-03-31"),
    ("十二月二十五号", "2022-12-25", "2022-12-25"),
]

RELATIVE = [
    ("yesterday", "2023-08-15", "2023-08-15"),
    ("the day before yesterday", "2023-08-14", "2023-08-14"),
    ("today", "2023-08-16", "2023-08-16"),
    ("tomorrow", "2023-08-17", "2023-08-17"),
    ("last night", "2023-08-15", "2023-08-15"),
    ("last week", "2023-08-06", "2023-08-13"),
    ("this week", "2023-08-13", "2023-08-20"),
    ("last weekend", "2023-08-11", "2023-08-13"),
    ("next weekend", "2023-08-25", "2023-08-27"),
    ("last month", "2023-07-01", "2023-07-31"),
    ("next month", "2023-09-01", "2023-09-30"),
    ("last year", "2022-01-01", "2022-12-31"),
    ("last summer", "2022-06-01", "2022-08-31"),
    ("this winter", "2022-12-01", "2023-02-28"),
    ("next spring", "2024-03-01", "2024-05-31"),
    ("last Friday", "2023-08-11", "2023-08-11"),
    ("last wed", "2023-08-09", "2023-08-09"),
    ("next Friday", "2023-08-18", "2023-08-18"),
    ("two days ago", "2023-08-14", "2023-08-14"),
    ("a few days ago", "2023-08-10", "2023-08-14"),
    ("two weeks ago", "2023-07-29", "2023-08-06"),
    ("a week or two ago", "2023-07-29", "2023-08-13"),
    ("three months ago", "2023-05-01", "2023-05-31"),
    ("two years ago", "2021-01-01", "2021-12-31"),
    ("a year and a half ago", "2021-01-01", "2022-12-31"),
    ("three Fridays ago", "2023-07-28", "2023-07-28"),
    ("the other day", "2023-08-06", "2023-08-15"),
    ("the past three months", "2023-05-16", "2023-08-16"),
    ("over the next two weeks", "2023-08-16", "2023-08-30"),
    ("three days from now", "2023-08-19", "2023-08-19"),
    ("I will be there in three days", "2023-08-19", "2023-08-19"),
    ("an hour ago", "2023-08-16", "2023-08-16"),
    ("昨天", "2023-08-15", "2023-08-15"),
    ("上周五", "2023-08-11", "2023-08-11"),
    ("上个月", "2023-07-01", "2023-07-31"),
    ("去年", "2022-01-01", "2022-12-31"),
    ("去年夏天", "2022-06-01", "2022-08-31"),
    ("三天前", "2023-08-13", "2023-08-13"),
]

JOINED = [
    ("between March and May", "2023-03-01", "2023-05-31"),
    ("between October and February", "2022-10-01", "2023-02-28"),
    ("between march and may", "2023-03-01", "2023-05-31"),
    ("between April 2022 and May", "2022-04-01", "2022-05-31"),
    ("from July through September 2021", "2021-07-01", "2021-09-30"),
    ("between May 3 and 7 June 2023", "2023-05-03", "2023-06-07"),
    ("since April", "2023-04-01", ".."),
    ("since last Friday", "2023-08-11", ".."),
    ("before June 2023", "..", "2023-05-31"),
    ("until the 4th of July", "..", "2023-07-04"),
    ("after Christmas", "2022-12-27", ".."),
    ("in early June", "2023-06-01", "2023-06-10"),
    ("in mid-June 2022", "2022-06-08", "2022-06-23"),
    ("in late June", "2023-06-21", "2023-06-30"),
    ("at the end of May", "2023-05-21", "2023-05-31"),
    ("the first half of September 2022", "2022-09-01", "2022-09-15"),
    ("the second week of November 2022", "2022-11-08", "2022-11-14"),
    ("the week before August 3", "2023-07-27", "2023-08-02"),
    ("the day after Christmas", "2022-12-27", "2022-12-27"),
    ("the weekend after Christmas", "2022-12-30", "2023-01-01"),
    ("the weekend before 4 July 2023", "2023-06-30", "2023-07-02"),
    ("two weeks before August 11, 2023", "2023-07-24", "2023-07-31"),
    ("the week of 5 July", "2023-07-02", "2023-07-09"),
]

QUESTIONS_ONLY = [
    ("What did I eat on Monday?", "2023-08-14", "2023-08-14"),
    ("What did I eat on Wednesday?", "2023-08-09", "2023-08-09"),
    ("What will I do on Monday?", "2023-08-21", "2023-08-21"),
    ("over the weekend", "2023-08-11", "2023-08-13"),
]


@pytest.mark.parametrize(("text", "first", "last"), DATES + RELATIVE + JOINED + QUESTIONS_ONLY)
def test_a_question_is_read_from_the_moment_of_asking(text: str, first: str, last: str) -> None:
    assert one(read_times(text, now=NOW)) == (first, last)


@pytest.mark.parametrize(("text", "first", "last"), RELATIVE)
def test_a_turn_is_read_from_its_own_time(text: str, first: str, last: str) -> None:
    assert one(resolve_relative(text, happened_at=NOW)) == (first, last)


@pytest.mark.parametrize(
    "text",
    [
        "May I eat this?",
        "what may Rita eat",
        "What did May say about April?",
        "Did we march in the rain?",
        "does she march on",
        "When did the fall of Rome begin?",
        "did he fall asleep",
        "just a second, the second one",
        "how many weeks ago did it start",
        "the year 2000 words were written",
        "I walked 2000 steps",
        "it cost $2019",
        "room 2015b",
        "What is 5/7/2023?",
        "every Monday",
        "work-free Sundays",
        "sun and sat",
        "what will she do about the spring in my mattress",
        "last but not least",
        "this may be true",
        "the last time",
        "30 February 2023",
        "持续时间是七个周",
        "三个月",
        "",
    ],
)
def test_other_words_are_not_times(text: str) -> None:
    assert read_times(text, now=NOW) == []


def test_several_times_come_in_order_with_their_words() -> None:
    text = "Was it in March 2022 or last Friday, or the week before 3 August?"
    found = read_times(text, now=NOW)
    assert [r.phrase for r in found] == ["March 2022", "last Friday", "the week before 3 August"]
    assert all(text[slice(*r.span)] == r.phrase for r in found)


def test_days_are_those_of_the_asker_s_time_zone() -> None:
    tokyo = NOW.astimezone(ZoneInfo("Asia/Tokyo"))
    [found] = read_times("today", now=tokyo)
    assert EPOCH + timedelta(microseconds=found.start) == datetime(2023, 8, 16, 15, 0, tzinfo=UTC)


def test_a_turn_does_not_bind_bare_weekdays() -> None:
    assert resolve_relative("I have yoga on Monday", happened_at=NOW) == []


@pytest.mark.parametrize(
    ("text", "relation", "event"),
    [
        ("What did I eat before I moved to Lisbon?", "before", "I moved to Lisbon"),
        ("After my trip to Rome, what did I buy?", "after", "my trip to Rome"),
        ("after my trip to Rome what did I buy", "after", "my trip to Rome"),
        ("When did I cook when I lived in Porto?", "during", "I lived in Porto"),
        ("What did she see while camping?", "during", "camping"),
        ("What changed since I adopted Max?", "after", "I adopted Max"),
        ("What happened during the May 12 call?", "during", "the May 12 call"),
        ("How many days had passed when I logged 3,600 words?", "during", "I logged 3,600 words"),
    ],
)
def test_events_that_set_a_time(text: str, relation: str, event: str) -> None:
    [anchor] = read_event_anchor(text)
    assert (anchor.relation, anchor.event) == (relation, event)
    assert text[slice(*anchor.span)].endswith(event)


def test_two_events_of_one_question_are_both_found() -> None:
    anchors = read_event_anchor("How many days passed between when I got the cat and when I moved?")
    assert [a.event for a in anchors] == ["I got the cat", "I moved"]


@pytest.mark.parametrize(
    "text",
    [
        "When did Caroline move?",
        "when is my birthday",
        "When and where did we meet?",
        "Have I used it before?",
        "Who looks after the cat?",
        "Who was Max named after?",
        "Since I like jazz, what should I hear?",
        "the week before August 3",
        "emails after 7 PM",
        "What came after that?",
        "After how many weeks did they meet?",
        "What did we discuss during our chats?",
    ],
)
def test_other_sentences_name_no_event(text: str) -> None:
    assert read_event_anchor(text) == []


WORDS = st.sampled_from(
    "in on last next this the of since before after between and May march fall second 7 31st 2023 2022-02-30 0 "
    "week weekend years two a few ago early late half Friday Christmas 99 9999 years months Easter 上周 三月 三个月前 "
    "2024年 2月30日 昨天 İ ’ past , quarter q4 5/13/2023 spring from now in 999 decades 999".split()
)


@given(
    text=st.one_of(st.text(max_size=80), st.lists(WORDS, max_size=12).map(" ".join)),
    now=st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)),
)
def test_any_text_at_any_time_is_read_without_an_error(text: str, now: datetime) -> None:
    found = read_times(text, now=now.replace(tzinfo=UTC))
    found += resolve_relative(text, happened_at=now.replace(tzinfo=UTC))
    for time_range in found:
        assert time_range.start < time_range.end
        assert time_range.start >= OPEN_START
        assert time_range.end <= OPEN_END
        first, last = time_range.span
        assert 0 <= first < last <= len(text)
        assert text[first:last] == time_range.phrase
    for anchor in read_event_anchor(text):
        assert anchor.event
        assert text[slice(*anchor.span)].endswith(anchor.event)


def test_only_the_beginning_of_a_huge_text_is_read() -> None:
    text = "yesterday " + "x " * 500_000 + "last year"
    assert [found.phrase for found in read_times(text, now=NOW)] == ["yesterday"]
    assert [found.phrase for found in resolve_relative(text, happened_at=NOW)] == ["yesterday"]
    assert read_event_anchor("x " * 500_000 + "before I moved") == []
