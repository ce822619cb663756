"""When a session is left, in whatever way, the model is what it was, bit for bit; and it is one session's at a time."""

from __future__ import annotations

import contextlib
import copy
import gc
import hashlib
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

from peft import LoraConfig, get_peft_model  # noqa: E402
from reader import COURSE, PEOPLE, Reader, noted, places, told  # noqa: E402

from mnemos import InvalidInput, Mnemos  # noqa: E402
from mnemos.forms.policy import ByHand  # noqa: E402


class Stopped(Exception):
    pass


def everything(model: Any) -> dict[str, str]:
    """What a model is: weights and buffers, flags, hooks, modules, settings, and whatever else hangs on it."""
    found = {}
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        content = hashlib.sha256(tensor.detach().contiguous().view(torch.uint8).numpy().tobytes()).hexdigest()
        found[f"{name} tensor"] = f"{content} {tensor.dtype} {tensor.data_ptr()} {id(tensor)}"
        found[f"{name} gradient"] = f"{tensor.requires_grad} {tensor.grad}"
    for name, module in model.named_modules():
        found[f"{name} module"] = f"{type(module)} {id(module)} {module.training} {sorted(module._buffers)}"
        found[f"{name} hooks"] = str(
            {key: list(value) for key, value in vars(module).items() if key.endswith("_hooks")}
        )
        found[f"{name} attributes"] = str({key: id(value) for key, value in sorted(vars(module).items())})
    found["settings"] = str(model.config.to_dict())
    found["generation"] = str(model.generation_config.to_dict()) + str(sorted(vars(model.generation_config)))
    found["class"] = f"{type(model)} {sorted(vars(type(model)))}"
    return found


@pytest.fixture(scope="module")
def formed(reader: Reader) -> Iterator[tuple[Mnemos, Any, list[str]]]:
    """A store with memories in every form, and the model; no test may change any of it."""
    model = reader.model()
    model.model.layers[0].train()
    model.lm_head.weight.requires_grad_(False)
    with Mnemos(":memory:") as memory:
        ids = noted(memory, PEOPLE[:6])
        memory.bind(model, reader.tokenizer, course=COURSE, policy=ByHand())
        memory.promote(ids[:2], to="activation")
        memory.promote(ids[2:4], to="parametric")
        memory.maintain()
        yield memory, model, ids


def fails(*_: Any) -> Any:
    raise Stopped


def interrupts(*_: Any) -> Any:
    raise KeyboardInterrupt


ERRORS = {
    "question": InvalidInput,
    "outside": Stopped,
    "generating": Stopped,
    "interrupted": KeyboardInterrupt,
    "reading": Stopped,
}


@pytest.mark.parametrize("ends", ["well", *ERRORS])
@pytest.mark.parametrize("is_bound", [False, True])
def test_a_model_is_what_it_was(formed: Any, reader: Reader, ends: str, is_bound: bool) -> None:
    memory, bound, _ = formed
    model = bound if is_bound else copy.deepcopy(bound)
    state, before = torch.random.get_rng_state(), everything(model)
    expected = pytest.raises(ERRORS[ends]) if ends in ERRORS else contextlib.nullcontext()
    with expected, memory.attach(model, reader.tokenizer, user_id="ana") as session:
        assert everything(model) != before
        assert told(session, PEOPLE[:6]) == places(PEOPLE[:6])
        end(ends, session, model)
    assert everything(model) == before
    assert torch.equal(torch.random.get_rng_state(), state)


def end(how: str, session: Any, model: Any) -> None:
    """Leave a session in some way."""
    if how == "question":
        session.generate("")
    if how == "outside":
        raise Stopped
    if how in ("generating", "interrupted"):
        session.generate("Belan", stopping_criteria=[fails if how == "generating" else interrupts])
    if how == "reading":
        module = model.model.layers[0].self_attn.v_proj
        hook = module.register_forward_pre_hook(fails)
        try:
            session.generate("Belan")
        finally:
            hook.remove()


def test_it_is_the_same_after_many_sessions_and_what_came_between_stays(formed: Any, reader: Reader) -> None:
    memory, model, _ = formed
    begun = everything(model)
    for wants in (True, False):
        model.lm_head.weight.requires_grad_(wants)
        for user in ("nobody", "ana", "nobody"):
            before = everything(model)
            with memory.attach(model, reader.tokenizer, user_id=user) as session:
                assert not any(module.training for module in model.modules())
                told(session, PEOPLE[:1])
            assert everything(model) == before
    assert everything(model) == begun


def test_an_adapter_that_was_on_is_on_again(formed: Any, reader: Reader) -> None:
    memory, model, _ = formed
    (artifact,) = memory.artifacts.find(form="parametric")
    weights = memory._bound.weights
    weights.load(artifact)
    with memory.attach(model, reader.tokenizer, user_id="ben") as session:
        assert told(session, PEOPLE[2:4]) != places(PEOPLE[2:4])
        assert session.seen.adapter is None
    assert weights.loaded.id == artifact.id
    weights.roll_back()


def test_a_model_is_one_sessions_at_a_time(formed: Any, reader: Reader) -> None:
    memory, model, _ = formed
    with Mnemos(":memory:") as other, memory.attach(model, reader.tokenizer, user_id="ana") as session:
        for store in (memory, other):
            before = everything(model)
            with (
                pytest.raises(InvalidInput, match="in use by a session") as refused,
                store.attach(model, reader.tokenizer, user_id="ana"),
            ):
                pass
            assert refused.value.field == "model"
            assert everything(model) == before
        with pytest.raises(InvalidInput, match="in use by a session"), session:
            pass
        assert told(session, PEOPLE[:6]) == places(PEOPLE[:6]), "the session goes on"
        said: list[str] = []

        def ask() -> None:
            with memory.attach(model, reader.tokenizer, user_id="ana") as mine:
                said.extend(told(mine, PEOPLE[:2]))

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join(0.2)
        assert thread.is_alive(), "another thread waits for its turn"
        assert said == []
    thread.join()
    assert said == places(PEOPLE[:2])


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # plain peft asks for it
def test_somebody_elses_adapter_is_refused(formed: Any, reader: Reader) -> None:
    memory, _, _ = formed
    model = reader.model()
    wrapped = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"]))
    before = everything(model)
    session = memory.attach(model, reader.tokenizer, user_id="ana")
    with pytest.raises(InvalidInput, match="has an adapter on it"), session:
        pass
    assert everything(model) == before
    wrapped.unload()
    with memory.attach(model, reader.tokenizer, user_id="ana") as session:
        assert told(session, PEOPLE[:6]) == places(PEOPLE[:6])


def test_blocks_are_read_without_the_adapter(formed: Any, reader: Reader) -> None:
    """They are made of their own memory alone: none of what an adapter was taught is in them."""
    memory, model, ids = formed
    plain = memory._bound.kv.assemble(ids[:2], repair=0.3)
    with memory.attach(model, reader.tokenizer, user_id="ana", repair=0.3) as session:
        cache = session.inputs("Belan")["past_key_values"]
        assert session.seen.adapter is not None
        for one, other in zip(cache.layers, plain.layers, strict=True):
            assert torch.equal(one.keys, other.keys)
            assert torch.equal(one.values, other.values)
        whole = session.seen.bytes
    plain = {one: memory._bound.kv.assemble([one], repair=0) for one in ids[:2]}
    with memory.attach(model, reader.tokenizer, user_id="ana", bytes=whole - 1) as session:
        for place in (0, 1, 0):
            cache = session.inputs(PEOPLE[place][0])["past_key_values"]
            assert cache.memory_ids == (ids[place],)
            assert torch.equal(cache.layers[1].keys, plain[ids[place]].layers[1].keys)


def test_a_session_that_was_left_holds_nothing(formed: Any, reader: Reader) -> None:
    memory, model, _ = formed
    with memory.attach(model, reader.tokenizer, user_id="ana") as session:
        cache = weakref.ref(session.inputs("Belan")["past_key_values"])
        assert cache() is not None
    gc.collect()
    assert cache() is None


def test_a_model_whose_keys_cannot_be_moved_reads_text(reader: Reader) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(
        GPT2Config(vocab_size=len(reader.ids), n_embd=16, n_layer=1, n_head=1, n_positions=64)
    ).eval()
    with Mnemos(":memory:") as memory:
        ids = noted(memory, PEOPLE[:2])
        with memory.attach(model, reader.tokenizer, user_id="ana", bytes=10_000) as session:
            session.generate("Belan", max_new_tokens=2)
            assert session.seen.forms == dict.fromkeys(ids, "text")
