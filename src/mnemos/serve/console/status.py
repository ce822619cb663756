"""Status: what a namespace and the store hold, what waits, what has failed, and which keys there are."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from mnemos.errors import InvalidInput, NotFound
from mnemos.serve.console.route import pages
from mnemos.serve.console.view import Managing, Reading, View
from mnemos.serve.server import server_of
from mnemos.store.reading import Stats
from mnemos.system import Mnemos
from mnemos.verbs.jobs import DeadLetter

router = pages()


@dataclass(frozen=True, slots=True)
class State:
    """What the page shows of a store."""

    here: Stats
    """Of the namespace."""
    whole: Stats | None
    """Of the whole store, for keys that may see all of it."""
    queued: dict[str, int]
    dead: list[DeadLetter]


@router.get("/ui/status")
async def status(view: Reading) -> Response:
    """Read only, but for what has failed, which can be tried again."""
    state = await view.call(lambda memory: _read(memory, view))
    server = server_of(view.request)
    sees_keys = view.access.namespaces is None and view.may("admin")
    keys = server.keys.listed(view.access.tenant) if sees_keys and view.is_signed_in else []
    return view.page("status.html", state=state, keys=keys, is_open=server.is_open, own=view.access.key_id)


@router.post("/ui/status/retry")
async def retry(view: Managing) -> Response:
    """Queue a dead letter again."""
    text = str(view.form.get("job", ""))
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise InvalidInput("job", f"{text[:40]!r} is not a number", "give the number of a dead letter")

    def work(memory: Mnemos) -> None:
        if int(text) not in {dead.job for dead in _dead(memory, view)}:
            raise NotFound("job", text)
        memory.retry(int(text))

    await view.call(work)
    return view.go("/status", "retried")


def _read(memory: Mnemos, view: View) -> State:
    free = view.access.namespaces is None
    whole = memory.stats() if free else None
    return State(memory.stats(**view.scope()), whole, memory.queued() if free else {}, _dead(memory, view))


def _dead(memory: Mnemos, view: View) -> list[DeadLetter]:
    """The dead letters that are about what the caller may see, and about nothing else."""
    if view.access.namespaces is None:
        return memory.dead_letters()

    def is_seen(memory_id: str) -> bool:
        namespace = memory.owner(memory_id)
        return namespace is not None and view.access.allows(namespace)

    return [dead for dead in memory.dead_letters() if dead.memory_ids and all(map(is_seen, dead.memory_ids))]
