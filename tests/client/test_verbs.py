"""Every verb through a live server, sync and async: the library's records, and the library's errors."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from live_server import Serving

from mnemos import Change, Deletion, InvalidInput, Memory, NotFound, Page
from mnemos.client import AsyncClient, Client, Forbidden, Unauthorized

MARCH = datetime(2026, 3, 2, 18, 40, tzinfo=UTC)


def test_what_is_added_is_found_shown_changed_and_deleted(memory: Any, serving: Serving) -> None:
    said = [
        {"content": "I live in Lisbon now, near the river.", "name": "Ana", "role": "user", "happened_at": MARCH},
        {"content": "How nice!", "role": "assistant", "metadata": {"joy": 0.5}},
    ]
    added = memory.add(said, user_id="ana", session_id="s1", happened_at="2026-03-02T19:40:00+01:00")
    assert [type(one) for one in added] == [Memory, Memory]
    assert added[0].namespace == ("user", "ana")
    assert added[0].happened_at == added[1].happened_at == MARCH
    assert added[1].metadata == {"joy": 0.5}
    assert memory.add(said, user_id="ana", session_id="s1", happened_at=MARCH)[0].is_new is False

    with serving.server.tenants.use("default") as store:
        assert memory.get(added[0].id) == store.get(added[0].id)

    page = memory.search("Where does Ana live?", user_id="ana", limit=1, kinds=("turn",), now=MARCH)
    assert isinstance(page, Page)
    assert (page[0].memory.id, len(page), page.total, page.more) == (added[0].id, 1, 2, 1)
    assert 0 <= page[0].score <= 1
    assert set(page[0].why) > {"level"}
    assert memory.search("Where does Ana live?", user_id="ana", offset=1).offset == 1
    assert memory.search("Lisbon", user_id="ana", filters={"joy": {"gt": 0.4}})[0].memory.id == added[1].id

    context = memory.context("Who lives in Lisbon, near the river?", user_id="ana", budget=200)
    assert context
    assert "Lisbon" in str(context)
    assert context.items[0].memory_ids == (added[0].id,)
    assert not memory.context("Where does Ana live?", user_id="bob")
    assert "Lisbon" not in str(memory.context("Who lives in Lisbon?", user_id="ana", beside={said[0]["content"]}))

    changed = memory.update(added[0].id, text="I live in Porto now.", valid_at=MARCH, trust=0.5)
    assert (changed.text, changed.valid_at, changed.trust) == ("I live in Porto now.", MARCH, 0.5)
    assert memory.update(added[0].id, happened_at=None).happened_at is None
    history = memory.history(added[0].id)
    assert [type(one) for one in history] == [Change] * 3
    assert [one.op for one in history] == ["add", "update", "update"]
    assert history[0].channel == "rest"
    assert memory.links(added[0].id) == []

    gone = memory.delete(added[0].id)
    assert isinstance(gone, Deletion)
    assert (gone.ids[0], gone.purge) == (added[0].id, "done")
    assert memory.get(added[0].id) is None
    with pytest.raises(NotFound, match=added[0].id):
        memory.delete(added[0].id)


def test_lists_go_on_where_a_page_ended(memory: Any, serving: Serving) -> None:
    added = memory.add([f"note {number}" for number in range(7)], user_id="ana", kind="note")
    memory.add("turn", user_id="ana", metadata={"a": [1]})
    pages, after = [], None
    for _ in range(3):
        page = memory.list(user_id="ana", kinds=["note", "turn"], limit=3, after=after)
        pages.append((len(page), page.total, page.offset, page.more))
        after = page.end
    assert pages == [(3, 8, 0, 5), (3, 8, 3, 2), (2, 8, 6, 0)]
    assert after is None
    every = memory.every(user_id="ana", at_once=2, filters={"kind": "note"}, now=MARCH)
    assert [one.id for one in every] == [one.id for one in added]
    assert list(memory.every(user_id="nobody")) == []
    assert memory.list(namespace=("user", "ana"), filters={"a": {"exists": True}}).total == 1

    assert set(memory.delete_all(user_id="ana", descendants=True).ids) >= {one.id for one in added}
    with pytest.raises(InvalidInput, match="user_id"):
        memory.delete_all()


def test_what_was_derived_is_told(memory: Any, serving: Serving) -> None:
    told = "My sister Rita lives in Porto."
    (said,) = memory.add(told, user_id="ana", name="Ana", role="user", happened_at=MARCH)
    memory.add("Rita moved to Braga.", user_id="ana", name="Ana", role="user", happened_at=MARCH + timedelta(days=9))
    with serving.server.tenants.use("default") as store:
        store.maintain()
        facts = store.facts(user_id="ana")
        assert len(facts) > 1
        assert list(memory.facts(user_id="ana")) == list(facts)
        page = memory.facts("Rita", "lives in", user_id="ana", closed=False, limit=1)
        assert list(page) == list(store.facts("Rita", "lives in", user_id="ana", closed=False, limit=1))
        assert memory.facts(user_id="ana", limit=1).more == len(facts) - 1
        at = MARCH + timedelta(days=20)
        assert memory.profile("Rita", user_id="ana", as_of=at) == store.profile("Rita", user_id="ana", as_of=at)
        assert memory.profile("Rita", user_id="ana")
        assert not memory.profile("Rita", user_id="bob")
        assert memory.timeline(user_id="ana", since=MARCH) == store.timeline(user_id="ana", since=MARCH)
        assert memory.graph("Rita", depth=2, user_id="ana") == store.graph("Rita", depth=2, user_id="ana")
        assert memory.graph("Rita", user_id="ana").nodes
        assert memory.entities(user_id="ana") == store.entities(user_id="ana")
        assert memory.derived(said.id) == store.derived(said.id)
        assert memory.derived(said.id)


def test_decisions_are_shown_made_and_undone(memory: Any, serving: Serving) -> None:
    (said,) = memory.add("I am allergic to walnuts.", user_id="ana")
    assert memory.why_kept(said.id).indexed
    assert memory.pin(said.id).pinned
    assert memory.unpin(said.id).pinned is False
    assert memory.admit(said.id).id == said.id
    assert memory.why_kept(said.id).why == "admitted"
    assert memory.why_kept(said.id).reason
    (decision, *_) = [one.decision for one in memory.history(said.id) if one.op == "admit"]
    assert memory.undo(decision).id == said.id
    with pytest.raises(NotFound):
        memory.undo(said.id[:-1] + "x")
    assert memory.expire(said.id, datetime.now(UTC) + timedelta(days=1)).expired_at is None
    assert memory.expire(said.id, None).id == said.id


def test_a_client_is_shared(serving: Serving) -> None:
    texts = [f"note {number}" for number in range(24)]
    with Client(serving.url) as memory, ThreadPoolExecutor(8) as threads:
        added = list(threads.map(lambda text: memory.add(text, user_id="ana")[0].text, texts))
        assert added == texts
        assert memory.add([], user_id="ana") == []

    async def all_at_once() -> list[int]:
        async with AsyncClient(serving.url) as memory:
            pages = await asyncio.gather(*(memory.search(text, user_id="ana", kinds=["turn"]) for text in texts))
            return [page.total for page in pages]

    assert asyncio.run(all_at_once()) == [24] * 24


def test_feedback_teaches(memory: Any) -> None:
    texts = ["I am allergic to walnuts.", "The walnut table is in the hall.", "Walnuts are on sale."]
    one, two, _ = memory.add(texts, user_id="ana")
    taught = memory.feedback("Which nuts are dangerous?", used=[one.id], not_used=(two.id,), user_id="ana")
    assert taught
    assert all(0.5 <= factor <= 2 for factor in taught.values())
    assert memory.reset_feedback(user_id="ana") is True
    assert memory.reset_feedback(user_id="ana") is False
    with pytest.raises(NotFound):
        memory.feedback("nuts", used=[one.id], user_id="bob")


def test_a_server_tells_how_it_is_and_what_it_holds(memory: Any, serving: Serving) -> None:
    assert memory.health().status == "ok"
    assert memory.ready().ready
    memory.add(["a", "b"], user_id="ana", kind="note")
    memory.add("c", namespace=["org", "x"])
    assert memory.namespaces() == [("user", "ana"), ("org", "x")]
    stats = memory.stats(user_id="ana")
    assert (stats.memories, stats.kinds) == (2, {"note": 2})
    assert memory.stats(namespace=("org",), descendants=True).memories == 1


def test_refusals_are_the_librarys(memory: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        memory.add([{"content": "hello"}, {"content": "late", "happened_at": "2026-03-02T18:40:00"}], user_id="ana")
    assert refused.value.field == "messages[1].happened_at"
    assert refused.value.mend
    with pytest.raises(InvalidInput) as refused:
        memory.search("x", user_id="ana", limit=0)
    assert refused.value.field == "limit"
    with pytest.raises(InvalidInput, match="query"):
        memory.search("  ")
    with pytest.raises(InvalidInput, match="text"):
        memory.update(memory.add("x", user_id="ana")[0].id)
    with pytest.raises(NotFound) as unknown:
        memory.update("01890000-0000-7000-8000-000000000000", text="y")
    assert unknown.value.field == "id"
    assert unknown.value.value == "01890000-0000-7000-8000-000000000000"
    assert memory.search("y", user_id="ana").total == 1


@pytest.mark.parametrize("value", [float("nan"), object(), {"a": {1: {2}, "b": object()}}, {1, "a"}, {(1,): 2}])
def test_what_json_cannot_say_is_not_sent(memory: Any, value: object) -> None:
    with pytest.raises(InvalidInput, match="JSON") as refused:
        memory.add("x", user_id="ana", metadata={"value": value})
    assert refused.value.field == "metadata"
    with pytest.raises(InvalidInput, match="filters"):
        memory.list(filters={"a": value})


@pytest.mark.parametrize(
    ("scope", "field"),
    [
        ({"namespace": ()}, "namespace"),
        ({"namespace": "ana"}, "namespace"),
        ({"namespace": ["org", ""]}, "namespace[1]"),
        ({"user_id": " "}, "user_id"),
        ({"user_id": 7}, "user_id"),
        ({"user_id": "\ud800"}, "user_id"),
        ({"user_id": "ana", "namespace": ["a"]}, "namespace"),
    ],
)
def test_a_scope_is_one_or_nothing_is_done(memory: Any, tmp_path: Path, scope: Any, field: str) -> None:
    for call in (
        lambda: memory.add("x", **scope),
        lambda: memory.search("x", **scope),
        lambda: memory.list(**scope),
        lambda: memory.stats(**scope),
        lambda: memory.delete_all(**scope),
        lambda: memory.export_file(tmp_path / "all.jsonl", **scope),
        lambda: memory.import_file(__file__, **scope),
    ):
        with pytest.raises(InvalidInput) as refused:
            call()
        assert refused.value.field == field


def test_what_an_address_cannot_say_is_not_asked(memory: Any) -> None:
    for asked in ({"kinds": []}, {"sessions": ()}, {"sessions": ["a", "\udfff"]}):
        with pytest.raises(InvalidInput) as refused:
            memory.list(**asked)
        assert refused.value.field == next(iter(asked))


def test_values_of_python_are_sent_as_json(memory: Any) -> None:
    (added,) = memory.add("x", user_id="ana", metadata={"tags": {"b", "a"}, "pair": (1, 2), "at": MARCH}, timezone=UTC)
    assert added.metadata == {"tags": ["a", "b"], "pair": [1, 2], "at": MARCH.isoformat()}


HOSTILE = st.one_of(
    st.text(min_size=1, max_size=20),
    st.sampled_from([".", "..", "../health", "x/history", "%2e%2e", "a?b=c", "a#b", " ", "\x00", "é", "a\nb", "a;b"]),
)


@given(id=HOSTILE)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_id_leaves_its_place(memory: Any, id: str) -> None:
    for verb in (memory.history, memory.delete, memory.links):
        with pytest.raises((NotFound, InvalidInput)):
            verb(id)
    if id.isascii():
        assert memory.get(id) is None


def test_keys_decide_what_is_seen(serving: Serving, kind: Any) -> None:
    ana = serving.key(namespaces=[("user", "ana")])
    reader = serving.key(scopes=("read",))
    elsewhere = serving.key("other")
    with closing(kind(serving.url, ana)) as memory:
        (added,) = memory.add("I am vegan.")
        assert added.namespace == ("user", "ana")
        assert added.writer == serving.server.keys.listed()[0].id
        with pytest.raises(Forbidden, match="bound"):
            memory.search("vegan", user_id="bob")
    with closing(kind(serving.url, reader)) as memory:
        assert memory.get(added.id).text == "I am vegan."
        with pytest.raises(Forbidden, match="write") as refused:
            memory.delete(added.id)
        assert (refused.value.status, refused.value.type) == (403, "forbidden")
        assert refused.value.request_id
    with closing(kind(serving.url, elsewhere)) as memory, pytest.raises(NotFound):
        memory.delete(added.id)
    for key in (None, "mnemos_wrong"):
        with closing(kind(serving.url, key)) as memory, pytest.raises(Unauthorized):
            memory.get(added.id)
