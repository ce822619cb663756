"""Memories, hits and counts as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from mnemos.cli.output import excerpt, show_time, visible
from mnemos.records import Change, Hit, Link, Memory, Page

if TYPE_CHECKING:
    from mnemos.io.importing import ImportReport
    from mnemos.store.reading import Stats

EXCERPT = 280
BAR = 10
SIGNALS = 4
"""How many signals of a hit are named."""
NARROW = 60
PEOPLE = 10
LEVEL = "level"
"""What every score starts from, which says nothing about a memory."""


def show_hits(console: Console, hits: Page[Hit], zone: str | None) -> None:
    """Each hit with its score, date, speaker, words and reasons."""
    for place, hit in enumerate(hits, start=hits.offset + 1):
        memory = hit.memory
        head = Text.assemble((f"{place:>2} ", "dim"), score_bar(console, hit.score), f" {hit.score:.2f}  ")
        head.append_text(heading(memory, zone))
        print_line(console, head)
        start = 0 if hit.passage is None else hit.passage[0]
        print_indented(console, Text(excerpt(memory.text, EXCERPT, start)))
        print_indented(console, Text(f"why  {reasons(hit.why)}", "dim"))
        also = f"  (also {', '.join(hit.also)})" if hit.also else ""
        print_indented(console, Text(f"id   {memory.id}{also}", "dim"))
    print_more(console, hits)


def show_list(console: Console, memories: Page[Memory], zone: str | None) -> None:
    """Memories in reading order."""
    for memory in memories:
        line = heading(memory, zone)
        line.append(f"  {memory.id}", "dim")
        print_line(console, line)
        print_indented(console, Text(excerpt(memory.text, EXCERPT)))
    print_more(console, memories)


def show_facts(console: Console, facts: Page[Memory], zone: str | None) -> None:
    """Each fact with the days from which and until which it was true."""
    for fact in facts:
        since = fact.valid_at or fact.happened_at
        span = "" if since is None else show_time(since, zone, day=True)
        if fact.invalid_at is not None:
            span += f" until {show_time(fact.invalid_at, zone, day=True)}"
        words = Text(excerpt(fact.text, EXCERPT), "dim" if fact.invalid_at else "")
        print_line(console, Text.assemble((f"{span.strip() or '-':<29} ", "cyan"), words, (f"  {fact.id}", "dim")))
    print_more(console, facts)


def show_factors(console: Console, factors: Mapping[str, float]) -> None:
    """What was learnt about each signal, the strongest first."""
    for name, factor in sorted(factors.items(), key=lambda item: -abs(item[1] - 1)):
        print_line(console, Text.assemble((f"{name:<24} ", "cyan"), f"{factor:.2f}"))


def show_added(console: Console, memories: Sequence[Memory]) -> None:
    """What `add` stored."""
    for memory in memories:
        state = Text("added   ", "green") if memory.is_new else Text("repeated", "yellow")
        print_line(console, Text.assemble(state, "  ", (memory.id, "dim"), f"  {excerpt(memory.text, 60)}"))


def show_memory(
    console: Console,
    memory: Memory,
    sources: Mapping[str, Memory | None],
    links: Sequence[Link],
    changes: Sequence[Change],
    zone: str | None,
) -> None:
    """Everything about one memory."""
    print_line(console, Text(visible(memory.text)))
    console.print()
    for name, value in _attributes(memory, zone):
        print_line(console, Text.assemble((f"{name:<11} ", "cyan"), visible(value)))
    for source, found in sources.items():
        words = "(gone)" if found is None else excerpt(found.text, 80)
        print_line(console, Text.assemble((f"{'source':<11} ", "cyan"), source, ("  " + words, "dim")))
    for link in links:
        target = f"{link.relation} ({link.weight:g})  {link.source} → {link.target}"
        print_line(console, Text.assemble((f"{'link':<11} ", "cyan"), visible(target)))
    for change in changes:
        print_line(console, Text.assemble((f"{'history':<11} ", "cyan"), visible(_change(change, zone))))


def show_history(console: Console, changes: Iterable[Change], zone: str | None) -> None:
    """Each change, oldest first, with the words that it gave the memory."""
    for change in changes:
        print_line(console, Text(visible(_change(change, zone)), "cyan"))
        if change.text is not None:
            print_indented(console, Text(excerpt(change.text, EXCERPT)))
        elif change.op == "add":
            print_indented(console, Text("(the words have been deleted)", "dim"))


def show_import(console: Console, report: ImportReport) -> None:
    """What an import added, found again and left out, and why."""
    from rich.table import Table

    table = Table("", "messages", "why", title=f"Imported ({report.format})", title_justify="left")
    table.columns[1].justify = "right"
    table.add_row(Text("added", "green"), f"{report.added:,}", "")
    if report.repeated:
        table.add_row(Text("repeated", "yellow"), f"{report.repeated:,}", "stored already")
    for reason, count in report.skipped.items():
        places = ", ".join(report.places.get(reason, ())[:3])
        why = Text(visible(reason)).append(f"  {visible(places)}" if places else "", "dim")
        table.add_row(Text("skipped", "red"), f"{count:,}", why)
    console.print(table)
    if report.first is not None and report.last is not None:
        span = f"{show_time(report.first, None, day=True)} to {show_time(report.last, None, day=True)}"
        console.print(Text(f"{report.sessions:,} sessions, {span}"))


def show_stats(console: Console, stats: Stats, zone: str | None) -> None:
    """What a scope holds."""
    first, last = (show_time(moment, zone, day=True) for moment in (stats.first, stats.last))
    people = [f"{name} {count:,}" for name, count in list(stats.speakers.items())[:PEOPLE]]
    if len(stats.speakers) > PEOPLE:
        people.append(f"and {len(stats.speakers) - PEOPLE:,} more")
    rows = [
        ("memories", f"{stats.memories:,}"),
        ("kinds", ", ".join(f"{kind} {count:,}" for kind, count in stats.kinds.items())),
        ("sessions", f"{stats.sessions:,}"),
        ("people", ", ".join(people)),
        ("span", f"{first} to {last}" if stats.first else ""),
        ("namespaces", f"{stats.namespaces:,}"),
        ("file", f"{stats.bytes / 1e6:,.1f} MB"),
        ("embedder", stats.embedder),
        ("jobs", ", ".join(f"{state} {count:,}" for state, count in stats.jobs.items()) or "none"),
        ("purge", stats.purge),
    ]
    for name, value in rows:
        if value:
            print_line(console, Text.assemble((f"{name:<11} ", "cyan"), visible(value)))


def heading(memory: Memory, zone: str | None) -> Text:
    """When, who, and what kind of memory it is."""
    who = memory.speaker or memory.role or ""
    line = Text(show_time(memory.happened_at, zone), "cyan")
    if who:
        line = Text.assemble(line, "  ", (visible(who), "bold"))
    if memory.kind != "turn":
        line = Text.assemble(line, (f"  [{memory.kind}]", "magenta"))
    return line


def score_bar(console: Console, score: float) -> Text:
    """A score as a bar."""
    full, empty = ("█", "░") if console.encoding.lower().startswith("utf") else ("#", "-")
    filled = round(score * BAR)
    return Text.assemble((full * filled, "green"), (empty * (BAR - filled), "dim"))


def reasons(why: Mapping[str, float]) -> str:
    """The signals that moved a score most, in logits; not the level that every memory starts from."""
    strongest = sorted(why.items(), key=lambda signal: -abs(signal[1]))
    shown = [f"{name} {value:+.1f}" for name, value in strongest if name != LEVEL and abs(value) >= 0.05]
    rest = len(shown) - SIGNALS
    return ", ".join(shown[:SIGNALS]) + (f", … {rest} more" if rest > 0 else "")


def print_line(console: Console, line: Text) -> None:
    """One line; wrapped on a terminal, whole in a pipe."""
    console.print(line, soft_wrap=not console.is_terminal)


def print_indented(console: Console, text: Text) -> None:
    """A line that belongs to the one above it."""
    indent = 2 if console.width < NARROW else 4
    if console.is_terminal:
        console.print(Padding(text, (0, 0, 0, indent), expand=False))
    else:
        console.print(Text(" " * indent) + text, soft_wrap=True)


def print_more(console: Console, page: Page[Hit] | Page[Memory]) -> None:
    """How many come after a page."""
    if page.more:
        console.print(Text(f"… {page.more:,} more (--offset {page.offset + len(page)})", "dim"))


def _attributes(memory: Memory, zone: str | None) -> Iterable[tuple[str, str]]:
    yield "id", memory.id
    yield "namespace", " / ".join(memory.namespace)
    for name in ("kind", "form", "speaker", "role", "session_id", "agent_id"):
        if value := getattr(memory, name):
            yield name, str(value)
    for name in ("happened_at", "valid_at", "invalid_at", "created_at", "updated_at", "expired_at", "last_used_at"):
        if (moment := getattr(memory, name)) is not None:
            yield name, show_time(moment, zone)
    yield "version", str(memory.version)
    yield "strength", f"{memory.strength:g}, {memory.uses} uses"
    yield "trust", f"{memory.trust:g}"
    for name in ("channel", "writer"):
        if value := getattr(memory, name):
            yield name, str(value)
    for name in ("key", "value", "recipe"):
        if (value := getattr(memory, name)) is not None:
            yield name, str(value)
    for key, value in memory.metadata.items():
        yield "metadata", f"{key} = {value}"


def _change(change: Change, zone: str | None) -> str:
    line = f"{show_time(change.at, zone)}  {change.op}  version {change.version}"
    if change.channel:
        line += f"  via {change.channel}" + (f" ({change.writer})" if change.writer else "")
    if change.decision:
        line += f"  by {change.by}  decision {change.decision}" + ("  (undone)" if change.undone else "")
    return line
