"""A LangGraph graph whose agent remembers over threads: what one conversation said, the next one finds. No key."""

from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.base import BaseStore

from mnemos.compat.langgraph import MnemosStore


def answer(state: MessagesState, *, store: BaseStore) -> MessagesState:
    """Say what is remembered of it, and remember what was said."""
    said = state["messages"][-1]
    found = store.search(("memories", "ana"), query=said.content, limit=1)
    store.put(("memories", "ana"), said.id, {"text": said.content})
    return {"messages": [AIMessage(f"I remember: {found[0].value['text']}" if found else "Noted.")]}


with MnemosStore(":memory:") as store:  # or a file: MnemosStore("ana.db")
    graph = StateGraph(MessagesState).add_node(answer).add_edge(START, "answer")
    app = graph.compile(store=store, checkpointer=InMemorySaver())
    for thread, text in [("monday", "I am allergic to walnuts."), ("friday", "Which nuts should I avoid?")]:
        reply = app.invoke({"messages": [("user", text)]}, {"configurable": {"thread_id": thread}})
        print(reply["messages"][-1].content)
