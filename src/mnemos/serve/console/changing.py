"""What can be done to a memory from its page: pin, unpin, admit, undo, delete; and a dead letter queued again."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response

from mnemos.errors import NotFound
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


@router.post("/ui/memory/{id}/{change}")
async def change(view: Writing, id: str, change: str) -> Response:
    """Do one of the changes, and show the memory again."""
    if change not in CHANGES:
        raise NotFound("change", change)
    said, work = CHANGES[change]
    await view.call(lambda memory: work(memory, view.access.own(memory, id)))
    return view.go(f"/memory/{id}", said)
