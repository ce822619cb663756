"""Measuring and showing: bench, demo."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mnemos.cli.command import ExampleGroup, command, json_option
from mnemos.cli.output import console, progress_bar, write_json
from mnemos.errors import InvalidInput

if TYPE_CHECKING:
    from mnemos.bench.table import Table


@click.group(
    "bench",
    cls=ExampleGroup,
    examples=("mnemos bench recall questions.json --no-transformer",),
    context_settings={"help_option_names": ["-h", "--help"]},
)
def bench() -> None:
    """Measure recall on files of your own."""


@command(
    "recall",
    "mnemos bench recall questions.json --no-transformer",
    "mnemos bench recall questions.json --no-transformer --json",
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--no-transformer", is_flag=True, help="Leave out the baseline that needs torch.")
@click.option("--model", type=click.Path(path_type=Path), metavar="FOLDER", help="Where all-MiniLM-L6-v2 is.")
@click.option("--seed", type=int, default=0, show_default=True, help="For the bootstrap intervals.")
@click.option("--save", type=click.Path(path_type=Path), metavar="FILE", help="Write the results there as JSON.")
@json_option
def recall(
    files: tuple[Path, ...], no_transformer: bool, model: Path | None, seed: int, save: Path | None, as_json: bool
) -> None:
    """Measure how much evidence is found in each FILE.

    Every question of every file is asked. BM25, dense vectors and their fusion are measured in the same run.
    Without torch, or without the model, the transformer's columns are left out and a note says so.
    """
    from mnemos.bench import recall as measure
    from mnemos.bench import report

    with progress_bar("measuring", bytes_=False, quiet=as_json) as progress:
        run = measure.run(
            files,
            transformer=not no_transformer,
            model=model,
            seed=seed,
            progress=lambda name, done, total: progress(done, total),
        )
    show(report.to_json(run), report.tables(run), save, as_json)


def show(results: Mapping[str, Any], tables: Iterable[Table], save: Path | None, as_json: bool) -> None:
    """Save what was measured, where that is asked for, and show it."""
    from mnemos.bench.results import save as save_to

    if save is not None:
        save_to(results, save)
    if as_json:
        write_json(results)
        return
    screen = console()
    for table in tables:
        screen.print(table.rich())
        screen.print()


bench.add_command(recall)


@command("update", "mnemos bench update questions.json", "mnemos bench update questions.json --json")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--seed", type=int, default=0, show_default=True, help="For the bootstrap intervals.")
@click.option("--save", type=click.Path(path_type=Path), metavar="FILE", help="Write the results there as JSON.")
@json_option
def update(files: tuple[Path, ...], seed: int, save: Path | None, as_json: bool) -> None:
    """Measure whether what is current ranks above what it replaced.

    Each FILE holds facts of which later ones override earlier ones, or conversations. BM25, and ranking without regard
    to what is current, are measured in the same run.
    """
    from mnemos.bench import update as measure
    from mnemos.bench import update_report

    with progress_bar("measuring", bytes_=False, quiet=as_json) as progress:
        run = measure.run(files, seed=seed, progress=lambda name, done, total: progress(done, total))
    show(update_report.to_json(run), update_report.tables(run), save, as_json)


bench.add_command(update)


@command("levels", "mnemos bench levels questions.json", "mnemos bench levels questions.json --json")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--seed", type=int, default=0, show_default=True, help="For the bootstrap intervals.")
@click.option("--save", type=click.Path(path_type=Path), metavar="FILE", help="Write the results there as JSON.")
@json_option
def levels(files: tuple[Path, ...], seed: int, save: Path | None, as_json: bool) -> None:
    """Measure how much of the evidence a context holds.

    Every question of each FILE is asked at 500, 1,000 and 2,000 tokens, before derivation and after it. The best turns
    whole, as many as fit, are measured in the same run.
    """
    from mnemos.bench import levels as measure
    from mnemos.bench import levels_report

    with progress_bar("measuring", bytes_=False, quiet=as_json) as progress:
        run = measure.run(files, seed=seed, progress=lambda name, done, total: progress(done, total))
    show(levels_report.to_json(run), levels_report.tables(run), save, as_json)


bench.add_command(levels)


@command("forget", "mnemos bench forget questions.json", "mnemos bench forget questions.json --json")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--seed", type=int, default=0, show_default=True, help="For chance, and for the bootstrap intervals.")
@click.option("--save", type=click.Path(path_type=Path), metavar="FILE", help="Write the results there as JSON.")
@json_option
def forget(files: tuple[Path, ...], seed: int, save: Path | None, as_json: bool) -> None:
    """Measure what recall is left when most turns are forgotten.

    In every conversation of each FILE each policy keeps three quarters, a half, … of the turns before it knows any
    question. Keeping the longest, the newest, any at all, and those that will be asked for stand beside them.
    """
    from mnemos.bench import forget as measure
    from mnemos.bench import forget_report

    with progress_bar("measuring", bytes_=False, quiet=as_json) as progress:
        run = measure.run(files, seed=seed, progress=lambda name, done, total: progress(done, total))
    show(forget_report.to_json(run), forget_report.tables(run), save, as_json)


bench.add_command(forget)


@command("join", "mnemos bench join", "mnemos bench join --texts 100 --json")
@click.option(
    "--texts", type=click.IntRange(1), default=200, show_default=True, help="Texts that are read in two blocks."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the texts, and of what is chosen by chance.")
@click.option("--save", type=click.Path(path_type=Path), metavar="FILE", help="Write the results there as JSON.")
@json_option
def join(texts: int, seed: int, save: Path | None, as_json: bool) -> None:
    """Measure what blocks are worth that were read apart and joined.

    Small models, trained on first use for some minutes and kept, read two blocks of which the second changes what the
    first said. Joining them as they are, in their places, and repaired by several rules stand beside a full reading.
    """
    needs_torch("bench join")
    from mnemos.bench import join_report
    from mnemos.bench.forms import join as measure

    with progress_bar("measuring", bytes_=False, quiet=as_json) as progress:
        run = measure.run(texts=texts, seed=seed, progress=lambda name, done, total: progress(done, total))
    show(join_report.to_json(run), join_report.tables(run), save, as_json)


bench.add_command(join)


@command("reuse", "mnemos bench reuse", "mnemos bench reuse --shape 1b --device cuda --json")
@click.option("--shape", default="small", show_default=True, help="small: 12 layers of 768; 1b: 16 of 2048.")
@click.option("--device", default="cpu", show_default=True, help="Where to compute.")
@click.option("--most", type=click.IntRange(512), default=8192, show_default=True, help="Tokens of the longest text.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="The median of so many counts.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of weights and texts.")
@click.option("--save", type=click.Path(path_type=Path), metavar="FILE", help="Write the results there as JSON.")
@json_option
def reuse(shape: str, device: str, most: int, rounds: int, seed: int, save: Path | None, as_json: bool) -> None:
    """Measure how soon an answer begins when the text was read before.

    A stock Llama with random weights goes on from blocks that are loaded from files, beside reading the same text; and
    what each storage type takes, and what is lost in it.
    """
    needs_torch("bench reuse")
    from mnemos.bench import reuse_report
    from mnemos.bench.forms import reuse as measure

    if shape not in measure.SHAPES:
        raise InvalidInput("shape", f"{shape!r} is not known", f"choose one of {', '.join(measure.SHAPES)}")
    lengths = [length for length in measure.LENGTHS if length <= most]
    with progress_bar("measuring", bytes_=False, quiet=as_json) as progress:
        run = measure.run(
            measure.SHAPES[shape],
            lengths=lengths,
            device=device,
            rounds=rounds,
            seed=seed,
            progress=lambda name, done, total: progress(done, total),
        )
    show(reuse_report.to_json(run), reuse_report.tables(run), save, as_json)


bench.add_command(reuse)


@command("forms", "mnemos bench forms", "mnemos bench forms --quick --json")
@click.option("--quick", is_flag=True, help="Little of everything, with a model that comes with Mnemos.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the facts, and of the workload.")
@click.option("--save", type=click.Path(path_type=Path), metavar="FILE", help="Write the results there as JSON.")
@json_option
def forms(quick: bool, seed: int, save: Path | None, as_json: bool) -> None:
    """Measure the same facts as text, as keys and values, and as weights.

    A small language model, trained on first use for some minutes and kept, is told 200 facts in each form and asked for
    them: what it answers, how soon, and after how many uses a form has paid. Then a month of mixed use in each form,
    beside what the scheduler chooses.
    """
    needs_torch("bench forms", "peft")
    from mnemos.bench import forms_report
    from mnemos.bench.forms import forms as measure
    from mnemos.bench.forms.fixtures import bundled

    with progress_bar("measuring", bytes_=False, quiet=as_json) as progress:
        run = measure.run(
            measure.QUICK if quick else measure.FULL,
            model=bundled()[0] if quick else None,
            seed=seed,
            progress=lambda name, done, total: progress(done, total),
        )
    show(forms_report.to_json(run), forms_report.tables(run), save, as_json)


bench.add_command(forms)


def needs_torch(command: str, *more: str) -> None:
    """Say how to install what a benchmark of models needs, where it is missing."""
    missing = [package for package in ("torch", "transformers", "safetensors", *more) if find_spec(package) is None]
    if missing:
        raise InvalidInput(command, f"needs {', '.join(missing)}", 'install it with: pip install "mnemos[torch]"')


@command("demo", "mnemos demo", "mnemos demo --json")
@click.option(
    "--store",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Keep the sample there, to go on asking.  [default: a temporary file]",
)
@json_option
def demo(store: Path | None, as_json: bool) -> None:
    """Import a sample history, show who it is about and what happened, and ask it six questions."""
    from rich.console import Console

    from mnemos.demo import run_demo

    screen = Console(quiet=True) if as_json else console()
    with tempfile.TemporaryDirectory(prefix="mnemos-demo-") as folder:
        shown = run_demo(store or Path(folder, "demo.db"), screen)
    if as_json:
        write_json(shown)


COMMANDS = (bench, demo)
