"""What schemathesis holds of every answer besides its own checks; loaded by it."""

from __future__ import annotations

import schemathesis
from schemathesis import Case, CheckContext, Response


@schemathesis.check
def refusals_help(ctx: CheckContext, response: Response, case: Case) -> None:
    """A refusal under /v1 is a problem with the request's id; one of 422 names the field and how to mend it."""
    if response.status_code < 400 or not case.path.startswith("/v1/") or case.path.startswith("/v1/chat"):
        return
    problem = response.json()
    assert problem["status"] == response.status_code, "the status stands in the problem"
    assert problem["request_id"] == response.headers["x-request-id"][0], "the problem names the request"
    if response.status_code == 422:
        assert problem["errors"], "the problem names a field"
        assert all(one["field"] and one["problem"] and one["mend"] for one in problem["errors"])
