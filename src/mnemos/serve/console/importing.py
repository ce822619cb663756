"""Import: a file is handed over and becomes a job, whose progress is shown."""

from __future__ import annotations

from starlette.responses import Response

from mnemos.errors import InvalidInput
from mnemos.io.formats import FORMATS
from mnemos.serve.console.route import pages
from mnemos.serve.console.view import Carrying, Reading, proof_of
from mnemos.serve.console.words import read_named
from mnemos.serve.jobs.importing import begin_import
from mnemos.serve.jobs.receiving import Fields, receive
from mnemos.serve.server import server_of

router = pages()
LISTED = 12
"""Jobs on the page."""
ORDERS = (("dmy", "day first: 31/1/2026"), ("mdy", "month first: 1/31/2026"), ("ymd", "year first: 2026/1/31"))


@router.get("/ui/import")
async def ask(view: Reading) -> Response:
    """The form, and what has been imported lately."""
    book = server_of(view.request).jobs
    jobs = await view.access.desk.run(lambda: book.listed(view.access, LISTED))
    return view.page("import.html", jobs=jobs, formats=FORMATS, orders=ORDERS)


@router.post("/ui/import")
async def begin(view: Carrying) -> Response:
    """Take a file, and show how its import goes on."""
    server = server_of(view.request)
    upload = server.uploads.new()
    try:
        fields = await receive(view.request, upload, view.access.desk)
        proof_of(view.request).check(view.request, _only(fields, "proof"))
        whose = read_named(_only(fields, "whose"))
        scope = view.access.scope(namespace=whose or None)
        told = {name: _only(fields, name) or None for name in ("format", "timezone", "date_order")}
        job = await view.access.desk.run(lambda: begin_import(server.jobs, view.access, upload, scope, **told))
    except BaseException:
        upload.drop()
        raise
    return view.go(f"/jobs/{job.id}")


def _only(fields: Fields, name: str) -> str:
    """What a form says in a field, once; nothing where it is left out."""
    given = fields.get(name, [])
    if len(given) > 1:
        raise InvalidInput(name, "is given more than once", "give it once")
    return given[0].strip() if given else ""
