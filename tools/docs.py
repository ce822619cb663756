"""`make docs`: draws the tables and plots of the documents from the committed results in `bench/results`.

Between `<!-- bench:NAME -->` and `<!-- /bench -->` a document holds what `NAME` stands for below; everything else in
it is written by hand. `python tools/docs.py --check` changes nothing and fails where documents and results differ.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "src")]

from agreement import Found  # noqa: E402
from agreement import table as agreement_table  # noqa: E402
from plot import cost_plot, log_plot, share_plot, state_plot  # noqa: E402
from tables import comparison, curve, own_table  # noqa: E402

from mnemos.bench import (  # noqa: E402
    boundaries,
    forget_report,
    forms_report,
    join_report,
    kv_bars,
    kv_report,
    layers_report,
    levels_report,
    lm_report,
    mqar_report,
    report,
    reuse_report,
    update_report,
)
from mnemos.bench.recall import Run  # noqa: E402
from mnemos.bench.table import Table  # noqa: E402

DOCUMENTS = (
    "README.md",
    *(f"docs/{name}.md" for name in ("benchmarks", "update", "levels", "context", "forget", "gate")),
    *(f"docs/{name}.md" for name in ("proxy", "server", "forms", "cache-policies", "neural-memory")),
)
LEFT_OUT = ("static", "BM25+static", "95% interval")
"""Columns that the README has no room for."""
PLOT = "docs/search-time.svg"
FORGET_PLOT = "docs/forget-curve.svg"
KV_PLOTS = {"recall": "docs/kv-recall.svg", "untold": "docs/kv-untold.svg", "again": "docs/kv-again.svg"}
KV_LINES = ("oracle", "snapkv", "tova", "h2o", "expected", "streaming", "random")
REUSE_PLOT = "docs/reuse-time.svg"
FORMS_PLOT = "docs/forms-uses.svg"
LANDMARKS = ("attention", "lstm", "linear-attention", "titans")
"""Memories that are drawn beside those whose state was varied."""
KEPT_LINES = ("attention", "lstm", "gated-delta-net", "titans", "hope", "atlas")
NOTES_LINES = ("attention", "lstm", "linear-attention", "gla", "hgrn2", "gated-delta-net", "titans")
NEURAL = {"mqar": mqar_report, "layers": layers_report, "lm": lm_report}
"""Benchmarks of neural memory, by their results."""
FIT_LINE = re.compile(
    r"^(\S+), (fitted on all|on other \w+(?: sets)?) +n= *(\d+) +R@10 +([\d.]+) \[([\d.]+), ([\d.]+)\]"
    r" +NDCG@10 +([\d.]+) \[([\d.]+), ([\d.]+)\]",
    re.MULTILINE,
)
SALIENCE_LINE = re.compile(
    r"^(\S+)\.jsonl\S*, on other (conversations|files): +full ([\d.]+)"
    r" +50%: ([\d.]+) \(([\d.]+) of full\), longest ([\d.]+) +25%: ([\d.]+) \(([\d.]+) of full\), longest ([\d.]+)",
    re.MULTILINE,
)
BLOCK = re.compile(r"(<!-- bench:([a-z-]+) -->\n).*?(<!-- /bench -->)", re.DOTALL)


def recall() -> Run:
    """The committed recall run."""
    return report.from_json(raw("recall"))


def raw(name: str) -> dict[str, Any]:
    """A results file as it is."""
    found: dict[str, Any] = json.loads((ROOT / f"bench/results/{name}.json").read_text(encoding="utf-8"))
    return found


def made_with(name: str) -> str:
    """Machine, versions and data of a results file, in one paragraph."""
    data = raw(name)
    machine, versions = data["machine"], data["versions"]
    lines = [
        f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_gb']:g} GB, {machine['system']}. "
        f"Versions: {', '.join(f'{package} {version}' for package, version in versions.items())}. "
        f"Seed {data['seed']}."
    ]
    lines += [f"- `{file}`: SHA-256 `{digest[:16]}…`" for file, digest in data.get("files", {}).items()]
    for system, found in data.get("systems", {}).items() if isinstance(data.get("systems"), dict) else ():
        lines.append(f"- {system}: {', '.join(f'{one} {version}' for one, version in found['versions'].items())}")
    return "\n".join([lines[0], *([""] if lines[1:] else []), *lines[1:]])


def categories() -> str:
    """The table of categories of every data set, each under its name."""
    run = recall()
    found = [report.categories_table(run, dataset) for dataset in report.groups(run)]
    return "\n\n".join(f"### {table.title}\n\n{table.markdown()}" for table in found)


def fits() -> dict[tuple[str, str], dict[str, tuple[str, ...]]]:
    """What the fit printed: by data set and number of questions, then by what the weights were fitted on."""
    text = (ROOT / "bench/results/fit.txt").read_text(encoding="utf-8")
    found: dict[tuple[str, str], dict[str, tuple[str, ...]]] = {}
    for name, how, n, *figures in FIT_LINE.findall(text):
        found.setdefault((name, n), {})[how] = tuple(figures)
    return found


def fit() -> str:
    """Each data set with weights fitted on everything, and without it."""
    columns = ("fitted on all", "on other conversations", "on other data sets")
    rows = []
    for (name, n), cells in fits().items():
        shown = ("{} ({}–{}) / {} ({}–{})".format(*cells[how]) if how in cells else "–" for how in columns)
        rows.append((name, n, *shown))
    return Table("", ("data", "questions", *columns), tuple(rows)).markdown()


def unseen() -> str:
    """One sentence: what weights reach that were fitted on other conversations."""
    parts = []
    for (name, _), cells in fits().items():
        if name.endswith("-dev") and "on other conversations" in cells:
            figures = cells["on other conversations"]
            parts.append(f"{figures[0]} / {figures[3]} on {name.removesuffix('-dev')}")
    return f"Mnemos' weights were fitted on such files; fitted on other conversations they reach {', '.join(parts)}."


def measured() -> str:
    """The short table of the README: recall against the baselines, and speed against the peers."""
    main = _main(recall())
    kept = [number for number, name in enumerate(main.columns) if name not in LEFT_OUT]
    short = Table(
        main.title,
        tuple(main.columns[number] for number in kept),
        tuple(tuple(row[number] for number in kept) for row in main.rows),
        unseen(),
    )
    return f"{main.title}:\n\n{short.markdown()}\n\n{comparison(raw('speed')).markdown()}"


def _main(run: Run) -> Table:
    return report.main_table(run, report.groups(run))


def update() -> str:
    """Whether what is current ranks first: among facts, and among the turns of conversations."""
    run = update_report.from_json(raw("update"))
    return "\n\n".join(f"{table.title}:\n\n{table.markdown()}" for table in update_report.tables(run))


def episodes() -> str:
    """Where episodes end, against the boundaries of sessions."""
    found = boundaries.table([boundaries.Cutting(**cutting) for cutting in raw("episodes")["cuttings"]])
    return f"{found.title}:\n\n{found.markdown()}"


def forget() -> str:
    """What recall is left when only a part is kept, by policy."""
    run = forget_report.from_json(raw("forget"))
    return "\n\n".join(f"{table.title}:\n\n{table.markdown()}" for table in forget_report.tables(run))


def forget_unseen() -> str:
    """The same for salience on conversations, and on files, that it was not fitted on."""
    text = (ROOT / "bench/results/salience.txt").read_text(encoding="utf-8")
    rows = []
    for name, fitted, full, half, half_left, longest, quarter, quarter_left, longest_quarter in SALIENCE_LINE.findall(
        text
    ):
        kept = [f"{100 * float(part):.1f} ({left})" for part, left in ((half, half_left), (quarter, quarter_left))]
        most = [f"{100 * float(part):.1f}" for part in (longest, longest_quarter)]
        rows.append((name, f"other {fitted}", f"{100 * float(full):.1f}", kept[0], most[0], kept[1], most[1]))
    columns = ("data", "fitted on", "all kept", "50%", "longest 50%", "25%", "longest 25%")
    return Table("", columns, tuple(rows), "R@10, percent; in brackets the share of the full R@10.").markdown()


def gate() -> str:
    """What the gate lets rest, and recall with and without it."""
    rows = []
    for row in raw("gate")["rows"]:
        name = row["file"].removesuffix(".jsonl.gz")
        counts = (f"{row[field]:,}" for field in ("turns", "filler", "repeats", "evidence", "questions"))
        rows.append((name, *counts, f"{row['without']:.1f}", f"{row['with']:.1f}"))
    columns = ("data", "turns", "filler", "repeats", "evidence that rests", "questions", "R@10 without", "R@10 with")
    return Table("", columns, tuple(rows)).markdown()


def context_share() -> str:
    """How much of the evidence a context holds, by budget and by kind of question."""
    run = levels_report.from_json(raw("levels"))
    return "\n\n".join(f"{table.title}:\n\n{table.markdown()}" for table in levels_report.tables(run))


def join() -> str:
    """What joined blocks are worth, by model, rule and what was read again."""
    run = join_report.from_json(raw("join"))
    return "\n\n".join(f"{table.title}:\n\n{table.markdown()}" for table in join_report.tables(run))


def join_needed() -> str:
    """One sentence a model: whether each of its layers matters."""
    run = join_report.from_json(raw("join"))
    lines = []
    for one in run.models:
        left = ", ".join(f"{100 * part:.0f}" for part in one.needed)
        lines.append(f"- {one.model}: without its first, second, … layer {left} percent of the answers are right.")
    return "\n".join(lines)


def reuse() -> str:
    """Seconds to the first token, and what storage takes and loses."""
    run = reuse_report.from_json(raw("reuse"))
    return "\n\n".join(f"{table.title}:\n\n{table.markdown()}" for table in reuse_report.tables(run))


def kv(part: str) -> str:
    """Caches that keep a part: all in one, each task, bits, speed, or what was aimed at."""
    run = kv_report.from_json(raw("kv"))
    if part == "overview":
        return kv_report.overview_table(run).markdown()
    if part == "tasks":
        return "\n\n".join(
            f"{one.title}:\n\n{one.markdown()}" for one in (kv_report.task_table(run, t) for t in run.tasks)
        )
    made = {"storing": kv_report.storing_table, "speed": kv_report.speed_table, "bars": kv_bars.table}
    return made[part](run).markdown()


def in_forms(*names: str) -> str:
    """Some tables of a run of `mnemos bench forms`, each under its name."""
    found = forms_report.by_name(forms_report.from_json(raw("forms")))
    return "\n\n".join(f"{found[name].title}:\n\n{found[name].markdown()}" for name in names)


def forms_made_with() -> str:
    """What the run was made with, its model included."""
    return f"{forms_report.model_in_words(forms_report.from_json(raw('forms')))}\n\n{made_with('forms')}"


def neural(name: str) -> str:
    """The tables of a benchmark of neural memory, each under its name, and their plot."""
    run = NEURAL[name].from_json(raw(name))
    found = "\n\n".join(f"{table.title}:\n\n{table.markdown()}" for table in NEURAL[name].tables(run))
    file, title, _ = NEURAL_PLOTS[name]
    return f"{found}\n\n![{title}]({file})"


def recalled_by_state(title: str) -> str:
    """The memories whose state was varied, and landmarks."""
    states = mqar_report.against_state(mqar_report.from_json(raw("mqar")), "recall")
    shown = {name: points for name, points in states.items() if len(points) > 1 or name in LANDMARKS}
    return state_plot(shown, title=title, across="numbers that are carried on", up="answers right")


def kept_by_length(title: str) -> str:
    """What some layers keep."""
    kept = layers_report.kept(layers_report.from_json(raw("layers")))
    shown = {name: kept[name] for name in KEPT_LINES if name in kept}
    return log_plot(shown, title=title, across="tokens", up="megabytes")


def known_by_length(title: str) -> str:
    """What some models still know."""
    known = lm_report.known(lm_report.from_json(raw("lm")))
    shown = {name: known[name] for name in NOTES_LINES if name in known}
    lengths = sorted({length for points in shown.values() for length, _ in points})
    return state_plot(shown, title=title, across="bytes that were read", up="notes known", at=lengths)


NEURAL_PLOTS = {
    "mqar": ("mqar-state.svg", "What is recalled, by the size of the state", recalled_by_state),
    "layers": ("layers-kept.svg", "What training keeps of a text, one layer", kept_by_length),
    "lm": ("lm-notes.svg", "Notes that are still known, after training on 256 bytes", known_by_length),
}


def operations() -> str:
    """The short table of the README: what each operation does, beside the simplest thing that could be done."""
    facts, turns = (raw("update")["tables"][number]["rows"] for number in (0, 1))
    rows = [(f"first hit right / outdated above it: {row[0]}", row[3], row[5]) for row in facts]
    rows += [(f"newest evidence above the older: {r[0]}", r[3].split()[0], r[5].split()[0]) for r in turns[-1:]]
    for dataset, _, tokens, whole, _, derived, *_ in raw("levels")["tables"][0]["rows"]:
        if tokens == "1000":
            rows.append((f"evidence in a context of 1,000 tokens: {dataset}", whole, derived))
    for table in raw("forget")["tables"]:
        kept = {row[0]: row for row in table["rows"]}
        for place in (3, 4):
            share, data = table["columns"][place], table["title"].split(",")[0]
            left = [kept[policy][place].split()[0] for policy in ("longest", "Mnemos")]
            rows.append((f"R@10 with {share} of the turns kept: {data}", left[0], left[1]))
    note = (
        "The simple way is ranking alone, the best turns whole while they fit, and keeping the longest turns. "
        "Development data, on which Mnemos' numbers were fitted; the pages say what unseen conversations reach."
    )
    return Table("", ("percent", "the simple way", "Mnemos"), tuple(rows), note).markdown()


def proxied() -> str:
    """What the proxy adds to a chat, beside a bare one, the search and the composing."""
    rows = []
    for size, found in raw("proxy")["sizes"].items():
        ways, adds = found["ways"], found["adds_ms"]
        asked = (ways[way]["p50_ms"] for way in ("direct", "bare", "proxy", "search"))
        added = (adds["proxy"], found["beyond_search_ms"], adds["proxy"] / adds["bare"])
        rows.append((f"{int(size):,}", *(f"{one:.1f}" for one in (*asked, *added))))
    columns = ("memories", "direct", "bare proxy", "Mnemos", "the search alone", "added", "beyond the search", "ratio")
    note = "Milliseconds, medians; the ratio is what Mnemos adds to what a bare proxy adds."
    return Table("", columns, tuple(rows), note).markdown()


def loaded() -> str:
    """A server under load, beside a bare handler."""
    found, rows = raw("load"), []
    for name in ("Mnemos", "bare FastAPI, one SQLite read"):
        for way in ("open loop", "2 clients", "50 clients"):
            run = found[name][way]
            kinds = (run["kinds"][kind][part] for kind in ("search", "add") for part in ("p50_ms", "p95_ms"))
            rows.append((name, way, f"{run['per_second']:.1f}", *(f"{one:.0f}" for one in kinds)))
    per_second = [found["Mnemos"][way]["per_second"] for way in ("2 clients", "50 clients")]
    killed, errors = (
        found["killed"],
        sum(sum(found["Mnemos"][way]["errors"].values()) for way in found["Mnemos"] if " " in way),
    )
    note = (
        f"{found['tenants']} tenants of {found['size']:,} memories, {found['connections']} connections, four searches "
        f"to one add; open loop is {found['rate']} requests a second at random times. With 50 clients the throughput "
        f"is {100 * per_second[1] / per_second[0]:.0f}% of that with 2. Errors: {errors}; acknowledged writes "
        f"that were lost: {found['lost']}; "
        f"of the {killed['acknowledged']} acknowledged before a `kill -9`: {killed['lost']}."
    )
    columns = ("server", "load", "requests/s", "search p50 ms", "p95", "add p50 ms", "p95")
    return Table("", columns, tuple(rows), note).markdown()


BLOCKS: dict[str, Callable[[], str]] = {
    "recall": lambda: _main(recall()).markdown(),
    "fit": fit,
    "sessions": lambda: report.sessions_table(recall(), report.groups(recall())).markdown(),
    "categories": categories,
    "knowing": lambda: report.knowing_table(recall(), report.groups(recall())).markdown(),
    "contexts": lambda: report.contexts_table(recall(), report.groups(recall())).markdown(),
    "recall-made-with": lambda: made_with("recall"),
    "speed": lambda: comparison(raw("speed")).markdown(),
    "speed-own": lambda: own_table(raw("speed")).markdown(),
    "speed-made-with": lambda: made_with("speed"),
    "measured": measured,
    "operations": operations,
    "update": update,
    "episodes": episodes,
    "update-made-with": lambda: made_with("update"),
    "gate": gate,
    "context-share": context_share,
    "context-made-with": lambda: made_with("levels"),
    "forget": forget,
    "forget-unseen": forget_unseen,
    "load": loaded,
    "load-made-with": lambda: made_with("load"),
    "proxy": proxied,
    "proxy-made-with": lambda: made_with("proxy"),
    "forget-made-with": lambda: made_with("forget"),
    "join": join,
    "join-needed": join_needed,
    "join-made-with": lambda: made_with("join"),
    **{f"kv-{part}": partial(kv, part) for part in ("overview", "tasks", "storing", "speed", "bars")},
    "kv-made-with": lambda: made_with("kv"),
    "congruence": lambda: agreement_table(map(Found.read, raw("congruence")["found"])).markdown(),
    "congruence-made-with": lambda: made_with("congruence"),
    "reuse": reuse,
    "reuse-made-with": lambda: made_with("reuse"),
    "forms": lambda: in_forms("forms"),
    "forms-pays": lambda: in_forms("pays"),
    "forms-mixed": lambda: in_forms("workload", "mixed", "chosen"),
    "forms-made-with": forms_made_with,
    **{name: lambda name=name: neural(name) for name in NEURAL},
    "neural-made-with": lambda: "\n\n".join(f"`mnemos bench {name}`: {made_with(name)}" for name in NEURAL),
}


def fill(text: str) -> str:
    """A document with every block drawn anew."""
    return BLOCK.sub(lambda match: f"{match[1]}{BLOCKS[match[2]]()}\n{match[3]}", text)


def rendered() -> dict[Path, str]:
    """Every generated file and what should be in it."""
    found = {path: fill(path.read_text(encoding="utf-8")) for name in DOCUMENTS if (path := ROOT / name).is_file()}
    found[ROOT / PLOT] = log_plot(
        curve(raw("speed")),
        title="One search, median: cost against size",
        across="memories in the namespace",
        up="milliseconds",
    )
    run = forget_report.from_json(raw("forget"))
    found[ROOT / FORGET_PLOT] = share_plot(
        forget_report.points(run, next(iter(run.recalls))),
        title="What recall is left, by what is kept",
        across="part of the turns that is kept",
        up="share of the full R@10",
    )
    for one in join_report.from_json(raw("join")).models:
        if one.updated:
            found[ROOT / f"docs/join-{one.layers}.svg"] = cost_plot(
                join_report.curves(one),
                title=f"Two blocks joined: {one.model}",
                across="what was read again of the later block",
                up="answers right",
                low=0.8,
            )
    kept = kv_report.from_json(raw("kv"))
    for task, path in KV_PLOTS.items():
        found[ROOT / path] = share_plot(
            kv_report.points(kept, task, KV_LINES),
            title=f"Answers right: {task}",
            across="part of the tokens that is kept",
            up="answers right",
        )
    timed = reuse_report.from_json(raw("reuse"))
    found[ROOT / REUSE_PLOT] = log_plot(
        reuse_report.times(timed, 1),
        title="Time to the first token, one thread",
        across="tokens before the question",
        up="seconds",
    )
    found[ROOT / FORMS_PLOT] = log_plot(
        forms_report.running(forms_report.from_json(raw("forms"))),
        title="Seconds so far, making included",
        across="sessions of ten questions",
        up="seconds",
    )
    found |= {ROOT / "docs" / file: plot(title) for file, title, plot in NEURAL_PLOTS.values()}
    return found


def main() -> int:
    """Write, or with --check only compare."""
    check = "--check" in sys.argv[1:]
    stale = [
        path for path, text in rendered().items() if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        if not check:
            path.write_text(rendered()[path], encoding="utf-8")
        print(f"{'differs from bench/results' if check else 'written'}: {path.relative_to(ROOT)}")
    return int(check and bool(stale))


if __name__ == "__main__":
    raise SystemExit(main())
