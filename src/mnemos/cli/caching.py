"""`mnemos bench kv`: measuring what caches keep."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from mnemos.cli.command import command, json_option
from mnemos.cli.measuring import bench, needs_torch, show
from mnemos.cli.output import progress_bar


@command("kv", "mnemos bench kv", "mnemos bench kv --quick --json")
@click.option("--quick", is_flag=True, help="Few texts, and times behind 1,024 tokens instead of 8,192.")
@click.option(
    "--filler",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Text between whose words needles stand; may be given several times.",
)
@click.option("--policy", "policies", multiple=True, metavar="NAME", help="Only these; may be given several times.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the texts, and of what is kept by chance.")
@click.option("--save", type=click.Path(path_type=Path), metavar="FILE", help="Write the results there as JSON.")
@json_option
def kv(
    quick: bool, filler: tuple[Path, ...], policies: tuple[str, ...], seed: int, save: Path | None, as_json: bool
) -> None:
    """Measure what a model still answers when its cache keeps a part.

    A small model, trained on first use for some minutes and kept, reads texts in which few tokens matter. Every policy
    keeps a half, a quarter, … of them, between keeping all, what is needed, and any at all. Then tokens are made
    behind a long text under each policy, beside the library's own cache.
    """
    needs_torch("bench kv")
    from mnemos.bench import kv_bars, kv_report
    from mnemos.bench.caches import kv as measure

    with progress_bar("measuring", bytes_=False, quiet=as_json) as progress:
        run = measure.run(
            replace(measure.QUICK if quick else measure.FULL, policies=policies),
            filler=filler,
            seed=seed,
            progress=lambda name, done, total: progress(done, total),
        )
    show(kv_report.to_json(run), [*kv_report.tables(run), kv_bars.table(run)], save, as_json)


bench.add_command(kv)

COMMANDS: tuple[click.Command, ...] = ()
"""None but what belongs to `bench`."""
