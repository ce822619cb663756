"""Measuring memories that are layers of networks: bench mqar, bench layers, bench lm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from mnemos.cli.command import command, json_option
from mnemos.cli.measuring import bench, needs_torch, show
from mnemos.cli.output import progress_bar


@command("mqar", "mnemos bench mqar --quick", "mnemos bench mqar --preset delta-net --preset attention --json")
@click.option("--quick", is_flag=True, help="Three memories, one learning rate.")
@click.option("--preset", multiple=True, metavar="NAME", help="Only this memory, or a layer in JSON; again for others.")
@click.option("--task", multiple=True, metavar="NAME", help="Only this task; again for others.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of weights and texts.")
@click.option("--save", type=click.Path(path_type=Path), metavar="FILE", help="Write the results there as JSON.")
@click.option("--keep", is_flag=True, help="Keep what FILE has of other memories and tasks.")
@json_option
def mqar(
    quick: bool, preset: tuple[str, ...], task: tuple[str, ...], seed: int, save: Path | None, keep: bool, as_json: bool
) -> None:
    """Measure how much memories recall of pairs that they read once.

    Small models, each with one kind of memory, learn to answer keys with values, and with the last of two values where
    a key is told again. Each gets the same sweep of learning rates; softmax attention and an LSTM stand beside them.
    """
    needs_torch("bench mqar")
    from mnemos.bench import mqar_report
    from mnemos.bench.neural import mqar as measure

    write = _writer(mqar_report, save, keep)
    with progress_bar("measuring", bytes_=False, quiet=as_json) as progress:
        run = measure.run(
            measure.QUICK if quick else measure.FULL,
            names=preset or (measure.QUICK_ONES if quick else ()),
            tasks=task,
            seed=seed,
            progress=lambda name, done, total: progress(done, total),
            so_far=write,
        )
    run = write(run)
    show(mqar_report.to_json(run), mqar_report.tables(run), None, as_json)


bench.add_command(mqar)


@command("layers", "mnemos bench layers --quick", "mnemos bench layers --preset gated-delta-net --json")
@click.option("--quick", is_flag=True, help="Three layers, short texts.")
@click.option("--preset", multiple=True, metavar="NAME", help="Only this layer, by name or in JSON; again for others.")
@click.option("--device", default="cpu", show_default=True, help="Where to compute.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of weights and tokens.")
@click.option("--save", type=click.Path(path_type=Path), metavar="FILE", help="Write the results there as JSON.")
@json_option
def layers(quick: bool, preset: tuple[str, ...], device: str, seed: int, save: Path | None, as_json: bool) -> None:
    """Measure how fast memory layers read.

    Token by token, in parallel, and in training; and what training keeps, and what is carried on, by the length of the
    text.
    """
    needs_torch("bench layers")
    from mnemos.bench import layers_report
    from mnemos.bench.neural import layers as measure

    with progress_bar("measuring", bytes_=False, quiet=as_json) as progress:
        run = measure.run(
            replace(measure.QUICK if quick else measure.FULL, device=device),
            names=preset or (measure.QUICK_ONES if quick else ()),
            seed=seed,
            progress=lambda name, done, total: progress(done, total),
        )
    show(layers_report.to_json(run), layers_report.tables(run), save, as_json)


bench.add_command(layers)


@command("lm", "mnemos bench lm book.txt another.txt last.txt.gz --quick", "mnemos bench lm book.txt last.txt --json")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--quick", is_flag=True, help="Two memories in smaller models, trained for a minute.")
@click.option("--preset", multiple=True, metavar="NAME", help="Only this memory, or a layer in JSON; again for others.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of weights, and of what is read.")
@click.option("--save", type=click.Path(path_type=Path), metavar="FILE", help="Write the results there as JSON.")
@click.option("--keep", is_flag=True, help="Keep what FILE has of other memories.")
@json_option
def lm(
    files: tuple[Path, ...],
    quick: bool,
    preset: tuple[str, ...],
    seed: int,
    save: Path | None,
    keep: bool,
    as_json: bool,
) -> None:
    """Measure which language model forgets.

    Models of one size, each with one kind of memory, learn from the same bytes of each FILE but the last. They are
    asked how well they predict that one, and for notes they read long before, also at four times the length of
    training.
    """
    needs_torch("bench lm")
    from mnemos.bench import lm_report
    from mnemos.bench.neural import lm as measure

    write = _writer(lm_report, save, keep)
    with progress_bar("measuring", bytes_=False, quiet=as_json) as progress:
        run = measure.run(
            files,
            measure.QUICK if quick else measure.FULL,
            names=preset or (measure.QUICK_ONES if quick else ()),
            seed=seed,
            progress=lambda name, done, total: progress(done, total),
            so_far=write,
        )
    run = write(run)
    show(lm_report.to_json(run), lm_report.tables(run), None, as_json)


bench.add_command(lm)


def _writer(report: Any, save: Path | None, keep: bool) -> Callable[[Any], Any]:
    """What joins a run with results that are kept, and writes both: after each memory, for a run may be cut off."""
    from mnemos.bench.results import load
    from mnemos.bench.results import save as save_to

    earlier = report.from_json(load(save)) if keep and save is not None and save.exists() else None

    def write(run: Any) -> Any:
        whole = run if earlier is None else report.merged(earlier, run)
        if save is not None:
            save_to(report.to_json(whole), save)
        return whole

    return write


COMMANDS: tuple[click.Command, ...] = ()
"""None of its own: all of them stand under bench."""
