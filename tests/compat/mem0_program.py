"""A program that was written for mem0: it runs with mem0's package, and with the import changed.

`python mem0_program.py FOLDER` runs it with mem0 itself, without a network, and prints as JSON what it saw, and what
`get_all` gave of `filled`.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable
from typing import Any

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00")
UNKNOWN = "01890000-0000-7000-8000-000000000000"


def program(m: Any, errors: tuple[type[Exception], ...]) -> list[Any]:
    """What a caller sees, with ids as ordinals, times as `TIME`, and nothing of how results are scored or ordered."""
    seen: list[Any] = []
    messages = [
        {"role": "system", "content": "You are a waiter."},
        {"role": "user", "content": "I like green tea", "name": "Ana"},
        {"role": "assistant", "content": "Noted, green tea it is"},
    ]
    added = m.add(messages, user_id="ana", run_id="r1", metadata={"topic": "taste", "stars": 4}, infer=False)
    first, second = (one["id"] for one in added["results"])
    seen.append(added)
    seen.append(m.add("I like black tea", user_id="ana", agent_id="waiter", metadata={"stars": 2}, infer=False))
    seen.append(m.add("Bob likes green tea", user_id="bob", run_id="r1", infer=False, expiration_date="2199-01-01"))
    seen.append(m.add("The waiter knows green tea", agent_id="waiter", infer=False))
    seen.append(m.add("Old green tea", user_id="ana", infer=False, expiration_date="2001-01-01"))
    for filters in (
        {"user_id": "ana"},
        {"user_id": "bob"},
        {"user_id": "eve"},
        {"run_id": "r1"},
        {"agent_id": "waiter"},
        {"user_id": "ana", "agent_id": "waiter"},
        {"user_id": "ana", "topic": "taste"},
        {"user_id": "ana", "stars": {"gte": 3}},
        {"user_id": "ana", "AND": [{"stars": {"lt": 3}}]},
        {"user_id": "ana", "OR": [{"topic": "taste"}, {"stars": 2}]},
        {"user_id": "ana", "NOT": [{"topic": "taste"}]},
        {"user_id": "ana", "topic": {"in": ["taste", "smell"]}},
        {"user_id": "ana", "stars": {"ne": 4}},
        {"user_id": "ana", "actor_id": "Ana"},
        {"user_id": "ana", "role": "assistant"},
    ):
        seen.append([filters, by_words(m.search("green tea", filters=filters))])
    seen.append(by_words(m.search("green tea", filters={"user_id": "ana"}, show_expired=True)))
    seen.append(len(m.search("green tea", filters={"user_id": "ana"}, top_k=1)["results"]))
    for named in ({"user_id": "ana"}, {"run_id": "r1"}, {"agent_id": "waiter"}):
        seen.append([named, by_words(m.get_all(filters=named))])
    seen.append(m.get(first))
    seen.append(m.get(UNKNOWN))
    seen.append(m.update(first, "I like coffee"))
    seen.append(m.update(first, metadata={"stars": 5, "user_id": "eve"}))
    seen.append(m.update(second, text="Noted, coffee", expiration_date="2199-12-31"))
    seen.append([m.get(first), m.get(second), m.history(first), m.history(UNKNOWN)])
    seen.append([m.delete(second), m.get(second), [row["event"] for row in m.history(second)]])
    calls: list[Callable[[], Any]] = [
        lambda: m.delete(UNKNOWN),
        lambda: m.delete(second),
        lambda: m.update(UNKNOWN, "x"),
        lambda: m.update(first),
        lambda: m.add("nobody's"),
        lambda: m.add("x", user_id=" "),
        lambda: m.add(7, user_id="ana"),
        lambda: m.add("x", user_id="ana", memory_type="other"),
        lambda: m.add("x", user_id="ana", expiration_date="soon"),
        lambda: m.search("tea"),
        lambda: m.search(" ", filters={"user_id": "ana"}),
        lambda: m.search("tea", filters={"user_id": "ana"}, top_k=-1),
        lambda: m.search("tea", filters={"user_id": "ana"}, threshold=2),
        lambda: m.search("tea", filters={"user_id": "ana", "stars": {"near": 3}}),
        lambda: m.get_all(filters={"topic": "taste"}),
        lambda: m.delete_all(),
    ]
    seen.append([refused(call, errors) for call in calls])
    seen.append([m.delete_all(run_id="r1"), by_words(m.get_all(filters={"user_id": "ana"}))])
    seen.append([m.delete_all(user_id="ana"), by_words(m.get_all(filters={"agent_id": "waiter"}))])
    seen.append([m.reset(), m.get_all(filters={"agent_id": "waiter"})])
    m.close()
    return plain(seen)


def filled(m: Any) -> list[dict[str, Any]]:
    """Everything that `get_all` gives of a memory with one memory of each sort, as somebody would who moves."""
    m.add([{"role": "user", "content": "I like tea", "name": "Ana"}], user_id="ana", run_id="r1", metadata={"stars": 4},
          infer=False)  # fmt: skip
    m.add("The sale ends", user_id="bob", agent_id="cook", infer=False, expiration_date="2001-01-01")
    m.add("Cooks know tea", agent_id="cook", infer=False)
    m.add("This run is about tea", run_id="r9", infer=False)
    return dumped(m)


def dumped(m: Any) -> list[dict[str, Any]]:
    """Everything that `get_all` gives, owner by owner."""
    owners = ({"user_id": "ana"}, {"user_id": "bob"}, {"agent_id": "cook"}, {"run_id": "r9"})
    return [one for owner in owners for one in m.get_all(filters=owner, top_k=1000, show_expired=True)["results"]]


def by_words(reply: dict[str, Any]) -> list[Any]:
    """Results in an order that both have, without scores."""
    results = [{name: value for name, value in one.items() if name != "score"} for one in reply["results"]]
    assert set(reply) == {"results"}
    return sorted(results, key=lambda one: str(one["memory"]))


def refused(call: Callable[[], Any], errors: tuple[type[Exception], ...]) -> bool:
    """Whether a call is refused, by an error that callers of mem0 catch."""
    try:
        call()
    except errors:
        return True
    return False


def plain(seen: list[Any]) -> list[Any]:
    """The same for two runs: ids in the order in which they were first seen."""
    text = TIME.sub("TIME", json.dumps(seen, sort_keys=True))
    for place, id in enumerate(dict.fromkeys(re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", text))):
        text = text.replace(id, f"id {place}")
    read: list[Any] = json.loads(text)
    return read


class Words:
    """An embedder that needs no network: one dimension for each word, more or less."""

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        vector = [0.0] * 64
        for word in text.lower().split():
            vector[int(hashlib.md5(word.encode()).hexdigest(), 16) % 64] += 1.0
        return vector


def real(folder: str) -> Any:
    """mem0's own `Memory` over files in a folder."""
    from mem0 import Memory

    embedded = {"path": f"{folder}/vectors", "embedding_model_dims": 64, "on_disk": False}
    m = Memory.from_config(
        {
            "vector_store": {"provider": "qdrant", "config": embedded},
            "llm": {"provider": "openai", "config": {"api_key": "none"}},
            "embedder": {"provider": "openai", "config": {"api_key": "none", "embedding_dims": 64}},
            "history_db_path": f"{folder}/history.db",
        }
    )
    m.embedding_model = Words()
    return m


if __name__ == "__main__":
    from mem0.exceptions import ValidationError

    told = program(real(sys.argv[1]), (ValueError, ValidationError))
    other = real(f"{sys.argv[1]}/other")
    print(json.dumps({"program": told, "dump": filled(other)}))
    other.close()
