"""The sample history is rich and rebuilt byte for byte, and the demo answers from it."""

from __future__ import annotations

import importlib.util
import io
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from rich.console import Console

from mnemos import Mnemos, demo
from mnemos.sample import QUESTIONS, Question, history_file, turn_id

TOOLS = Path(__file__).parents[1] / "tools"


@cache
def conversations() -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads(history_file().read_text(encoding="utf-8"))
    return loaded


@cache
def turns() -> list[Turn]:
    """What was said, as the user last saw it: from the current node of each conversation up to its root."""
    found = []
    for each in conversations():
        key = each["current_node"]
        while key:
            node = each["mapping"][key]
            found += [Turn.of(node["message"], each["id"])] if is_said(node["message"]) else []
            key = node["parent"]
    return found


class Turn(NamedTuple):
    """A turn of the export."""

    id: str
    session: str
    role: str
    text: str
    at: datetime

    @classmethod
    def of(cls, message: dict[str, Any], session: str) -> Turn:
        text = next(part for part in message["content"]["parts"] if isinstance(part, str))
        at = datetime.fromtimestamp(message["create_time"], UTC)
        return cls(message["id"], session, message["author"]["role"], text, at)


def is_said(message: dict[str, Any] | None) -> bool:
    if message is None or message["author"]["role"] not in ("user", "assistant"):
        return False
    return message["content"]["content_type"] in ("text", "multimodal_text")


@cache
def texts() -> dict[str, str]:
    """The words of each turn by its id."""
    return {turn.id: turn.text for turn in turns()}


@cache
def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_sample", TOOLS / "build_sample.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


# ── the history ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_history_is_a_year_of_many_chats() -> None:
    moments = [turn.at for turn in turns()]
    assert len(turns()) >= 400
    assert len({turn.session for turn in turns()}) >= 40
    assert max(moments) - min(moments) >= timedelta(days=365)
    assert len({(moment.year, moment.month) for moment in moments}) >= 12
    assert history_file().stat().st_size < 600_000


def test_the_history_is_not_filler() -> None:
    said = [turn.text for turn in turns() if turn.role == "user"]
    answers = [turn.text for turn in turns() if turn.role == "assistant"]
    assert len(set(said)) > 0.98 * len(said)
    assert len(set(answers)) > 0.98 * len(answers)
    assert sum(len(answer.split()) >= 300 for answer in answers) >= 4
    assert sum(len(answer.split()) <= 12 for answer in answers) >= 20


def test_the_export_has_what_real_ones_have() -> None:
    nodes = [node for each in conversations() for node in each["mapping"].values()]
    messages = [node["message"] for node in nodes if node["message"]]
    kinds = {message["content"]["content_type"] for message in messages}
    assert kinds == {"text", "multimodal_text", "code", "execution_output", "thoughts"}
    assert {message["author"]["role"] for message in messages} == {"system", "user", "assistant", "tool"}
    assert sum(len(node["children"]) > 1 for node in nodes) >= 2


def test_every_tree_hangs_together() -> None:
    seen: set[str] = set()
    for each in conversations():
        mapping = each["mapping"]
        assert each["current_node"] in mapping
        assert [key for key, node in mapping.items() if node["parent"] is None] == ["client-created-root"]
        for key, node in mapping.items():
            assert node["id"] == key
            assert all(mapping[child]["parent"] == key for child in node["children"])
        ids = mapping.keys() - {"client-created-root"}
        assert not ids & seen
        seen |= ids


def test_nothing_is_said_before_what_it_answers() -> None:
    for each in conversations():
        for node in each["mapping"].values():
            parent = each["mapping"].get(node["parent"], {}).get("message")
            if parent and parent["create_time"]:
                assert node["message"]["create_time"] > parent["create_time"]


# ── the builder ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_building_gives_the_shipped_file_byte_for_byte() -> None:
    assert builder().build().encode() == history_file().read_bytes()


def test_a_changed_word_changes_the_file(tmp_path: Path) -> None:
    source = next((TOOLS / "sample").glob("*.md"))
    (tmp_path / source.name).write_text("## 2025-06-01 10:00 | A\nU [wait=2d]: hello\n\nA: hi\n", encoding="utf-8")
    (built,) = json.loads(builder().build(tmp_path))
    said = [node["message"] for node in built["mapping"].values() if node["message"]]
    assert [message["content"]["parts"] for message in said] == [[""], ["hello"], ["hi"]]
    assert said[1]["create_time"] - built["create_time"] >= 2 * 86400


def test_an_unknown_option_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("## 2025-06-01 10:00 | A\nU [colour=red]: hello\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"a\.md:2.*colour"):
        builder().build(tmp_path)


# ── the questions ────────────────────────────────────────────────────────────────────────────────────────────────


def test_questions_name_turns_that_are_there() -> None:
    assert [bool(question.marks) for question in QUESTIONS] == [True] * 5 + [False]
    assert len({question.kind for question in QUESTIONS}) == 6
    for question in QUESTIONS:
        assert question.answers <= texts().keys()


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        ("mum-allergy", "penicillin"),
        ("driving-passed", "I PASSED MY DRIVING TEST. this morning"),
        ("seat-plane", "aisle seat on a plane"),
        ("new-phone", "my new number is 07700 900862"),
    ],
)
def test_the_marked_turns_hold_the_answer(mark: str, words: str) -> None:
    assert words in texts()[turn_id(mark)]


def test_presents_come_from_several_sessions() -> None:
    answers = QUESTIONS[1].answers
    sessions = {turn.session for turn in turns() if turn.id in answers}
    assert len(sessions) >= 4


def test_what_was_never_said_was_never_said() -> None:
    everything = "\n".join(texts().values()).lower()
    assert not re.search(r"\b(piano|violin|fiddle|guitar|flute|cello|recorder|clarinet|instruments?)\b", everything)


# ── the demo ─────────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def truly(question: Question) -> frozenset[str]:
    """The words of the turns that answer."""
    return frozenset(texts()[answer] for answer in question.answers)


class Ran:
    """One run of the demo: what it returned, what it printed and where its store is."""

    def __init__(self, store: Path, width: int = 100) -> None:
        self.store = store
        self.printed = io.StringIO()
        self.shown = demo.run_demo(store, Console(file=self.printed, width=width))
        self.answers = self.shown.answers

    @property
    def output(self) -> str:
        return self.printed.getvalue()


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return Ran(tmp_path_factory.mktemp("demo") / "demo.db")


@pytest.mark.parametrize("number", range(5))
def test_a_true_answer_is_among_the_first_three(ran: Ran, number: int) -> None:
    found = {hit.memory.text for hit in ran.answers[number].hits}
    assert len(ran.answers[number].hits) == 3
    assert found & truly(QUESTIONS[number])


@pytest.mark.parametrize("number", range(5))
def test_a_true_answer_is_in_the_context(ran: Ran, number: int) -> None:
    context = ran.answers[number].context
    cited = {memory_id for item in context.items for memory_id in item.memory_ids}
    with Mnemos(ran.store) as memory:
        shown = {found.text for found in map(memory.get, cited) if found is not None}
    assert shown & truly(QUESTIONS[number])
    assert context.tokens <= demo.BUDGET


def test_presents_of_several_sessions_are_brought_together(ran: Ran) -> None:
    cited = {memory_id for item in ran.answers[1].context.items for memory_id in item.memory_ids}
    with Mnemos(ran.store) as memory:
        memories = [memory.get(memory_id) for memory_id in cited]
    sessions = {found.session_id for found in memories if found and found.text in truly(QUESTIONS[1])}
    assert len(sessions) >= 2


def test_what_was_never_said_gives_an_empty_context(ran: Ran) -> None:
    assert not ran.answers[5].context
    assert str(ran.answers[5].context) == ""
    assert "Nothing is known about this" in ran.output


def test_the_output_says_what_was_remembered(ran: Ran) -> None:
    assert f"{len(turns()):,} added" in ran.output
    assert re.search(rf"sessions +{len(conversations())}\b", ran.output)
    assert "3 Jun 2025 to 14 Jun 2026" in ran.output
    assert "user (302 turns)" in ran.output
    assert "Dulse" in ran.output


def test_every_question_hit_and_reason_is_printed(ran: Ran) -> None:
    for question in QUESTIONS:
        assert question.text in ran.output
    assert ran.output.count("why: ") == 15
    assert ran.output.count("context for a prompt") == 5
    assert "12 Mar 2026" in ran.output


def test_no_colour_when_piped_and_nothing_wider_than_the_terminal(ran: Ran, tmp_path: Path) -> None:
    narrow = Ran(tmp_path / "narrow.db", width=40)
    assert "\x1b" not in ran.output + narrow.output
    assert max(map(len, narrow.output.splitlines())) <= 40
    assert "penicillin" in narrow.output


def test_lines_stay_readable_on_a_wide_terminal(tmp_path: Path) -> None:
    wide = Ran(tmp_path / "wide.db", width=240)
    assert max(map(len, wide.output.splitlines())) == 100


def test_a_second_run_adds_nothing(ran: Ran) -> None:
    again = Ran(ran.store)
    assert f"0 added, {len(turns()):,} were there already" in again.output
    assert [answer.context.text for answer in again.answers] == [answer.context.text for answer in ran.answers]


def test_names_are_those_said_in_the_middle_of_a_sentence(tmp_path: Path) -> None:
    with Mnemos(tmp_path / "a.db") as memory:
        added = memory.add(
            [
                {"role": "user", "content": "Yesterday, Rita and her dog Bo met Rita's aunt. On Monday too."},
                {"role": "user", "content": "rita called, and then Rita left"},
                {"role": "assistant", "content": "Say hello to Otto"},
            ]
        )
    counts = demo.name_counts(added)
    assert counts["Rita"] == 4
    assert "Otto" not in counts
    assert "Monday" not in counts


# ── who it is about, and what happened ───────────────────────────────────────────────────────────────────────────


def test_the_profile_is_right(ran: Ran) -> None:
    held = {line.text: line for line in ran.shown.profile.lines}
    current = " / ".join(text for text, line in held.items() if line.until is None)
    former = " / ".join(text for text, line in held.items() if line.until is not None)
    for words in ("19 Larkfield Terrace", "Data and mapping lead", "07700 900862", "Tomasz", "fish and seafood"):
        assert words in current
    for words in ("46 Hollin Street", "07700 900417", "vegetarian", "Lorraine", "Shazia"):
        assert words in former
    assert "Hollin" not in current
    assert "Hollin Street" in ran.output


def test_the_timeline_is_in_order_and_tells_the_year(ran: Ran) -> None:
    days = [moment.at.date() for moment in ran.shown.timeline]
    assert days == sorted(days)
    assert 40 <= len(days) <= 80
    told = [f"{moment.at.date()} {moment.text}" for moment in ran.shown.timeline]
    events = {
        "2025-06-03": "taken my bike",
        "2025-07-22": "theory",
        "2025-10-02": "WE GOT IT",
        "2025-11-04": "failed",
        "2025-11-15": "WE HAVE A DOG",
        "2026-01-19": "I GOT THE JOB",
        "2026-03-12": "driving test",
    }
    for day, words in events.items():
        assert any(line.startswith(day) and words.casefold() in line.casefold() for line in told), words
    assert not any("?" in moment.text for moment in ran.shown.timeline)


def test_every_line_of_both_cites_a_memory(ran: Ran) -> None:
    with Mnemos(ran.store) as memory:
        for line in (*ran.shown.profile.lines, *ran.shown.timeline):
            assert all(memory.get(one) is not None for one in line.memory_ids)


def test_the_picture_shows_lines_of_the_sample(ran: Ran) -> None:
    picture = (TOOLS.parent / "docs" / "levels.svg").read_text(encoding="utf-8")
    with Mnemos(ran.store) as memory:
        found = memory.list(user_id=demo.USER, kinds=["turn", "episode", "theme", "fact"], limit=5_000)
    everything = "\n".join([*(one.text for one in found), *(line.text for line in ran.shown.profile.lines)])
    lines = re.findall(r'class="(?:t|t old)"[^>]*>([^<]+)<', picture)
    assert len(lines) > 12
    for line in lines:
        assert re.sub(r"^\d{4}-\d\d-\d\d +| …$", "", line) in everything, line
