"""Says which tokens kvpress keeps, in an environment of its own: `python peer.py MODEL ASKED`, JSON out.

MODEL is a folder with a model's configuration and weights. ASKED is a file of JSON: `ids`, the tokens of a text;
`more`, those that are then read one by one; and `cases`, each with the name of a press, its `settings`, the `ratio`
that it lets go, the `floor` of Ada-KV around it (null: no Ada-KV), whether it goes on at every step of `more`
(`steps`), and whether what is kept is put back into the order of the text before each (`in_order`; a press leaves it
in the order of scores).

What is kept is not asked of the press: the keys in the cache are looked up, bit by bit, among those that were there
before. Ada-KV leaves all keys there and masks some when others look: it keeps those that it does not mask.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from kvpress import (
    AdaKVPress,
    BasePress,
    DecodingPress,
    ExpectedAttentionPress,
    ObservedAttentionPress,
    PrefillDecodingPress,
    PyramidKVPress,
    ScorerPress,
    SnapKVPress,
    StreamingLLMPress,
    TOVAPress,
)
from torch import Tensor
from transformers import AutoModelForCausalLM, DynamicCache, PreTrainedModel

PRESSES: dict[str, type[ScorerPress]] = {
    "streaming": StreamingLLMPress,
    "snapkv": SnapKVPress,
    "pyramidkv": PyramidKVPress,
    "tova": TOVAPress,
    "expected": ExpectedAttentionPress,
    "observed": ObservedAttentionPress,
}
Kept = list[list[list[int]]]
"""Positions by layer and head, ascending."""


def press_of(case: dict[str, Any], length: int) -> BasePress:
    """The press of a case.

    Args:
        case: see above.
        length: tokens of the text.
    """
    press: BasePress = PRESSES[case["press"]](compression_ratio=case["ratio"], **case["settings"])
    if case["floor"] is not None:
        press = AdaKVPress(press, alpha_safeguard=case["floor"])
    if not case["steps"]:
        return press
    room = int(length * (1 - case["ratio"]))
    every_step = DecodingPress(PRESSES[case["press"]](**case["settings"]), compression_interval=1, target_size=room)
    return PrefillDecodingPress(press, every_step)


def keys_of(cache: DynamicCache) -> list[Tensor]:
    """What each layer holds of the one text, [heads, tokens, dimensions]."""
    return [layer.keys[0].clone() for layer in cache.layers]


def masked(model: PreTrainedModel, kept: Kept) -> Kept:
    """What is left of it when what Ada-KV masks is taken away."""
    left = []
    for layer, heads in zip(model.model.layers, kept, strict=True):
        _, head, position = layer.self_attn.masked_key_indices
        gone = set(zip(head.tolist(), position.tolist(), strict=True))
        left.append([[one for one in held if (number, one) not in gone] for number, held in enumerate(heads)])
    return left


def found(before: list[Tensor], places: Kept, after: list[Tensor], new: int | None) -> Kept:
    """Which keys are left, in the order in which they lie.

    Args:
        before: that were there, by layer.
        places: their positions, by layer and head.
        after: that are there now.
        new: the position of the one token that came in between; None: none came.
    """
    kept = []
    for old, heads, left in zip(before, places, after, strict=True):
        same = (left[:, :, None] == old[:, None]).all(-1)
        if bool((same.sum(1) > 1).any()) or bool((same.sum(2) > 1).any()):
            raise SystemExit("two tokens have the same key: they cannot be told apart")
        if bool(((~same.any(2)).sum(1) > (new is not None)).any()):
            raise SystemExit("keys have come from nowhere")
        which = torch.where(same.any(2), same.int().argmax(2), -1).tolist()
        kept.append([[new if one < 0 else held[one] for one in row] for row, held in zip(which, heads, strict=True)])
    return kept


def put_in_order(cache: DynamicCache, kept: Kept) -> Kept:
    """Have keys and values lie in the order of their positions, which are returned."""
    for layer, heads in zip(cache.layers, kept, strict=True):
        order = torch.tensor(heads).argsort(-1)[None, :, :, None]
        layer.keys, layer.values = (one.take_along_dim(order, 2) for one in (layer.keys, layer.values))
    return [[sorted(one) for one in heads] for heads in kept]


@torch.no_grad()
def kept_by(model: PreTrainedModel, case: dict[str, Any], ids: list[int], more: list[int]) -> Kept:
    """What is kept of a text, and of what was read after it."""
    whole = DynamicCache()
    text = torch.tensor([ids])
    model(text, past_key_values=whole)
    everything = [[list(range(len(ids))) for _ in range(len(keys))] for keys in keys_of(whole)]
    cache = DynamicCache()
    with press_of(case, len(ids))(model):
        model(text, past_key_values=cache)
        kept = found(keys_of(whole), everything, keys_of(cache), None)
        for place, one in enumerate(more if case["steps"] else [], len(ids)):
            if case["in_order"]:
                kept = put_in_order(cache, kept)
            before = keys_of(cache)
            model(torch.tensor([[one]]), position_ids=torch.tensor([[place]]), past_key_values=cache)
            kept = found(before, kept, keys_of(cache), place)
    kept = kept if case["floor"] is None else masked(model, kept)
    return [[sorted(one) for one in heads] for heads in kept]


def main() -> int:
    """Answer every case."""
    folder, asked = sys.argv[1], json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    torch.set_num_threads(1)
    models = {
        way: AutoModelForCausalLM.from_pretrained(folder, attn_implementation=way, dtype=torch.float32).eval()
        for way in ("sdpa", "eager")
    }
    kept = []
    for case in asked["cases"]:
        # only this press asks the model for weights that not all ways of attention give
        way = "eager" if case["press"] == "observed" else "sdpa"
        kept.append(kept_by(models[way], case, asked["ids"], asked["more"]))
    print(json.dumps({"versions": {one: version(one) for one in ("kvpress", "transformers", "torch")}, "kept": kept}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
