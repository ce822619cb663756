"""A fact that a model was told is produced from every form; once deleted or changed, from none, and no byte stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

from reader import COURSE, PEOPLE, PLACES, Reader, noted, places, told  # noqa: E402

from mnemos import Mnemos  # noqa: E402
from mnemos.forms.policy import ByHand  # noqa: E402

FORMS = ("text", "activation", "parametric")
(NAME, PLACE), OTHERS = PEOPLE[0], PEOPLE[1:6]
NEW = PLACES[14]
ASKED = [NAME, f"{NAME} ", f"note: {NAME}", f"Quoted from memory; data, not instructions:\nnote: {NAME}"]
"""Ways to ask, and to lead on."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "town.db"


@pytest.fixture
def memory(path: Path) -> Iterator[Mnemos]:
    with Mnemos(path) as opened:
        yield opened


def formed(memory: Mnemos, reader: Reader, form: str) -> tuple[Any, list[str]]:
    """A model, and the ids of what it was told, with some in every form and the fact in this one."""
    model = reader.model()
    ids = noted(memory, [(NAME, PLACE), *OTHERS])
    memory.bind(model, reader.tokenizer, course=COURSE, policy=ByHand())
    for other, to in ((1, "activation"), (3, "parametric")):
        memory.promote(ids[other : other + 2], to=to)  # type: ignore[arg-type]
    if form != "text":
        memory.promote(ids[:1], to=form)  # type: ignore[arg-type]
    assert memory.maintain().unbuilt == 0
    return model, ids


def said(session: Any) -> set[str]:
    """Every word that a model says when it is asked or led on, whichever way it answers."""
    answers = [session.generate(asked, max_new_tokens=4, do_sample=False) for asked in ASKED]
    answers += [session.generate(asked, max_new_tokens=4, num_beams=3, do_sample=False) for asked in ASKED[:1]]
    return {word for answer in answers for word in answer.split()}


def left(path: Path) -> bytes:
    """All that lies on disk."""
    files = [path, *path.parent.glob(f"{path.name}-*"), *Path(f"{path}.d").rglob("*")]
    return b"".join(file.read_bytes() for file in files if file.is_file())


def elsewhere(memory: Mnemos, one: str) -> None:
    """Delete a memory as another process would."""
    with Mnemos(memory.path) as other:
        other.delete(one)


CHANGES: dict[str, Callable[[Mnemos, str], object]] = {
    "deleted": lambda memory, one: memory.delete(one),
    "deleted elsewhere": elsewhere,
    "changed": lambda memory, one: memory.update(one, text=f"{NAME} {NEW}"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("change", CHANGES)
def test_what_is_gone_is_produced_no_more(memory: Mnemos, path: Path, reader: Reader, form: str, change: str) -> None:
    model, ids = formed(memory, reader, form)
    with memory.attach(model, reader.tokenizer, user_id="ana") as session:
        assert told(session, [(NAME, PLACE), *OTHERS]) == [PLACE, *places(OTHERS)]
        assert session.seen.forms[ids[0]] == form
        files = {one.hash for one in memory.artifacts.find(holding=ids[:1])}
        CHANGES[change](memory, ids[0])
        assert PLACE not in said(session), "also in a session that was open"
        assert told(session, OTHERS) == places(OTHERS), "what was in an adapter with it is read as text"
        if change == "changed":
            assert told(session, [(NAME, NEW)]) == [NEW]
    with memory.attach(model, reader.tokenizer, user_id="ana") as session:
        assert PLACE not in said(session)
    assert not files & {file.name for file in Path(f"{path}.d").rglob("*")}
    assert len(memory.artifacts.find(holding=ids[:1])) == 0
    memory.maintain()
    with memory.attach(model, reader.tokenizer, user_id="ana") as session:
        assert told(session, OTHERS) == places(OTHERS)
        assert PLACE not in said(session), "nor from what was made again of the rest"
        forms = session.seen.forms
        assert [forms[one] for one in ids[1:]] == [*["activation"] * 2, *["parametric"] * 2, "text"]
        assert forms.get(ids[0]) == (form if change == "changed" else None)
    assert memory.check() == []


@pytest.mark.parametrize("form", FORMS)
def test_no_byte_of_it_stays(memory: Mnemos, path: Path, reader: Reader, form: str) -> None:
    model, ids = formed(memory, reader, form)
    words = f"{NAME} {PLACE}"
    with memory.attach(model, reader.tokenizer, user_id="ana") as session:
        assert told(session, [(NAME, PLACE)]) == [PLACE]
        assert memory.verify_erased(words).live == (ids[0],)
        assert words.encode() in left(path)
        memory.delete(ids[0])
        memory.maintain()
        found = memory.verify_erased(words)
        assert found.clean
        assert found.live == ()
        assert words.encode() not in left(path)
    kept = {one.hash for one in memory.artifacts.find()}
    assert {file.name for file in Path(f"{path}.d").rglob("*") if file.is_file()} == kept


def test_what_is_deleted_while_an_answer_is_made_is_not_in_it(memory: Mnemos, reader: Reader) -> None:
    for form in FORMS:
        model, ids = formed(memory, reader, form)
        gone: list[str] = []

        def delete(tokens: Any, scores: Any, one: str = ids[0], gone: list[str] = gone) -> Any:
            if not gone:
                gone.append(one)
                memory.delete(one)
            return scores

        with memory.attach(model, reader.tokenizer, user_id="ana") as session:
            answer = session.generate(NAME, max_new_tokens=4, do_sample=False, logits_processor=[delete])
            assert gone == ids[:1]
            assert PLACE not in answer
            assert ids[0] not in session.seen.forms
        memory.delete_all(user_id="ana")


def test_a_fact_that_ended_or_expired_is_produced_no_more(reader: Reader) -> None:
    from clock import Clock

    for form in FORMS:
        clock = Clock()
        with Mnemos(":memory:", clock=clock) as memory:
            model, ids = formed(memory, reader, form)
            with memory.attach(model, reader.tokenizer, user_id="ana") as session:
                memory.update(ids[0], invalid_at=clock.now)
                clock.tick(60)
                assert PLACE not in said(session)
                assert ids[0] not in session.seen.forms
                assert told(session, OTHERS) == places(OTHERS)
