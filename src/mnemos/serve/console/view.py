"""What every page begins with: who looks, at whose memories, and how a page is written for them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from fastapi import Depends, Request
from starlette.datastructures import FormData
from starlette.responses import HTMLResponse, RedirectResponse

from mnemos.namespaces import read_namespace
from mnemos.records import DEFAULT_NAMESPACE, Namespace
from mnemos.serve.access import Access
from mnemos.serve.console.security import Proof, refuse_others
from mnemos.serve.console.templates import ENVIRONMENT
from mnemos.serve.console.words import named, read_named
from mnemos.serve.server import server_of
from mnemos.system import Mnemos

T = TypeVar("T")
CHANNEL = "console"
SAID = {
    "changed": "Changed. What it said before stays in its history, and can be put back.",
    "pinned": "Pinned: it stays whatever is forgotten.",
    "unpinned": "No longer pinned.",
    "admitted": "Back in the index, to stay there.",
    "undone": "Undone, for good. What followed from it is derived again.",
    "deleted": "Deleted, with everything that was derived only from it.",
    "retried": "Queued again.",
    "in": "Signed in.",
    "out": "Signed out.",
}
"""What a page says about the request that led to it."""


@dataclass(frozen=True, slots=True)
class View:
    """One look at one namespace."""

    request: Request
    access: Access
    namespace: Namespace
    namespaces: tuple[Namespace, ...]
    """Those that the caller may see and that hold something."""
    proof: str
    form: FormData = field(default_factory=FormData)

    def may(self, scope: str) -> bool:
        """Whether the caller's key has a scope: what it has not is not offered."""
        return scope in self.access.scopes

    @property
    def is_signed_in(self) -> bool:
        """Whether a key was shown; an open server needs none."""
        return self.access.key_id is not None

    def at(self, namespace: Namespace) -> View:
        """The same look at another namespace."""
        return replace(self, namespace=namespace)

    def scope(self) -> dict[str, Any]:
        """The scope as the library's verbs take it, once it is known to be allowed."""
        return self.access.scope(namespace=self.namespace)

    async def call(self, work: Callable[[Mnemos], T]) -> T:
        """What `work` makes of the store."""
        return await self.access.call(work)

    async def search(self, work: Callable[[Mnemos], T]) -> T:
        """The same for what ranks memories."""
        return await self.access.search(work)

    def link(self, path: str, **params: object) -> str:
        """An address under `/ui` that keeps to this namespace; parameters without a value are left out."""
        told = {name: value for name, value in params.items() if value not in (None, "", (), [])}
        if len(self.namespaces) > 1 or self.namespace not in self.namespaces:
            told["ns"] = named(self.namespace)
        return f"/ui{path}?{urlencode(told, doseq=True)}" if told else f"/ui{path}"

    def memory(self, memory_id: str) -> str:
        """The address of a memory's page."""
        return f"/ui/memory/{memory_id}"

    def page(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A page, from a template."""
        return render(template, status, view=self, said=SAID.get(self.request.query_params.get("said", "")), **values)

    def go(self, path: str, said: str | None = None, **params: object) -> RedirectResponse:
        """On to another page, which says what was done."""
        return RedirectResponse(self.link(path, said=said, **params), 303)


def render(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page that nobody's memories are on, or the inside of one."""
    return HTMLResponse(ENVIRONMENT.get_template(template).render(**values), status)


def proof_of(request: Request) -> Proof:
    """The server's proofs."""
    found: Proof = request.app.state.console_proof
    return found


def looking(scope: str, *, reads_form: bool = True) -> Callable[..., AsyncIterator[View]]:
    """A dependency: a look by somebody whose key has a scope. What comes by POST has to prove where it comes from.

    Whoever reads the form itself, because a file is in it, checks its proof too.
    """

    async def look(request: Request) -> AsyncIterator[View]:
        access = server_of(request).access(request, CHANNEL).need("read").need(scope)
        request.scope["mnemos.tenant"], request.scope["mnemos.key"] = access.tenant, access.key_id
        async with AsyncExitStack() as stack:
            form = FormData()
            if request.method == "POST" and not reads_form:
                refuse_others(request)
            elif request.method == "POST":
                form = await stack.enter_async_context(request.form())
                proof_of(request).check(request, form.get("proof"))
            held = await access.call(lambda memory: memory.namespaces())
            seen = tuple(sorted(namespace for namespace in held if access.allows(namespace)))
            asked = str(form.get("ns") or request.query_params.get("ns") or "")
            chosen = read_namespace(read_named(asked), "ns") if asked else _usual(access, seen)
            view = View(request, access, chosen, seen, proof_of(request).of(request), form)
            view.scope()
            yield view

    return look


def _usual(access: Access, seen: tuple[Namespace, ...]) -> Namespace:
    """The namespace to show where none was named."""
    if seen:
        return seen[0]
    return access.namespaces[0] if access.namespaces else DEFAULT_NAMESPACE


Reading = Annotated[View, Depends(looking("read"))]
Writing = Annotated[View, Depends(looking("write"))]
Managing = Annotated[View, Depends(looking("admin"))]
Carrying = Annotated[View, Depends(looking("admin", reads_form=False))]
