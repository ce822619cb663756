"""Deleting: no byte of the words, the tokens or the values stays on disk."""

from __future__ import annotations

import json
import random
import sqlite3
import string
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from clock import Clock
from storetools import broken, raw_bytes

from mnemos import InvalidInput, Mnemos, NotFound
from mnemos.embed.static import StaticEmbedder


def words(rng: random.Random, count: int) -> str:
    """Words that no file holds by chance."""
    return " ".join("".join(rng.choices(string.ascii_lowercase, k=9)) for _ in range(count))


def windows(data: bytes, size: int, step: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, max(1, len(data) - size + 1), step)]


def traces(memory: Mnemos, texts: list[str]) -> set[bytes]:
    """Every run of nine bytes of some texts, and the heads and tails of their token sequences."""
    found: set[bytes] = set()
    for text in texts:
        found.update(windows(text.encode(), 9, 1))
        (tokens,) = StaticEmbedder.bundled().tokenize([text])
        raw = tokens.tobytes()
        if len(raw) >= 32:
            found.update(windows(raw, 32, 16))
    return found


def left(path: Path, wanted: set[bytes]) -> list[bytes]:
    """Which traces the raw files hold, found without the store's help."""
    raw = raw_bytes(path)
    by_size: dict[int, set[bytes]] = {}
    for trace in wanted:
        by_size.setdefault(len(trace), set()).add(trace)
    return [
        trace
        for size, alike in by_size.items()
        for trace in alike & {raw[start : start + size] for start in range(len(raw) - size + 1)}
    ]


def test_a_deleted_memory_leaves_no_byte(memory: Mnemos, path: Path) -> None:
    rng = random.Random(1)
    secret, meta, speaker, session = (words(rng, count) for count in (12, 3, 2, 1))
    neighbours = memory.add([words(rng, 20) for _ in range(50)], user_id="ana")
    (added,) = memory.add(
        {"content": secret, "metadata": {"m": meta}, "name": speaker, "session_id": session}, user_id="ana"
    )
    memory.add([words(rng, 20) for _ in range(50)], user_id="ana")
    memory.search(secret, user_id="ana")
    wanted = traces(memory, [secret, meta, speaker, session])
    assert left(path, wanted)
    assert memory.delete(added.id).purge == "done"
    assert left(path, wanted) == []
    assert memory.verify_erased(secret).clean
    assert memory.get(neighbours[0].id) is not None
    assert memory.check() == []


def test_every_version_goes(memory: Mnemos, path: Path) -> None:
    rng = random.Random(2)
    versions = [words(rng, count) for count in (5, 400, 3, 40)]
    (added,) = memory.add(versions[0])
    for text in versions[1:]:
        memory.update(added.id, text=text, metadata={"about": words(rng, 2)})
    wanted = traces(memory, versions)
    memory.delete(added.id)
    assert left(path, wanted) == []


def test_items_go_with_their_values_and_keys(memory: Mnemos, path: Path, clock: Clock) -> None:
    rng = random.Random(3)
    values = [{"deep": [words(rng, 30)], "n": 1} for _ in range(4)]
    for value in values:
        memory.put("k", value, user_id="ana")
    memory.put("other", {"stay": "kept"}, user_id="ana", ttl=5)
    wanted = traces(memory, [value["deep"][0] for value in values])  # type: ignore[index]
    memory.delete(memory.get_item("k", user_id="ana").id)  # type: ignore[union-attr]
    assert left(path, wanted) == []
    expiring = words(rng, 30)
    memory.put("soon gone", [expiring], user_id="ana", ttl=10)
    clock.tick(11)
    assert memory.maintain().expired == 2
    assert left(path, traces(memory, [expiring])) == []


def test_an_expired_item_that_is_replaced_goes_too(memory: Mnemos, path: Path, clock: Clock) -> None:
    secret = words(random.Random(4), 20)
    memory.put("k", secret, ttl=1)
    clock.tick(2)
    memory.put("k", "fresh", ttl=1)
    assert left(path, traces(memory, [secret])) == []


@pytest.mark.parametrize("seed", range(6))
def test_many_random_deletions(path: Path, seed: int) -> None:
    rng = random.Random(seed)
    held: dict[str, str] = {}
    gone: list[str] = []
    with Mnemos(path) as memory:
        for _ in range(25):
            fresh = [words(rng, rng.choice([1, 4, 30, 150, 700])) for _ in range(rng.randrange(1, 12))]
            for added in memory.add(fresh, namespace=(rng.choice("ab"),)):
                held[added.id] = added.text
            for memory_id in rng.sample(sorted(held), min(len(held), rng.randrange(6))):
                text, about = words(rng, rng.choice([1, 60])), words(rng, rng.choice([2, 40, 90]))
                memory.update(memory_id, text=text, metadata={"about": about})
                held[memory_id] += f" {text} {about}"
            for memory_id in rng.sample(sorted(held), min(len(held), rng.choice([0, 1, 1, 3, 8]))):
                gone.append(held.pop(memory_id))
                assert memory.delete(memory_id).purge == "done"
            if rng.random() < 0.05:
                namespace = rng.choice("ab")
                for memory_id in memory.delete_all(namespace=(namespace,)).ids:
                    gone.append(held.pop(memory_id))
        wanted = {window for text in gone for part in text.split(" ") for window in windows(part.encode(), 9, 1)}
        assert left(path, wanted) == []
        assert memory.check() == []
        live = {window for text in held.values() for part in text.split(" ")[:1] for window in (part.encode(),)}
        assert not held or left(path, live), "what is live is still there"


def test_delete_all_leaves_nothing_but_others(memory: Mnemos, path: Path) -> None:
    rng = random.Random(5)
    mine, others = [words(rng, 25) for _ in range(120)], [words(rng, 25) for _ in range(120)]
    for one, other in zip(mine, others, strict=True):
        memory.add(one, user_id="ana")
        memory.add(other, user_id="ben")
    assert len(memory.delete_all(user_id="ana").ids) == 120
    assert left(path, traces(memory, mine)) == []
    assert [m.text for m in memory.list(user_id="ben", limit=200)] == others
    assert memory.check() == []


def test_what_was_derived_only_from_it_goes(memory: Mnemos, path: Path) -> None:
    rng = random.Random(6)
    (turn,) = memory.add(words(rng, 5))
    fact_words, theme_words = words(rng, 8), words(rng, 9)
    fact = memory.derive(fact_words, sources=[turn.id], recipe="r")
    theme = memory.derive(theme_words, sources=[fact.id], recipe="r", kind="theme")
    assert memory.search(fact_words, kinds=["fact"])[0].memory.sources == (turn.id,)
    assert set(memory.delete(turn.id).ids) == {turn.id, fact.id, theme.id}
    assert (memory.get(fact.id), memory.get(theme.id)) == (None, None)
    assert memory.search("anything", kinds=["fact", "theme"]).total == 0
    assert left(path, traces(memory, [fact_words, theme_words])) == []
    assert memory.check() == []


def test_what_was_derived_also_from_others_is_hidden_and_derived_again(path: Path) -> None:
    derivers = {"join": lambda sources: "joined: " + "; ".join(m.text for m in sources) if sources else None}
    with Mnemos(path, derivers=derivers) as memory:
        kept, secret = memory.add(["kept words", "secretive words"])
        fact = memory.derive("joined: kept words; secretive words", sources=[kept.id, secret.id], recipe="join")
        theme = memory.derive("theme of secretive words", sources=[fact.id, kept.id], recipe="join", kind="theme")
        assert memory.delete(secret.id).ids == (secret.id,)
        for hidden in (fact, theme):
            assert memory.get(hidden.id) is None
        assert memory.search("secretive words", kinds=["fact", "theme"]).total == 0
        assert memory.list(kinds=["fact", "theme"]).total == 0
        assert memory.stats().jobs == {"queued": 3}, "two derivations, and the reading of what was added"
        done = memory.maintain()
        assert (done.done, done.failed, done.waiting) == (2, 0, 0)
        again = memory.get(fact.id)
        assert again is not None
        assert (again.text, again.sources) == ("joined: kept words", (kept.id,))
        assert memory.get(theme.id).text == "joined: kept words; joined: kept words"  # type: ignore[union-attr]
        assert memory.verify_erased("secretive").clean
        assert memory.verify_erased("secretive").live == ()
        assert b"secretive" not in raw_bytes(path)
        assert memory.search("joined", kinds=["fact"])[0].memory.id == fact.id
        assert memory.check() == []
        memory.delete(kept.id)
        assert memory.list(kinds=["turn", "fact", "theme"]).total == 0


def test_an_update_of_a_source_derives_again_too(path: Path) -> None:
    with Mnemos(path, derivers={"shout": lambda sources: sources[0].text.upper()}) as memory:
        (turn,) = memory.add("quiet", happened_at="2026-01-01T00:00:00Z")
        fact = memory.derive("QUIET", sources=[turn.id], recipe="shout")
        memory.update(turn.id, text="calm")
        assert memory.get(fact.id) is None
        memory.maintain()
        assert memory.get(fact.id).text == "CALM"  # type: ignore[union-attr]
        assert memory.check() == []


def test_a_deriver_may_find_nothing_left_to_say(path: Path) -> None:
    with Mnemos(path, derivers={"r": lambda sources: None}) as memory:
        one, two = memory.add(["one", "two"])
        fact = memory.derive("both", sources=[one.id, two.id], recipe="r")
        memory.delete(one.id)
        assert memory.maintain().done == 1
        assert memory.get(fact.id) is None
        assert memory.stats().jobs == {}
        assert memory.check() == []


def test_a_source_that_changes_while_it_is_read_is_read_again(path: Path) -> None:
    def join(sources: Any) -> str:
        if len(told) == 0:
            memory.delete(two.id)
        told.append([m.text for m in sources])
        return " ".join(told[-1])

    told: list[list[str]] = []
    with Mnemos(path, derivers={"r": join}) as memory:
        one, two, three = memory.add(["one", "secretive", "three"])
        fact = memory.derive("all", sources=[one.id, two.id, three.id], recipe="r")
        memory.delete(three.id)
        memory.maintain()
        assert told == [["one", "secretive"], ["one"]]
        assert memory.get(fact.id).text == "one"  # type: ignore[union-attr]
        assert b"secretive" not in raw_bytes(path)


def test_links_and_updates_of_what_is_not_there(memory: Mnemos) -> None:
    (turn,) = memory.add("one")
    fact = memory.derive("fact", sources=[turn.id], recipe="r")
    with pytest.raises(NotFound, match="target"):
        memory.link(turn.id, "nothing")
    with pytest.raises(NotFound, match="sources"):
        memory.derive("x", sources=[turn.id, "nothing"], recipe="r")
    with pytest.raises(InvalidInput, match="update its sources"):
        memory.update(fact.id, text="other")
    assert memory.links(fact.id) == []


def test_a_memory_in_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Mnemos(":memory:") as memory:
        one, _ = memory.add(["one thing", "another thing"])
        assert memory.delete(one.id).purge == "done"
        assert memory.verify_erased("one thing").clean
        assert [hit.memory.text for hit in memory.search("thing")] == ["another thing"]
        assert memory.check() == []
        assert memory.backup("copy.db") > 0
    assert [file.name for file in tmp_path.iterdir()] == ["copy.db"]


def test_a_deriver_that_fails_is_tried_again_and_then_left_to_a_person(path: Path, clock: Clock) -> None:
    def fail(sources: object) -> str:
        raise ZeroDivisionError("no such luck")

    with Mnemos(path, clock=clock, derivers={"r": fail}) as memory:
        one, two = memory.add(["one", "two"])
        memory.derive("both", sources=[one.id, two.id], recipe="r")
        memory.delete(one.id)
        assert memory.maintain().failed == 1
        assert memory.maintain().failed == 0, "not at once"
        for _ in range(4):
            clock.tick(3_600)
            memory.maintain()
        assert memory.stats().jobs == {"dead": 1}
        clock.tick(3_600)
        assert memory.maintain().failed == 0
        assert memory.get(two.id) is not None


def test_many_jobs_that_wait_do_not_block_the_others(path: Path) -> None:
    with Mnemos(path, derivers={"known": lambda sources: "again"}) as memory:
        one, two = memory.add(["one", "two"])
        for number in range(120):
            memory.derive(f"fact {number}", sources=[one.id, two.id], recipe="unknown", topic=f"t{number}")
        fact = memory.derive("known fact", sources=[one.id, two.id], recipe="known")
        memory.delete(one.id)
        report = memory.maintain()
        assert (report.done, report.waiting) == (1, 120)
        assert memory.get(fact.id).text == "again"  # type: ignore[union-attr]


def test_a_fact_and_its_source_never_both_appear(memory: Mnemos) -> None:
    (turn,) = memory.add("My sister Rita is vegan.")
    fact = memory.derive("Rita is vegan.", sources=[turn.id], recipe="r")
    hits = memory.search("Is Rita vegan?")
    assert [({h.memory.id, *h.also}) for h in hits] == [{turn.id, fact.id}]
    assert [h.memory.id for h in memory.search("Is Rita vegan?", kinds=["turn"])] == [turn.id]


def test_purge_is_pending_while_another_reads(memory: Mnemos, path: Path) -> None:
    secret = words(random.Random(8), 10)
    (added,) = memory.add(secret)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM memories").fetchone() == (1,)
        assert memory.delete(added.id).purge == "pending"
        assert memory.stats().purge == "pending"
        assert memory.get(added.id) is None
        assert memory.maintain().purge == "pending"
        assert not memory.verify_erased(secret).clean
        memory.add("a write beside the reader")
        reader.execute("COMMIT")
    assert memory.maintain().purge == "done"
    assert memory.stats().purge == "done"
    assert memory.verify_erased(secret).clean
    assert left(path, traces(memory, [secret])) == []


def test_the_next_write_finishes_a_pending_purge(memory: Mnemos, path: Path) -> None:
    secret = words(random.Random(9), 10)
    (added,) = memory.add(secret)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM memories").fetchone()
        assert memory.delete(added.id).purge == "pending"
    memory.add("another")
    assert left(path, traces(memory, [secret])) == []
    assert memory.stats().purge == "done"


def test_a_purge_that_was_cut_off_is_finished_by_whoever_opens_next(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = words(random.Random(10), 10)
    with Mnemos(path) as memory:
        (added,) = memory.add(secret)
        with monkeypatch.context() as patch:
            # as if the process had been killed between the deletion and its purge
            patch.setattr(type(memory._store), "purge", lambda self, wait_ms=0: "pending")
            memory.delete(added.id)
    with Mnemos(path) as memory:
        assert memory.stats().purge == "pending"
        assert memory.maintain().purge == "done"
        assert left(path, traces(memory, [secret])) == []


@pytest.mark.parametrize("way", ["relative", "symlink"])
def test_the_file_is_found_whatever_it_is_called(path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    rng = random.Random(12)
    monkeypatch.chdir(path.parent)
    Mnemos(path).close()
    name = Path(path.name)
    if way == "symlink":
        (path.parent / "elsewhere").mkdir()
        name = path.parent / "elsewhere" / "link.db"
        name.symlink_to(path)
    secrets = [words(rng, 60) for _ in range(30)]
    with Mnemos(name) as memory:
        added = memory.add([{"content": text, "metadata": {"about": words(rng, 3)}} for text in secrets])
        monkeypatch.chdir("/")
        for each in added:
            memory.update(each.id, metadata={"about": words(rng, 90)})
        assert memory.verify_erased(secrets[0]).live
        for each in added:
            memory.delete(each.id)
        assert left(path, traces(memory, secrets)) == []
        stray(path, "INSERT INTO jobs (kind, error, created_at) VALUES ('x', ?, 0)", secrets[0])
        stray(path, "DELETE FROM jobs")
        assert not memory.verify_erased(secrets[0]).clean


def stray(path: Path, statement: str, *values: Any) -> None:
    """Delete behind the store's back, leaving the bytes."""
    with broken(path) as raw:
        raw.execute("PRAGMA secure_delete = OFF")
        raw.execute(statement, values)


def test_verify_erased_tells_live_from_stray(memory: Mnemos, path: Path) -> None:
    rng = random.Random(11)
    secret, live = words(rng, 40), words(rng, 40)
    memory.add([words(rng, 40) for _ in range(20)])
    (added,) = memory.add(secret)
    (kept,) = memory.add(live)
    memory.add([words(rng, 40) for _ in range(20)])
    found = memory.verify_erased(secret)
    assert (found.live, found.stray, found.clean) == ((added.id,), (), True)
    memory.delete(added.id)
    assert memory.verify_erased(secret) == type(found)((), ())
    assert memory.verify_erased(live).live == (kept.id,)
    stray(path, "UPDATE log SET text = 'short' WHERE id = ?", kept.id)
    found = memory.verify_erased(live)
    assert found.live == ()
    assert found.stray == (str(path),)
    assert not found.clean
    memory.reindex()
    assert memory.verify_erased(live).clean


def test_verify_erased_does_not_take_the_schema_for_words(memory: Mnemos) -> None:
    memory.add("hello there")
    for word in ("memories", "observed", "CREATE TABLE", "turn", "log"):
        assert memory.verify_erased(word).clean, word


def test_verify_erased_looks_into_every_table(memory: Mnemos, path: Path) -> None:
    one, two = memory.add(["one", "two"])
    memory.link(one.id, two.id, "zebrafinch")
    assert memory.verify_erased("zebrafinch").live == (one.id,)
    memory.put("k", {'say "hi"\n': 'she said "quagga"\nand left'})
    assert len(memory.verify_erased('she said "quagga"\nand left').live) == 1
    with broken(path) as raw:
        raw.execute("INSERT INTO jobs (kind, error, created_at) VALUES ('x', 'dead letter about okapis', 0)")
        raw.execute(
            "INSERT INTO log (id, namespace, op, kind, at, text) VALUES ('gone', 1, 'update', 'turn', 0, 'tapir')"
        )
    assert memory.verify_erased("okapis").stray == ("table jobs",)
    assert memory.verify_erased("tapir").stray == ("table log",)


def test_links_go_with_their_memories(memory: Mnemos, path: Path) -> None:
    one, two, three = memory.add(["one", "two", "three"])
    memory.link(one.id, two.id, "wombatlike")
    memory.link(two.id, three.id, "follows", weight=0.5)
    memory.link(two.id, three.id, "follows", weight=0.75)
    assert [(link.relation, link.weight) for link in memory.links(two.id)] == [("wombatlike", 1.0), ("follows", 0.75)]
    memory.delete(one.id)
    assert [link.relation for link in memory.links(two.id)] == ["follows"]
    assert b"wombatlike" not in raw_bytes(path)
    assert memory.check() == []


def test_dead_letters_lose_what_they_quote(path: Path, clock: Clock) -> None:
    def fail(sources: Any) -> str:
        raise ValueError(f"cannot summarise {sources[0].text}")

    with Mnemos(path, clock=clock, derivers={"r": fail}) as memory:
        one, two, three = memory.add(["aardvarkish", "two", "three"])
        memory.derive("all", sources=[one.id, two.id, three.id], recipe="r")
        memory.delete(three.id)
        for _ in range(6):
            memory.maintain()
            clock.tick(3_600)
        assert b"aardvarkish" in raw_bytes(path)
        memory.delete(one.id)
        assert b"aardvarkish" not in raw_bytes(path)


def test_the_history_of_a_derived_memory(memory: Mnemos) -> None:
    (turn,) = memory.add("x")
    fact = memory.derive("fact", sources=[turn.id], recipe="r", metadata={"a": 1})
    assert [(c.op, c.text, c.metadata) for c in memory.history(fact.id)] == [("add", "fact", {"a": 1})]
    again = memory.derive("fact, better", sources=[turn.id], recipe="r")
    assert (again.id, again.text, again.metadata) == (fact.id, "fact, better", {})
    assert json.dumps(memory.check()) == "[]"
