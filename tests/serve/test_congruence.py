"""The same questions over every surface: each brings back the same memories, and what one writes all others find."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import mcp_clients
import pytest
from click.testing import CliRunner
from live_server import serve
from mcp_clients import Asking

from mnemos import Mnemos
from mnemos.cli.app import main
from mnemos.client import Client
from mnemos.compat.langgraph import MnemosStore
from mnemos.compat.mem0 import Memory as Mem0
from mnemos.sample import QUESTIONS, history_file

USER, ITEMS = "maeve", ("memories", "maeve")
SAID = ["turn", "note", "document"]
LIMIT = 7
ASKED = [
    *(question.text for question in QUESTIONS),
    "what did I say about Dan's birthday in March 2026?",
    "'; DROP TABLE memories; -- %_[]",
    "我的妹妹住在北京",
]
VALUES: Mapping[str, dict[str, Any]] = {
    "diet": {"text": "Mum is allergic to walnuts.", "tags": ["food"]},
    "seat": {"text": "Maeve likes a window seat at the front.", "stars": 3},
    "phone": {"text": "Her new phone number ends with 0172."},
    "band": {"text": "She played the cello in the school band."},
}

Told = list[tuple[str, str]]
"""Ids (of items: keys) and texts, best first."""


class Place(NamedTuple):
    """One store and the server over it."""

    memory: Mnemos
    file: Path
    url: str
    over_stdio: Asking
    over_http: Asking


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The sample history and four items in one file, opened by the library and served without keys."""
    file = tmp_path_factory.mktemp("congruence") / "maeve.db"
    with Mnemos(file) as memory:
        memory.import_file(history_file(), user_id=USER)
        memory.maintain()
        for key, value in VALUES.items():
            memory.put(key, value, namespace=ITEMS)
        with (
            serve(file.with_suffix(".served"), store=file) as running,
            mcp_clients.asking(mcp_clients.stdio(file)) as over_stdio,
            mcp_clients.asking(mcp_clients.http(running.url)) as over_http,
        ):
            yield Place(memory, file, running.url, over_stdio, over_http)


def library(place: Place, question: str) -> Told:
    return [
        (hit.memory.id, hit.memory.text) for hit in place.memory.search(question, user_id=USER, kinds=SAID, limit=LIMIT)
    ]


def rest(place: Place, question: str) -> Told:
    body = {"query": question, "user_id": USER, "kinds": SAID, "limit": LIMIT}
    reply = httpx2.post(f"{place.url}/v1/search", json=body, timeout=30, trust_env=False).raise_for_status()
    return [(hit["memory"]["id"], hit["memory"]["text"]) for hit in reply.json()["hits"]]


def client(place: Place, question: str) -> Told:
    with Client(place.url) as asking:
        hits = asking.search(question, user_id=USER, kinds=SAID, limit=LIMIT)
    return [(hit.memory.id, hit.memory.text) for hit in hits]


def command_line(place: Place, question: str) -> Told:
    kinds = [part for kind in SAID for part in ("--kind", kind)]
    options = ["--store", str(place.file), "--user", USER, "--limit", str(LIMIT), *kinds, "--json"]
    done = CliRunner().invoke(main, ["search", *options, "--", question])
    assert done.exit_code == 0, done.output
    return [(hit["memory"]["id"], hit["memory"]["text"]) for hit in json.loads(done.stdout)["hits"]]


def mem0(place: Place, question: str) -> Told:
    found = Mem0(place.memory).search(question, filters={"user_id": USER}, top_k=LIMIT, threshold=0.0)
    return [(one["id"], one["memory"]) for one in found["results"]]


def mem0_routes(place: Place, question: str) -> Told:
    body = {"query": question, "filters": {"user_id": USER}, "top_k": LIMIT, "threshold": 0.0}
    reply = httpx2.post(f"{place.url}/search", json=body, timeout=30, trust_env=False).raise_for_status()
    return [(one["id"], one["memory"]) for one in reply.json()["results"]]


def mcp_stdio(place: Place, question: str) -> Told:
    return _over_mcp(place.over_stdio, question)


def mcp_http(place: Place, question: str) -> Told:
    return _over_mcp(place.over_http, question)


def _over_mcp(mcp: Asking, question: str) -> Told:
    found = mcp.ask("search_memories", query=question, user_id=USER, kinds=SAID, limit=LIMIT)
    return [(one["id"], one["text"]) for one in found["results"]]


SURFACES = (rest, client, command_line, mem0, mem0_routes, mcp_stdio, mcp_http)


@pytest.mark.parametrize("surface", SURFACES)
def test_every_surface_brings_back_the_same_memories(place: Place, surface: Callable[[Place, str], Told]) -> None:
    for question in ASKED:
        expected = library(place, question)
        assert surface(place, question) == expected, question
    assert len(library(place, ASKED[0])) == LIMIT


def items_of_rest(place: Place, question: str) -> Told:
    body = {"query": question, "namespace": ITEMS, "kinds": ["item"]}
    reply = httpx2.post(f"{place.url}/v1/search", json=body, timeout=30, trust_env=False).raise_for_status()
    return [(hit["memory"]["key"], json.dumps(hit["memory"]["value"])) for hit in reply.json()["hits"]]


def items_of_command_line(place: Place, question: str) -> Told:
    scope = [part for label in ITEMS for part in ("--namespace", label)]
    options = ["--store", str(place.file), *scope, "--kind", "item", "--json"]
    done = CliRunner().invoke(main, ["search", *options, "--", question])
    assert done.exit_code == 0, done.output
    return [(hit["memory"]["key"], json.dumps(hit["memory"]["value"])) for hit in json.loads(done.stdout)["hits"]]


def items_of_langgraph(place: Place, question: str) -> Told:
    return [(item.key, json.dumps(item.value)) for item in MnemosStore(place.memory).search(ITEMS, query=question)]


@pytest.mark.parametrize("surface", [items_of_rest, items_of_command_line, items_of_langgraph])
def test_items_are_the_same_everywhere(place: Place, surface: Callable[[Place, str], Told]) -> None:
    for question in ASKED:
        hits = place.memory.search(question, namespace=ITEMS, kinds=["item"])
        assert surface(place, question) == [(str(hit.memory.key), json.dumps(hit.memory.value)) for hit in hits]


def test_what_one_surface_writes_all_others_find(place: Place) -> None:
    post = {"timeout": 30, "trust_env": False}

    writers: Mapping[str, Callable[[str], object]] = {
        "library": lambda text: place.memory.add(text, user_id=USER),
        "rest": lambda text: httpx2.post(
            f"{place.url}/v1/memories", json={"messages": text, "user_id": USER}, **post
        ).raise_for_status(),
        "mem0": lambda text: Mem0(place.memory).add(text, user_id=USER),
        "cli": lambda text: CliRunner().invoke(main, ["add", text, "--store", str(place.file), "--user", USER]),
        "mcp stdio": lambda text: place.over_stdio.ask("add_memory", text=text, user_id=USER),
        "mcp http": lambda text: place.over_http.ask("add_memory", text=text, user_id=USER),
    }
    for number, (name, write) in enumerate(writers.items()):
        text = f"The {name} says that locker {7919 * (number + 1)} holds the blue umbrella."
        write(text)
        for surface in (library, *SURFACES):
            assert text in [told for _, told in surface(place, text)], f"{surface.__name__} of {name}"
