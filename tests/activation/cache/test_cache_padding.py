"""A row of a batch that was filled up is the same row alone, for every policy."""

from __future__ import annotations

import pytest
import torch
from caches_built import EVERY, LONG, OWN, SHORT, Lopsided, batch, memory, model, policy, said, texts

CLOSE = {"rtol": 0, "atol": 1e-5}


@pytest.mark.parametrize(
    ("name", "budget", "kind"),
    [("llama", 0.4, kind) for kind in EVERY]
    + [("mistral", 5, kind) for kind in EVERY]
    + [("gemma2", 0.3, kind) for kind in OWN],
)
def test_a_padded_row_is_the_row_alone(name: str, budget: float, kind: str) -> None:
    ids, mask = batch()
    together = memory(name, kind, budget)
    found = said(model(name), ids, together, mask=mask)
    for row, text in enumerate(texts()):
        alone = memory(name, kind, budget)
        torch.testing.assert_close(found[row], said(model(name), text, alone)[0], **CLOSE)
        assert [layer[row] for layer in together.kept] == [layer[0] for layer in alone.kept]


def test_heads_that_hold_different_numbers_are_padded_rightly_too() -> None:
    ids, mask = batch()
    for name in ("qwen3", "qwen2 sliding"):
        together = memory(name, Lopsided(), 0.8)
        found = said(model(name), ids, together, mask=mask)
        for row, text in enumerate(texts()):
            alone = memory(name, Lopsided(), 0.8)
            torch.testing.assert_close(found[row], said(model(name), text, alone)[0], **CLOSE)
            assert [layer[row] for layer in together.kept] == [layer[0] for layer in alone.kept]
        first, second = together.kept[0][0]
        assert len(first) != len(second)


@pytest.mark.parametrize("kind", ["streaming", "heavy", "watched", "near"])
def test_padding_on_the_right_is_as_harmless(kind: str) -> None:
    ids, mask = batch(left=False)
    places = (mask.cumsum(1) - 1).clamp_min(0)
    together = memory("llama", kind, 0.4)
    more = torch.tensor([[5], [6]])
    with torch.no_grad():
        read = model("llama")(ids, attention_mask=mask, position_ids=places, past_key_values=together).logits
        then = model("llama")(
            more,
            attention_mask=torch.cat([mask, torch.ones(2, 1)], 1),
            position_ids=torch.tensor([[LONG], [SHORT]]),
            past_key_values=together,
        ).logits
        for row, text in enumerate(texts()):
            alone = memory("llama", kind, 0.4)
            own = model("llama")(text, past_key_values=alone).logits
            torch.testing.assert_close(read[row, : text.shape[1]], own[0], **CLOSE)
            after = model("llama")(more[row : row + 1], past_key_values=alone).logits
            torch.testing.assert_close(then[row], after[0], **CLOSE)
            assert [layer[row] for layer in together.kept] == [layer[0] for layer in alone.kept]


def test_padding_is_not_held() -> None:
    ids, mask = batch()
    cache = memory("llama", "full")
    said(model("llama"), ids, cache, mask=mask, steps=1)
    assert cache.seen.tolist() == [LONG, SHORT]
    assert [len(head) for head in cache.kept[0][1]] == [SHORT, SHORT]
    assert cache.get_seq_length() == LONG


def test_attention_whose_weights_are_noted_in_parts_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    ids, mask = batch()
    whole = memory("llama", "heavy", 0.5)
    found = said(model("llama"), ids, whole, mask=mask)
    monkeypatch.setattr("mnemos.activation.cache.looking.AT_ONCE", 100)
    parted = memory("llama", policy("heavy"), 0.5)
    torch.testing.assert_close(said(model("llama"), ids, parted, mask=mask), found, **CLOSE)
    assert parted.kept == whole.kept
