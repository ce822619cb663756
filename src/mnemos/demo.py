"""The demo: import the sample history, say who and what it is about and what happened, and ask it six questions."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from rich import box
from rich.console import Console, Group
from rich.padding import Padding
from rich.panel import Panel
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from mnemos.io.importing import ImportReport
from mnemos.levels.answers import Profile, Timeline
from mnemos.records import Context, Hit, Memory
from mnemos.sample import ASKED_AT, QUESTIONS, Question, history_file
from mnemos.store.reading import Stats
from mnemos.system import Mnemos

USER = "maeve"
"""Whose memory the sample becomes."""

HITS = 3
BUDGET = 500
"""Tokens of the context block."""

_DERIVED = ("fact", "episode", "theme", "profile")
_EXCERPT = 280
_WIDEST = 100
_REASONS = 3
_BAR = 12
_NAME = re.compile(r"(?<=[a-z,] )[A-ZÀ-Þ][a-zß-ÿ]{2,}\b")
_CALENDAR = frozenset(
    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June July August "
    "September October November December".split()
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the memory brought back for one question."""

    question: Question
    hits: tuple[Hit, ...]
    context: Context


@dataclass(frozen=True, slots=True)
class Shown:
    """What the demo showed."""

    profile: Profile
    timeline: Timeline
    answers: tuple[Answer, ...]


def run_demo(store_path: str | os.PathLike[str], console: Console, *, budget: int = BUDGET) -> Shown:
    """Import the sample into a store, show what it holds, ask the six questions; a second run imports nothing new."""
    with Mnemos(store_path) as memory:
        report = import_sample(memory, console)
        _show(console, _remembered(memory, report))
        profile, timeline = memory.profile(user_id=USER, as_of=ASKED_AT), memory.timeline(user_id=USER)
        title = f"\nWho it is about, as of {_date(ASKED_AT)}"
        _show(console, Text(title, style="bold"), Padding(profile_table(profile), (0, 0, 0, 2)))
        _show(console, Text("\nWhat happened", style="bold"), Padding(timeline_table(timeline), (0, 0, 0, 2)))
        answers = tuple(_ask_aloud(memory, number, console, budget) for number in range(1, len(QUESTIONS) + 1))
        return Shown(profile, timeline, answers)


def import_sample(memory: Mnemos, console: Console) -> ImportReport:
    """Import the sample history and derive from it, each under a progress bar."""
    text, bar = TextColumn("{task.description}"), BarColumn(bar_width=24)
    with Progress(text, bar, DownloadColumn(), TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task("Importing", total=None)
        report = memory.import_file(
            history_file(),
            user_id=USER,
            progress=lambda read, total: progress.update(task, completed=read, total=total),
        )
    with Progress(text, bar, MofNCompleteColumn(), TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task("Reading it", total=report.added)
        memory.maintain(progress=lambda read: progress.update(task, completed=read))
    return report


def profile_table(found: Profile, clean: Callable[[str], str] = str) -> Table:
    """A profile as people read it: group, line and day; `clean` is applied to what others wrote."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column()
    table.add_column(style="dim", no_wrap=True)
    group = ""
    for line in found.lines:
        until = f"until {line.until.date()}" if line.until else ""
        day = until or (str(line.since.date()) if line.since else "")
        table.add_row(line.group if line.group != group else "", Text(clean(line.text), "dim" if until else ""), day)
        group = line.group
    return table


def timeline_table(found: Timeline, clean: Callable[[str], str] = str) -> Table:
    """A timeline as people read it: day and line, facts in bold; `clean` is applied to what others wrote."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column()
    day = ""
    for moment in found:
        shown = moment.day
        until = f"  (until {moment.until.date()})" if moment.until else ""
        text = Text(clean(moment.text), "bold" if moment.kind == "fact" else "").append(until, "dim")
        table.add_row(shown if shown != day else "", text)
        day = shown
    return table


def ask(memory: Mnemos, question: Question, *, budget: int = BUDGET) -> Answer:
    """Ask one question of the sample."""
    hits = memory.search(question.text, user_id=USER, limit=HITS, now=ASKED_AT)
    context = memory.context(question.text, user_id=USER, budget=budget, now=ASKED_AT)
    return Answer(question, tuple(hits), context)


def name_counts(memories: Iterable[Memory]) -> Counter[str]:
    """Words that the user writes with a capital in the middle of a sentence, by how often they come up in all."""
    texts = [memory.text for memory in memories if memory.role == "user"]
    names = {name for text in texts for name in _NAME.findall(text)} - _CALENDAR
    words = Counter(word for text in texts for word in re.findall(r"[^\W\d_]+", text))
    return Counter({name: words[name] + words[name.lower()] for name in names if words[name] >= words[name.lower()]})


def _ask_aloud(memory: Mnemos, number: int, console: Console, budget: int) -> Answer:
    question = QUESTIONS[number - 1]
    answer = ask(memory, question, budget=budget)
    _show(console, _asked(number, question), *_answered(answer))
    return answer


def _remembered(memory: Mnemos, report: ImportReport) -> Group:
    stats = memory.stats(user_id=USER)
    again = f", {report.repeated:,} were there already" if report.repeated else ""
    derived = ", ".join(f"{stats.kinds[kind]:,} {kind}s" for kind in _DERIVED if stats.kinds.get(kind))
    lines = [
        ("turns", f"{stats.kinds.get('turn', 0):,} ({report.added:,} added{again})"),
        ("derived", derived or "nothing"),
        ("left out", "; ".join(f"{count} {reason}" for reason, count in report.skipped.items()) or "nothing"),
        ("sessions", f"{stats.sessions:,}"),
        ("span", _span(stats)),
        ("people", ", ".join(f"{name} ({count:,} turns)" for name, count in stats.speakers.items())),
        ("names", ", ".join(_names(memory))),
    ]
    table = Table.grid(padding=(0, 2))
    for label, value in lines:
        table.add_row(Text(f"  {label}", style="bold"), Text(value))
    return Group(Text("\nWhat was remembered", style="bold"), table)


def _span(stats: Stats) -> str:
    if stats.first is None or stats.last is None:
        return "no dates"
    return f"{_date(stats.first)} to {_date(stats.last)}, {(stats.last - stats.first).days} days"


def _names(memory: Mnemos) -> Iterator[str]:
    counts = name_counts(memory.list(user_id=USER, limit=10_000))
    for name, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:8]:
        yield f"{name} ({count})"


def _asked(number: int, question: Question) -> Group:
    title = Text.assemble((question.text, "bold cyan"))
    return Group(Text(""), Rule(Text(f"{number}. {question.kind}", style="dim"), align="left"), title)


def _answered(answer: Answer) -> Iterator[Padding | Panel | Text]:
    if not answer.context:
        best = f" The nearest memory scores {answer.hits[0].score:.2f}." if answer.hits else ""
        yield Text("\nNothing is known about this, so the context is empty." + best, style="yellow")
        return
    for hit in answer.hits:
        yield from (Padding(line, (0, 0, 0, left)) for line, left in _hit_lines(hit))
    title = f"context for a prompt, {answer.context.tokens} tokens"
    yield Text("")
    yield Panel(Text(answer.context.text), title=title, title_align="left", box=box.ROUNDED, border_style="dim")


def _hit_lines(hit: Hit) -> Iterator[tuple[Text, int]]:
    memory = hit.memory
    when = _date(memory.happened_at) if memory.happened_at else "no date"
    who = memory.speaker or memory.role or "unknown"
    yield Text.assemble("\n", (f"{hit.score:.2f}", "bold green"), "  ", (when, "magenta"), f"  {who}"), 0
    yield Text(_excerpt(hit)), 6
    yield _why(hit), 6


def _excerpt(hit: Hit) -> str:
    """The words of a hit on one line, cut to size; of a long text those of its best passage."""
    begin, end = hit.passage or (0, len(hit.memory.text))
    words = " ".join(hit.memory.text[begin:end].split())
    return words if len(words) <= _EXCERPT else words[:_EXCERPT].rsplit(" ", 1)[0] + " …"


def _why(hit: Hit) -> Text:
    """What spoke most for a hit, each with a bar as long as its share."""
    reasons = sorted(hit.why.items(), key=lambda pair: -pair[1])
    positive = [(name, value) for name, value in islice(reasons, _REASONS) if value > 0]
    most = max((value for _, value in positive), default=1.0)
    line = Text("why: ", style="dim")
    for place, (name, value) in enumerate(positive):
        bar = "▪" * max(1, round(_BAR * value / most))
        line.append("   " if place else "")
        line.append(f"{name.replace('_', ' ')} +{value:.1f} ").append(bar, style="blue")
    return line


def _date(moment: datetime) -> str:
    return f"{moment.day} {moment:%b %Y}"


def _show(console: Console, *parts: Group | Padding | Panel | Text) -> None:
    for part in parts:
        console.print(part, highlight=False, width=min(console.width, _WIDEST))


__all__: Sequence[str] = (
    *("BUDGET", "HITS", "USER", "Answer", "Shown", "ask", "import_sample", "name_counts"),
    *("profile_table", "run_demo", "timeline_table"),
)
