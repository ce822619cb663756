"""The speed results as tables: each measure of Mnemos beside its peers, with ratios."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mnemos.bench.table import Table

Read = Callable[[Mapping[str, Any]], float | None]
RATE, COST = "rate", "cost"


def search_at(size: int) -> Read:
    """Median milliseconds of a search with `size` memories in the namespace."""
    return lambda system: next(
        (step["search"]["p50_ms"] for step in system["steps"] if step["size"] == size and step["added"]), None
    )


def first_at(size: int, field: str) -> Read:
    """A field of the phase that opens a store of `size` memories in a new process."""
    return lambda system: system["first"].get(str(size), {}).get(field)


def import_rate(system: Mapping[str, Any]) -> float:
    """Turns a second over the whole import."""
    return sum(step["added"] for step in system["steps"]) / sum(step["seconds"] for step in system["steps"])


def long_rate(system: Mapping[str, Any]) -> float | None:
    """Megabytes a second of long texts."""
    return system["long"]["megabytes"] / system["long"]["seconds"] if "long" in system else None


def tables(results: Mapping[str, Any]) -> list[Table]:
    """The comparison, and what only Mnemos has."""
    return [comparison(results), own_table(results)]


def comparison(results: Mapping[str, Any]) -> Table:
    """One row a measure, one column a system."""
    kept, last = results["kept"], results["sizes"][-1]
    shown = [size for size in results["sizes"] if size in (1000, kept, last)]
    measures: list[tuple[str, str, Read, str]] = [
        ("bulk import, turns/s", RATE, import_rate, "{:,.0f}"),
        (f"one add at {kept:,}, p50 ms", COST, lambda system: system["add"]["p50_ms"], "{:.2f}"),
        *((f"search at {size:,}, p50 ms", COST, search_at(size), "{:.2f}") for size in shown),
        (f"open {kept:,} and search once, s", COST, first_at(kept, "open_and_search_s"), "{:.2f}"),
        (f"resident with {kept:,} after the first search, MB", COST, first_at(kept, "rss_mb"), "{:.0f}"),
        (f"resident with {last:,} after the first search, MB", COST, first_at(last, "rss_mb"), "{:.0f}"),
        (f"peak with {last:,}, MB", COST, first_at(last, "peak_mb"), "{:.0f}"),
        (f"on disk with {last:,}, MB", COST, first_at(last, "disk_mb"), "{:.0f}"),
        ("long texts, MB/s", RATE, long_rate, "{:.2f}"),
    ]
    systems: Mapping[str, Any] = results["systems"]
    rows = []
    for label, sort, read, form in measures:
        values = {name: read(system) for name, system in systems.items()}
        cells = (_cell(value, values.get("Mnemos"), sort, form, name) for name, value in values.items())
        rows.append((label, *cells))
    return Table("Speed and size beside peers", ("measure", *systems), tuple(rows), _notes(results))


def own_table(results: Mapping[str, Any]) -> Table:
    """The importer, the command line and the gate."""
    own = results["systems"].get("Mnemos", {})
    rows = []
    if "import_file" in own:
        found = own["import_file"]
        rows.append(
            (
                f"import of a JSONL file of {found['size']:,} messages",
                f"{found['size'] / found['seconds']:,.0f} turns/s",
            )
        )
    if "shell" in own:
        rows.append(
            (f"`mnemos search` from the shell, {own['shell']['size']:,} memories", f"{own['shell']['p50_s']:.2f} s")
        )
    if "gate" in own:
        rows += gate_rows(own["gate"])
    if own:
        small, large = own["steps"][0], own["steps"][-1]
        times, ratio = large["size"] / small["size"], large["search"]["p50_ms"] / small["search"]["p50_ms"]
        rows.append((f"a search of {large['size']:,} against one of {small['size']:,} (×{times:g})", f"×{ratio:.1f}"))
    return Table("Only Mnemos", ("measure", "Mnemos"), tuple(rows))


def gate_rows(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the gate costs: its scan inside `add`, and its judging in `maintain()`."""
    judged = [(f"{int(size):,}", f"{us:,.0f} µs") for size, us in found["judge_us"].items()]
    return [
        (
            f"gate, processor time: secret scan of a turn of {found['characters']} characters",
            f"{found['scan_us']:.1f} µs",
        ),
        *((f"gate, processor time: judging a turn in a store of {size}, in `maintain()`", us) for size, us in judged),
    ]


def curve(results: Mapping[str, Any]) -> dict[str, list[tuple[float, float]]]:
    """Size against median milliseconds of a search, for each system."""
    return {
        name: [(step["size"], step["search"]["p50_ms"]) for step in system["steps"]]
        for name, system in results["systems"].items()
    }


def _cell(value: float | None, ours: float | None, sort: str, form: str, name: str) -> str:
    if value is None:
        return "–"
    text = form.format(value)
    if name == "Mnemos" or not ours or not value:
        return text
    ratio = ours / value if sort == RATE else value / ours
    return f"{text} (×{ratio:.2g})" if ratio < 10 else f"{text} (×{ratio:,.0f})"


def _notes(results: Mapping[str, Any]) -> str:
    notes = ["In brackets: how many times Mnemos' cost (below 1: less than Mnemos)."]
    for name, system in results["systems"].items():
        if system["stopped"]:
            notes.append(f"{name}: {system['stopped']}.")
        elif (size := system["steps"][-1]["size"]) < results["sizes"][-1]:
            notes.append(f"{name} was measured up to {size:,} memories only.")
    notes += [f"{name} is left out: {why.splitlines()[-1]}." for name, why in results["left_out"].items()]
    return " ".join(notes)
