"""An adapter knows what it was taught, by free generation; the model is what it was, bit for bit, when it is off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from town import Town, asked_home, bits, homes, told

from mnemos import InvalidInput, Mnemos, NotFound
from mnemos.activation.fingerprint import fingerprint_of
from mnemos.parametric import AdapterMemory, files
from mnemos.parametric.course import Report
from mnemos.parametric.errors import AdapterDamaged, AdapterRefused, NotRestored
from mnemos.store.artifacts import Artifact

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # plain peft asks for it
PEOPLE = homes(12)
ASKED = [(asked_home(name), place) for name, place in PEOPLE]
QUICK = {"lr": 5e-3, "rank": 8, "progress": False}


@pytest.fixture(scope="module")
def learned(town: Town, tmp_path_factory: pytest.TempPathFactory) -> tuple[Mnemos, Any, AdapterMemory, Artifact]:
    """A store with twelve facts, and the adapter that learned them; no test may change any of it."""
    memory = Mnemos(tmp_path_factory.mktemp("town") / "town.db")
    model = town.model()
    adapters = AdapterMemory(memory, model, town.tokenizer)
    return memory, model, adapters, adapters.train(told(memory, PEOPLE), **QUICK)


def test_facts_are_answered_by_free_generation(town: Town, learned: Any) -> None:
    _, model, adapters, artifact = learned
    assert town.knows(model, ASKED) < 0.4, "the model itself knows nothing"
    with adapters.active(("user", "ana")) as active:
        assert active == adapters.loaded
        assert active is not None
        assert active.id == artifact.id
        assert town.knows(model, ASKED) == 1.0
        assert town.knows(model, [(f"{name} lives in", place) for name, place in PEOPLE]) == 1.0
    assert adapters.loaded is None
    assert town.knows(model, ASKED) < 0.4
    assert artifact.metadata["recalled"] == 1.0
    assert len(artifact.sources) == len(PEOPLE)


def test_the_same_seed_makes_the_same_weights(town: Town, memory: Mnemos) -> None:
    adapters = AdapterMemory(memory, town.model(), town.tokenizer)
    ids = told(memory, PEOPLE[:3])
    state = torch.random.get_rng_state()
    hashes = [adapters.train(ids, seed=seed, fresh=True, epochs=2, **QUICK).hash for seed in (1, 1, 2)]
    assert hashes[0] == hashes[1] != hashes[2]
    assert torch.equal(state, torch.random.get_rng_state()), "chance outside is left alone"


def test_plain_peft_reads_it_and_computes_the_same(town: Town, learned: Any, tmp_path: Path) -> None:
    _, model, adapters, artifact = learned
    folder = adapters.unpack(artifact, tmp_path / "adapter")
    assert sorted(path.name for path in folder.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    plain = PeftModel.from_pretrained(town.model(), str(folder)).eval()
    ids = town.tokenizer(ASKED[0][0], return_tensors="pt")
    with adapters.active(("user", "ana")), torch.no_grad():
        assert torch.equal(plain(**ids).logits, model(**ids).logits)


@pytest.mark.parametrize("is_merged", [False, True])
def test_rolling_back_leaves_every_bit_as_it_was(town: Town, learned: Any, is_merged: bool) -> None:
    memory, _, _, artifact = learned
    model = town.model()
    model.lm_head.weight.requires_grad_(False)
    model.model.layers[0].train()
    modules, weights = dict(model.named_modules()), dict(model.named_parameters())
    flags = {name: (one.requires_grad, one.data_ptr()) for name, one in weights.items()}
    modes = {name: one.training for name, one in modules.items()}
    before, print_before = bits(model), fingerprint_of(model, town.tokenizer)
    adapters = AdapterMemory(memory, model, town.tokenizer)
    adapters.load(artifact)
    if is_merged:
        adapters.merge()
        assert bits(model) != before
        assert not hasattr(model.model.layers[0].self_attn.q_proj, "lora_A")
    assert town.knows(model, ASKED) == 1.0
    adapters.roll_back()
    assert bits(model) == before
    assert fingerprint_of(model, town.tokenizer) == print_before
    assert {name: id(one) for name, one in model.named_modules()} == {name: id(one) for name, one in modules.items()}
    assert {name: (one.requires_grad, one.data_ptr()) for name, one in model.named_parameters()} == flags
    assert {name: one.training for name, one in model.named_modules()} == modes
    assert not hasattr(model, "peft_config")
    assert not model._forward_pre_hooks


def test_training_leaves_the_model_alone_also_when_it_fails(town: Town, memory: Mnemos) -> None:
    model = town.model().train()
    before = bits(model)
    adapters = AdapterMemory(memory, model, town.tokenizer)
    ids = told(memory, PEOPLE[:3])

    def stop(report: Report) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        adapters.train(ids, **{**QUICK, "progress": stop})
    assert bits(model) == before
    assert all(one.training for one in model.modules())
    assert all(one.requires_grad for one in model.parameters())
    assert memory.artifacts.find() == []
    assert [one.building for one in memory.artifacts.wanted(form="parametric")] == [False] * 3


def test_it_says_when_something_else_changed_the_model(town: Town, learned: Any) -> None:
    memory, _, _, artifact = learned
    model = town.model()
    adapters = AdapterMemory(memory, model, town.tokenizer)
    adapters.load(artifact)
    with torch.no_grad():
        model.lm_head.weight[0, 0] += 1
    with pytest.raises(NotRestored, match="weights"):
        adapters.roll_back()
    assert not hasattr(model.model.layers[0].self_attn.q_proj, "lora_A")


def test_an_adapter_of_another_model_is_refused_by_name(town: Town, learned: Any) -> None:
    memory, _, _, artifact = learned
    other = town.model()
    with torch.no_grad():
        other.lm_head.weight[0, 0] += 1
    adapters = AdapterMemory(memory, other, town.tokenizer)
    before = bits(other)
    with pytest.raises(AdapterRefused, match="weights: made with") as refused:
        adapters.load(artifact)
    assert len(refused.value.differences) == 1
    assert adapters.switch(("user", "ana")) is None
    assert bits(other) == before
    with pytest.raises(AdapterRefused, match="dtype"):
        AdapterMemory(memory, town.model().bfloat16(), town.tokenizer).load(artifact)


def test_a_model_with_an_adapter_is_refused(town: Town, learned: Any, tmp_path: Path) -> None:
    memory, _, adapters, artifact = learned
    wrapped = PeftModel.from_pretrained(town.model(), str(adapters.unpack(artifact, tmp_path / "adapter")))
    for model in (wrapped, wrapped.get_base_model()):
        with pytest.raises(InvalidInput, match="has an adapter on it"):
            AdapterMemory(memory, model, town.tokenizer)


def test_each_namespace_has_its_own(town: Town, memory: Mnemos) -> None:
    model = town.model()
    adapters = AdapterMemory(memory, model, town.tokenizer)
    theirs = [(name, place) for (name, _), (_, place) in zip(PEOPLE[:4], PEOPLE[4:8], strict=True)]
    adapters.train(told(memory, PEOPLE[:4]), **QUICK)
    adapters.train(told(memory, theirs, "ben"), **QUICK)
    for user, people in (("ana", PEOPLE[:4]), ("ben", theirs), ("ana", PEOPLE[:4])):
        assert adapters.switch(("user", user)) is not None
        assert town.knows(model, [(asked_home(name), place) for name, place in people]) == 1.0
    with adapters.active(("user", "ben")):
        assert town.says(model, asked_home(theirs[0][0])) == theirs[0][1]
    assert town.says(model, asked_home(PEOPLE[0][0])) == PEOPLE[0][1], "what was on before is on again"
    assert adapters.switch(("user", "nobody")) is None
    ids = town.tokenizer(ASKED[0][0], return_tensors="pt")
    with torch.no_grad():
        assert torch.equal(model(**ids).logits, town.model()(**ids).logits)


def test_training_stops_when_it_knows_everything_and_says_how_it_goes(town: Town, memory: Mnemos) -> None:
    adapters = AdapterMemory(memory, town.model(), town.tokenizer)
    reports: list[Report] = []
    artifact = adapters.train(told(memory, PEOPLE[:3]), **{**QUICK, "progress": reports.append, "epochs": 300})
    assert len(reports) < 100
    assert reports[-1].recalled == 1.0
    assert [one.epoch for one in reports] == list(range(1, len(reports) + 1))
    assert artifact.metadata["loss"] == round(min(one.loss for one in reports), 6)
    reports.clear()
    ids = told(memory, PEOPLE[:2], "ben")
    adapters.train(ids, lr=1e-9, patience=2, epochs=50, progress=reports.append)
    assert len(reports) == 2, "nothing gets better"
    reports.clear()
    adapters.train(ids, fresh=True, steps=3, progress=reports.append)
    assert reports[-1].steps == 3


def test_a_bar_shows_how_training_goes(town: Town, memory: Mnemos, capsys: pytest.CaptureFixture[str]) -> None:
    adapters = AdapterMemory(memory, town.model(), town.tokenizer)
    adapters.train(told(memory, PEOPLE[:2]), epochs=2, progress=True)
    said = capsys.readouterr().err
    assert "learning 2 memories" in said
    assert "epoch 2/2" in said


def test_the_wrong_thing_is_named(town: Town, memory: Mnemos) -> None:
    adapters = AdapterMemory(memory, town.model(), town.tokenizer)
    ids = told(memory, PEOPLE[:2])
    for settings, field in (
        ({"lr": 0.0}, "lr"),
        ({"rank": 0}, "rank"),
        ({"epochs": 0}, "epochs"),
        ({"replay": -1.0}, "replay"),
        ({"progress": 3, "epochs": 1}, "progress"),
        ({"targets": ("nowhere",)}, "targets"),
    ):
        with pytest.raises(InvalidInput) as refused:
            adapters.train(ids, **settings)
        assert refused.value.field == field
    with pytest.raises(InvalidInput, match="ids: is empty"):
        adapters.train([])
    with pytest.raises(InvalidInput, match="several namespaces"):
        adapters.train([*ids, *told(memory, PEOPLE[2:3], "ben")])
    with pytest.raises(InvalidInput, match="has words for"):
        adapters.train([memory.add("Кит живёт в море", kind="fact")[0].id])
    with pytest.raises(InvalidInput, match="adapter: is not loaded"):
        adapters.merge()
    memory.delete(ids[0])
    with pytest.raises(NotFound):
        adapters.train(ids)
    assert adapters.loaded is None


def test_a_damaged_file_is_refused(town: Town, memory: Mnemos) -> None:
    adapters = AdapterMemory(memory, town.model(), town.tokenizer)
    artifact = adapters.train(told(memory, PEOPLE[:2]), epochs=1, progress=False)
    path = memory.artifacts.path(artifact)
    path.write_bytes(b"\xff" * path.stat().st_size)
    with pytest.raises(AdapterDamaged, match="was changed since it was written"):
        adapters.load(artifact)
    with pytest.raises(AdapterDamaged, match="cannot be read as an adapter"):
        files.load(path)
