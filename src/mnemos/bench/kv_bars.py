"""What `mnemos bench kv` aims at, and whether a run reaches it."""

from __future__ import annotations

from mnemos.bench.kv_report import ENDS, QUARTER, Run, drop
from mnemos.bench.table import Table, percent

HOME = {
    "cam": "again",
    "h2o": "again",
    "lazy": "again",
    "scissorhands": "again",
    "tova": "again",
    "streaming": "stream",
    "tim": "lists",
    "actqkv": "needles",
    "em-llm": "needles",
    "expected": "needles",
    "longmem": "needles",
    "snapkv": "needles",
    "snapkv + PyramidKV": "needles",
    "snapkv + Ada-KV": "needles",
}
"""The task that is nearest to what a policy's paper is about."""


def table(run: Run) -> Table:
    """What was aimed at, and what was reached."""
    return Table("What was aimed at", ("aim", "met", "measured"), tuple(bars(run)))


def bars(run: Run) -> list[tuple[str, str, str]]:
    """Each aim, whether it was met, and the figures; those that were not measured are left out."""
    found = [_near_full(run, task) for task in ("recall", "needles", "needles in a book") if task in run.tasks]
    found += [_better_than_chance(run), *(_bits(run, bits, most) for bits, most in (("int8", 0.5), ("int4", 2.0)))]
    return [*(one for one in found if one), *([_twice(run)] if run.speeds else [])]


def _near_full(run: Run, task: str, share: float = QUARTER) -> tuple[str, str, str] | None:
    full = run.score(task, "full", share)
    scores = [one for one in run.scores if (one.task, one.share, one.storing) == (task, share, "")]
    gates = [one for one in scores if one.policy not in (*ENDS, *run.readers)]
    if full is None or not gates:
        return None
    best = max(gates, key=lambda one: one.right)
    lost = round(100 * (full.right - best.right), 3)
    aim = f"at 25% the best policy that lets go is within 3 points of full: {task}"
    return aim, _met(lost <= 3), f"{best.policy}: {percent(best.right)} of {percent(full.right)}"


def _better_than_chance(run: Run) -> tuple[str, str, str] | None:
    worse, counted = [], 0
    for policy, task in HOME.items():
        for share in run.shares:
            own, chance = run.score(task, policy, share), run.score(task, "random", share)
            if own and chance and share < 1:
                counted += 1
                if own.right <= chance.right:
                    worse.append(f"{policy} on {task} at {share:.0%} ({percent(own.right)}, {percent(chance.right)})")
    if not counted:
        return None
    return "every policy beats random on the task of its paper", _met(not worse), "; ".join(worse) or "at every share"


def _bits(run: Run, bits: str, most: float) -> tuple[str, str, str] | None:
    drops = []
    for storing, policy, share in dict.fromkeys((one.storing, one.policy, one.share) for one in run.scores):
        if bits in storing:
            lost = [(drop(run, task, policy, share, storing) or 0.0, task) for task in run.tasks]
            drops.append((*max(lost), f"{storing} under {policy}"))
    if not drops:
        return None
    told = "; ".join(f"{name}: {100 * part:+.1f} ({task})" for part, task, name in drops)
    return f"{bits} loses {most:g} points at most", _met(round(100 * max(drops)[0], 3) <= most), told


def _twice(run: Run) -> tuple[str, str, str]:
    gates = [one for one in run.speeds if one.share < 1 and one.policy not in run.readers]
    slow = [f"{one.policy} {one.times:.2f}×" for one in gates if one.times < 2]
    measured = "; ".join(slow) or f"{min((one.times for one in gates), default=0):.2f}× and more"
    return "policies that let go make tokens twice as fast at 12%", _met(bool(gates) and not slow), measured


def _met(met: bool) -> str:
    return "yes" if met else "no"
