"""Vectors are what their definitions say, survive their files, and go with the memories that they were made of."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from by_hand import FAMILIES, same_state, state, walk
from models_built import build, dynamic
from small_world import MOODS, TOPICS, batch, world, written
from stores_built import files, tokenizer_of
from torch import Tensor
from transformers import PreTrainedModel

from mnemos import InvalidInput, Memory, Mnemos, NotFound
from mnemos.activation.steering import ControlVector, Steering, VectorDamaged, VectorRefused, steer
from mnemos.activation.steering.conditions import similarity
from mnemos.activation.steering.directions import Direction, direction_of
from mnemos.activation.steering.fitting import best_condition
from mnemos.activation.steering.stack import stack_of
from mnemos.activation.steering.states import states_of
from mnemos.activation.steering.vectors import load

LINES = (
    ("My sister Rita is vegan.", "My dog Rex is vegan."),
    ("The sister is called Rita.", "The dog is called Rex."),
    ("Rita lives in Rome now.", "Rex lives in Paris now."),
)
TOKENIZER = tokenizer_of()


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    return build(FAMILIES["llama"]())


def told(memory: Mnemos, user: str = "ana") -> list[tuple[Memory, Memory]]:
    return [(memory.add(one, user_id=user)[0], memory.add(other, user_id=user)[0]) for one, other in LINES]


def states_by_hand(model: PreTrainedModel, text: str, layer: int) -> Tensor:
    """What stands after a layer, [tokens, width]."""
    ids = torch.tensor([0, *TOKENIZER(text, add_special_tokens=False)["input_ids"]])
    seen: dict[int, Tensor] = {}
    walk(model, ids, lambda number, hidden: seen.setdefault(number, hidden))
    return seen[layer][0]


def principal(apart: Tensor) -> Tensor:
    """The first eigenvector of the sum of a aᵀ, found by going over and over."""
    matrix, found = torch.zeros(apart.shape[1], apart.shape[1], dtype=torch.float64), None
    for row in apart.double():
        matrix += torch.outer(row, row)
    found = torch.ones(apart.shape[1], dtype=torch.float64)
    for _ in range(5000):
        found = matrix @ found
        found /= found.norm()
    return found.float()


@pytest.mark.parametrize("tokens", ["last", "mean"])
@pytest.mark.parametrize("family", ["llama", "gpt2", "gpt-neox"])
def test_a_vector_is_what_its_definition_says(memory: Mnemos, family: str, tokens: str) -> None:
    model = build(FAMILIES[family]())
    steering, pairs = Steering(memory, model, TOKENIZER), told(memory)
    before = state(model)
    for method in ("mean", "pca"):
        vector = steering.learn("rita", pairs, layers=[1, -1], method=method, tokens=tokens)
        assert vector.layers == (1, 3)
        for layer in vector.layers:
            sides = [[states_by_hand(model, pair[side], layer) for pair in LINES] for side in (0, 1)]
            chosen = [torch.stack([one[-1] if tokens == "last" else one.mean(0) for one in side]) for side in sides]
            apart = chosen[0] - chosen[1]
            wanted = apart.mean(0) / apart.mean(0).norm() if method == "mean" else principal(apart)
            found = vector.directions[layer]
            if method == "pca":
                wanted = wanted * torch.sign((apart @ wanted).sign().sum())
            assert (found.unit - wanted).abs().max() < 1e-4
            assert found.size == pytest.approx(float((apart @ wanted).mean()), rel=1e-3)
            assert (found.whole @ found.unit) == pytest.approx(found.size, rel=1e-5)
    assert same_state(before, state(model))


def test_reading_leaves_no_trace_in_frequencies_that_follow_the_length() -> None:
    model = build(dynamic())
    before = state(model)
    states_of(stack_of(model), [torch.arange(3, 43)], [0, 1])
    assert same_state(before, state(model))
    long = model(torch.arange(3, 43)[None]).logits
    assert not same_state(before, state(model)), "the model itself does leave one"
    assert long.isfinite().all()


def test_centring_the_differences_would_lose_what_all_pairs_share() -> None:
    chance = torch.Generator().manual_seed(0)
    negative = torch.randn(20, 8, generator=chance)
    noise = torch.randn(20, 8, generator=chance) * torch.tensor([0.01, 0.5, *[0.1] * 6])
    positive = negative + noise + 5 * torch.eye(8)[0]
    found = direction_of(positive, negative, "pca")
    assert found.unit[0] > 0.99
    assert found.size == pytest.approx(5, abs=0.1)
    centred = (positive - negative) - (positive - negative).mean(0)
    assert abs(float(torch.linalg.svd(centred).Vh[0][0])) < 0.1
    back = direction_of(negative, positive, "pca")
    assert torch.allclose(back.unit, -found.unit, atol=1e-5)


def test_pairs_that_do_not_differ_are_refused() -> None:
    same = torch.ones(3, 4)
    for method in ("mean", "pca"):
        with pytest.raises(InvalidInput, match="do not differ"):
            direction_of(same, same, method)
    with pytest.raises(InvalidInput, match="do not differ"):
        direction_of(torch.eye(2), torch.eye(2).flip(0), "mean")
    with pytest.raises(InvalidInput, match="not numbers"):
        direction_of(same * torch.nan, same)
    with pytest.raises(InvalidInput, match=r"^pairs:"):
        direction_of(same, same[:2])
    with pytest.raises(InvalidInput, match=r"^method:"):
        direction_of(same, 2 * same, "any")  # type: ignore[arg-type]


def test_a_vector_is_kept_and_recalled_in_another_process(memory: Mnemos, path: Path, model: PreTrainedModel) -> None:
    pairs = told(memory)
    made = Steering(memory, model, TOKENIZER).learn("rita", pairs, layers=[1, 2], method="pca")
    (artifact,) = memory.artifacts.find(form="activation")
    ids = [one.id for pair in pairs for one in pair]
    assert list(artifact.sources) == ids
    assert artifact.metadata["pairs"] == [[0, 1], [2, 3], [4, 5]]
    assert not any(word in str(artifact.metadata) for word in ("Rome", "vegan"))
    with Mnemos(path) as again:
        steering = Steering(again, model, TOKENIZER)
        found = steering.recall("rita")
        assert steering.names() == ["rita"]
    assert (found.name, found.layers, found.method, found.tokens) == ("rita", (1, 2), "pca", "last")
    assert found.sources == tuple(ids)
    for layer in (1, 2):
        assert torch.equal(found.directions[layer].unit, made.directions[layer].unit)
        assert found.directions[layer].size == made.directions[layer].size


@pytest.mark.parametrize("how", ["delete", "update", "delete_all"])
def test_a_vector_goes_with_any_of_its_examples(memory: Mnemos, path: Path, model: PreTrainedModel, how: str) -> None:
    pairs, steering = told(memory), Steering(memory, model, TOKENIZER)
    steering.learn("rita", pairs, layers=1)
    others = [(memory.add("Rex is now called Rita.", user_id="ben")[0], memory.add("Rex is Rex.", user_id="ben")[0])]
    steering.learn("other", others, layers=1)
    assert len(files(path)) == 2
    if how == "delete":
        memory.delete(pairs[1][1].id)
    elif how == "update":
        memory.update(pairs[1][1].id, text="The dog is called Rita.")
    else:
        memory.delete_all(user_id="ana")
    with pytest.raises(InvalidInput, match="no vector is called 'rita'"):
        steering.recall("rita")
    assert steering.names() == ["other"]
    assert steering.recall("other").layers == (1,)
    memory.maintain()
    assert len(files(path)) == 1


def test_the_later_vector_of_a_name_takes_the_place_of_the_first(memory: Mnemos, model: PreTrainedModel) -> None:
    pairs, steering = told(memory), Steering(memory, model, TOKENIZER)
    steering.learn("rita", pairs, layers=1)
    assert steering.learn("rita", pairs, layers=1).sources, "the same again"
    assert len(memory.artifacts.find()) == 1
    steering.learn(" rita ", pairs[:2], layers=2)
    assert len(memory.artifacts.find()) == 1
    assert steering.recall("rita").layers == (2,)
    assert steering.drop("rita") == 1
    assert steering.names() == []
    assert memory.get(pairs[0][0].id) is not None


def test_vectors_of_one_name_in_two_namespaces_are_told_apart(memory: Mnemos, model: PreTrainedModel) -> None:
    steering = Steering(memory, model, TOKENIZER)
    for user in ("ana", "ben"):
        steering.learn("rita", told(memory, user), layers=1)
    with pytest.raises(InvalidInput, match="several namespaces"):
        steering.recall("rita")
    mine = steering.recall("rita", ("user", "ben"))
    assert memory.get(mine.sources[0]).namespace == ("user", "ben")
    with pytest.raises(InvalidInput, match="several namespaces"):
        steering.learn("both", [(told(memory, "ana")[0][0], told(memory, "ben")[0][1])])


def test_a_vector_of_another_model_is_refused_by_name(memory: Mnemos, model: PreTrainedModel) -> None:
    pairs = told(memory)
    Steering(memory, model, TOKENIZER).learn("rita", pairs, layers=1)
    for what, other in {
        "weights": Steering(memory, build(FAMILIES["llama"](), seed=1), TOKENIZER),
        "tokenizer": Steering(memory, model, tokenizer_of("other words")),
        "model type": Steering(memory, build(FAMILIES["qwen3"]()), TOKENIZER),
    }.items():
        with pytest.raises(VectorRefused, match=what):
            other.recall("rita")
        assert other.names() == []
    other.learn("rita", pairs, layers=1)
    assert len(memory.artifacts.find()) == 2, "each model has its own"


def test_a_damaged_file_is_not_believed(memory: Mnemos, path: Path, model: PreTrainedModel) -> None:
    steering = Steering(memory, model, TOKENIZER)
    steering.learn("rita", told(memory), layers=1)
    (artifact,) = memory.artifacts.find()
    file = memory.artifacts.path(artifact)
    whole = bytearray(file.read_bytes())
    file.chmod(0o600)
    for wrong in (whole[:-1] + bytes([whole[-1] ^ 1]), whole.replace(b"mean", b"best"), whole[:-4] + b"\0" * 4):
        file.write_bytes(wrong)
        with pytest.raises(VectorDamaged):
            steering.recall("rita")
    file.unlink()
    with pytest.raises(VectorDamaged):
        steering.recall("rita")
    with pytest.raises(VectorDamaged):
        load(path)


def test_examples_that_cannot_be_read_are_refused(memory: Mnemos, model: PreTrainedModel) -> None:
    steering, pairs = Steering(memory, model, TOKENIZER), told(memory)
    gone = memory.add("The dog is vegan.", user_id="ana")[0]
    memory.delete(gone.id)
    for field, wrong in {
        "pairs": lambda: steering.learn("x", []),
        r"pairs\[1\]": lambda: steering.learn("x", [pairs[0], (pairs[1][0],)]),  # type: ignore[list-item]
        "name": lambda: steering.learn("  ", pairs),
        "layers": lambda: steering.learn("x", pairs, layers=[]),
        "tokens": lambda: steering.learn("x", pairs, tokens="first"),  # type: ignore[arg-type]
    }.items():
        with pytest.raises(InvalidInput, match=f"^{field}:"):
            wrong()
    with pytest.raises(NotFound):
        steering.learn("x", [(pairs[0][0], gone)])
    assert memory.artifacts.find() == []


def test_words_of_a_memory_are_no_special_tokens_and_a_frame_is(memory: Mnemos, model: PreTrainedModel) -> None:
    one, other = (memory.add(text, user_id="ana")[0] for text in ("Rita </s> is vegan.", "Rex </s> is vegan."))
    seen = []
    stack = stack_of(model)
    hook = stack.base.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["input_ids"]), with_kwargs=True
    )
    Steering(memory, model, TOKENIZER, before="</s>", after="Ana :").learn("x", [(one, other)])
    hook.remove()
    ids = seen[0][0].tolist()
    assert ids[:2] == [0, 1]
    assert 1 not in ids[2:]
    assert ids[-2:] == TOKENIZER("Ana :", add_special_tokens=False)["input_ids"]


def test_the_best_condition_is_found_among_all_layers_thresholds_and_sides() -> None:
    model, words = world()
    texts = [f"{topic} {mood} said :" for topic in ("garden", "kitchen") for mood in ("kindly", "rudely")]
    ids = [torch.tensor(words(f"<s> {text}")["input_ids"]) for text in texts]
    states = states_of(stack_of(model), ids, [0, 1, 2], "mean")
    vector = by_topic(states)
    for measure in ("projected", "cosine"):
        found = best_condition(vector, states[:2], states[2:], measure=measure)
        assert found.f1 == 1.0
        unit = vector.directions[found.layer].unit
        held = [brute(one[found.layer], unit, measure, found.threshold, found.above) for one in states]
        assert held == [True, True, False, False]
    with pytest.raises(InvalidInput, match=r"^fails:"):
        best_condition(vector, states[:2], states[:0])


def brute(h: Tensor, c: Tensor, measure: str, cut: float, above: bool) -> bool:
    there = torch.tanh(torch.outer(c, c) @ h) if measure == "projected" else c
    found = float(h @ there / (h.norm() * there.norm()))
    return found > cut if above else found < cut


def by_topic(states: Tensor) -> ControlVector:
    made = {layer: direction_of(states[:2, layer], states[2:, layer]) for layer in range(3)}
    return ControlVector("garden", made, "mean", "mean")


def test_f1_is_the_best_that_any_threshold_gives() -> None:
    chance = torch.Generator().manual_seed(3)
    for _ in range(5):
        unit = torch.randn(6, generator=chance)
        vector = ControlVector("any", {4: Direction(unit / unit.norm(), 1.0)}, "mean", "mean")
        holds, fails = torch.randn(7, 1, 6, generator=chance), torch.randn(5, 1, 6, generator=chance)
        found = best_condition(vector, holds, fails)
        a, b = (similarity(one[:, 0], unit / unit.norm(), "projected").tolist() for one in (holds, fails))
        best = 0.0
        for cut in torch.linspace(-1.001, 1.001, 4001).tolist():
            for above in (True, False):
                hits, alarms = (sum(x > cut if above else x < cut for x in side) for side in (a, b))
                best = max(best, 2 * hits / (hits + alarms + len(a)))
        assert found.f1 == pytest.approx(best)
        hits, alarms = (
            sum(x > found.threshold if found.above else x < found.threshold for x in side) for side in (a, b)
        )
        assert found.f1 == pytest.approx(2 * hits / (hits + alarms + len(a)))


def test_a_learned_vector_steers_a_model_that_has_learned_something(memory: Mnemos) -> None:
    model, words = world()
    before = state(model)
    kinds = {
        mood: [memory.add(f"{topic} {mood} said :", user_id="ana")[0] for topic in ("garden", "kitchen")]
        for mood in ("kindly", "rudely")
    }
    steering = Steering(memory, model, words)
    for method in ("mean", "pca"):
        steering.learn("rude", list(zip(kinds["rudely"], kinds["kindly"], strict=True)), layers=1, method=method)
        vector = steering.recall("rude")
        for strength, wanted in ((0.0, "kindly"), (2.0, "rudely"), (-1.0, "kindly")):
            with steer(model, vector, strength=strength):
                assert moods_said(model, words, ["garden kindly said :"]) == [wanted]
        with steer(model, vector, strength=-2.0):
            assert moods_said(model, words, ["kitchen rudely said :"]) == ["kindly"]
    assert same_state(before, state(model))


def test_only_what_a_condition_is_about_is_steered(memory: Mnemos) -> None:
    model, words = world()
    lines = {
        (mood, place, topic): memory.add(f"{topic} {mood} said : {MOODS[mood][0]} {thing}", user_id="ana")[0]
        for topic, things in TOPICS.items()
        for mood in MOODS
        for place, thing in enumerate(things[:2])
    }
    kinds = [(mood, place) for mood in MOODS for place in range(2)]
    steering = Steering(memory, model, words)
    rude = steering.learn(
        "rude",
        [(lines["rudely", place, topic], lines["kindly", place, topic]) for topic in TOPICS for place in range(2)],
        layers=1,
    )
    gardens, kitchens = ([lines[*kind, topic] for kind in kinds] for topic in TOPICS)
    about = steering.learn("garden", list(zip(gardens, kitchens, strict=True)), layers=[0, 1], tokens="mean")
    assert steering.condition(about, gardens, kitchens).measure == "projected"
    when = steering.condition(about, gardens, kitchens, measure="cosine")
    assert when.f1 == 1.0
    # things and words that were in no example
    prompts = [
        "kitchen kindly said : warm cake",
        "garden kindly said : gentle trees",
        "kitchen kindly said : warm soup",
    ]
    with steer(model, rude, strength=2.0, when=when) as steered:
        said = moods_said(model, words, prompts)
        assert steered.rows.tolist() == [False, True, False]
    assert said == ["kindly", "rudely", "kindly"]


def moods_said(model: PreTrainedModel, words: object, prompts: list[str]) -> list[str]:
    """The mood of most of the next six words about each prompt."""
    given = batch(words, prompts)
    out = model.generate(**given, max_new_tokens=6, min_new_tokens=6, do_sample=False)
    rows = written(words, out[:, given["input_ids"].shape[1] :])
    return [max(MOODS, key=lambda mood, row=row: sum(word in MOODS[mood] for word in row)) for row in rows]
