"""A small talk of Ana's, and a model that reads it well."""

from __future__ import annotations

from typing import Any

from llm_server import lines_of
from scripted_server import Body

TALK: list[dict[str, Any]] = [
    {"name": "Ana", "content": "My sister Rita is vegan.", "session_id": "s1", "happened_at": "2026-01-02T10:00:00Z"},
    {"name": "Ben", "content": "Then no cheese for her.", "session_id": "s1", "happened_at": "2026-01-02T10:01:00Z"},
    {"name": "Ana", "content": "I live in Porto now.", "session_id": "s1", "happened_at": "2026-01-02T10:02:00Z"},
]
LATER: dict[str, Any] = {
    "name": "Ana",
    "content": "The flat is sold and my new home is in Lisbon.",
    "session_id": "s2",
    "happened_at": "2026-02-02T10:00:00Z",
}
SEEN: dict[str, tuple[str, str, str, str, bool]] = {
    "sister": ("Ana's sister Rita is vegan.", "Ana", "has a vegan sister", "Rita", False),
    "cheese": ("Ben brings no cheese for Rita.", "Ben", "brings no", "cheese", False),
    "new home": ("Ana has her home in Lisbon.", "Ana", "has her home in", "Lisbon", True),
}
"""By a word of the turn: text, subject, relation, object, and whether there is one object at a time."""


def claim(text: str, subject: str, relation: str, what: str, single: bool, *sources: str) -> dict[str, Any]:
    """A statement as a model answers it."""
    return {
        "text": text, "subject": subject, "relation": relation, "object": what, "single": single, "negated": False,
        "valid_from": None, "valid_until": None, "sources": list(sources),
    }  # fmt: skip


def think(kind: str, body: Body) -> dict[str, Any]:
    """What an honest model thinks."""
    lines = lines_of(body)
    if kind == "statements":
        return {
            "statements": [
                claim(*said, line["id"]) for line in lines for word, said in SEEN.items() if word in line["text"]
            ]
        }
    if kind == "decisions":
        homes = [line["id"] for line in lines if line["id"][0] == "f" and "Porto" in line["text"]]
        return {
            "decisions": [
                {"statement": line["id"], "op": "UPDATE", "facts": homes}
                if "Lisbon" in line["text"] and homes
                else {"statement": line["id"], "op": "ADD", "facts": []}
                for line in lines
                if line["id"][0] == "s"
            ]
        }
    first = lines[0]
    return {"sentences": [{"text": f"{first['text']}".replace("\n", " ")[:300], "members": [first["id"]]}]}
