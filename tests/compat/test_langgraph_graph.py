"""The store inside real LangGraph programs: graphs with a checkpointer, sync and async, over several threads."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from operator import add
from pathlib import Path
from typing import Annotated, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_store
from langgraph.func import entrypoint, task
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.runtime import Runtime
from langgraph.store.base import BaseStore

from mnemos import Mnemos
from mnemos.compat.langgraph import MnemosStore


class User(TypedDict):
    user: str


class Notes(TypedDict):
    said: str
    heard: Annotated[list[str], add]


def test_what_one_conversation_said_the_next_one_finds(path: Path) -> None:
    def answer(state: MessagesState, runtime: Runtime[User]) -> dict[str, list[AnyMessage]]:
        assert runtime.store is not None
        place = ("memories", runtime.context["user"])
        said = str(state["messages"][-1].content)
        found = runtime.store.search(place, query=said, limit=1)
        if not said.endswith("?"):
            runtime.store.put(place, state["messages"][-1].id or said, {"text": said})
        return {"messages": [AIMessage(found[0].value["text"] if found else "I do not know.")]}

    graph = StateGraph(MessagesState, context_schema=User).add_node("answer", answer).add_edge(START, "answer")

    def ask(store: MnemosStore, thread: str, user: str, text: str) -> list[str]:
        app = graph.compile(store=store, checkpointer=saver)
        result = app.invoke(
            {"messages": [HumanMessage(text)]}, {"configurable": {"thread_id": thread}}, context={"user": user}
        )
        return [str(message.content) for message in result["messages"]]

    saver = InMemorySaver()
    with MnemosStore(path) as store:
        ask(store, "monday", "ana", "I am allergic to walnuts.")
        ask(store, "monday", "ana", "I moved to Lisbon in May.")
        ask(store, "ben", "ben", "I eat everything.")
    with MnemosStore(path) as store:
        assert ask(store, "tuesday", "ana", "Which nuts should I avoid?")[-1] == "I am allergic to walnuts."
        assert ask(store, "friday", "ana", "What city do I live in?")[-1] == "I moved to Lisbon in May."
        assert len(ask(store, "monday", "ana", "And now?")) == 6, "the checkpointer keeps the thread itself"
        assert ask(store, "carl", "carl", "Which nuts should I avoid?")[-1] == "I do not know."
        assert store.list_namespaces() == [("memories", "ana"), ("memories", "ben")]
        assert store.memory.search("walnuts", namespace=("memories", "ana"))[0].memory.channel == "langgraph"


def test_parallel_nodes_of_an_async_graph_write_and_read(memory: Mnemos) -> None:
    async def note(state: Notes, *, store: BaseStore) -> dict[str, list[str]]:
        await store.aput(("notes",), "said", {"text": state["said"]})
        return {"heard": ["note"]}

    async def count(state: Notes) -> dict[str, list[str]]:
        store = get_store()
        await store.aput(("counts",), "words", {"words": len(state["said"].split())})
        return {"heard": ["count"]}

    async def read(state: Notes, *, store: BaseStore) -> dict[str, list[str]]:
        said, words = await asyncio.gather(store.aget(("notes",), "said"), store.aget(("counts",), "words"))
        assert said is not None
        assert words is not None
        return {"heard": [f"{said.value['text']}: {words.value['words']}"]}

    graph = StateGraph(Notes).add_node("note", note).add_node("count", count).add_node("read", read)
    graph.add_edge(START, "note").add_edge(START, "count").add_edge(["note", "count"], "read")
    app = graph.compile(store=MnemosStore(memory), checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    result = asyncio.run(app.ainvoke({"said": "tea with Ana", "heard": []}, config))  # type: ignore[arg-type]
    assert sorted(result["heard"]) == ["count", "note", "tea with Ana: 3"]


def test_an_entrypoint_and_its_tasks_share_the_store(memory: Mnemos) -> None:
    store = MnemosStore(memory)

    @task
    def remember(number: int) -> None:
        get_store().put(("numbers",), str(number), {"square": number * number})

    @entrypoint(store=store, checkpointer=InMemorySaver())
    def work(numbers: list[int]) -> int:
        for done in [remember(number) for number in numbers]:
            done.result()
        return len(get_store().search(("numbers",), filter={"square": {"$gt": 3}}, limit=100))

    assert work.invoke([*range(10)], {"configurable": {"thread_id": "1"}}) == 8


def test_the_block_in_the_docs_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "frameworks.md").read_text(encoding="utf-8")
    block = re.findall(r"```python\n(.*?)```", page.split("## LangGraph")[1], re.S)[0]
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "docs/frameworks.md", "exec"), {})  # noqa: S102 - our own example
    assert capsys.readouterr().out == "I remember: ['I am allergic to walnuts.']\n"


def test_the_example_runs() -> None:
    example = Path(__file__).parents[2] / "examples" / "langgraph_memory.py"
    run = subprocess.run([sys.executable, str(example)], capture_output=True, text=True, check=True, timeout=60)
    assert "walnuts" in run.stdout
    assert run.stderr == ""
