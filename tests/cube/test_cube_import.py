"""Into a store that knows something already: what stands, what is left, and what is undone when it is cut off."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clock import Clock
from cubetools import OTHER, digest_of, files_of, keep, lines_of

from mnemos import InvalidInput, Memory, Mnemos, NotFound, StoreError, StoreFull
from mnemos.cube import Conflict, MemCube, arriving, exporting, importing
from mnemos.cube.content import in_order
from mnemos.embed.static import StaticEmbedder
from mnemos.store import artifact_files


def names(memory: Mnemos) -> set[str]:
    folder = memory._store.db.folder
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def in_step(memory: Mnemos) -> None:
    assert memory.check() == []
    assert names(memory) == {one.hash for one in memory.artifacts.find()}


def test_no_words_of_other_memories_go_along(memory: Mnemos, clock: Clock, tmp_path: Path) -> None:
    one, two = memory.add(["Rita is vegan.", "A secret about Zebulon."], user_id="ana")
    memory.link(one.id, two.id, "near")
    fact = memory.derive("Rita eats no fish.", sources=[one.id], recipe="r")
    memory.derive("Rita knows Zebulon.", sources=[one.id, two.id], recipe="r")
    keep(memory, [one], b"of one")
    keep(memory, [two], b"of Zebulon")
    both = keep(memory, [one, two], b"weights of Zebulon", form="parametric")
    done = memory.export_cube(tmp_path / "one.cube", ids=[fact.id])
    raw = (tmp_path / "one.cube").read_bytes()
    assert b"Zebulon" not in raw
    assert b"Rita is vegan." in raw, "it goes with what was derived from it"
    assert done.left[both.id] == "it is made of memories that are not in the cube, too"
    assert done.manifest.memories == 2
    with Mnemos(tmp_path / "other.db", clock=clock) as other:
        other.import_cube(tmp_path / "one.cube")
        assert {m.text for m in other.list(user_id="ana")} == {"Rita is vegan.", "Rita eats no fish."}
        assert other.get(fact.id).sources == (one.id,)  # type: ignore[union-attr]
        assert [link.target for link in other.links(one.id)] == []
        assert [made.sources for made in other.artifacts.find()] == [(one.id,)]
        wanted = {(want.memory, want.form) for want in other.artifacts.wanted()}
        assert wanted == {(one.id, "activation"), (one.id, "parametric")}, "the adapter is to be made anew"
        in_step(other)


def test_what_still_quotes_what_was_deleted_stays_behind(memory: Mnemos, tmp_path: Path) -> None:
    one, two = memory.add(["Rita is vegan.", "A secret about Zebulon."], user_id="ana")
    fact = memory.derive("Rita knows Zebulon.", sources=[one.id, two.id], recipe="r")
    theme = memory.derive("Of Zebulon.", sources=[fact.id], recipe="r", kind="theme")
    memory.delete(two.id)
    done = memory.export_cube(tmp_path / "a.cube", user_id="ana")
    assert b"Zebulon" not in (tmp_path / "a.cube").read_bytes()
    assert done.left == dict.fromkeys((fact.id, theme.id), "it waits to be derived again: run maintain() first")


def test_a_rest_on_account_of_a_memory_that_stays_behind_ends(memory: Mnemos, other: Mnemos, tmp_path: Path) -> None:
    texts = ["My sister Rita has been vegan for two years.", "my sister Rita has been vegan for two years"]
    first, again = memory.add(texts, user_id="ana")
    memory.maintain()
    resting = memory.get(again.id)
    assert resting is not None
    assert resting.resting == "repeat"
    done = memory.export_cube(tmp_path / "a.cube", ids=[again.id])
    assert "it is about a memory that is not in the cube" in done.left.values()
    other.import_cube(tmp_path / "a.cube")
    assert [hit.memory.id for hit in other.search("What does Rita eat?", user_id="ana")] == [again.id]
    memory.export_cube(tmp_path / "b.cube", ids=[first.id, again.id])
    with Mnemos(":memory:") as third:
        third.import_cube(tmp_path / "b.cube")
        assert third.get(again.id).resting == "repeat"  # type: ignore[union-attr]


def test_what_was_changed_on_one_side_only_is_that(
    memory: Mnemos, other: Mnemos, cube: Path, turns: list[Memory], tmp_path: Path, clock: Clock
) -> None:
    other.import_cube(cube)
    clock.tick()
    memory.update(turns[0].id, text="My sister Rita eats fish.")
    other.update(turns[1].id, text="The dog is called Max.")
    memory.delete(turns[2].id)
    memory.export_cube(tmp_path / "later.cube", user_id="ana")
    done = other.import_cube(tmp_path / "later.cube")
    assert [m.text for m in other.list(user_id="ana")] == ["My sister Rita eats fish.", "The dog is called Max."]
    assert done.conflicts == (Conflict(turns[2].id, "cube", "deleted"),)
    assert [m.text for m in other.history(turns[0].id)] == ["My sister Rita is vegan.", "My sister Rita eats fish."]
    reasons = dict(zip((one.sources for one in memory.artifacts.find()), memory.artifacts.find(), strict=True))
    assert done.left == {reasons[turns[1].id,].id: "a memory that it is made of says something else here"}
    assert other.artifacts.find() == []
    in_step(other)
    again = other.import_cube(tmp_path / "later.cube")
    assert (again.added, again.artifacts, again.conflicts) == (0, (), ())


@pytest.mark.parametrize("is_theirs_later", [False, True])
def test_where_both_were_changed_the_later_change_stands(
    memory: Mnemos, other: Mnemos, cube: Path, turns: list[Memory], tmp_path: Path, clock: Clock, is_theirs_later: bool
) -> None:
    other.import_cube(cube)
    order = [(other, "here"), (memory, "there")]
    for store, text in order if is_theirs_later else reversed(order):
        clock.tick()
        store.update(turns[0].id, text=text)
    keep(memory, [turns[0].id], b"of there")
    memory.export_cube(tmp_path / "later.cube", user_id="ana")
    for _ in range(2):
        done = other.import_cube(tmp_path / "later.cube")
        found = other.get(turns[0].id)
        assert found is not None
        assert found.text == ("there" if is_theirs_later else "here")
        of_it = other.artifacts.find(sources=[turns[0].id])
        assert len(of_it) == (1 if is_theirs_later else 0)
        in_step(other)
        if _ == 0 or not is_theirs_later:
            won = "cube" if is_theirs_later else "store"
            assert done.conflicts == (Conflict(turns[0].id, won, "changed on both sides"),)
    assert done.added == 0


def test_what_was_deleted_here_stays_deleted(memory: Mnemos, other: Mnemos, cube: Path, turns: list[Memory]) -> None:
    other.import_cube(cube)
    other.delete(turns[0].id)
    done = other.import_cube(cube)
    assert (done.added, other.get(turns[0].id)) == (0, None)
    assert Conflict(turns[0].id, "store", "deleted") in done.conflicts
    assert sorted(done.left.values()) == ["a memory that it is made of is not here"] * 2
    assert other.verify_erased("My sister Rita is vegan.").clean
    in_step(other)


def test_what_was_demoted_here_stays_text(memory: Mnemos, other: Mnemos, cube: Path, turns: list[Memory]) -> None:
    other.import_cube(cube)
    other.demote([turns[2].id])
    done = other.import_cube(cube)
    assert list(done.left.values()) == ["a memory that it is made of was demoted here"]
    assert done.wanted == 0
    assert other.artifacts.find(sources=[turns[2].id]) == []
    other.promote([turns[2].id])
    assert len(other.import_cube(cube).artifacts) == 1


def test_the_same_event_under_another_id_gets_the_artifacts(other: Mnemos, cube: Path) -> None:
    (mine,) = other.add("The dog is called Rex.", user_id="ana", name="Ana", happened_at="2026-03-02T09:00:00Z")
    done = other.import_cube(cube)
    assert done.left == {}
    assert [one.sources for one in other.artifacts.find(sources=[mine.id])] == [(mine.id,)]
    assert len(other.list(user_id="ana")) == 3
    in_step(other)


def test_artifacts_of_another_model_are_left_and_wanted(memory: Mnemos, turns: list[Memory], tmp_path: Path) -> None:
    keep(memory, [turns[0]], b"for another model", model=OTHER)
    written = memory.export_cube(tmp_path / "a.cube", user_id="ana")
    models = [one for one in written.manifest.models if one.fingerprint == digest_of(OTHER)]
    assert [(one.form, one.artifacts, one.name) for one in models] == [("activation", 1, "tiny")]
    with Mnemos(tmp_path / "text.db") as other:
        done = other.import_cube(tmp_path / "a.cube", text_only=True)
        assert set(done.left.values()) == {"only the words were asked for"}
        assert names(other) == set()
        assert {(one.memory, one.form) for one in other.artifacts.wanted()} == {
            *((turn.id, "activation") for turn in turns),
            *((turn.id, "parametric") for turn in turns[:2]),
        }
        late = other.import_cube(tmp_path / "a.cube")
        assert (late.added, len(late.artifacts), late.wanted) == (0, 5, 0)
        in_step(other)


def test_secrets_are_masked_and_nothing_made_of_them_is_kept(tmp_path: Path) -> None:
    secret = "sk-proj-" + "a1B2c3D4e5F6g7H8" * 3
    with Mnemos(tmp_path / "a.db", secrets="keep") as memory:
        one, two = memory.add([f"The key is {secret}.", "Rita is vegan."], user_id="ana")
        keep(memory, [one], secret.encode())
        keep(memory, [one, two], secret.encode(), form="parametric")
        keep(memory, [two], b"of two")
        memory.export_cube(tmp_path / "a.cube", user_id="ana")
    with Mnemos(tmp_path / "b.db") as masking:
        done = masking.import_cube(tmp_path / "a.cube")
        assert list(done.left.values()) == ["a secret was masked in what it is made of"] * 2
        assert [found.sources for found in masking.artifacts.find()] == [(two.id,)]
        assert secret.encode() not in (tmp_path / "b.db").read_bytes() + (tmp_path / "b.db-wal").read_bytes()
        assert masking.verify_erased(secret).clean
        in_step(masking)
    with Mnemos(tmp_path / "c.db", secrets="refuse") as refusing:
        with pytest.raises(InvalidInput, match="holds a secret"):
            refusing.import_cube(tmp_path / "a.cube")
        assert len(refusing.list(user_id="ana")) == 0
        assert names(refusing) == set()


def test_ids_and_scopes_that_cannot_be_are_refused(
    memory: Mnemos, turns: list[Memory], path: Path, tmp_path: Path
) -> None:
    target = tmp_path / "x.cube"
    for words, match in (
        ({"ids": []}, "is empty"),
        ({"ids": [turns[0].id], "user_id": "ana"}, "together with a scope"),
        ({"ids": turns[0].id}, "is a str"),
        ({"user_id": "ana", "agent_id": "x"}, "beside another scope"),
        ({"user_id": ""}, "is empty"),
    ):
        with pytest.raises(InvalidInput, match=match):
            memory.export_cube(target, **words)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        memory.export_cube(target, ids=["none"])
    with pytest.raises(InvalidInput, match="this store itself"):
        memory.export_cube(path)
    with pytest.raises(InvalidInput, match="cannot be written"):
        memory.export_cube(tmp_path / "none" / "x.cube")
    with pytest.raises(InvalidInput, match="tokenizer"):
        memory.import_cube(target, model=object())
    assert not target.exists()


def test_files_that_are_lost_or_of_another_kind_stay_behind(
    memory: Mnemos, turns: list[Memory], tmp_path: Path
) -> None:
    found = {one.sources: one for one in memory.artifacts.find(form="activation")}
    gone, damaged = found[(turns[0].id,)], found[(turns[1].id,)]
    memory.artifacts.path(gone).unlink()
    memory.artifacts.path(damaged).write_bytes(b"x" * damaged.bytes)
    odd = keep(memory, [turns[2]], raw=b"no tensors at all")
    wordy = keep(memory, [turns[2]], b"more", metadata={"note": "Rita is vegan"})
    done = memory.export_cube(tmp_path / "a.cube", user_id="ana")
    assert done.left == {
        gone.id: "its file is missing or damaged",
        damaged.id: "its file is missing or damaged",
        odd.id: "its file is not of a kind that cubes carry",
        wordy.id: "its metadata may hold words",
    }
    with MemCube(tmp_path / "a.cube") as cube:
        assert [piece.artifact.sources for piece in cube.pieces] == [(turns[2].id,), (turns[0].id, turns[1].id)]


def test_what_goes_or_changes_while_a_cube_is_written_is_told(
    memory: Mnemos, turns: list[Memory], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (gone,) = memory.artifacts.find(form="parametric")
    read = exporting._Folder.tensors

    def missing(own: Any, hash: str) -> Iterator[bytes] | None:
        return None if hash == gone.hash else read(own, hash)

    monkeypatch.setattr(exporting._Folder, "tensors", missing)
    done = memory.export_cube(tmp_path / "a.cube", user_id="ana")
    assert done.left == {gone.id: "it went while the cube was written"}
    with MemCube(tmp_path / "a.cube") as cube:
        assert len(cube.pieces) == 3
    monkeypatch.setattr(exporting._Folder, "tensors", lambda own, hash: iter([b"something else"]))
    with pytest.raises(StoreError, match="changed meanwhile"):
        memory.export_cube(tmp_path / "b.cube", user_id="ana")
    assert not (tmp_path / "b.cube").exists()


def test_sources_stand_before_what_was_derived_of_them() -> None:
    def line(memory_id: str, *sources: str) -> dict[str, Any]:
        return {"id": memory_id, "sources": list(sources)}

    given = {
        one["id"]: one for one in (line("d", "c", "b"), line("c", "b"), line("b", "a"), line("x", "y"), line("y", "x"))
    }
    assert [one["id"] for one in in_order(given)] == ["b", "c", "d", "x", "y"]
    kept = {one["id"]: one for one in in_order(given)[:3]}
    assert in_order(kept) == list(kept.values()), "what is in order stays in it"


MOMENTS = ("copied", "published", "row", "restored")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_each_step(moment: str, cube: Path, other: Mnemos, turns: list[Memory]) -> None:
    (mine,) = other.add("mine", user_id="ana")
    block = keep(other, [mine], b"of mine")
    path = other.path
    StaticEmbedder.bundled()

    def die(*given: object, **named: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        with Mnemos(path) as store:
            if moment == "copied":
                arriving.Restorer.take = die  # type: ignore[method-assign]
            elif moment == "published":
                artifact_files.sync = die  # type: ignore[assignment]
            elif moment == "row":
                arriving.insert = die  # type: ignore[assignment]
            else:
                arriving._wanted = die  # type: ignore[assignment]
            store.import_cube(cube)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert [one.text for one in other.list(user_id="ana")] == ["mine"]
    assert other.artifacts.find() == [block]
    assert len(names(other)) > 1 or moment == "restored", "something is left behind"
    other.maintain()
    in_step(other)
    done = other.import_cube(cube)
    assert len(done.artifacts) == 4
    in_step(other)


@pytest.mark.parametrize("error", [RuntimeError("of another layer"), KeyboardInterrupt()])
def test_what_fails_in_the_middle_leaves_nothing(
    error: BaseException, cube: Path, other: Mnemos, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert, count = arriving.insert, []

    def fails(*given: object) -> None:
        count.append(1)
        if len(count) == 3:
            assert len(names(other)) >= 3, "some files have their names"
            raise error
        insert(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(arriving, "insert", fails)
    with pytest.raises(type(error)):
        other.import_cube(cube)
    assert other.list(user_id="ana") == []
    assert other.artifacts.find() == []
    assert names(other) == set()
    in_step(other)


def test_a_full_disk_is_named(cube: Path, other: Mnemos, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(importing.os, name, full)
            with pytest.raises(StoreFull, match="no room for this file"):
                other.import_cube(cube)
        assert other.list(user_id="ana") == []
        in_step(other)


def test_a_store_in_memory_takes_one_too(cube: Path, turns: list[Memory]) -> None:
    with Mnemos(":memory:") as store:
        assert len(store.import_cube(cube).artifacts) == 4
        with store.transaction():
            assert store.import_cube(cube).added == 0
        in_step(store)


def test_what_fails_inside_a_transaction_undoes_itself_alone(
    cube: Path, other: Mnemos, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*given: object) -> None:
        raise RuntimeError("of another layer")

    monkeypatch.setattr(arriving, "insert", fails)
    with other.transaction():
        other.add("mine", user_id="ana")
        with pytest.raises(RuntimeError):
            other.import_cube(cube)
    assert [one.text for one in other.list(user_id="ana")] == ["mine"]
    in_step(other)


@pytest.mark.parametrize("trust", [1.0, 0.3])
def test_what_is_imported_is_trusted_no_further_than_who_imports_it(cube: Path, other: Mnemos, trust: float) -> None:
    from mnemos import writing_as

    with writing_as("mail", "stranger", trust=trust):
        other.import_cube(cube)
    assert {one.trust for one in other.list(user_id="ana")} == {trust}


def test_a_file_that_was_kept_again_goes_along_once(memory: Mnemos, other: Mnemos, tmp_path: Path) -> None:
    (one,) = memory.add("Rita is vegan.", user_id="ana")
    keep(memory, [one])
    memory.update(one.id, invalid_at="2026-03-04T00:00:00Z")
    fresh = keep(memory, [one.id])
    assert [made.state for made in memory.artifacts.find()] == ["fresh", "stale"]
    memory.export_cube(tmp_path / "a.cube")
    assert other.import_cube(tmp_path / "a.cube").artifacts == (fresh.id,)
    assert [made.state for made in other.artifacts.find()] == ["fresh"]


def test_what_went_while_the_cube_was_read_is_told(other: Mnemos, cube: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other.import_cube(cube)
    gone = other.artifacts.find()[0]
    present = importing._present

    def found(*given: object) -> dict[str, int]:
        known = present(*given)  # type: ignore[arg-type]
        other.artifacts.drop([gone.id])
        return known

    monkeypatch.setattr(importing, "_present", found)
    with pytest.raises(StoreError, match="import it again"):
        other.import_cube(cube)
    monkeypatch.undo()
    assert other.import_cube(cube).artifacts == (gone.id,)
    in_step(other)


def test_the_lines_are_those_of_an_export(memory: Mnemos, cube: Path, tmp_path: Path) -> None:
    (tmp_path / "words.jsonl").write_bytes(files_of(cube)["memories.jsonl"])
    memory.export_file(tmp_path / "own.jsonl", user_id="ana")
    mine = lines_of({"memories.jsonl": (tmp_path / "own.jsonl").read_bytes()})
    assert lines_of(files_of(cube))[1:-1] == mine[1:-1]
    with Mnemos(":memory:") as store:
        assert store.import_file(tmp_path / "words.jsonl").added == len(mine) - 2
