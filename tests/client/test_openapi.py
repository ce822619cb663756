"""The server's OpenAPI is enough to generate clients from, and this client has a method for each of its operations."""

from __future__ import annotations

import keyword
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mnemos.client import AsyncClient, Client
from mnemos.client.clients import Verbs
from mnemos.client.verbs import Verb, Walk
from mnemos.serve import Settings, create_app

METHODS = ("get", "put", "post", "patch", "delete", "head", "options", "trace")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    app = create_app(Settings(folder=tmp_path_factory.mktemp("data")))
    yield app.openapi()
    app.state.mnemos.close()


def operations(api: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and operation."""
    for path, item in api["paths"].items():
        yield from ((path, method, item[method]) for method in METHODS if method in item)


def references(part: Any) -> Iterator[str]:
    """Every `$ref` below."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for inner in part.values():
            yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def test_every_reference_leads_somewhere(api: dict[str, Any]) -> None:
    found = set(references(api))
    assert found
    for reference in found:
        target: Any = api
        for name in reference.removeprefix("#/").split("/"):
            assert name in target, reference
            target = target[name]
    assert set(api["components"]["schemas"]) == {reference.rsplit("/", 1)[1] for reference in found}


def test_operations_and_schemas_have_names_that_programs_can_use(api: dict[str, Any]) -> None:
    ids = Counter(operation.get("operationId") for _, _, operation in operations(api))
    assert [name for name, count in ids.items() if count > 1 or not str(name).isidentifier()] == []
    assert [name for name in ids if keyword.iskeyword(str(name))] == []
    assert [name for name in api["components"]["schemas"] if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)] == []


def test_every_operation_says_what_it_takes_answers_and_needs(api: dict[str, Any]) -> None:
    for path, method, operation in operations(api):
        where = f"{method} {path}"
        assert operation.get("summary"), where
        assert operation.get("tags"), where
        declared = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
        assert declared == set(re.findall(r"\{(\w+)\}", path)), where
        for code, answer in operation["responses"].items():
            assert answer.get("description"), f"{where} {code}"
            media = answer.get("content", {})
            assert code == "204" or any(one.get("schema") for one in media.values()), f"{where} {code}"
            if path.startswith("/v1/") and int(code) >= 400 and (path, code) != ("/v1/ready", "503"):
                assert set(media) == {"application/problem+json"}, f"{where} {code}"
        if path.startswith("/v1/") and path not in ("/v1/health", "/v1/ready"):
            assert operation.get("security"), where


OTHER_NAMES = {"every": "list", "wait": "job", "would_forget": "forget"}
"""Methods that ask an operation of another name."""
NOT_FOR_THIS_CLIENT = {"chat", "models"}
"""What clients of OpenAI ask."""


def test_each_operation_is_a_method(api: dict[str, Any]) -> None:
    offered = {str(operation["operationId"]) for path, _, operation in operations(api) if path.startswith("/v1/")}
    offered = {name.removesuffix("_by_query") for name in offered} - NOT_FOR_THIS_CLIENT
    methods = {name for kind in Verbs.__mro__ for name, value in vars(kind).items() if isinstance(value, Verb | Walk)}
    assert {OTHER_NAMES.get(name, name) for name in methods} == offered
    for client in (Client(), AsyncClient()):
        assert [name for name in methods if not callable(getattr(client, name))] == []


def test_the_command_line_does_without_the_client() -> None:
    source = Path(__file__).parent.parent.parent / "src" / "mnemos" / "cli"
    assert [path.name for path in source.rglob("*.py") if "mnemos.client" in path.read_text(encoding="utf-8")] == []
