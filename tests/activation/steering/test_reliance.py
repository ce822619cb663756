"""CK-PLUG does what its equations say, with a second reading that is always that of the question and what was said."""

from __future__ import annotations

import math

import pytest
import torch
from by_hand import FAMILIES, left_padded, same_state, state, walk
from models_built import build, dynamic, tokens
from small_world import HOME, NAMES, TOWNS, WORDS, batch, world
from torch import Tensor
from transformers import PreTrainedModel

from mnemos import InvalidInput
from mnemos.activation.steering import Reliance
from mnemos.activation.steering.reliance import confidence_gain, modulated

TOLD = {name: TOWNS[(place + 3) % 8] for place, name in enumerate(NAMES)}


def softmax(scores: list[float]) -> list[float]:
    most = max(scores)
    whole = sum(math.exp(one - most) for one in scores)
    return [math.exp(one - most) / whole for one in scores]


def spread(p: list[float], places: list[int], count: int) -> list[float]:
    """Probabilities at their places among many; 0 elsewhere."""
    found = dict(zip(places, p, strict=True))
    return [found.get(place, 0.0) for place in range(count)]


def gain_of(scores: list[float], without: list[float]) -> float:
    """How much surer the context makes, in bits."""
    allowed = [place for place, score in enumerate(scores) if score > -math.inf]
    return entropy(softmax([without[one] for one in allowed])) - entropy(softmax([scores[one] for one in allowed]))


def entropy(p: list[float]) -> float:
    return -sum(one * math.log2(one) for one in p if one > 0)


def reference(
    scores: list[float], without: list[float], alpha: float | None, top: int, threshold: float, head: str
) -> list[float] | None:
    """Probabilities of the next token by the paper's equations, token by token; None where p is left as it is."""
    allowed = [place for place, score in enumerate(scores) if score > -math.inf]
    p = spread(softmax([scores[one] for one in allowed]), allowed, len(scores))
    p0 = spread(softmax([without[one] for one in allowed]), allowed, len(scores))
    h, h0 = entropy(p), entropy(p0)
    if not h0 - h < threshold * abs(h0):
        return None
    weight = h / (h0 + h) if alpha is None else alpha
    para = [math.log(one) if one > 0 else -math.inf for one in p0]
    cont = [math.log(one) - math.log(other) if one > 0 else -math.inf for one, other in zip(p, p0, strict=True)]
    ranked = cont if head == "published" else p
    best = set()
    for kind in (para, ranked):
        best |= set(sorted(range(len(kind)), key=lambda token: -kind[token])[:top])
    mixed = [
        weight * para[token] + (1 - weight) * cont[token] if token in best and p[token] > 0 else -math.inf
        for token in range(len(p))
    ]
    return softmax(mixed)


@pytest.mark.parametrize("head", ["published", "plausible"])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0, None])
@pytest.mark.parametrize("threshold", [0.0, -0.2])
def test_scores_are_those_of_the_equations(alpha: float | None, threshold: float, head: str) -> None:
    chance = torch.Generator().manual_seed(0)
    scores, without = (torch.randn(30, 40, generator=chance) * 2 for _ in range(2))
    scores[:, 7] = -torch.inf
    found = modulated(scores, without, alpha, top=3, threshold=threshold, head=head)
    clashes = 0
    for row in range(30):
        wanted = reference(scores[row].tolist(), without[row].tolist(), alpha, 3, threshold, head)
        gain = gain_of(scores[row].tolist(), without[row].tolist())
        assert confidence_gain(scores, without)[row] == pytest.approx(gain, abs=1e-4)
        if wanted is None:
            assert torch.equal(found[row], scores[row])
            continue
        clashes += 1
        assert (found[row].exp() - torch.tensor(wanted)).abs().max() < 1e-5
        assert found[row, 7] == -torch.inf
    assert 5 < clashes < 25


def test_tokens_that_are_forbidden_stay_so_where_few_are_left() -> None:
    scores = torch.full((1, 12), -torch.inf)
    scores[0, [3, 8]] = torch.tensor([0.0, 0.1])
    without = torch.zeros(1, 12)
    without[0, 3] = 4.0
    found = modulated(scores, without, 0.5, top=10)
    assert found.isfinite().sum() == 2
    assert found.exp().sum() == pytest.approx(1.0)
    wanted = reference(scores[0].tolist(), without[0].tolist(), 0.5, 10, 0.0, "published")
    assert found[0].exp().tolist() == pytest.approx(wanted, abs=1e-6)


def spoken(model: PreTrainedModel, prompts: dict[str, Tensor], reliance: Reliance, **more: object) -> Tensor:
    """The tokens of the answers, [rows, 5]."""
    length = prompts["input_ids"].shape[1]
    out = model.generate(
        **prompts, max_new_tokens=5, min_new_tokens=5, do_sample=False, logits_processor=[reliance], **more
    )
    return out[:, length:]


@pytest.mark.parametrize("family", ["llama", "gemma3", "mistral", "gpt-neox", "gpt2", "phi3"])
def test_every_token_is_what_two_whole_readings_say(family: str) -> None:
    model = build(FAMILIES[family]())
    questions = [tokens(count, count) for count in (3, 6)]
    prompts = [torch.cat([tokens(4 + 2 * row, 50 + row), text]) for row, text in enumerate(questions)]
    before = state(model)
    with Reliance(model, left_padded(questions), alpha=0.4, top=5, threshold=0.01) as reliance:
        said = spoken(model, left_padded(prompts), reliance)
    assert same_state(before, state(model))
    clashes = 0
    for row, (question, prompt) in enumerate(zip(questions, prompts, strict=True)):
        for place in range(5):
            scores, without = (
                walk(model, torch.cat([text, said[row, :place]]))[-1].tolist() for text in (prompt, question)
            )
            scores[1] = -math.inf
            wanted = reference(scores, without, 0.4, 5, 0.01, "published")
            clashes += wanted is not None
            wanted = wanted or softmax(scores)
            assert wanted[int(said[row, place])] == pytest.approx(max(wanted), abs=1e-4)
            gain = gain_of(scores, without)
            assert reliance.gains[place][row] == pytest.approx(gain, abs=1e-2)
    assert clashes


def test_questions_may_be_padded_on_either_side_and_rows_multiplied() -> None:
    model = build(FAMILIES["llama"]())
    questions = [tokens(count, count) for count in (3, 6)]
    prompts = left_padded([torch.cat([tokens(7, 50 + row), text]) for row, text in enumerate(questions)])
    left = left_padded(questions)
    order = left["attention_mask"].argsort(dim=1, descending=True, stable=True)
    right = {key: value.gather(1, order) for key, value in left.items()}
    plug = {"alpha": 0.0, "threshold": 1.0}
    with Reliance(model, left, **plug) as one, Reliance(model, right, **plug) as other:
        said = spoken(model, prompts, one)
        assert torch.equal(said, spoken(model, prompts, other))
        assert torch.equal(said, spoken(model, prompts, one)), "a second answer begins anew"
        torch.manual_seed(0)
        several = model.generate(
            **prompts, max_new_tokens=3, do_sample=True, num_return_sequences=3, logits_processor=[one]
        )
    assert len(several) == 6


@pytest.mark.parametrize("beams", [3])
def test_beams_are_followed_through_their_changes_of_place(beams: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(FAMILIES["llama"]())
    questions = [tokens(count, count) for count in (3, 6)]
    prompts = left_padded([torch.cat([tokens(7, 50 + row), text]) for row, text in enumerate(questions)])
    with Reliance(model, left_padded(questions), alpha=0.3, threshold=1.0) as reliance:
        said = spoken(model, prompts, reliance, num_beams=beams)
        read = len(reliance.gains)
        # the same with a second reading that forgets after every token
        whole = reliance._second.scores
        counts = []

        def anew(answers: Tensor) -> Tensor:
            kept = whole(answers)
            reliance._second.forget()
            fresh = whole(answers)
            counts.append(float((kept - fresh).abs().max()))
            return kept

        monkeypatch.setattr(reliance._second, "scores", anew)
        assert torch.equal(said, spoken(model, prompts, reliance, num_beams=beams))
    assert read >= 5
    assert max(counts) < 1e-4


def test_candidates_that_are_taken_back_are_read_anew() -> None:
    model = build(FAMILIES["llama"]())
    prompt = {"input_ids": torch.cat([tokens(9, 1), tokens(9, 1)])[None]}
    prompt["attention_mask"] = torch.ones_like(prompt["input_ids"])
    with Reliance(model, {"input_ids": tokens(5, 2)[None]}, alpha=0.5, threshold=1.0) as reliance:
        plain = spoken(model, prompt, reliance)
        assert torch.equal(spoken(model, prompt, reliance, prompt_lookup_num_tokens=3), plain)


def test_rows_that_change_place_go_on_from_the_cache() -> None:
    model = build(FAMILIES["llama"]())
    questions = left_padded([tokens(3, 1), tokens(6, 2)])
    reliance = Reliance(model, questions)
    second, counted = reliance._second, []
    model.base_model.register_forward_pre_hook(
        lambda module, args, kwargs: counted.append(kwargs["input_ids"].shape[1]), with_kwargs=True
    )
    first = torch.tensor([[5], [6], [7], [8]])
    second.scores(first)
    swapped = torch.tensor([[6, 9], [5, 9], [7, 3], [7, 4]])
    found = second.scores(swapped)
    assert counted == [7, 1], "the second call reads one token for each row"
    second.forget()
    assert (second.scores(swapped) - found).abs().max() < 1e-4
    # a row of the other question has the same words, and another place to go on from
    crossed = torch.tensor([[7, 3, 1], [5, 9, 1], [7, 3, 1], [7, 4, 1]])
    found = second.scores(crossed)
    assert counted[-1] == 9
    second.forget()
    assert torch.equal(second.scores(crossed), found)
    assert torch.equal(second.scores(crossed[:, :2])[1], second.scores(crossed[:, :2])[1])


def test_the_second_reading_leaves_the_models_frequencies_alone() -> None:
    model = build(dynamic())
    long, short = tokens(30, 1), tokens(4, 2)
    plain = model(short[None]).logits
    before = state(model)
    with Reliance(model, {"input_ids": long[None]}) as reliance:
        reliance(short[None], plain[:, -1])
    assert same_state(before, state(model))


def test_one_knob_goes_from_the_context_to_the_weights() -> None:
    """The model knows where each person lives, and believes a note that says otherwise every other time."""
    model, words = world()
    before = state(model)
    questions = batch(words, [f"{name} lives in" for name in NAMES])
    notes = batch(words, [f"note : {name} lives in {TOLD[name]} . {name} lives in" for name in NAMES])
    homes, told = ([WORDS.index(where[name]) for name in NAMES] for where in (HOME, TOLD))
    with torch.no_grad():
        scores, without = model(**notes).logits[:, -1], model(**questions).logits[:, -1]
    sure = [entropy(softmax(row.tolist())) for row in without]
    clash = [row for row, gain in enumerate(confidence_gain(scores, without)) if gain < -2 * sure[row]]
    assert len(clash) >= 5, "of eight"
    count = {}
    for alpha in (0.0, 0.5, 1.0, None):
        with Reliance(model, questions, alpha=alpha, threshold=-2.0, top=2, head="plausible") as reliance:
            said = spoken(model, notes, reliance)[:, 0].tolist()
        count[alpha] = [sum(said[row] == answer[row] for row in clash) for answer in (homes, told)]
    assert count[0.0][0] == 0
    assert count[0.0][1] >= len(clash) - 3
    assert count[1.0] == [len(clash), 0]
    assert count[0.0][0] <= count[0.5][0] <= count[1.0][0]
    assert count[None] == [len(clash), 0], "without a knob the surer of the two decides: here the weights"
    assert same_state(before, state(model))


def test_the_threshold_as_printed_could_never_be_met() -> None:
    scores, without = torch.zeros(1, 64), torch.tensor([[90.0, *[0.0] * 63]])
    gain, entropy_of_p = float(confidence_gain(scores, without)), 6.0
    assert gain == pytest.approx(-entropy_of_p), "there is no larger conflict than this"
    assert not gain < -1.0 * entropy_of_p - 1e-5
    assert not torch.equal(modulated(scores, without, 1.0, threshold=-3.0), scores)


def test_it_is_used_within_its_block_and_refuses_by_name() -> None:
    model = build(FAMILIES["llama"]())
    before, questions = state(model), left_padded([tokens(3, 1), tokens(5, 2)])
    reliance = Reliance(model, questions)
    with pytest.raises(InvalidInput, match="outside its block"):
        reliance(questions["input_ids"], torch.zeros(2, 97))
    with reliance, pytest.raises(InvalidInput, match="questions"):
        reliance(torch.zeros(3, 4, dtype=torch.int64), torch.zeros(3, 97))
    for field, wrong in {
        "alpha": {"alpha": 1.5},
        "top": {"top": 0},
        "threshold": {"threshold": float("nan")},
        "head": {"head": "all"},
    }.items():
        with pytest.raises(InvalidInput, match=f"^{field}:"):
            Reliance(model, questions, **wrong)  # type: ignore[arg-type]
    for wrong_questions in ({}, {"input_ids": questions["input_ids"], "attention_mask": torch.zeros(2, 5)}):
        with pytest.raises(InvalidInput, match=r"^questions:"):
            Reliance(model, wrong_questions)
    assert same_state(before, state(model))
