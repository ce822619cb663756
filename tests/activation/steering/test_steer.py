"""A vector is added where it should be, for the rows that it should be, and nothing of it stays in the model."""

from __future__ import annotations

import pytest
import torch
from by_hand import FAMILIES, WALKED, left_padded, same_state, state, walk
from models_built import build, tokens
from steered import TEXTS, greedy, vector
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from mnemos import InvalidInput
from mnemos.activation.steering import Condition, ControlVector, VectorRefused, steer
from mnemos.activation.steering.conditions import similarity
from mnemos.activation.steering.states import gathered


@pytest.fixture(scope="module")
def llama() -> PreTrainedModel:
    return build(FAMILIES["llama"]())


def states_by_hand(model: PreTrainedModel, text: Tensor, layer: int) -> Tensor:
    """What stands after a layer, [tokens, width]."""
    seen: dict[int, Tensor] = {}
    walk(model, text, lambda number, hidden: seen.setdefault(number, hidden))
    return seen[layer][0]


def similarity_by_hand(h: Tensor, c: Tensor) -> float:
    """cos(h, tanh(P h)) as it is defined, with P = c cᵀ / cᵀ c."""
    projected = torch.tanh((torch.outer(c, c) / c.dot(c)) @ h)
    return float(h.dot(projected) / (h.norm() * projected.norm()))


def cut_between(model: PreTrainedModel, by: ControlVector, layer: int, texts: list[Tensor]) -> tuple[float, list[bool]]:
    """A threshold that some texts are above and others below, and which are above."""
    unit = by.directions[layer].unit
    found = [similarity_by_hand(states_by_hand(model, text, layer).mean(0), unit) for text in texts]
    ordered = sorted(found)
    cut = (ordered[0] + ordered[1]) / 2
    return cut, [one > cut for one in found]


@pytest.mark.parametrize("family", WALKED)
def test_a_vector_is_added_after_its_layers_in_every_family(family: str) -> None:
    model = build(FAMILIES[family]())
    before, by = state(model), vector(1, 3)

    def by_hand(number: int, hidden: Tensor) -> Tensor:
        return hidden + 2.0 * by.directions[number].whole if number in by.directions else hidden

    batch = left_padded(TEXTS)
    plain = greedy(model, batch)
    with steer(model, by, strength=2.0):
        single = [model(text[None]).logits[0] for text in TEXTS]
        said = greedy(model, batch)
    assert same_state(before, state(model))
    for row, text in enumerate(TEXTS):
        wanted = walk(model, text, by_hand)
        assert torch.equal(single[row], wanted)
        assert (wanted - walk(model, text)).abs().max() > 0.1
        for place in range(5):
            whole = torch.cat([text, said[row, :place]])
            assert int(walk(model, whole, by_hand)[-1].argmax()) == int(said[row, place])
    assert torch.equal(plain, greedy(model, batch))


@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt2", "gpt-neox", "mistral"])
def test_rows_for_which_a_condition_does_not_hold_are_bit_by_bit_the_same(family: str) -> None:
    model = build(FAMILIES[family]())
    by, look, batch = vector(2), vector(1, seed=1), left_padded(TEXTS)
    cut, held = cut_between(model, look, 1, TEXTS)
    assert 0 < sum(held) < len(held)
    at = (batch["attention_mask"].cumsum(1) - 1).clamp_min(0)
    plain, plain_said = model(**batch, position_ids=at).logits, greedy(model, batch)
    for above in (True, False):
        rows = [one == above for one in held]
        when = Condition(look, 1, cut, above=above)
        with steer(model, by, strength=4.0, when=when) as steered:
            logits, said = model(**batch, position_ids=at).logits, greedy(model, batch)
        assert steered.rows is not None
        assert steered.rows.tolist() == rows
        for row, text in enumerate(TEXTS):
            if not rows[row]:
                assert torch.equal(logits[row], plain[row])
                assert torch.equal(said[row], plain_said[row])
                continue
            own = walk(model, text, lambda number, hidden: hidden + 4.0 * by.directions[2].whole * (number == 2))
            assert (logits[row, -len(text) :] - own).abs().max() < 1e-4
            assert (logits[row, -1] - plain[row, -1]).abs().max() > 0.1


def test_a_row_is_decided_as_it_is_when_alone(llama: PreTrainedModel) -> None:
    look = vector(1, seed=1)
    for tokens_of in ("mean", "last"):
        for measure in ("projected", "cosine"):
            alone = []
            for text in TEXTS:
                states = states_by_hand(llama, text, 1)
                h = states.mean(0) if tokens_of == "mean" else states[-1]
                c = look.directions[1].unit
                cosine = float(h.dot(c) / (h.norm() * c.norm()))
                alone.append(similarity_by_hand(h, c) if measure == "projected" else cosine)
                assert similarity(h[None], c, measure)[0] == pytest.approx(alone[-1], abs=1e-6)
            for cut in [(one + other) / 2 for one, other in zip(sorted(alone), sorted(alone)[1:], strict=False)]:
                when = Condition(look, 1, cut, tokens=tokens_of, measure=measure)
                for given in (left_padded(TEXTS), right_padded(TEXTS)):
                    with steer(llama, vector(2), when=when) as steered:
                        llama(**given)
                        assert steered.rows.tolist() == [one > cut for one in alone]


def test_padding_is_in_no_state() -> None:
    hidden = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    real = torch.tensor([[0, 1, 1, 0], [1, 0, 1, 1], [0, 0, 0, 0]]).bool()
    hidden[~real] = torch.inf
    last, mean = gathered(hidden, real, "last"), gathered(hidden, real, "mean")
    assert torch.equal(last, torch.stack([hidden[0, 2], hidden[1, 3], torch.zeros(5)]))
    assert torch.allclose(mean[0], (hidden[0, 1] + hidden[0, 2]) / 2)
    assert torch.allclose(mean[1], (hidden[1, 0] + hidden[1, 2] + hidden[1, 3]) / 3)
    assert torch.equal(mean[2], torch.zeros(5))


def right_padded(texts: list[Tensor]) -> dict[str, Tensor]:
    width = max(map(len, texts))
    pads = [(0, width - len(text)) for text in texts]
    ids = torch.stack([torch.nn.functional.pad(text, pad, value=2) for text, pad in zip(texts, pads, strict=True)])
    return {"input_ids": ids, "attention_mask": torch.stack([(torch.arange(width) < len(one)).long() for one in texts])}


def test_the_similarity_of_the_paper_does_not_tell_a_state_from_its_opposite() -> None:
    h, c = torch.randn(5, 16, generator=torch.Generator().manual_seed(0)), torch.eye(16)[3]
    assert torch.allclose(similarity(h, c, "projected"), similarity(-h, c, "projected"))
    assert torch.allclose(similarity(h, c, "cosine"), -similarity(-h, c, "cosine"))


def test_what_was_decided_stays_with_the_sequence(llama: PreTrainedModel) -> None:
    by, look, texts = vector(3), vector(1, seed=1), TEXTS[:2]
    cut, held = cut_between(llama, look, 1, texts)
    yes, no = (texts[held.index(one)] for one in (True, False))
    more = tokens(3, 99)
    with steer(llama, by, strength=3.0, when=Condition(look, 1, cut)):
        caches = [llama(text[None], use_cache=True).past_key_values for text in (yes, no)]
        # in turns, and each with tokens that alone would be decided in their own way
        written = [
            [llama(token[None, None], past_key_values=cache).logits[0, -1] for cache in caches] for token in more
        ]
    for row, (text, force) in enumerate([(yes, 3.0), (no, 0.0)]):
        for place in range(3):
            whole = torch.cat([text, more[: place + 1]])
            move = force * by.directions[3].whole
            wanted = walk(llama, whole, lambda number, hidden, move=move: hidden + move * (number == 3))[-1]
            assert (written[place][row] - wanted).abs().max() < 1e-4
    assert (written[2][0] - written[2][1]).abs().max() > 0.1


def test_beams_and_several_answers_share_what_was_decided_of_their_prompt(llama: PreTrainedModel) -> None:
    by, look, batch = vector(2), vector(1, seed=1), left_padded(TEXTS)
    cut, held = cut_between(llama, look, 1, TEXTS)
    with steer(llama, by, strength=4.0, when=Condition(look, 1, cut)) as steered:
        beams = greedy(llama, batch, num_beams=3)
        assert steered.rows.tolist() == [one for one in held for _ in range(3)]
    plain = greedy(llama, batch, num_beams=3)
    with steer(llama, by, strength=4.0):
        all_steered = greedy(llama, batch, num_beams=3)
    for row, one in enumerate(held):
        assert torch.equal(beams[row], (all_steered if one else plain)[row])
    assert not torch.equal(plain, all_steered)


def test_rows_of_a_cache_may_be_multiplied_but_not_taken_out(llama: PreTrainedModel) -> None:
    look, texts = vector(1, seed=1), TEXTS[:2]
    cut, held = cut_between(llama, look, 1, texts)
    with steer(llama, vector(2), when=Condition(look, 1, cut)) as steered:
        cache = llama(**left_padded(texts), use_cache=True).past_key_values
        cache.batch_repeat_interleave(2)
        llama(torch.full((4, 1), 5), past_key_values=cache)
        assert steered.rows.tolist() == [held[0], held[0], held[1], held[1]]
        cache.batch_select_indices(torch.tensor([0, 1, 2]))
        with pytest.raises(InvalidInput, match="past_key_values"):
            llama(torch.full((3, 1), 5), past_key_values=cache)


def test_a_row_is_decided_by_the_first_piece_that_it_has_tokens_in(llama: PreTrainedModel) -> None:
    by, look, batch = vector(2), vector(1, seed=1), left_padded(TEXTS)
    width = batch["input_ids"].shape[1]
    pieces = [text[: 4 - (width - len(text)) % 4] for text in TEXTS]
    cut, held = cut_between(llama, look, 1, pieces)
    with steer(llama, by, strength=3.0, when=Condition(look, 1, cut)) as steered:
        said = greedy(llama, batch, prefill_chunk_size=4)
    assert steered.rows.tolist() == held
    assert len(pieces[1]) == 4
    assert not batch["attention_mask"][1, :8].any(), "its first two pieces are padding"
    plain = greedy(llama, batch, prefill_chunk_size=4)
    for row, one in enumerate(held):
        assert one or torch.equal(said[row], plain[row])


def test_a_cache_of_fixed_size_will_do_without_a_condition(llama: PreTrainedModel) -> None:
    batch = left_padded(TEXTS)
    with steer(llama, vector(2), strength=3.0):
        assert torch.equal(greedy(llama, batch, cache_implementation="static"), greedy(llama, batch))
    with (
        steer(llama, vector(2), when=Condition(vector(1), 1, 0.0)),
        pytest.raises(InvalidInput, match="attention_mask"),
    ):
        greedy(llama, batch, cache_implementation="static")


def test_candidates_that_are_taken_back_do_not_disturb(llama: PreTrainedModel) -> None:
    given = {"input_ids": torch.cat([TEXTS[2], TEXTS[2]])[None]}
    with steer(llama, vector(2), strength=2.0, when=Condition(vector(1, seed=1), 1, -2.0)):
        assert torch.equal(greedy(llama, given, prompt_lookup_num_tokens=3), greedy(llama, given))


def test_rules_join_conditions_of_several_layers(llama: PreTrainedModel) -> None:
    batch = left_padded(TEXTS)
    one, other = vector(0, seed=1), vector(2, seed=2)
    cuts = [cut_between(llama, look, layer, TEXTS) for look, layer in ((one, 0), (other, 2))]
    a, b = Condition(one, 0, cuts[0][0]), Condition(other, 2, cuts[1][0])
    for rule, wanted in {
        a & b: [x and y for x, y in zip(cuts[0][1], cuts[1][1], strict=True)],
        a | b: [x or y for x, y in zip(cuts[0][1], cuts[1][1], strict=True)],
        a & ~b: [x and not y for x, y in zip(cuts[0][1], cuts[1][1], strict=True)],
    }.items():
        with steer(llama, vector(3), when=rule) as steered:
            llama(**batch)
            assert steered.rows.tolist() == wanted


def test_a_layer_before_the_condition_is_steered_from_the_second_call_on(llama: PreTrainedModel) -> None:
    text, by, cache = TEXTS[0], vector(0), DynamicCache()
    always = Condition(vector(2, seed=1), 2, -2.0)
    with steer(llama, by, strength=3.0, when=always):
        first = llama(text[None], past_key_values=cache).logits[0]
        second = llama(torch.tensor([[7]]), past_key_values=cache).logits[0, -1]
    assert torch.equal(first, llama(text[None]).logits[0])
    count = len(text)

    def by_hand(number: int, hidden: Tensor) -> Tensor:
        moved = hidden.clone()
        moved[:, count:] += 3.0 * by.directions[0].whole * (number == 0)
        return moved

    wanted = walk(llama, torch.cat([text, torch.tensor([7])]), by_hand)[-1]
    assert (second - wanted).abs().max() < 1e-4
    with steer(llama, by, strength=3.0, prompt=False):
        cache = DynamicCache()
        assert torch.equal(llama(text[None], past_key_values=cache).logits[0], first)
        assert torch.equal(llama(torch.tensor([[7]]), past_key_values=cache).logits[0, -1], second)


def test_a_state_may_turn_without_growing(llama: PreTrainedModel) -> None:
    by = vector(3)

    def by_hand(number: int, hidden: Tensor) -> Tensor:
        moved = hidden + 5.0 * by.directions[3].whole
        return moved * hidden.norm(dim=-1, keepdim=True) / moved.norm(dim=-1, keepdim=True) if number == 3 else hidden

    with steer(llama, by, strength=5.0, keep_norm=True):
        logits = llama(TEXTS[0][None]).logits[0]
    assert (logits - walk(llama, TEXTS[0], by_hand)).abs().max() < 1e-4


def test_blocks_stand_in_each_other_and_leave_nothing_when_they_fail(llama: PreTrainedModel) -> None:
    before, plain = state(llama), llama(TEXTS[0][None]).logits
    one, other = vector(1), vector(2, seed=4)
    with steer(llama, one), steer(llama, other, when=Condition(one, 1, -2.0)):
        both = llama(TEXTS[0][None]).logits[0]
    moves = {1: one.directions[1].whole, 2: other.directions[2].whole}
    assert torch.equal(both, walk(llama, TEXTS[0], lambda number, hidden: hidden + moves.get(number, 0.0)))
    with pytest.raises(ZeroDivisionError), steer(llama, one, when=Condition(one, 1, 0.0)):
        _ = 1 // int(llama(TEXTS[0][None]).logits.isnan().sum())
    with steer(llama, one, when=Condition(one, 1, 0.0)), pytest.raises(IndexError):
        llama(torch.tensor([[10_000]]))
    assert same_state(before, state(llama))
    assert torch.equal(llama(TEXTS[0][None]).logits, plain)


def test_half_precision_stays_half_precision() -> None:
    model = build(FAMILIES["llama"]()).to(torch.bfloat16)
    with steer(model, vector(1), when=Condition(vector(0), 0, -2.0)):
        assert model(TEXTS[0][None]).logits.dtype == torch.bfloat16


def test_what_does_not_fit_is_refused_by_name(llama: PreTrainedModel) -> None:
    for field, wrong in {
        "layers": lambda: steer(llama, vector(1), layers=2),
        r"layers\[0\]": lambda: steer(llama, vector(1), layers=[9]),
        "strength": lambda: steer(llama, vector(1), strength=float("nan")),
        "when": lambda: steer(llama, vector(1), when=0.5),  # type: ignore[arg-type]
        "layer": lambda: steer(llama, vector(1), when=Condition(vector(1), 2, 0.0)),
        "measure": lambda: steer(llama, vector(1), when=Condition(vector(1), 1, 0.0, measure="any")),  # type: ignore[arg-type]
        "vector": lambda: steer(llama, vector(7)),
        "model": lambda: steer(torch.nn.Linear(2, 2), vector(1)),  # type: ignore[arg-type]
    }.items():
        with pytest.raises(InvalidInput, match=f"^{field}:"), wrong():
            pass
    with pytest.raises(VectorRefused, match="16 channels"), steer(llama, vector(1, width=16)):
        pass
    before = state(llama)
    given = {"input_ids": TEXTS[0][None], "attention_mask": torch.zeros(1, 1, 9, 9)}
    with (
        steer(llama, vector(1), when=Condition(vector(1), 1, 0.0)),
        pytest.raises(InvalidInput, match="attention_mask"),
    ):
        llama(**given)
    assert same_state(before, state(llama))
