"""Cubes: memories with all their forms in one file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mnemos.cli.command import Call, ExampleGroup, command, json_option, on_store
from mnemos.cli.options import scoped
from mnemos.cli.output import excerpt, visible, write_json

if TYPE_CHECKING:
    from mnemos.cube import Conflict, Manifest

_FILE = click.Path(path_type=Path)


@click.group(
    "cube",
    cls=ExampleGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    examples=("mnemos cube export ana.cube --user ana", "mnemos cube show ana.cube"),
)
def cube() -> None:
    """Memories with all their forms in one file: export, import, show, fuse, compare."""


@command(
    "export",
    "mnemos cube export ana.cube --user ana",
    "mnemos list --user ana --ids | xargs mnemos cube export some.cube",
)
@click.argument("file", type=_FILE)
@click.argument("ids", nargs=-1, metavar="[ID]...")
@scoped()
@on_store()
def export(call: Call, file: Path, ids: tuple[str, ...], scope: dict[str, Any]) -> None:
    """Write memories to FILE, with their history, provenance and forms.

    All of the store, of a scope, or the memories of the given IDs and those that they were derived from. Blocks of keys
    and values and adapters go along where all that they were made of does. The same memories make the same bytes.
    """
    with call.open() as memory:
        done = memory.export_cube(file, ids=ids or None, **scope)
    if call.as_json:
        write_json({**_written(done.path, done.bytes, done.manifest), "left": done.left})
        return
    click.echo(visible(f"exported {_contents(done.manifest)}, {done.bytes / 1e6:,.1f} MB, to {done.path}"))
    _show_left(done.left, "stayed behind")


@command("import", "mnemos cube import team.cube", "mnemos cube import team.cube --text-only --json")
@click.argument("file", type=_FILE)
@click.option("--text-only", is_flag=True, help="Take the words alone: no blocks, no adapters.")
@on_store()
def import_(call: Call, file: Path, text_only: bool) -> None:
    """Take a cube into the store, all of it or nothing.

    A second import adds nothing. What was deleted here stays deleted; where a memory was changed on both sides, the
    later change stands. Blocks and adapters say to a model whatever their maker put there: take them only from whom you
    would let write into your store, and --text-only from all others.
    """
    from mnemos.cube import MemCube

    if not call.is_there:
        MemCube(file).close()
    with call.open(create=True) as memory:
        done = memory.import_cube(file, text_only=text_only)
    if call.as_json:
        write_json(done)
        return
    click.echo(f"{done.added:,} entries added, {done.repeated:,} were there already")
    click.echo(f"{len(done.artifacts):,} artifacts added, {done.known:,} were there already")
    _show_left(done.left, "left out; mnemos.bind(model, tokenizer) and maintain() make them anew")
    _show_conflicts(done.conflicts)


@command("show", "mnemos cube show team.cube", "mnemos cube show team.cube --memories")
@click.argument("file", type=_FILE)
@click.option("--memories", is_flag=True, help="List the memories, too.")
@json_option
def show(file: Path, memories: bool, as_json: bool) -> None:
    """Say what is in a cube, and whether it is whole."""
    from mnemos.cube import MemCube

    with MemCube(file) as opened:
        manifest, found = opened.manifest, opened.memories()
        artifacts = [piece.artifact for piece in opened.pieces]
        size = file.stat().st_size
    if as_json:
        said = {**_written(str(file), size, manifest), "artifacts": artifacts}
        write_json({**said, "memories": found} if memories else said)
        return
    click.echo(visible(f"{file}: {_contents(manifest)}, {size / 1e6:,.1f} MB, written by Mnemos {manifest.mnemos}"))
    click.echo(f"version {manifest.sha256[:16]}; every hash is right")
    for model in manifest.models:
        told = (
            f"{model.form}: {model.artifacts:,} for {model.name} {model.fingerprint[:12]}, {model.bytes / 1e6:,.1f} MB"
        )
        click.echo(visible(told))
    for one in found if memories else ():
        click.echo(f"{one.id}  {excerpt(one.text, 100)}")


@command("fuse", "mnemos cube fuse ana.cube team.cube both.cube")
@click.argument("a", type=_FILE)
@click.argument("b", type=_FILE)
@click.argument("out", type=_FILE)
@json_option
def fuse(a: Path, b: Path, out: Path, as_json: bool) -> None:
    """Make one cube OUT of two.

    Of a memory that both have, the later version stands, and a deletion in any case. What was derived or made of a
    version that does not stand is left out.
    """
    from mnemos.cube import fuse as fused

    done = fused(a, b, out)
    if as_json:
        write_json({**_written(done.path, done.bytes, done.manifest), "left": done.left, "conflicts": done.conflicts})
        return
    click.echo(visible(f"fused to {done.path}: {_contents(done.manifest)}, {done.bytes / 1e6:,.1f} MB"))
    _show_left(done.left, "left out")
    _show_conflicts(done.conflicts)


@command("compare", "mnemos cube compare ana.cube team.cube")
@click.argument("a", type=_FILE)
@click.argument("b", type=_FILE)
@json_option
def compare(a: Path, b: Path, as_json: bool) -> None:
    """Say what came, went and changed from cube A to cube B, in words and in forms."""
    from mnemos.cube import compare as compared

    found = compared(a, b)
    if as_json:
        write_json(found)
    else:
        click.echo(visible(str(found)))


for part in (export, import_, show, fuse, compare):
    cube.add_command(part)


def _written(path: str, size: int, manifest: Manifest) -> dict[str, Any]:
    """A cube for machines."""
    return {"path": path, "bytes": size, "sha256": manifest.sha256, "manifest": manifest}


def _contents(manifest: Manifest) -> str:
    count = sum(model.artifacts for model in manifest.models)
    models = len({model.fingerprint for model in manifest.models})
    of = f", {count:,} artifacts for {models:,} {'model' if models == 1 else 'models'}" if count else ""
    return f"{manifest.memories:,} memories{of}"


def _show_left(left: Mapping[str, str], how: str) -> None:
    for line in _counted(left.values(), how):
        click.echo(line)


def _counted(reasons: Any, how: str) -> Iterator[str]:
    from collections import Counter

    for reason, count in Counter(reasons).most_common():
        yield f"{count:,} {how}: {reason}"


def _show_conflicts(conflicts: tuple[Conflict, ...]) -> None:
    for one in conflicts:
        click.echo(f"{one.id}  {one.won}'s version stands: {one.how}")


COMMANDS = (cube,)
