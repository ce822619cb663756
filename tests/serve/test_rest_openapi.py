"""The API's schema says everything: each verb that a server has, how it fails, and what its parameters mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mnemos import Mnemos
from mnemos.serve import Settings, create_app

METHODS = ("get", "put", "post", "patch", "delete")
VERBS = (
    "add search context get list update delete delete_all history feedback facts profile timeline graph import_file "
    "export_file maintain stats forget undo pin unpin expire admit why_kept links derived entities namespaces"
).split()
KEYLESS = {"health", "ready"}


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    app = create_app(Settings(folder=tmp_path_factory.mktemp("schema"), upstream="http://127.0.0.1:9/v1"))
    app.state.mnemos.close()
    found: dict[str, Any] = json.loads(json.dumps(app.openapi()))
    return found


def operations(schema: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, one) for path, all in schema["paths"].items() for method, one in all.items()]


def test_every_verb_has_its_operation(schema: dict[str, Any]) -> None:
    ids = [one["operationId"] for _, _, one in operations(schema)]
    assert len(ids) == len(set(ids))
    assert set(VERBS) <= set(ids)
    assert all(callable(getattr(Mnemos, verb)) for verb in VERBS)


def test_every_operation_says_what_it_does_and_how_it_fails(schema: dict[str, Any]) -> None:
    tags = {tag["name"]: tag["description"] for tag in schema["tags"]}
    for path, method, one in operations(schema):
        assert method in METHODS
        assert one["summary"]
        assert one["description"]
        assert set(one["tags"]) <= set(tags), (method, path)
        if one["operationId"] in KEYLESS:
            continue
        assert one["security"], (method, path)
        assert {"401", "403", "429"} <= one["responses"].keys(), (method, path)
        if path.startswith("/v1/") and not path.startswith("/v1/chat") and path != "/v1/models":
            assert {"406", "422", "503"} <= one["responses"].keys(), (method, path)
            assert "Retry-After" in one["responses"]["429"]["headers"]
        if "{id}" in path:
            assert "404" in one["responses"], (method, path)


def test_every_write_takes_an_idempotency_key(schema: dict[str, Any]) -> None:
    asked = {"search", "context", "cancel_job", "import_file"}  # what was imported is not imported again
    for path, method, one in operations(schema):
        if path.startswith("/v1/") and not path.startswith("/v1/chat"):
            takes = "Idempotency-Key" in {parameter["name"] for parameter in one.get("parameters", ())}
            assert takes == (method != "get" and one["operationId"] not in asked), (method, path)


def test_requests_say_what_their_fields_mean(schema: dict[str, Any]) -> None:
    for path, method, one in operations(schema):
        if path.startswith("/v1/"):
            told = [parameter["name"] for parameter in one.get("parameters", ()) if "description" not in parameter]
            assert told == [], (method, path)


def test_the_interactive_pages_of_others_are_not_there(tmp_path: Path) -> None:
    app = create_app(Settings(folder=tmp_path))
    app.state.mnemos.close()
    assert {"/docs", "/redoc"}.isdisjoint(app.openapi()["paths"])
