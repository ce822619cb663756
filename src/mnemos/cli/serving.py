"""Running the server, its keys, and MCP for one client: serve, mcp, key."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mnemos.cli.command import ExampleGroup, command, json_option, store_option
from mnemos.cli.options import scoped
from mnemos.cli.output import tell, visible, write_json
from mnemos.errors import InvalidInput, StoreError

if TYPE_CHECKING:
    from mnemos.serve.keys import Key, KeyRing
    from mnemos.serve.settings import Settings

DEFAULT_DATA = "mnemos-data"
DATA_VARIABLE = "MNEMOS_DATA"
UPSTREAM_KEY = "MNEMOS_UPSTREAM_KEY"
_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400}


def data_option(function: Any) -> Any:
    """The option `--data`."""
    return click.option(
        "--data",
        type=click.Path(path_type=Path),
        default=DEFAULT_DATA,
        envvar=DATA_VARIABLE,
        metavar="FOLDER",
        help=f"The server's folder.  [default: ${DATA_VARIABLE}, else {DEFAULT_DATA}]",
    )(function)


@command("serve", "mnemos serve", "mnemos serve --upstream https://api.openai.com/v1")
@data_option
@click.option("--store", type=click.Path(path_type=Path), metavar="PATH", help="Serve this store as tenant default.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on.")
@click.option("--allow-host", "hosts", multiple=True, metavar="NAME", help="Another name of this server, without keys.")
@click.option("--upstream", envvar="MNEMOS_UPSTREAM", metavar="URL", help="Forward chat completions there.")
@click.option(
    "--upstream-key-env", default=UPSTREAM_KEY, show_default=True, metavar="NAME", help="Variable with the key for it."
)
@click.option("--context-budget", default=1000, show_default=True, help="Tokens of memories in a forwarded prompt.")
@click.option("--rate", default=600, show_default=True, help="Requests that a key may make in ten seconds.")
@click.option("--drain", default=30.0, show_default=True, help="Seconds to finish what is in hand when stopped.")
def serve(data: Path, hosts: tuple[str, ...], upstream_key_env: str, **told: Any) -> None:
    """Serve memories over HTTP: REST, proxy, MCP, console.

    Everything is in one folder. On the loopback it runs open until the first key is made; on any other address it
    needs a key. The key for --upstream is never an argument, which others on this machine could read.
    """
    needs_extra()
    from mnemos.serve.settings import Settings

    run_server(Settings(folder=data, hosts=hosts, upstream_key=read_secret(upstream_key_env), **told))


def read_secret(name: str) -> str | None:
    """What a variable of the environment holds; None where it is the usual one and not set.

    Raises:
        InvalidInput: a variable was named that is not set.
    """
    value = os.environ.get(name)
    if not value and name != UPSTREAM_KEY:
        raise InvalidInput("upstream-key-env", f"names ${name}, which is not set", f"set it: export {name}=…")
    return value or None


def run_server(settings: Settings) -> None:
    """Listen until a signal comes."""
    from mnemos.serve.app import create_app
    from mnemos.serve.logs import configure
    from mnemos.serve.run import listener

    app = create_app(settings)
    address = f"http://{settings.host}:{settings.port}"
    if app.state.mnemos.is_open:
        tell(
            f"OPEN: no key is needed. Whoever can run a program on this machine can read and change {settings.folder}."
        )
        tell("Close it with: mnemos key create --tenant default")
    tell(f"Mnemos serves {settings.folder} at {address} (console: {address}/ui)")
    configure()
    server = listener(app, settings)
    server.run()
    if not server.started:
        raise StoreError(f"{settings.host}:{settings.port} cannot be listened on; choose another --port")


@command("mcp", "mnemos mcp --store mnemos.db --user ana < /dev/null")
@store_option
@scoped(below=False)
def mcp(store: Path, scope: dict[str, Any]) -> None:
    """Serve a store to one MCP client, over standard input and output.

    Claude Desktop, Cursor and the like start this command themselves; several may share one store. With --user (or
    --agent, --namespace) every call has that scope; without, each call may name one.
    """
    try:
        import mcp  # noqa: F401
    except ModuleNotFoundError as missing:
        problem = f"needs the package {missing.name}"
        raise InvalidInput("mcp", problem, 'install it with: pip install "mnemos[mcp]"') from None
    from mnemos.serve.mcp.stdio import run

    run(store.expanduser(), scope)


def needs_extra() -> None:
    """Say how to install what the server needs, where it is missing."""
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError as missing:
        problem = f"needs the package {missing.name}"
        raise InvalidInput("serve", problem, 'install it with: pip install "mnemos[serve]"') from None


@click.group(
    "key",
    cls=ExampleGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    examples=("mnemos key create --tenant acme --expires 90d", "mnemos key list"),
)
def key() -> None:
    """Keys of the server: create, list, revoke."""


@command(
    "create",
    "mnemos key create --tenant acme --scopes read,write --expires 90d",
    "mnemos key create --tenant acme --namespace user,ana",
)
@data_option
@click.option("--tenant", required=True, help="Whose memories it opens: a-z, 0-9, - and _.")
@click.option("--scopes", default="read,write", show_default=True, help="Some of read, write, admin, metrics.")
@click.option("--expires", metavar="TIME", help="How long it holds: 12h, 90d, 1y. Without it, until it is revoked.")
@click.option("--namespace", "namespaces", multiple=True, metavar="A,B", help="Bind it to a namespace, as user,ana.")
@click.option("--trust", default=1.0, show_default=True, help="How far what it writes is trusted, 0 to 1.")
@click.option("--name", help="What it is for.")
@json_option
def create(data: Path, tenant: str, scopes: str, expires: str | None, namespaces: tuple[str, ...], trust: float,
           name: str | None, as_json: bool) -> None:  # fmt: skip
    """Make a key. It is shown once; only its digest is kept."""
    from mnemos.times import to_micros, utc_now

    with _ring(data) as ring:
        shown, made = ring.create(
            tenant,
            to_micros(utc_now()),
            scopes=[one.strip() for one in scopes.split(",") if one.strip()],
            namespaces=[one.split(",") for one in namespaces] or None,
            lifetime=_lifetime(expires),
            trust=trust,
            name=name,
        )
    if as_json:
        write_json({"key": shown, **_fields(made)})
    else:
        click.echo(shown)
        tell("This is the only time that it is shown.")


@command("list", "mnemos key list", "mnemos key list --tenant acme --json")
@data_option
@click.option("--tenant", help="Only this tenant's.")
@json_option
def list_keys(data: Path, tenant: str | None, as_json: bool) -> None:
    """List keys, without their secrets."""
    with _ring(data) as ring:
        found = ring.listed(tenant)
    if as_json:
        write_json({"keys": [_fields(one) for one in found]})
        return
    for one in found:
        state = "revoked" if one.revoked_at else f"until {one.expires_at:%Y-%m-%d}" if one.expires_at else "holds"
        bound = "" if one.namespaces is None else " ".join("/".join(part) for part in one.namespaces)
        scopes = ",".join(sorted(one.scopes))
        click.echo(visible(f"{one.id}  {one.tenant}  {scopes}  {state}  {bound}  {one.name or ''}".rstrip()))


@command("revoke", "mnemos key revoke 3k9x0c7d2m1q")
@data_option
@click.argument("key_id", metavar="ID")
@json_option
def revoke(data: Path, key_id: str, as_json: bool) -> None:
    """Let a key open nothing any more, from now on."""
    from mnemos.times import to_micros, utc_now

    with _ring(data) as ring:
        gone = ring.revoke(key_id, to_micros(utc_now()))
    if as_json:
        write_json(_fields(gone))
    else:
        click.echo(f"{gone.id} opens nothing any more")


for part in (create, list_keys, revoke):
    key.add_command(part)


@contextmanager
def _ring(folder: Path) -> Iterator[KeyRing]:
    """The keys of a folder."""
    needs_extra()
    from mnemos.serve.keys import KeyRing
    from mnemos.serve.ledger import Ledger

    with closing(Ledger(folder)) as ledger:
        yield KeyRing(ledger)


def _lifetime(expires: str | None) -> int | None:
    if expires is None:
        return None
    match = re.fullmatch(r"(\d{1,5})([mhdwy])", expires.strip().lower())
    if not match:
        raise InvalidInput("expires", f"{expires[:40]!r} is not a length of time", "write it as 12h, 90d or 1y")
    return int(match[1]) * _UNITS[match[2]] * 1_000_000


def _fields(key: Key) -> dict[str, Any]:
    return {**asdict(key), "scopes": sorted(key.scopes)}


COMMANDS = (serve, mcp, key)
