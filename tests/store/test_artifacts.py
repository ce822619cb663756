"""Artifacts: kept whole beside the store, found by what they are of, counted, dropped, copied."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from artifacttools import MODEL, assert_in_step, block, folder, names, rows
from clock import Clock

from mnemos import InvalidInput, Mnemos, NotFound, StoreError
from mnemos.store.artifact_rows import BUILDING_SECONDS


def test_what_is_kept_is_found_and_read(memory: Mnemos, path: Path, tmp_path: Path, clock: Clock) -> None:
    one, two = memory.add(["My sister Rita is vegan.", "The dog is called Rex."], user_id="ana")
    file = tmp_path / "made"
    file.write_bytes(b"keys and values")
    made = memory.artifacts.keep(
        "activation", "kv-int8", MODEL, [two, one.id], file, metadata={"tokens": 9}, seconds=0.25
    )
    assert file.read_bytes() == b"keys and values"
    assert (made.form, made.recipe, made.fingerprint, made.state) == ("activation", "kv-int8", MODEL, "fresh")
    assert (made.sources, made.namespace, made.metadata) == ((two.id, one.id), ("user", "ana"), {"tokens": 9})
    assert (made.bytes, made.seconds, made.uses, made.used_at, made.created_at) == (15, 0.25, 0, None, clock.now)
    assert memory.artifacts.path(made) == path.with_name("memory.db.d") / made.hash
    assert memory.artifacts.path(made).read_bytes() == b"keys and values"
    assert memory.artifacts.find() == [made] == [memory.artifacts.get(made.id)]
    assert_in_step(memory)
    with Mnemos(path) as other:
        assert other.artifacts.find() == [made]


def test_a_filter_is_all_that_it_says(memory: Mnemos) -> None:
    a, b, c = (memory.add(text, user_id="ana")[0].id for text in ("one", "two", "three"))
    (d,) = memory.add("four", user_id="ben")
    of_a = block(memory, [a], b"a")
    of_b = block(memory, [b], b"b", recipe="kv-int8", fingerprint="other")
    both = block(memory, [b, a], b"ab", form="parametric", recipe="lora")
    of_d = block(memory, [d], b"d")
    find = memory.artifacts.find
    assert find() == [of_d, both, of_b, of_a]
    assert find(form="parametric") == [both]
    assert find(recipe="kv-int8") == [of_b] == find(fingerprint="other")
    assert find(namespace=("user", "ben")) == [of_d]
    assert find(sources=[a]) == [of_a]
    assert find(sources=[a, b]) == [both] == find(sources=[b, a])
    assert find(holding=[a]) == [both, of_a]
    assert find(holding=[a, b, c]) == [both, of_b, of_a]
    assert find(holding=[c]) == find(holding=[]) == find(sources=[c]) == []
    assert find(form="activation", holding=[a, b], fingerprint=MODEL) == [of_a]
    memory.artifacts.mark([of_a.id], "stale")
    assert find(state="stale") == [replace(of_a, state="stale")]
    assert of_a.id not in {one.id for one in find(state="fresh")}


def test_a_file_from_scratch_is_taken_and_another_is_copied(memory: Mnemos, tmp_path: Path) -> None:
    (one,) = memory.add("one")
    with memory.artifacts.scratch() as path:
        path.write_bytes(b"taken")
        made = memory.artifacts.keep("activation", "kv", MODEL, [one], path)
        assert not path.exists()
    assert memory.artifacts.path(made).read_bytes() == b"taken"
    with memory.artifacts.scratch() as path:
        path.write_bytes(b"given up")
    assert_in_step(memory)


def test_kept_again_it_is_the_same_and_two_may_share_a_file(memory: Mnemos) -> None:
    one, two = memory.add(["one", "two"])
    first = block(memory, [one], b"same")
    assert block(memory, [one], b"same") == first
    other = block(memory, [two], b"same")
    assert (other.hash, other.id == first.id) == (first.hash, False)
    assert memory.artifacts.bytes() == 4
    memory.delete(one.id)
    assert memory.artifacts.find() == [other]
    assert memory.artifacts.path(other).read_bytes() == b"same"
    assert memory.artifacts.drop([other.id, other.id, first.id]) == 1
    assert names(memory) == set()
    assert memory.get(two.id) is not None
    again = block(memory, [two], b"same")
    assert memory.artifacts.path(again).read_bytes() == b"same"
    assert_in_step(memory)


def test_bytes_are_counted_by_form(memory: Mnemos) -> None:
    (one,) = memory.add("one")
    assert memory.artifacts.bytes() == 0
    block(memory, [one], b"x" * 100)
    block(memory, [one], b"y" * 30, form="parametric")
    assert memory.artifacts.bytes() == 130
    assert (memory.artifacts.bytes("activation"), memory.artifacts.bytes("parametric")) == (100, 30)


def test_uses_are_counted_and_written_later(memory: Mnemos, path: Path, clock: Clock) -> None:
    (one,) = memory.add("one")
    made = block(memory, [one], b"x")
    memory.artifacts.used([made.id, made.id])
    at = clock.tick()
    memory.artifacts.used([made.id])
    seen = memory.artifacts.get(made.id)
    assert seen is not None
    assert (seen.uses, seen.used_at) == (3, at)
    with Mnemos(path) as other:
        assert other.artifacts.find()[0].uses == 0
        memory.add("a write")
        assert other.artifacts.find() == [seen]
    memory.artifacts.used([made.id])
    memory.close()
    with Mnemos(path) as other:
        assert other.artifacts.find()[0].uses == 4


def test_what_changed_since_it_was_read_is_refused(memory: Mnemos, clock: Clock) -> None:
    (one,) = memory.add("one", happened_at=clock.now)
    for change in ({"text": "uno"}, {"happened_at": clock.tick(60)}):
        memory.update(one.id, **change)  # type: ignore[arg-type]
        with pytest.raises(InvalidInput, match=r"sources\[0\]: has changed"):
            block(memory, [one], b"x")
        read = memory.get(one.id)
        assert read is not None
        one = read
    memory.update(one.id, metadata={"seen": True})
    assert block(memory, [one], b"x").sources == (one.id,)
    memory.delete(one.id)
    with pytest.raises(NotFound):
        block(memory, [one], b"y")
    assert_in_step(memory)


def test_a_memory_whose_time_is_up_is_gone_in_every_form(memory: Mnemos, clock: Clock) -> None:
    memory.put("k", {"v": "short lived"}, ttl=60)
    item = memory.get_item("k")
    assert item is not None
    made = block(memory, [item], b"x")
    memory.artifacts.want([item.id], "activation")
    clock.tick(61)
    assert memory.artifacts.find() == [] == memory.artifacts.wanted()
    assert memory.artifacts.get(made.id) is None
    with pytest.raises(NotFound, match="artifact"):
        memory.artifacts.path(made)
    with pytest.raises(NotFound, match="sources"):
        block(memory, [item.id], b"y")
    assert names(memory) == {made.hash}
    memory.maintain()
    assert names(memory) == set()


def test_wants_outlive_artifacts_and_go_with_memories(memory: Mnemos, clock: Clock) -> None:
    one, two = memory.add(["one", "two"])
    assert memory.artifacts.want([one.id, two.id], "activation") == 2
    assert memory.artifacts.want([two.id], "activation") == 0
    at = clock.now
    clock.tick()
    memory.artifacts.want([two.id], "parametric")
    told = [(w.memory, w.form, w.at) for w in memory.artifacts.wanted()]
    assert told == [(one.id, "activation", at), (two.id, "activation", at), (two.id, "parametric", clock.now)]
    assert [w.form for w in memory.artifacts.wanted(ids=[two.id])] == ["activation", "parametric"]
    made = block(memory, [two], b"x")
    memory.update(two.id, text="zwei")
    assert memory.artifacts.get(made.id) is None
    assert [w.memory for w in memory.artifacts.wanted(form="activation")] == [one.id, two.id]
    memory.artifacts.unwant([two.id], "activation")
    assert [(w.memory, w.form) for w in memory.artifacts.wanted()] == [(one.id, "activation"), (two.id, "parametric")]
    memory.artifacts.unwant([one.id])
    memory.delete(two.id)
    assert memory.artifacts.wanted() == []
    with pytest.raises(NotFound):
        memory.artifacts.want([one.id, two.id], "activation")
    assert memory.artifacts.wanted() == []


def test_others_see_what_is_being_built_for_an_hour(memory: Mnemos, path: Path, clock: Clock) -> None:
    one, two = memory.add(["one", "two"])
    memory.artifacts.want([one.id, two.id], "activation")
    with Mnemos(path, clock=clock) as other:

        def seen() -> list[bool]:
            return [w.building for w in other.artifacts.wanted()]

        with memory.artifacts.building([one.id, two.id], "activation"):
            assert seen() == [True, True]
            block(memory, [one], b"x")
            assert seen() == [False, True]
            clock.tick(BUILDING_SECONDS)
            assert seen() == [False, False]
        with pytest.raises(ZeroDivisionError), memory.artifacts.building([two.id], "activation"):
            raise ZeroDivisionError
        assert seen() == [False, False]


BAD: list[tuple[str, dict[str, Any]]] = [
    ("form", {"form": "text"}),
    ("recipe", {"recipe": ""}),
    ("fingerprint", {"fingerprint": 7}),
    ("sources", {"sources": []}),
    ("sources", {"sources": "one"}),
    ("seconds", {"seconds": -1}),
    ("seconds", {"seconds": float("inf")}),
    ("metadata", {"metadata": {"x": object()}}),
    ("state", {"state": "done"}),
    ("file", {"file": Path("/nowhere/at/all")}),
]


@pytest.mark.parametrize(("field", "given"), BAD, ids=[f"{field}{n}" for n, (field, _) in enumerate(BAD)])
def test_bad_input_is_refused_by_name(memory: Mnemos, tmp_path: Path, field: str, given: dict[str, Any]) -> None:
    (one,) = memory.add("one")
    (tmp_path / "f").write_bytes(b"x")
    good: dict[str, Any] = {"form": "activation", "recipe": "kv", "fingerprint": MODEL, "sources": [one]}
    with pytest.raises(InvalidInput) as refused:
        memory.artifacts.keep(**{**good, "file": tmp_path / "f", **given})
    assert refused.value.field == field
    assert names(memory) == set()


def test_sources_are_of_one_namespace_and_each_named_once(memory: Mnemos) -> None:
    (one,) = memory.add("one", user_id="ana")
    (two,) = memory.add("two", user_id="ben")
    for sources, problem in (([one, two], "several namespaces"), ([one, one.id], "twice")):
        with pytest.raises(InvalidInput, match=problem):
            block(memory, sources, b"x")
    assert_in_step(memory)


def test_a_file_that_is_lost_or_cut_short_is_refused(memory: Mnemos) -> None:
    (one,) = memory.add("one")
    made = block(memory, [one], b"whole")
    place = memory.artifacts.path(made)
    place.write_bytes(b"who")
    with pytest.raises(StoreError, match="cut short"):
        memory.artifacts.path(made)
    place.unlink()
    with pytest.raises(StoreError, match="missing"):
        memory.artifacts.path(made)


def test_a_backup_has_the_files(memory: Mnemos, path: Path, tmp_path: Path) -> None:
    one, two, three = memory.add(["one", "two", "three"])
    made = block(memory, [one], b"x" * 1000)
    shared = block(memory, [two], b"x" * 1000)
    lost = block(memory, [three], b"lost")
    (folder(memory) / lost.hash).unlink()
    memory.artifacts.want([three.id], "activation")
    copy = tmp_path / "copy.db"
    assert memory.backup(copy) == copy.stat().st_size + 1000
    memory.delete(one.id)
    memory.delete(two.id)
    with Mnemos(copy) as other:
        assert other.artifacts.find() == [shared, made]
        assert [w.memory for w in other.artifacts.wanted()] == [three.id]
        assert_in_step(other)
    assert not (tmp_path / "new.db.d").exists()
    (tmp_path / "new.db.d").mkdir()
    with pytest.raises(InvalidInput, match=r"new\.db\.d exists"):
        memory.backup(tmp_path / "new.db")
    assert not (tmp_path / "new.db").exists()


def test_an_export_says_which_forms_to_make_anew(memory: Mnemos, tmp_path: Path, clock: Clock) -> None:
    one, two, three = memory.add(["one", "two", "three"], user_id="ana")
    memory.add("four", user_id="ben")
    at = clock.now
    block(memory, [one, two], b"x", form="parametric")
    clock.tick()
    memory.artifacts.want([two.id, three.id], "activation")
    file = tmp_path / "all.jsonl"
    memory.export_file(file, user_id="ana")
    told = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert [(e["memory"], e["form"]) for e in told if e.get("type") == "form"] == [
        (one.id, "parametric"), (two.id, "activation"), (two.id, "parametric"), (three.id, "activation"),
    ]  # fmt: skip
    with Mnemos(tmp_path / "other.db", clock=clock) as other:
        other.import_file(file)
        wanted = other.artifacts.wanted()
        assert [(w.memory, w.form) for w in wanted][:2] == [(one.id, "parametric"), (two.id, "activation")]
        assert [w.at for w in wanted] == [at, clock.now, at, clock.now]
        other.artifacts.unwant([one.id])
        assert other.import_file(file).added == 0
        assert one.id not in {w.memory for w in other.artifacts.wanted()}
        assert other.artifacts.find() == []
        other.export_file(tmp_path / "again.jsonl")
        assert len(other.artifacts.wanted()) == 3
    bad = {"type": "form", "memory": one.id, "form": "text", "at": 0}
    with pytest.raises(InvalidInput, match=r"entries\[0\]\.form"):
        memory._store.restore_entries([bad], memory._index, 0)


def test_a_store_without_a_file_has_a_folder_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Mnemos(":memory:") as memory, Mnemos(":memory:") as other:
        (one,) = memory.add("one")
        made = block(memory, [one], b"x")
        assert folder(memory) != folder(other)
        assert memory.artifacts.path(made).read_bytes() == b"x"
        assert_in_step(memory)
        place = folder(memory)
        assert memory.backup("copy.db") > 1
    assert not place.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copy.db", "copy.db.d"]
    assert rows(tmp_path / "copy.db") == [(made.id, made.hash)]
