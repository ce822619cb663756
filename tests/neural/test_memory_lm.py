"""`MemoryLM`: its configuration, files, generation, padding, and what goes on from a state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
torch.set_num_threads(1)

from transformers import AutoModelForCausalLM, DynamicCache  # noqa: E402

from mnemos import Mnemos  # noqa: E402
from mnemos.activation.cache import MemoryCache  # noqa: E402
from mnemos.bench.forms import fixtures  # noqa: E402
from mnemos.errors import InvalidInput  # noqa: E402
from mnemos.neural import state as states  # noqa: E402
from mnemos.neural.config import MemoryLMConfig  # noqa: E402
from mnemos.neural.lm import MemoryLM  # noqa: E402
from mnemos.neural.mixers import MIXERS  # noqa: E402
from mnemos.neural.tree import tensors  # noqa: E402

WORDS, DIM = 23, 16
CHUNKED = {"titans", "moneta", "yaad", "memora", "omega-net", "atlas", "titans-mac", "titans-mag", "titans-mal", "hope"}
"""Trained at test time by chunks; chunks of one token are their `step`."""
EVERYTHING: list[Any] = [
    {"mixer": "attention", "heads": 2, "window": 8, "feed": "none", "engram": {"rows": 32, "heads": 2}},
    {
        "mixer": "mixture",
        "of": {"mixer": "gla", "heads": 2},
        "count": 3,
        "top": 1,
        "feed": {"feed": "peer", "side": 4, "top": 2},
    },
    {"mixer": "cached", "of": "retnet", "how": "gated", "segment": 4, "restarts": True},
    {"mixer": "neural-memory", "memory": {"depth": 1, "residual": False}, "learner": {"period": 3}},
    {"mixer": "gated-delta-net", "feed": {"feed": "product-keys", "side": 4, "top": 2}},
    {"mixer": "gmu", "of": 4},
    {"mixer": "shared", "of": "delta-net", "units": 1, "feed": {"feed": "swiglu", "size": 8}},
]


def model(*layers: Any, **settings: Any) -> MemoryLM:
    torch.manual_seed(3)
    settings = {"vocab_size": WORDS, "hidden_size": DIM, "layers": layers} | settings
    return MemoryLM(MemoryLMConfig(**settings)).eval()


def text(rows: int = 2, tokens: int = 13) -> torch.Tensor:
    return torch.randint(WORDS, (rows, tokens), generator=torch.Generator().manual_seed(5))


def exact(name: str) -> dict[str, Any]:
    """A mixer whose parallel form is its recurrence."""
    return {"mixer": name, **({"chunk": 1} if name in CHUNKED else {})}


def one_by_one(lm: MemoryLM, ids: torch.Tensor) -> torch.Tensor:
    cache, said = None, []
    for at in range(ids.shape[1]):
        out = lm(ids[:, at : at + 1], past_key_values=cache)
        cache = out.past_key_values
        said.append(out.logits)
    return torch.cat(said, 1)


@pytest.mark.parametrize("name", MIXERS)
def test_every_mixer_says_step_by_step_what_it_says_in_parallel(name: str) -> None:
    lm = model(exact(name), exact(name)).double()
    with torch.no_grad():
        torch.testing.assert_close(one_by_one(lm, text()), lm(text()).logits, atol=1e-9, rtol=1e-8)


@pytest.mark.parametrize("name", MIXERS)
def test_files_hold_every_bit(name: str, tmp_path: Path) -> None:
    lm = model(name, {"mixer": name, "feed": "none"})
    lm.save_pretrained(tmp_path)
    read = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    assert type(read) is MemoryLM
    mine, other = lm.state_dict(), read.state_dict()
    assert mine.keys() == other.keys()
    assert all(torch.equal(one, other[key]) for key, one in mine.items())
    assert read.config.layers == lm.config.layers
    with torch.no_grad():
        torch.testing.assert_close(read(text()).logits, lm(text()).logits, atol=1e-5, rtol=1e-4)


def test_wrappers_lookups_and_shared_memories_are_read_and_saved(tmp_path: Path) -> None:
    lm = model(*EVERYTHING).double()
    with torch.no_grad():
        said = lm(text()).logits
        torch.testing.assert_close(one_by_one(lm, text()), said, atol=1e-9, rtol=1e-8)
        lm.save_pretrained(tmp_path)
        read = MemoryLM.from_pretrained(tmp_path, dtype=torch.float64).eval()
        torch.testing.assert_close(read(text()).logits, said, atol=1e-12, rtol=1e-10)
    assert json.loads((tmp_path / "config.json").read_text("utf-8"))["layers"] == lm.config.layers


def test_generate_goes_on_as_reading_everything_anew_would() -> None:
    lm = model(*EVERYTHING).double()
    ids, whole = text(), text()
    for _ in range(6):
        with torch.no_grad():
            whole = torch.cat([whole, lm(whole).logits[:, -1:].argmax(-1)], 1)
    assert torch.equal(lm.generate(ids, max_new_tokens=6, do_sample=False), whole)
    assert torch.equal(lm.generate(ids, max_new_tokens=6, do_sample=False, use_cache=False), whole)


def test_generate_goes_on_from_what_was_read_before_and_leaves_it_as_it_was() -> None:
    lm = model("gated-delta-net", "attention").double()
    ids = text()
    with torch.no_grad():
        cache = lm(ids[:, :7]).past_key_values
    before = [one.clone() for one in tensors(cache.states)]
    expected = lm.generate(ids, max_new_tokens=5, do_sample=False)
    for _ in range(2):
        assert torch.equal(lm.generate(ids, past_key_values=cache, max_new_tokens=5, do_sample=False), expected)
    assert all(torch.equal(a, b) for a, b in zip(before, tensors(cache.states), strict=True))


def test_beams_find_a_text_at_least_as_likely_as_the_greedy_one() -> None:
    lm = model("delta-net", "lstm").double()
    ids = text(rows=1)

    def likelihood(whole: torch.Tensor) -> float:
        logs = lm(whole).logits.log_softmax(-1)[:, :-1].gather(-1, whole[:, 1:, None])[:, ids.shape[1] - 1 :]
        return float(logs.sum())

    with torch.no_grad():
        wide = lm.generate(ids, max_new_tokens=3, num_beams=WORDS, do_sample=False)
        narrow = lm.generate(ids, max_new_tokens=3, do_sample=False)
        assert likelihood(wide) >= likelihood(narrow) - 1e-9


@pytest.mark.parametrize("name", ["gated-delta-net", "titans", "attention", "lstm", "gla"])
def test_padding_on_the_left_changes_nothing(name: str) -> None:
    lm = model(exact(name), exact(name)).double()
    ids = text()
    padded = torch.cat([torch.zeros(2, 3, dtype=torch.long), ids], 1)
    mask = torch.ones_like(padded)
    mask[:, :3] = 0
    with torch.no_grad():
        torch.testing.assert_close(lm(padded, attention_mask=mask).logits[:, 3:], lm(ids).logits, atol=1e-9, rtol=1e-8)
    said = lm.generate(padded, attention_mask=mask, max_new_tokens=4, do_sample=False)
    assert torch.equal(said[:, 3:], lm.generate(ids, max_new_tokens=4, do_sample=False))


def test_a_state_is_saved_with_the_model_that_read_it(tmp_path: Path) -> None:
    lm = model("gated-delta-net", "titans")
    with torch.no_grad():
        cache = lm(text()).past_key_values
    states.save(cache.states, tmp_path / "state", lm)
    lm.save_pretrained(tmp_path / "model")
    read = states.load(tmp_path / "state", MemoryLM.from_pretrained(tmp_path / "model"))
    assert all(torch.equal(a, b) for a, b in zip(tensors(cache.states), tensors(read), strict=True))
    with pytest.raises(states.StateRefused):
        states.load(tmp_path / "state", model("gated-delta-net", "titans", hidden_size=8))


def test_the_loss_is_the_mean_surprise_at_the_next_token_and_mixtures_add_their_imbalance() -> None:
    mixed = {"mixer": "mixture", "of": "delta-net"}
    lm, ids = model(mixed, balance=10.0), text()
    labels = ids.clone()
    labels[:, :5] = -100
    found = lm(ids, labels=labels)
    logs = found.logits.detach().log_softmax(-1)
    own = -sum(float(logs[row, at, ids[row, at + 1]]) for row in range(2) for at in range(4, 12)) / 16
    assert found.loss.item() == pytest.approx(own, rel=1e-5)
    trained = lm.train()(ids, labels=labels).loss
    assert trained.item() > own + 5.0


def test_training_reaches_every_weight() -> None:
    lm = model(*EVERYTHING).train()
    lm(text(), labels=text()).loss.backward()
    assert [name for name, weight in lm.named_parameters() if weight.grad is None] == []


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"layers": ["delta-nett"]}, "layers[0].mixer"),
        ({"layers": ["lstm", {"mixer": "delta-net", "head": 2}]}, "layers[1].head"),
        ({"layers": [{"mixer": "delta-net", "heads": 3}]}, "layers[0].heads"),
        ({"layers": [{"mixer": "neural-memory", "retention": "forever"}]}, "layers[0].retention"),
        ({"layers": [{"mixer": "neural-memory", "learner": {"speed": 1}}]}, "layers[0].learner.speed"),
        ({"layers": [{"mixer": "mixture", "count": 2}]}, "layers[0].of"),
        ({"layers": [{"mixer": "mixture", "of": {"mixer": "gru"}}]}, "layers[0].of.mixer"),
        ({"layers": [{"mixer": "cached", "of": "lstm"}]}, "layers[0].memory"),
        ({"layers": [{"mixer": "lstm", "feed": "mlp"}]}, "layers[0].feed.feed"),
        ({"layers": [{"mixer": "lstm", "feed": {"feed": "peer", "width": 3}}]}, "layers[0].feed.width"),
        ({"layers": [{"mixer": "lstm", "engram": {"order": 1}}]}, "layers[0].engram.order"),
        ({"layers": [{"mixer": "gmu", "of": 0}]}, "layers[0].of"),
        ({"layers": ["lstm", {"mixer": "gmu", "of": 0}, {"mixer": "gmu", "of": 1}]}, "layers[2].of"),
        ({"layers": ["lstm", {"mixer": "gmu", "of": 0, "heads": 1}]}, "layers[1].heads"),
        ({"layers": [{"heads": 2}]}, "layers[0]"),
        ({"layers": []}, "layers"),
        ({"layers": "lstm"}, "layers"),
        ({"layers": [{"mixer": "lstm", "width": {1}}]}, "layers[0]"),
        ({"hidden_size": 0}, "hidden_size"),
        ({"vocab_size": "many"}, "vocab_size"),
    ],
)
def test_what_is_not_known_is_refused_by_its_place(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        model("lstm", **settings)
    assert refused.value.field == field


def test_logits_are_made_where_they_are_wanted() -> None:
    lm, ids = model("delta-net"), text()
    with torch.no_grad():
        whole = lm(ids).logits
        torch.testing.assert_close(lm(ids, logits_to_keep=2).logits, whole[:, -2:])
        places = torch.tensor([1, 7])
        torch.testing.assert_close(lm(ids, logits_to_keep=places).logits, whole[:, places])
    with pytest.raises(InvalidInput, match="logits_to_keep"):
        lm(ids, labels=ids, logits_to_keep=1)


def test_keys_and_values_of_other_models_are_refused() -> None:
    lm = model("attention")
    with pytest.raises(InvalidInput, match="past_key_values"):
        lm(text(), past_key_values=DynamicCache())
    with pytest.raises(InvalidInput, match="past_key_values"):
        lm.generate(text(), past_key_values=DynamicCache(), max_new_tokens=2)


def test_forms_that_make_no_sense_for_it_say_why_and_weights_are_made(tmp_path: Path) -> None:
    words = fixtures.tokenizer()
    lm = model("delta-net", vocab_size=len(words))
    with pytest.raises(InvalidInput, match="keeps a state"):
        MemoryCache(lm, "snapkv", 0.5)
    with Mnemos(tmp_path / "forms.db") as memory:
        one, other = (memory.add(f"{name} is a miller in Lorek.", user_id="ana")[0].id for name in ("Quenan", "Devari"))
        memory.bind(lm, words, course={"epochs": 1})
        memory.promote([one], to="activation")
        memory.promote([other], to="parametric")
        done = memory.maintain()
        assert (done.built, done.unbuilt) == (1, 1)
        assert "not made keys and values: model: (mnemos-memory-lm)" in done.notes[0]
