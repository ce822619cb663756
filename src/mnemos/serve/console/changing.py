"""What can be done to a memory from its page: change its words, pin, unpin, admit, undo, delete."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response

from mnemos.errors import NotFound
from mnemos.events import read_text
from mnemos.serve.console.route import pages
from mnemos.serve.console.view import Writing
from mnemos.system import Mnemos

router = pages()
Change = Callable[[Mnemos, str], object]
CHANGES: dict[str, tuple[str, Change]] = {
    "pin": ("pinned", lambda memory, id: memory.pin(id)),
    "unpin": ("unpinned", lambda memory, id: memory.unpin(id)),
    "admit": ("admitted", lambda memory, id: memory.admit(id)),
    "delete": ("deleted", lambda memory, id: memory.delete(id)),
}
"""By the last part of the address: what the page says then, and what is done."""


@router.post("/ui/memory/{id}/undo")
async def undo(view: Writing, id: str) -> Response:
    """Reverse a decision for good."""
    decision = str(view.form.get("decision", ""))

    def work(memory: Mnemos) -> None:
        view.access.own(memory, id)
        memory.undo(view.access.own(memory, decision, "decision"))

    await view.call(work)
    return view.go(f"/memory/{id}", "undone")


@router.post("/ui/memory/{id}/words")
async def words(view: Writing, id: str) -> Response:
    """Change what a memory says: to the words given, or back to those of an earlier version."""
    version, text = view.form.get("version"), view.form.get("text")

    def work(memory: Mnemos) -> None:
        found = view.access.own(memory, id)
        said = _said(memory, found, version) if isinstance(version, str) else text
        memory.update(found, text=read_text(said, "text").replace("\r\n", "\n"))

    await view.call(work)
    return view.go(f"/memory/{id}", "changed")


def _said(memory: Mnemos, memory_id: str, version: str) -> str:
    for change in memory.history(memory_id):
        if str(change.version) == version and change.text is not None:
            return change.text
    raise NotFound("version", version[:40])


@router.post("/ui/memory/{id}/{change}")
async def change(view: Writing, id: str, change: str) -> Response:
    """Do one of the changes, and show the memory again."""
    if change not in CHANGES:
        raise NotFound("change", change)
    said, work = CHANGES[change]
    await view.call(lambda memory: work(memory, view.access.own(memory, id)))
    return view.go(f"/memory/{id}", said)
