"""What is left stays at its place: a slow reading of the whole text, which hides from each query what had gone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from caches_built import Lopsided, memory, model, policy
from models_built import GROUPED, build, tokens
from torch import Tensor
from transformers import AttentionInterface, LlamaConfig
from transformers.masking_utils import AttentionMaskInterface, eager_mask

from mnemos.activation.cache import MemoryCache, Policy, StreamingLLM

STEPS, READ = 7, 12
Kept = list[list[list[list[int]]]]


class Hiding:
    """Attention over a whole text, token by token, in which every head is shown only what it held at the time."""

    def __init__(self, kept: list[Kept], window: int | None) -> None:
        self.kept, self.window = kept, window

    def __call__(self, module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Any, **said: Any) -> Any:
        out = torch.zeros_like(query)
        sharing = query.shape[1] // key.shape[1]
        for head in range(query.shape[1]):
            for at in range(query.shape[2]):
                seen = self.seen(module.layer_idx, head // sharing, at)
                if self.window and said.get("sliding_window"):
                    seen = [one for one in seen if one > at - self.window]
                scores = key[0, head // sharing, seen] @ query[0, head, at] * said["scaling"]
                out[0, head, at] = scores.softmax(-1) @ value[0, head // sharing, seen]
        return out.transpose(1, 2), None

    def seen(self, layer: int, head: int, at: int) -> list[int]:
        """What a query may look at: at first all before it, then what had been left, and itself."""
        return [*range(at + 1)] if at < READ else [*self.kept[at - READ][layer][0][head], at]


def decoded(name: str, kind: Policy, budget: float) -> tuple[Tensor, list[Kept], Tensor]:
    """Scores at every step after a text was read, what was held before each, and the whole text."""
    text = tokens(READ + STEPS, 4)[None]
    cache = memory(name, kind, budget)
    with torch.no_grad():
        scores, kept = [model(name)(text[:, :READ], past_key_values=cache).logits[:, -1]], []
        for at in range(READ, READ + STEPS):
            kept.append(cache.kept)
            scores.append(model(name)(text[:, at : at + 1], past_key_values=cache).logits[:, -1])
    return torch.stack(scores, 1)[0], kept, text


@pytest.mark.parametrize("name", ["llama", "llama yarn", "qwen3", "mistral", "phi3", "gpt-neox"])
@pytest.mark.parametrize("kind", ["random", "heavy", "watched", "sinks in place", "lopsided"])
def test_positions_are_right_after_tokens_have_gone(name: str, kind: str) -> None:
    own = Lopsided() if kind == "lopsided" else policy(kind)
    found, kept, text = decoded(name, own, 0.4)
    assert all(len(head) < READ for layer in kept[0] for row in layer for head in row)
    window = model(name).config.sliding_window if name == "mistral" else None
    AttentionInterface.register("hiding", Hiding(kept, window))
    AttentionMaskInterface.register("hiding", eager_mask)
    before = model(name).config._attn_implementation
    model(name).set_attn_implementation("hiding")
    try:
        with torch.no_grad():
            slow = model(name)(text, use_cache=False).logits[0, READ - 1 :]
    finally:
        model(name).set_attn_implementation(before)
    torch.testing.assert_close(found, slow, rtol=0, atol=1e-4)


@pytest.mark.parametrize("rope", [{"rope_type": "default"}, {"rope_type": "linear", "factor": 2.0}])
def test_streaming_sees_what_is_left_side_by_side(rope: dict[str, object]) -> None:
    # with one layer keys depend on nothing but their own token: so what is left can be read again as a text
    config = LlamaConfig(**{**GROUPED, "num_hidden_layers": 1}, rope_parameters={"rope_theta": 10000.0, **rope})
    single = build(config)
    text = tokens(30, 3)[None]
    cache = MemoryCache(single, StreamingLLM(2), 6)
    with torch.no_grad():
        single(text[:, :14], past_key_values=cache)
        for part in [*text[:, 14:20].split(1, 1), text[:, 20:24], *text[:, 24:].split(1, 1)]:
            (left,) = {tuple(head) for head in cache.kept[0][0]}
            assert len(left) == 6
            alone = torch.cat([text[:, list(left)], part], 1)
            expected = single(alone, use_cache=False).logits[:, 6:]
            torch.testing.assert_close(single(part, past_key_values=cache).logits, expected, rtol=0, atol=1e-5)


def test_how_many_were_read_is_told_and_not_how_many_are_left() -> None:
    cache = memory("llama", "streaming", 4)
    with torch.no_grad():
        model("llama")(tokens(20, 1)[None], past_key_values=cache)
    assert cache.get_seq_length() == 20
    assert {len(head) for layer in cache.kept for row in layer for head in row} == {4}
