"""Beginning an import: what can be known of a file at once is said at once, the rest is a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mnemos.errors import ImportFailed, InvalidInput
from mnemos.io import jsonl
from mnemos.io.formats import match_format
from mnemos.io.reading import read_date_order
from mnemos.io.source import open_bundle
from mnemos.serve.access import Access, Forbidden
from mnemos.serve.jobs.book import Job, JobBook, Progress
from mnemos.serve.jobs.uploads import Upload
from mnemos.serve.jobs.work import told_to_all
from mnemos.times import read_zone


def begin_import(
    book: JobBook,
    access: Access,
    upload: Upload,
    scope: Mapping[str, Any],
    *,
    format: str | None = None,
    timezone: str | None = None,
    date_order: str | None = None,
) -> Job:
    """Queue the import of a file that was received; `scope` is what `access.scope` gave. The file goes where it fails.

    Raises:
        InvalidInput: the file is of no known format, or an option cannot be read.
        ImportFailed: the file is damaged.
        Forbidden: the file says itself whose each memory is, and the caller's key is bound to namespaces.
        TooBusy: too many jobs wait.
    """
    try:
        read_zone(timezone)
        read_date_order(date_order)
        found = _check(access, upload, scope, format)
        told = {
            "format": jsonl.NAME if found == jsonl.NAME else format,
            "timezone": timezone,
            "date_order": date_order,
            **scope,
        }
        progress = Progress(0, upload.size, "bytes")
        return book.submit(access, "import", told, job_id=upload.job_id, progress=progress)
    except BaseException:
        upload.drop()
        raise


def _check(access: Access, upload: Upload, scope: Mapping[str, Any], format: str | None) -> str:
    """The format of a file that this caller may import."""
    assert upload.path is not None
    try:
        with open_bundle(upload.path) as bundle:
            found = match_format(bundle, format)
    except (ImportFailed, InvalidInput) as error:
        raise told_to_all(error, upload.path) from error
    if found.name != jsonl.NAME:
        return found.name
    if access.namespaces is not None:
        raise Forbidden("an export of Mnemos says itself whose each memory is; use a key that is bound to no namespace")
    if scope:
        problem = "is given with an export of Mnemos, which says whose each memory is"
        raise InvalidInput(next(iter(scope)), problem, "leave the scope out")
    return found.name
