"""Sentinels: what each token sees, what goes when, and that both are what a model would be trained with."""

from __future__ import annotations

import random

import pytest
import torch
from caches_built import memory
from caches_built import model as tiny
from torch import Tensor

from mnemos.activation.cache import Sentinels
from mnemos.errors import InvalidInput

OPENS, CLOSES = 5, 6
POLICY = Sentinels(OPENS, CLOSES)


def spans(ids: list[int]) -> list[tuple[int, int]]:
    """Opening and closing sentinels, the innermost with each other."""
    stack, found = [], []
    for at, one in enumerate(ids):
        if one == OPENS:
            stack.append(at)
        elif one == CLOSES and stack:
            found.append((stack.pop(), at))
    return found


def sees(ids: list[int], query: int, key: int) -> bool:
    """The definition, for one token and one before it."""
    if query == key:
        return True
    if key > query or ids[query] == OPENS:
        return False
    mine = dict(map(reversed, spans(ids))).get(query)
    if mine is not None and key < mine:
        return False
    if any(begin <= key < end < query for begin, end in spans(ids)):
        return False
    return ids[key] != OPENS or key == mine


def text(seed: int, count: int = 40) -> list[int]:
    """Words with sentinels among them: nested ones, ones that close nothing, ones that are never closed."""
    chance = random.Random(seed)
    return [chance.choices([OPENS, CLOSES, chance.randint(7, 90)], [1, 1.2, 6])[0] for _ in range(count)]


@pytest.mark.parametrize("seed", range(6))
def test_the_mask_is_the_definition(seed: int) -> None:
    ids = text(seed)
    mask = POLICY.mask(torch.tensor([ids]))[0, 0]
    assert mask.tolist() == [[sees(ids, query, key) for key in range(len(ids))] for query in range(len(ids))]
    assert spans(ids)


def trained(family: str, ids: list[int]) -> Tensor:
    """What a model says that reads all at once with that mask, [tokens, vocabulary]."""
    mask = torch.tensor([[[[sees(ids, query, key) for key in range(len(ids))] for query in range(len(ids))]]])
    added = torch.zeros(mask.shape).masked_fill(~mask, torch.finfo(torch.float32).min)
    with torch.no_grad():
        logits: Tensor = tiny(family)(torch.tensor([ids]), attention_mask=added, use_cache=False).logits[0]
    return logits


@pytest.mark.parametrize("family", ["llama", "gpt-neox", "phi3", "gemma"])
@pytest.mark.parametrize("parts", [[40], [1] * 40, [13, 1, 1, 7, 1, 17]])
def test_a_freed_span_is_a_span_that_nobody_sees(family: str, parts: list[int]) -> None:
    ids = text(3)
    cache, expected = memory(family, POLICY), trained(family, ids)
    for part in torch.arange(40).split(parts):
        with torch.no_grad():
            some = torch.tensor(ids)[part][None]
            found = tiny(family)(some, past_key_values=cache, use_cache=True).logits[0]
        torch.testing.assert_close(found, expected[part], atol=1e-4, rtol=1e-4)
        before = ids[: int(part[-1]) + 1]
        left = [at for at in range(len(before)) if not any(begin <= at < end for begin, end in spans(before))]
        assert cache.kept[0][0] == [left] * len(cache.kept[0][0])
    assert len(left) < 30


def test_bytes_go_with_spans() -> None:
    ids = [9] * 10 + [OPENS] + list(range(10, 70)) + [CLOSES] + [9] * 9
    open_one, closed = memory("llama", POLICY), memory("llama", POLICY)
    with torch.no_grad():
        tiny("llama")(torch.tensor([ids[:71]]), past_key_values=open_one)
        tiny("llama")(torch.tensor([ids]), past_key_values=closed)
    assert len(closed.kept[0][0][0]) == 20
    assert closed.bytes < 0.35 * open_one.bytes


def test_a_padded_row_is_the_row_alone() -> None:
    rows = [text(1, 30), text(2, 19)]
    ids = torch.tensor([rows[0], [2] * 11 + rows[1]])
    mask = torch.ones_like(ids)
    mask[1, :11] = 0
    wanted = {"max_new_tokens": 6, "min_new_tokens": 6, "do_sample": False, "return_dict_in_generate": True}
    cache = memory("llama", POLICY)
    model = tiny("llama")
    both = model.generate(ids, attention_mask=mask, past_key_values=cache, output_logits=True, **wanted)
    for row, own in enumerate(rows):
        single, one = memory("llama", POLICY), torch.tensor([own])
        alone = model.generate(
            one, attention_mask=torch.ones_like(one), past_key_values=single, output_logits=True, **wanted
        )
        for mine, theirs in zip(both.logits, alone.logits, strict=True):
            torch.testing.assert_close(mine[row], theirs[0], atol=1e-5, rtol=1e-5)
        assert [layer[row] for layer in cache.kept] == [layer[0] for layer in single.kept]


def test_the_mask_leaves_padding_out() -> None:
    ids = torch.tensor([[2, 2, 2, *text(4, 20)]])
    real = torch.ones_like(ids)
    real[0, :3] = 0
    padded = POLICY.mask(ids, real)[0, 0]
    assert not padded[:, :3].any()
    assert torch.equal(padded[3:, 3:], POLICY.mask(ids[:, 3:])[0, 0])


def test_without_sentinels_nothing_changes() -> None:
    ids = torch.randint(7, 90, (1, 20), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = tiny("llama")(ids, use_cache=False).logits
        found = tiny("llama")(ids, past_key_values=memory("llama", POLICY)).logits
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InvalidInput, match="closes"):
        Sentinels(3, 3)
    with pytest.raises(InvalidInput, match="opens"):
        Sentinels(-1, 3)
    vectors = torch.zeros(1, 4, 32)
    with torch.no_grad(), pytest.raises(InvalidInput, match="inputs_embeds"):
        tiny("llama")(inputs_embeds=vectors, past_key_values=memory("llama", POLICY))


def test_a_row_that_reads_padding_stays_as_it_is() -> None:
    """A closing sentinel of before closes nothing again, while the other row reads on."""
    rows = [[7, OPENS, 8, OPENS, 9, CLOSES, 10], [7, 8, 9, 10, 11, 12, 13]]
    more = torch.tensor([[2, 2], [14, 15]])
    mask = torch.ones(2, 9, dtype=torch.int64)
    mask[0, 7:] = 0
    cache = memory("llama", POLICY)
    with torch.no_grad():
        tiny("llama")(torch.tensor(rows), past_key_values=cache)
        before = cache.kept[0][0]
        tiny("llama")(more, attention_mask=mask, past_key_values=cache)
    assert cache.kept[0][0] == before == [[0, 1, 2, 5, 6]] * 2
