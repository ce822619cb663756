"""OpenAI Agents SDK sessions under the SDK's own runner, with a model that answers from a script."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from agents import Agent, RunConfig, Runner, function_tool
from agents.memory import Session, SessionSettings, SQLiteSession
from agents.testing import ScriptedModel, assistant_message, function_call
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemos import InvalidInput, Mnemos
from mnemos.compat.openai_agents import MARK, MnemosSession

QUIET = RunConfig(tracing_disabled=True)
CONVERSATION: list[Any] = [
    {"role": "user", "content": "What is the weather in Lisbon?"},
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAABo" + "Zm9vYmFy" * 40},
    {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city": "Lisbon"}', "id": "fc_1"},
    {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [
            {"type": "output_text", "text": "It is sunny.", "annotations": [{"type": "url_citation", "index": 3}]},
            {"type": "output_text", "text": "Take a hat.\n", "annotations": [], "logprobs": []},
            {"type": "refusal", "refusal": "No more."},
        ],
    },
    {"role": "user", "content": [{"type": "input_image", "image_url": "https://x/y.png", "detail": "auto"}]},
    {"role": "user", "content": ""},
    {"role": "user", "content": "Thanks"},
    {"role": "user", "content": "Thanks"},
]


@function_tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: sunny"


def scripted(*steps: Any, tools: bool = False) -> Agent:
    model = ScriptedModel([[assistant_message(step)] if isinstance(step, str) else [step] for step in steps])
    return Agent(name="Assistant", model=model, tools=[weather] if tools else [])


def run(agent: Agent, text: str, session: MnemosSession, config: RunConfig = QUIET) -> Any:
    return asyncio.run(Runner.run(agent, text, session=session, run_config=config))


def heard(agent: Agent) -> list[Any]:
    """What the runner showed the model at its last call."""
    model = agent.model
    assert isinstance(model, ScriptedModel)
    model.assert_complete()
    assert model.last_call is not None
    return [dict(item) for item in model.last_call.input]


def added(session: MnemosSession, items: list[Any]) -> list[Any]:
    asyncio.run(session.add_items(items))
    return asyncio.run(session.get_items())


def test_a_session_is_what_the_sdk_calls_one(memory: Mnemos) -> None:
    session = MnemosSession("s", memory)
    assert isinstance(session, Session)
    assert (session.session_id, session.session_settings) == ("s", SessionSettings())


def test_items_come_back_as_they_were(memory: Mnemos) -> None:
    session = MnemosSession("s", memory, user_id="ana")
    assert added(session, CONVERSATION[:3]) == CONVERSATION[:3]
    assert added(session, CONVERSATION[3:]) == CONVERSATION
    assert added(session, []) == CONVERSATION
    with Mnemos(memory.path) as again:
        assert asyncio.run(MnemosSession("s", again, user_id="ana").get_items()) == CONVERSATION


def test_messages_are_turns_that_recall_finds_and_the_rest_is_kept_beside_them(memory: Mnemos) -> None:
    added(MnemosSession("s", memory, user_id="ana"), CONVERSATION)
    turns = memory.list(user_id="ana", kinds=["turn"])
    assert [(turn.text, turn.role) for turn in turns] == [
        ("What is the weather in Lisbon?", "user"),
        ("It is sunny.\nTake a hat.\n", "assistant"),
        ("Thanks", "user"),
        ("Thanks", "user"),
    ]
    assert {turn.session_id for turn in turns} == {"s"}
    assert all(turn.happened_at is not None and turn.channel == "openai-agents" for turn in turns)
    items = memory.list(user_id="ana", kinds=["item"])
    assert [item.value for item in items] == [*CONVERSATION[1:4], CONVERSATION[5], CONVERSATION[6]]
    assert {hit.memory.kind for hit in memory.search("sunny weather in Lisbon", user_id="ana")} == {"turn"}
    assert "sunny" in str(memory.context("How is the weather in Lisbon?", user_id="ana"))


def test_a_session_outlives_maintenance_and_a_move_to_another_file(memory: Mnemos, tmp_path: Path) -> None:
    session = MnemosSession("s", memory, user_id="ana")
    added(session, CONVERSATION)
    added(session, CONVERSATION)
    memory.maintain()
    assert asyncio.run(session.get_items()) == CONVERSATION * 2
    memory.reindex()
    memory.export_file(tmp_path / "all.jsonl")
    with Mnemos(tmp_path / "other.db") as other:
        other.import_file(tmp_path / "all.jsonl")
        assert asyncio.run(MnemosSession("s", other, user_id="ana").get_items()) == CONVERSATION * 2


def test_words_are_stored_once(memory: Mnemos) -> None:
    added(MnemosSession("s", memory), [{"role": "user", "content": "zanzibar"}])
    turn = memory.list()[0]
    assert turn.metadata == {MARK: {"item": {"role": "user", "content": ""}, "lengths": [8]}}
    memory.delete(turn.id)
    assert memory.verify_erased("zanzibar").clean
    assert asyncio.run(MnemosSession("s", memory).get_items()) == []


def test_a_turn_that_was_changed_is_changed_in_the_session(memory: Mnemos) -> None:
    session = MnemosSession("s", memory)
    added(session, [CONVERSATION[0], CONVERSATION[4]])
    first, second = memory.list()
    memory.update(first.id, text="What is the weather in Porto?")
    memory.update(second.id, text="It rains.")
    changed = asyncio.run(session.get_items())
    assert changed[0] == {"role": "user", "content": "What is the weather in Porto?"}
    assert [part.get("text") for part in changed[1]["content"]] == ["It rains.", "", None]  # type: ignore[union-attr, index]


def test_sessions_and_scopes_do_not_see_each_other(memory: Mnemos) -> None:
    one = MnemosSession("s", memory, user_id="ana")
    others = [
        MnemosSession("t", memory, user_id="ana"),
        MnemosSession("s", memory, user_id="ben"),
        MnemosSession("s", memory, user_id="ana", agent_id="cook"),
        MnemosSession("s", memory, namespace=("user", "ana", "x")),
    ]
    memory.add("said elsewhere", user_id="ana", session_id="s")
    added(one, CONVERSATION[:2])
    assert [asyncio.run(other.get_items()) for other in others] == [[]] * 4
    added(others[2], CONVERSATION[2:3])
    assert asyncio.run(others[2].get_items()) == CONVERSATION[2:3]
    asyncio.run(others[2].clear_session())
    assert asyncio.run(one.get_items()) == CONVERSATION[:2]


@pytest.mark.parametrize(("limit", "set_to", "count"), [(3, None, 3), (0, 5, 0), (None, 2, 2), (99, 1, 9), (9, 1, 9)])
def test_a_limit_gives_the_last_items(memory: Mnemos, limit: int | None, set_to: int | None, count: int) -> None:
    session = MnemosSession("s", memory, session_settings=SessionSettings(limit=set_to))
    asyncio.run(session.add_items(CONVERSATION))
    assert asyncio.run(session.get_items(limit)) == CONVERSATION[len(CONVERSATION) - count :]


def test_the_last_item_is_taken_back_from_memory_too(memory: Mnemos) -> None:
    session = MnemosSession("s", memory)
    added(session, [*CONVERSATION[:3], {"role": "user", "content": "zanzibar"}])
    assert asyncio.run(session.pop_item()) == {"role": "user", "content": "zanzibar"}
    assert memory.verify_erased("zanzibar").clean
    assert asyncio.run(session.pop_item()) == CONVERSATION[2]
    assert asyncio.run(session.get_items()) == CONVERSATION[:2]
    asyncio.run(session.clear_session())
    assert asyncio.run(session.pop_item()) is None
    assert list(memory.list(kinds=["turn", "item"])) == []


@pytest.mark.parametrize("items", [["text"], [CONVERSATION[0], {"x": {1}}], [CONVERSATION[0], {"x": "a\x00"}], [None]])
def test_what_cannot_be_kept_is_named_and_nothing_is(memory: Mnemos, items: Any) -> None:
    session = MnemosSession("s", memory)
    with pytest.raises(InvalidInput, match="items"):
        asyncio.run(session.add_items(items))
    assert asyncio.run(session.get_items()) == []
    with pytest.raises(InvalidInput, match="limit"):
        asyncio.run(session.get_items(-1))


@pytest.mark.parametrize("named", [{"session_id": ""}, {"session_id": "s", "user_id": ""}, {"session_id": 3}])
def test_a_scope_that_cannot_be_is_refused_at_once(memory: Mnemos, named: Any) -> None:
    with pytest.raises(InvalidInput):
        MnemosSession(memory=memory, **named)


def test_many_at_once_lose_nothing(memory: Mnemos) -> None:
    session = MnemosSession("s", memory)

    async def talk() -> None:
        await asyncio.gather(*(session.add_items([{"role": "user", "content": "same"}] * 2) for _ in range(10)))

    asyncio.run(talk())
    assert asyncio.run(session.get_items()) == [{"role": "user", "content": "same"}] * 20


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
PARTS = st.fixed_dictionaries({"type": WORDS}, optional={"text": WORDS | st.integers(), "annotations": JSON})
ITEMS = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system"]), "content": WORDS | st.lists(PARTS | JSON) | JSON},
        optional={"type": st.just("message") | WORDS, "id": WORDS},
    )
    | st.dictionaries(WORDS, JSON, max_size=4),
    max_size=6,
)


@settings(max_examples=40)
@given(ITEMS)
def test_any_items_come_back_as_they_were(items: list[Any]) -> None:
    with Mnemos(":memory:", secrets="keep") as memory:
        assert added(MnemosSession("s", memory), items) == items


def test_the_runner_goes_on_with_a_conversation(memory: Mnemos) -> None:
    session = MnemosSession("monday", memory, user_id="ana")
    agent = scripted("Noted.", "Walnuts.")
    run(agent, "I am allergic to walnuts.", session)
    result = run(agent, "What should I avoid?", session)
    assert result.final_output == "Walnuts."
    assert [item["content"] for item in heard(agent) if item["role"] == "user"] == [
        "I am allergic to walnuts.",
        "What should I avoid?",
    ]
    assert memory.search("Is Ana allergic to nuts?", user_id="ana")[0].memory.text == "I am allergic to walnuts."


@pytest.mark.parametrize("streamed", [False, True])
def test_tool_calls_and_streams_are_kept_as_the_sdks_own_session_keeps_them(memory: Mnemos, streamed: bool) -> None:
    async def talk(session: Any) -> tuple[list[Any], list[Any]]:
        agent = scripted(function_call("weather", {"city": "Lisbon"}, call_id="c1"), "It is sunny.", "Yes.", tools=True)
        for asked in ("What is the weather in Lisbon?", "Really?"):
            if streamed:
                run = Runner.run_streamed(agent, asked, session=session, run_config=QUIET)
                async for _ in run.stream_events():
                    pass
            else:
                await Runner.run(agent, asked, session=session, run_config=QUIET)
        return heard(agent), await session.get_items()

    theirs = SQLiteSession("s")
    expected = asyncio.run(talk(theirs))
    theirs.close()
    assert asyncio.run(talk(MnemosSession("s", memory, user_id="ana"))) == expected
    assert [item.get("type", "message") for item in expected[1]] == [
        "message", "function_call", "function_call_output", "message", "message", "message",
    ]  # fmt: skip
    assert [turn.text for turn in memory.list(user_id="ana", kinds=["turn"])] == [
        "What is the weather in Lisbon?", "It is sunny.", "Really?", "Yes.",
    ]  # fmt: skip


def test_another_conversation_recalls_by_a_tool(memory: Mnemos) -> None:
    @function_tool
    def recall(question: str) -> str:
        """What is known about the user."""
        return str(memory.context(question, user_id="ana"))

    monday, friday = (MnemosSession(day, memory, user_id="ana") for day in ("monday", "friday"))
    run(scripted("Noted."), "I am allergic to walnuts.", monday)
    agent = scripted(function_call("recall", {"question": "Which nuts to avoid?"}, call_id="c1"), "Walnuts.")
    agent.tools = [recall]
    run(agent, "What should I not eat?", friday)
    assert "I am allergic to walnuts." in json.dumps(heard(agent)[-1])


def test_a_limit_of_the_run_is_kept_to(memory: Mnemos) -> None:
    session = MnemosSession("s", memory)
    asyncio.run(session.add_items([{"role": "user", "content": str(number)} for number in range(6)]))
    config = RunConfig(tracing_disabled=True, session_settings=SessionSettings(limit=2))
    agent = scripted("Counted.")
    run(agent, "And now?", session, config)
    assert [item["content"] for item in heard(agent)] == ["4", "5", "And now?"]


def test_the_block_in_the_docs_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "frameworks.md").read_text(encoding="utf-8")
    block = re.findall(r"```python\n(.*?)```", page.split("## OpenAI Agents SDK")[1], re.S)[0]
    runs: list[Any] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Runner, "run_sync", lambda agent, text, session: runs.append((agent, text, session)))
    program: dict[str, Any] = {}
    exec(compile(block, "docs/frameworks.md", "exec"), program)  # noqa: S102 - our own example
    ((agent, text, session),) = runs
    asked = function_call("recall", {"question": "Which nuts to avoid?"}, call_id="c1")
    agent.model = ScriptedModel([[assistant_message("Noted.")], [asked], [assistant_message("Walnuts.")]])
    run(agent, text, session)
    run(agent, "What should I not eat?", MnemosSession("friday", program["memory"], user_id="ana"))
    assert "walnuts" in json.dumps(heard(agent)[-1])
    program["memory"].close()


def test_the_example_runs() -> None:
    example = Path(__file__).parents[2] / "examples" / "openai_agents_memory.py"
    run = subprocess.run([sys.executable, str(example)], capture_output=True, text=True, check=True, timeout=60)
    assert "walnuts" in run.stdout
    assert run.stderr == ""
