"""Two cubes in one, and what changed between two."""

from __future__ import annotations

from pathlib import Path

import pytest
from clock import Clock
from cubetools import OTHER, files_of, forge, keep, lines_of, put_lines

from mnemos import InvalidInput, Memory, Mnemos
from mnemos.cube import Comparison, Conflict, MemCube, compare, fuse


def texts(path: Path) -> list[str]:
    with MemCube(path) as cube:
        return [one.text for one in cube.memories()]


def made_of(path: Path) -> list[tuple[str, ...]]:
    with MemCube(path) as cube:
        return [piece.artifact.sources for piece in cube.pieces]


@pytest.fixture
def parted(memory: Mnemos, other: Mnemos, cube: Path, clock: Clock) -> Mnemos:
    """Another store that began with the same cube."""
    other.import_cube(cube)
    clock.tick()
    return other


def both(memory: Mnemos, other: Mnemos, folder: Path) -> tuple[Path, Path, Path]:
    a, b = folder / "a.cube", folder / "b.cube"
    memory.export_cube(a, user_id="ana")
    other.export_cube(b, user_id="ana")
    return a, b, folder / "fused.cube"


def test_what_is_new_on_either_side_is_in_the_fused_cube_in_its_order(
    memory: Mnemos, parted: Mnemos, turns: list[Memory], tmp_path: Path, clock: Clock
) -> None:
    memory.add(["first here", "second here"], user_id="ana")
    clock.tick()
    (there,) = parted.add(["third there"], user_id="ana")
    keep(parted, [there], b"of the third")
    clock.tick()
    memory.add("fourth here", user_id="ana")
    parted.update(turns[0].id, text="My sister Rita eats fish.")
    a, b, out = both(memory, parted, tmp_path)
    done = fuse(a, b, out)
    assert texts(out) == [
        "My sister Rita eats fish.", "The dog is called Rex.", "Rex lives in Paris.",
        "first here", "second here", "third there", "fourth here",
    ]  # fmt: skip
    assert done.conflicts == (Conflict(turns[0].id, "b", "later"),)
    assert set(made_of(out)) == {(turns[1].id,), (turns[2].id,), (there.id,)}
    assert len(done.left) == 2, "a block and the adapter of the words that were changed"
    assert done.manifest.memories == 7
    with Mnemos(":memory:") as store:
        imported = store.import_cube(out)
        assert (imported.left, len(imported.artifacts)) == ({}, 3)
        assert [one.text for one in store.history(turns[0].id)] == [
            "My sister Rita is vegan.",
            "My sister Rita eats fish.",
        ]
        wanted = {(one.memory, one.form) for one in store.artifacts.wanted()}
        assert (turns[0].id, "parametric") in wanted, "what was dropped is to be made anew"
        assert store.check() == []
    back = fuse(b, a, tmp_path / "back.cube")
    assert back.conflicts == (Conflict(turns[0].id, "a", "later"),)
    assert sorted(texts(tmp_path / "back.cube")) == sorted(texts(out))


@pytest.mark.parametrize("is_b_later", [False, True])
def test_where_both_changed_the_later_change_stands(
    memory: Mnemos, parted: Mnemos, turns: list[Memory], tmp_path: Path, clock: Clock, is_b_later: bool
) -> None:
    for store, text in ((memory, "of a"), (parted, "of b")) if is_b_later else ((parted, "of b"), (memory, "of a")):
        clock.tick()
        store.update(turns[0].id, text=text)
        fact = store.derive(f"A fact {text}.", sources=[turns[0].id], recipe="r", topic=text)
        keep(store, [turns[0].id], text.encode())
        keep(store, [fact, turns[1]], text.encode(), form="parametric", model=OTHER)
    a, b, out = both(memory, parted, tmp_path)
    done = fuse(a, b, out)
    won, lost = ("b", "a") if is_b_later else ("a", "b")
    assert done.conflicts == (Conflict(turns[0].id, won, "changed on both sides"),)
    raw = out.read_bytes()
    assert f"of {won}".encode() in raw
    assert f"of {lost}".encode() not in raw, "nothing of the version that does not stand"
    assert len(done.left) == 3
    assert texts(out) == [f"of {won}", "The dog is called Rex.", "Rex lives in Paris.", f"A fact of {won}."]
    with MemCube(out) as fused:
        assert [piece.artifact.form for piece in fused.pieces] == ["activation"] * 3 + ["parametric"]


def test_a_deletion_stands_whatever_came_after(
    memory: Mnemos, parted: Mnemos, turns: list[Memory], tmp_path: Path, clock: Clock
) -> None:
    theme = parted.derive("Of Rita.", sources=[turns[0].id, turns[1].id], recipe="r", kind="theme")
    parted.link(turns[1].id, turns[0].id, "near")
    memory.delete(turns[0].id)
    clock.tick()
    parted.update(turns[0].id, text="Rita eats fish.")
    parted.maintain()
    for place, order in enumerate((both(memory, parted, tmp_path)[:2], both(memory, parted, tmp_path)[1::-1])):
        out = tmp_path / f"{place}.cube"
        done = fuse(*order, out)
        assert done.conflicts == (Conflict(turns[0].id, "ab"[place], "deleted"),)
        assert b"Rita" not in out.read_bytes()
        assert set(texts(out)) == {"The dog is called Rex.", "Rex lives in Paris."}
        with Mnemos(":memory:") as store:
            store.import_cube(out)
            assert store.check() == []
            assert store.get(theme.id) is None
            assert [one.target for one in store.links(turns[1].id)] == []


def test_a_derived_memory_that_was_deleted_stays_so(
    memory: Mnemos, parted: Mnemos, turns: list[Memory], tmp_path: Path
) -> None:
    facts = [one.derive("A fact.", sources=[turns[0].id], recipe="r") for one in (memory, parted)]
    assert facts[0].id == facts[1].id
    parted.delete(facts[0].id)
    a, b, out = both(memory, parted, tmp_path)
    fuse(a, b, out)
    assert "A fact." not in texts(out)
    fuse(b, a, out)
    assert "A fact." not in texts(out)


def test_the_later_version_of_what_was_derived_stands(
    memory: Mnemos, parted: Mnemos, turns: list[Memory], tmp_path: Path, clock: Clock
) -> None:
    for store, text in ((memory, "Once."), (parted, "Again.")):
        clock.tick()
        fact = store.derive(text, sources=[turns[0].id], recipe="r")
    parted.derive("Again.", sources=[turns[0].id], recipe="r")
    block = keep(memory, [fact.id], b"of a fact that said something else")
    a, b, out = both(memory, parted, tmp_path)
    done = fuse(a, b, out)
    assert texts(out)[-1] == "Again."
    assert done.conflicts == (Conflict(fact.id, "b", "later"),)
    assert list(done.left) == [block.id]


def test_uses_pins_and_wants_of_both_are_kept(
    memory: Mnemos, parted: Mnemos, turns: list[Memory], tmp_path: Path
) -> None:
    memory.pin(turns[0].id)
    parted.pin(turns[1].id)
    memory._store.record_uses({turns[0].id: 3}, 10)
    parted._store.record_uses({turns[0].id: 5, turns[1].id: 1}, 20)
    parted.artifacts.want([turns[2].id], "parametric")
    a, b, out = both(memory, parted, tmp_path)
    assert fuse(a, b, out).conflicts == ()
    with MemCube(out) as fused:
        found = {one.id: one for one in fused.memories()}
    assert [(found[one.id].pinned, found[one.id].uses) for one in turns] == [(True, 5), (True, 1), (False, 0)]
    with Mnemos(":memory:") as store:
        store.import_cube(out)
        assert len(store.artifacts.wanted(form="parametric")) == 3
        assert len([one for one in store.history(turns[0].id) if one.op == "pin"]) == 1


def test_one_of_the_two_may_be_written_over(cube: Path, tmp_path: Path) -> None:
    before = cube.read_bytes()
    assert fuse(cube, cube, cube).left == {}
    assert cube.read_bytes() == before


def test_two_memories_of_one_id_are_refused(cube: Path, tmp_path: Path) -> None:
    (tmp_path / "b.cube").write_bytes(cube.read_bytes())

    def strip(files: dict[str, bytes]) -> None:
        lines = lines_of(files)
        lines[1] |= {"at": lines[1]["at"] + 1, "text": "Another."}
        put_lines(files, lines)
        files["artifacts.jsonl"] = b""
        for name in [name for name in files if name.startswith("artifacts/")]:
            del files[name]

    forge(tmp_path / "b.cube", strip)
    with pytest.raises(InvalidInput, match="holds another memory under the id"):
        fuse(cube, tmp_path / "b.cube", tmp_path / "out.cube")
    assert not (tmp_path / "out.cube").exists()


def test_what_changed_is_told_in_words(
    memory: Mnemos, cube: Path, turns: list[Memory], tmp_path: Path, clock: Clock
) -> None:
    clock.tick()
    assert not compare(cube, cube)
    assert str(compare(cube, cube)) == "nothing differs"
    memory.update(turns[0].id, text="My sister Rita eats fish.", metadata={"a": 1})
    memory.delete(turns[1].id)
    (new,) = memory.add("Max is a cat.\x1b[2J", user_id="ana")
    memory._store.record_uses({turns[2].id: 3}, 10)
    keep(memory, [new], b"of the cat")
    (block,) = memory.artifacts.find(sources=[turns[2].id])
    memory.artifacts.mark([block.id], "stale")
    memory.export_cube(tmp_path / "later.cube", user_id="ana")
    found = compare(cube, tmp_path / "later.cube")
    assert isinstance(found, Comparison)
    assert [one.id for one in found.added] == [new.id]
    assert [one.id for one in found.gone] == [turns[1].id]
    ((changed),) = found.changed
    assert (changed.id, changed.fields) == (turns[0].id, ("text", "version", "metadata"))
    assert (changed.before.text, changed.after.text) == ("My sister Rita is vegan.", "My sister Rita eats fish.")
    assert sorted((one.how, one.form, one.sources) for one in found.forms) == sorted(
        [
            ("added", "activation", (new.id,)),
            ("changed", "activation", (turns[2].id,)),
            ("gone", "activation", (turns[0].id,)),
            ("gone", "activation", (turns[1].id,)),
            ("gone", "parametric", (turns[0].id, turns[1].id)),
        ]
    )
    words = str(found)
    assert words.startswith("1 added, 1 gone, 1 changed; 5 forms differ\n")
    assert "    before: [2026-03-01] Ana: My sister Rita is vegan.\n" in words
    assert "    after:  [2026-03-01] Ana: My sister Rita eats fish.\n" in words
    assert "gone: parametric (lora) of 2 memories, for tiny " in words
    assert "\x1b" not in words
    turned = compare(tmp_path / "later.cube", cube)
    assert ([one.id for one in turned.added], [one.id for one in turned.gone]) == ([turns[1].id], [new.id])
    assert files_of(cube)
