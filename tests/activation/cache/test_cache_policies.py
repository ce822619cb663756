"""The first policies keep exactly what a slow reading of their definition keeps, at prefill and at every step."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from caches_built import memory, model
from models_built import tokens

from mnemos import InvalidInput
from mnemos.activation.cache import Oracle, Policy, Random, StreamingLLM

READ, STEPS = 21, 9
Slow = Callable[[list[int], int, int, int], list[int]]
"""Of what a head holds, how many may stay, the layer and the head: what stays."""


def streaming(held: list[int], room: int, layer: int, head: int) -> list[int]:
    """The first four of the text, then the latest."""
    sinks = [one for one in held if one < 4][:room] if room >= 4 else []
    if room < 4:
        return [one for one in held if one < 4][-room:]
    rest = [one for one in held if one >= 4]
    left = room - len(sinks)
    return sinks + rest[len(rest) - left :] if left < len(rest) else held


def oracle(held: list[int], room: int, layer: int, head: int) -> list[int]:
    """What is wanted, the latest first, then the latest of the rest."""
    wanted = [one for one in reversed(held) if one in (2, 5, 6, 11)]
    others = [one for one in reversed(held) if one not in (2, 5, 6, 11)]
    return sorted((wanted + others)[:room])


def chance(held: list[int], room: int, layer: int, head: int) -> list[int]:
    """The highest lots, one token after another."""
    drawn = sorted(held, key=lambda one: (lot(one, layer, head, 5), one), reverse=True)
    return sorted(drawn[:room])


def lot(position: int, layer: int, head: int, seed: int) -> int:
    """A lot in plain whole numbers."""
    number = position + (head + 1) * 0x9E3779B1 + (layer + 1) * 0x85EBCA77
    return mixed(mixed(number) + seed * 0xC2B2AE3D)


def mixed(number: int) -> int:
    number %= 2**32
    for _ in range(2):
        number = ((number ^ (number >> 16)) * 0x45D9F3B) % 2**32
    return number ^ (number >> 16)


@pytest.mark.parametrize("budget", [0.3, 0.6, 3, 8])
@pytest.mark.parametrize(
    ("kind", "slow"),
    [
        (StreamingLLM(), streaming),
        (StreamingLLM(close=False), streaming),
        (Oracle([2, 5, 6, 11]), oracle),
        (Random(5), chance),
    ],
    ids=["streaming", "sinks in place", "oracle", "random"],
)
def test_what_is_kept_is_what_the_definition_keeps(kind: Policy, slow: Slow, budget: float) -> None:
    text = tokens(READ + STEPS, 6)[None]
    cache = memory("llama", kind, budget)
    expected: dict[tuple[int, int], list[int]] = {}
    with torch.no_grad():
        for end in range(READ, READ + STEPS + 1):
            part = text[:, :READ] if end == READ else text[:, end - 1 : end]
            model("llama")(part, past_key_values=cache)
            room = budget if budget > 1 else -(-end * round(budget * 10) // 10)
            for layer in range(4):
                for head in range(2):
                    before = expected.get((layer, head), [*range(READ - 1)])
                    expected[layer, head] = slow([*before, end - 1], int(room), layer, head)
                    assert cache.kept[layer][0][head] == expected[layer, head]


@pytest.mark.parametrize("seed", [0, 1])
def test_lots_are_fair(seed: int) -> None:
    cache = memory("llama", Random(seed), 0.5)
    with torch.no_grad():
        model("llama")(tokens(2000, 1)[None], past_key_values=cache)
    heads = [head for layer in cache.kept for head in layer[0]]
    assert all(len(head) == 1000 for head in heads)
    for head in heads:
        assert sum(head) / len(head) == pytest.approx(1000, abs=70)
    first, second = set(heads[0]), set(heads[1])
    assert len(first & second) == pytest.approx(500, abs=80)


def test_rows_have_lots_of_their_own_where_that_is_wished() -> None:
    text = tokens(400, 1)[None].expand(2, -1)
    kept = []
    for by_row in (False, True):
        cache = memory("llama", Random(by_row=by_row), 0.5)
        with torch.no_grad():
            model("llama")(text, past_key_values=cache)
        kept.append([set(row[0]) for row in cache.kept[0]])
    assert kept[0][0] == kept[0][1]
    assert len(kept[1][0] & kept[1][1]) == pytest.approx(100, abs=40)


def test_an_oracle_that_has_read_on_keeps_what_later_tokens_look_at() -> None:
    text, prompt = tokens(40, 2).view(2, 20), 14
    before = model("llama").config._attn_implementation
    foreseeing = Oracle.foreseeing(model("llama"), text, prompt)
    assert model("llama").config._attn_implementation == before
    plain = weights_of(text)
    cache = memory("llama", foreseeing, 5)
    held = {(row, head): [*range(prompt)] for row in range(2) for head in range(2)}
    with torch.no_grad():
        for end in range(prompt, 20):
            part = text[:, :prompt] if end == prompt else text[:, end - 1 : end]
            model("llama")(part, past_key_values=cache)
            for (row, head), now in held.items():
                there = now if end == prompt else [*now, end - 1]
                later = plain[1][row].unflatten(0, (2, -1))[head].sum(0)[end:].sum(0)
                best = sorted(there, key=lambda one: (float(later[one]), one))[-5:]
                held[row, head] = sorted(best)
                assert cache.kept[1][row][head] == sorted(best)
    with pytest.raises(InvalidInput, match="prompt"):
        Oracle.foreseeing(model("llama"), text, 20)


def weights_of(text: torch.Tensor) -> tuple[torch.Tensor, ...]:
    eager = copy.deepcopy(model("llama"))
    eager.set_attn_implementation("eager")
    with torch.no_grad():
        found: tuple[torch.Tensor, ...] = eager(text, output_attentions=True).attentions
    return found


def test_every_row_has_its_own_oracle() -> None:
    cache = memory("llama", Oracle([[1, 2], [7, 8]]), 4)
    with torch.no_grad():
        model("llama")(tokens(24, 1).view(2, 12), past_key_values=cache)
        assert [row[0] for row in cache.kept[0]] == [[1, 2, 10, 11], [7, 8, 10, 11]]
        cache.reorder_cache(torch.tensor([1, 1]))
        model("llama")(tokens(2, 1).view(2, 1), past_key_values=cache)
    assert [row[0] for row in cache.kept[0]] == [[7, 8, 11, 12], [7, 8, 11, 12]]


def test_a_policy_of_ones_own_takes_a_few_lines() -> None:
    class Odd(Policy):
        def scores(self, shown: object) -> torch.Tensor:
            return (shown.positions % 2).float()  # type: ignore[attr-defined]

    cache = memory("llama", Odd(), 5)
    with torch.no_grad():
        model("llama")(tokens(12, 1)[None], past_key_values=cache)
    assert cache.kept[0][0] == [[3, 5, 7, 9, 11]] * 2
