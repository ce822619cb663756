"""What the application says of itself in OpenAPI: the shape of every problem, and what each group of routes is for."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from mnemos.serve.problems import Problem

TAGS = {
    "memories": "Adding, reading, changing and deleting what is remembered.",
    "recall": "Finding what answers a question, and teaching the ranking.",
    "knowledge": "What has been derived: facts, profiles, timelines, who is who.",
    "decisions": "What was decided about a memory, and deciding otherwise.",
    "carrying": "Importing and exporting.",
    "jobs": "Long work: answered with 202 and a job to poll, which a restart does not end.",
    "proxy": "A language model behind an OpenAI-compatible service, with memory.",
    "health": "Whether the server lives, and what it counts.",
    "mem0": "The routes of mem0's open-source server.",
}
REF = "#/components/schemas/{model}"


class Application(FastAPI):
    """FastAPI whose schema also says what problems look like."""

    def openapi(self) -> dict[str, Any]:
        """The schema, made once."""
        if self.openapi_schema is None:
            schema = super().openapi()
            problem = Problem.model_json_schema(ref_template=REF, mode="serialization")
            parts: dict[str, Any] = problem.pop("$defs")
            schema["components"]["schemas"].update(parts | {"Problem": problem})
            used = {tag for path in schema["paths"].values() for one in path.values() for tag in one.get("tags", ())}
            schema["tags"] = [{"name": name, "description": text} for name, text in TAGS.items() if name in used]
        assert self.openapi_schema is not None
        return self.openapi_schema
