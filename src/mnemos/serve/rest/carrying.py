"""Carrying memories in and out: a file to import becomes a job, an export streams."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi import Query as FromQuery
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError

from mnemos.errors import InvalidInput
from mnemos.io.formats import FORMATS
from mnemos.serve.depends import Admin, Reader, ServerOf
from mnemos.serve.jobs.importing import begin_import
from mnemos.serve.jobs.receiving import FILE, FORM, Fields, receive
from mnemos.serve.rest.bodies import Deep, Query, Scoped
from mnemos.serve.rest.exporting import ExportResponse, Lines
from mnemos.serve.rest.jobs import ACCEPTED, JobReply, accepted
from mnemos.serve.rest.replies import READING, WRITING
from mnemos.serve.rest.route import StrictRoute

router = APIRouter(route_class=StrictRoute, tags=["carrying"])
EXPORT_TYPE = ExportResponse.media_type
LISTS = ("namespace",)


class ImportOptions(Scoped, Query):
    """Whose memories a file holds, and how to read it."""

    format: Annotated[str | None, Field(examples=["chatgpt"])] = None
    """What the file is; found by its content where it is not given."""
    timezone: Annotated[str | None, Field(examples=["Europe/Lisbon"])] = None
    """The zone, by its IANA name, of times that name none."""
    date_order: Annotated[str | None, Field(examples=["dmy"])] = None
    """`dmy`, `mdy` or `ymd`, for dates that could be read in two ways."""


class ImportQuery(ImportOptions):
    """The same as query parameters."""

    filename: Annotated[str | None, Field(max_length=1000, examples=["whatsapp.txt"])] = None
    """What a file is called that is sent as the whole body; importers know a note again by it."""


class ExportQuery(Deep, Query):
    """Whose memories to export."""


def _upload_schema() -> dict[str, Any]:
    schema = ImportOptions.model_json_schema()
    file = {"type": "string", "format": "binary", "description": "The file, or a .zip of several."}
    properties = {FILE: file, **schema["properties"]}
    form = {"type": "object", "required": [FILE], "additionalProperties": False, "properties": properties}
    body = {"type": "string", "format": "binary"}
    return {"required": True, "content": {FORM: {"schema": form}, "application/octet-stream": {"schema": body}}}


@router.post(
    "/v1/import",
    operation_id="import_file",
    status_code=202,
    summary="Import a file of chats or notes",
    responses=WRITING | ACCEPTED,
    openapi_extra={"requestBody": _upload_schema()},
    description="The file comes as the part `file` of a form, or as the whole body; whatever else there is to say, as "
    f"query parameters or as fields of the form. Formats: {', '.join(FORMATS)}. Importing a file again adds nothing, "
    "so a request whose answer was lost can simply be made again. Needs the scope `admin`.",
)
async def import_file(
    query: Annotated[ImportQuery, FromQuery()], request: Request, response: Response, access: Admin, server: ServerOf
) -> JobReply:
    """What can be known of a file at once is said at once; the rest is the job's."""
    upload = server.uploads.new()
    try:
        fields = await receive(request, upload, access.desk, query.filename)
        options = _merged(query, fields)
        scope = options.scope(access)
        told = {"format": options.format, "timezone": options.timezone, "date_order": options.date_order}
        job = await access.desk.run(lambda: begin_import(server.jobs, access, upload, scope, **told))
    except BaseException:
        upload.drop()
        raise
    return accepted(job, response)


@router.get(
    "/v1/export",
    operation_id="export_file",
    summary="Export memories, with their history",
    status_code=200,
    response_class=ExportResponse,
    responses=READING
    | {200: {"description": "One JSON object a line.", "content": {EXPORT_TYPE: {"schema": {"type": "string"}}}}},
)
async def export(query: Annotated[ExportQuery, FromQuery()], access: Reader) -> Response:
    """Streams JSON lines as the store stood at the beginning; the last line counts the others and sums them up.

    A key that is bound to no namespace and names none exports the whole tenant, and needs the scope `admin` for it.
    """
    scope = query.scope(access)
    if "user_id" not in scope and "agent_id" not in scope and "namespace" not in scope:
        access.need("admin")
    lines = Lines(access, scope)
    try:
        first = await access.desk.run(lines.pull)
    except BaseException:
        lines.close()
        raise
    return ExportResponse(first, lines, access.desk)


def _merged(query: ImportQuery, fields: Fields) -> ImportOptions:
    """What the address says, and what the form says."""
    told: dict[str, Any] = query.model_dump(exclude_unset=True, exclude={"filename"})
    for name, values in fields.items():
        if name in told or (len(values) > 1 and name not in LISTS):
            raise InvalidInput(name[:60] or "body", "is given more than once", "give it once")
        told[name] = values if name in LISTS else values[0]
    try:
        return ImportOptions.model_validate(told)
    except ValidationError as error:
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in error.errors()]) from None
