"""Lists of subtasks that are done go, and what came of them stays."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from models_built import FAMILIES, GROUPED, build, tokens
from plain_tim import PlainSubtaskPruning
from transformers import LlamaConfig

from mnemos.activation.cache import MemoryCache, SubtaskPruning
from mnemos.errors import InvalidInput

OPEN, CLOSE = 95, 96


def kept(text: str, pending: int, family: str = "llama", budget: float = 1.0) -> list[list[str]]:
    """What is left after each letter of a text, in which brackets open and close lists."""
    ids = torch.tensor([[OPEN if one == "[" else CLOSE if one == "]" else 3 + ord(one) % 90 for one in text]])
    model = build(FAMILIES[family]())
    cache = MemoryCache(model, SubtaskPruning([OPEN], [CLOSE], pending), budget)
    found = []
    for at in range(len(text)):
        with torch.no_grad():
            model(ids[:, at : at + 1], past_key_values=cache)
        layers = {"".join(text[one] for one in head) for layer in cache.kept for head in layer[0]}
        found.append(sorted(layers))
    return found


def test_thought_and_conclusion_stay_of_what_is_done() -> None:
    steps = kept("a[b[cd]e]f", 0)
    assert steps == [["a"], ["a["], ["a[b"], ["a[b["], ["a[b[c"], ["a[b[cd"], ["a[b"], ["a[be"], ["a"], ["af"]]


def test_the_lists_closed_last_stay() -> None:
    text = "a[b]c[d[e]f]g[h]i"
    assert kept(text, 1)[-1] == ["acg[h]i"]
    assert kept(text, 2)[-1] == ["ac[df]g[h]i"]
    assert kept(text, 3)[-1] == ["ac[d[e]f]g[h]i"]
    assert kept(text, 4)[-1] == [text]


def test_what_was_never_opened_is_not_closed() -> None:
    assert kept("ab]c[d]]e[f", 0)[-1] == ["ab]c]e[f"]


def test_with_too_little_room_the_latest_stay() -> None:
    assert kept("abc[d]efg", 0, budget=4)[-1] == ["cefg"]


@pytest.mark.parametrize("pending", [0, 1, 3])
def test_a_prompt_is_pruned_as_if_it_had_been_written(pending: int) -> None:
    model, ids = build(FAMILIES["qwen3"]()), tokens(60, 3)
    opens, closes = range(3, 30), range(30, 62)
    cache = MemoryCache(model, SubtaskPruning(opens, closes, pending))
    gone = PlainSubtaskPruning(opens, closes, pending).gone(dict(enumerate(ids.tolist())))
    assert len(gone) > 10
    with torch.no_grad():
        model(ids[None], past_key_values=cache)
    left = [one for one in range(60) if one not in gone]
    assert all(head == left for layer in cache.kept for head in layer[0])


def test_what_moves_together_is_a_text_without_the_list() -> None:
    """In a single layer a key knows nothing of the tokens before it, so that nothing else is left of them."""
    model = build(LlamaConfig(**{**GROUPED, "num_hidden_layers": 1}))
    text = torch.cat([tokens(6, 1).clamp_max(90), torch.tensor([OPEN, 7, 8, CLOSE]), tokens(9, 2).clamp_max(90)])[None]
    short = torch.cat([text[:, :6], text[:, 10:]], 1)
    logits = {}
    for close in (True, False):
        cache = MemoryCache(model, SubtaskPruning([OPEN], [CLOSE], 0, close=close))
        with torch.no_grad():
            model(text[:, :13], past_key_values=cache)
            found = [model(text[:, at : at + 1], past_key_values=cache).logits for at in range(13, 19)]
        logits[close] = torch.cat(found, 1)
    with torch.no_grad():
        whole = model(short).logits[:, 9:]
    torch.testing.assert_close(logits[True], whole, atol=1e-4, rtol=1e-4)
    assert (logits[False] - whole).abs().max() > 1e-3


@pytest.mark.parametrize(
    "settings",
    [{"opens": [-1]}, {"closes": [True]}, {"opens": [3], "closes": [3]}, {"pending": -1}, {"opens": ["["]}],
)
def test_what_marks_no_lists_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        SubtaskPruning(**settings)
