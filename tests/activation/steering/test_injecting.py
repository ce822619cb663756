"""What is injected is the sum of the unembeddings of a memory's tokens, at one layer, in the rows that have one."""

from __future__ import annotations

import pytest
import torch
from by_hand import FAMILIES, WALKED, left_padded, same_state, state, walk
from models_built import build, tokens
from small_world import HOME, NAMES, WORDS, batch, world
from stores_built import tokenizer_of
from torch import Tensor
from transformers import PreTrainedModel

from mnemos import Hit, InvalidInput, Mnemos
from mnemos.activation.steering import inject

TOKENIZER = tokenizer_of()
TEXTS = [tokens(count, count) for count in (9, 4, 12)]
THOUGHT = "Rita is vegan is vegan"


def embedding(model: PreTrainedModel, words: str) -> Tensor:
    """B* = W_Uᵀ b with b one for each token of the words, as it is defined."""
    binary = torch.zeros(model.get_output_embeddings().weight.shape[0])
    for token in TOKENIZER(words, add_special_tokens=False)["input_ids"]:
        binary[token] = 1.0
    return model.get_output_embeddings().weight.detach().T @ binary


@pytest.mark.parametrize("family", WALKED)
def test_a_memory_is_added_to_what_the_attention_puts_out(family: str) -> None:
    model = build(FAMILIES[family]())
    before, move = state(model), 1.5 * embedding(model, THOUGHT)
    for into, places in (("attention", "all"), ("layer", "all"), ("attention", "last")):
        with inject(model, TOKENIZER, THOUGHT, layer=-3, strength=1.5, into=into, places=places):
            found = model(TEXTS[0][None]).logits[0]

        def moved(number: int, hidden: Tensor, places: str = places) -> Tensor:
            if number != 1:
                return hidden
            changed = hidden.clone()
            changed[:, -1 if places == "last" else 0 :] += move
            return changed

        wanted = walk(model, TEXTS[0], **{f"after_{into}": moved})
        assert (found - wanted).abs().max() < 1e-4
        assert (wanted - walk(model, TEXTS[0]))[-1].abs().max() > 1e-2
    assert same_state(before, state(model))


@pytest.mark.parametrize("places", ["all", "last"])
def test_each_row_has_its_own_memory_or_none(places: str) -> None:
    model = build(FAMILIES["llama"]())
    given, each = left_padded(TEXTS), ["Rita", None, "Rome now"]
    plain = model.generate(**given, max_new_tokens=4, min_new_tokens=4, do_sample=False)
    scores = model(**given).logits
    with inject(model, TOKENIZER, each, layer=2, strength=3.0, places=places):
        logits = model(**given).logits
        said = model.generate(**given, max_new_tokens=4, min_new_tokens=4, do_sample=False)
        beams = model.generate(**given, max_new_tokens=4, min_new_tokens=4, do_sample=False, num_beams=2)
    assert torch.equal(logits[1], scores[1])
    assert torch.equal(said[1], plain[1])
    for row in (0, 2):
        assert (logits[row, -1] - scores[row, -1]).abs().max() > 1e-2
    for row, words in enumerate(each):
        with inject(model, TOKENIZER, [words], layer=2, strength=3.0, places=places):
            alone = model.generate(TEXTS[row][None], max_new_tokens=4, min_new_tokens=4, do_sample=False)
            own = model.generate(TEXTS[row][None], max_new_tokens=4, min_new_tokens=4, do_sample=False, num_beams=2)
            one = model(TEXTS[row][None]).logits[0]
        assert (logits[row, -len(TEXTS[row]) :] - one).abs().max() < 1e-4
        assert torch.equal(said[row, -4:], alone[0, -4:])
        assert torch.equal(beams[row, -4:], own[0, -4:])
    right = {"input_ids": torch.nn.functional.pad(TEXTS[0][None], (0, 3), value=2)}
    right["attention_mask"] = (torch.arange(12) < 9)[None].long()
    with inject(model, TOKENIZER, "Rita", layer=2, strength=3.0, places=places):
        assert (model(**right).logits[0, :9] - model(TEXTS[0][None]).logits[0]).abs().max() < 1e-4


def test_memories_of_a_store_are_injected_by_their_words(memory: Mnemos) -> None:
    model = build(FAMILIES["llama"]())
    one = memory.add("Rita lives in Rome now.", user_id="ana")[0]
    hit = memory.search("Rita", user_id="ana")[0]
    assert isinstance(hit, Hit)
    found = []
    for remembered in ("Rita lives in Rome now.", one, hit, [one]):
        with inject(model, TOKENIZER, remembered, layer=0, strength=2.0):
            found.append(model(TEXTS[0][None]).logits)
    assert all(torch.equal(found[0], other) for other in found)


def test_a_missing_hop_is_supplied() -> None:
    """The model knows where each person lives, and nothing of sisters: a memory says who is meant."""
    model, words = world()
    before = state(model)
    pairs = [(one, other) for one in range(8) for other in range(8) if one != other]
    asked = batch(words, [f"home of {NAMES[one]} sister" for one, _ in pairs])
    wanted = torch.tensor([WORDS.index(HOME[NAMES[sister]]) for _, sister in pairs])

    def right() -> Tensor:
        with torch.no_grad():
            said = model(**asked).logits[:, -1].log_softmax(-1)
        return said.gather(1, wanted[:, None])[:, 0]

    plain = right()
    with inject(model, words, [NAMES[sister] for _, sister in pairs], layer=0, strength=4.0):
        helped = right()
    with inject(model, words, [NAMES[(sister + 3) % 8] for _, sister in pairs], layer=0, strength=4.0):
        misled = right()
    assert float((helped - plain).mean()) > 1.0
    assert float((helped - misled).mean()) > 0.7
    assert float(helped.exp().mean() / misled.exp().mean()) > 1.5
    assert same_state(before, state(model))


def test_it_leaves_nothing_when_it_fails_and_refuses_by_name() -> None:
    model = build(FAMILIES["llama"]())
    before = state(model)
    with pytest.raises(InvalidInput, match="remembered"), inject(model, TOKENIZER, ["Rita", None], layer=0):
        model(torch.stack([TEXTS[0]] * 3))
    for field, wrong in {
        "layer": {"layer": 4},
        "strength": {"layer": 0, "strength": float("inf")},
        "places": {"layer": 0, "places": "first"},
        "into": {"layer": 0, "into": "mlp"},
    }.items():
        with pytest.raises(InvalidInput, match=f"^{field}:"), inject(model, TOKENIZER, "Rita", **wrong):  # type: ignore[arg-type]
            pass
    for remembered in ("", [], [7]):
        with pytest.raises(InvalidInput, match=r"^remembered"), inject(model, TOKENIZER, remembered, layer=0):  # type: ignore[arg-type]
            pass
    assert same_state(before, state(model))
