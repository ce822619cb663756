"""LongMem and ActQKV beside plain definitions; and what all caches that read have in common."""

from __future__ import annotations

import gc
import math
from pathlib import Path

import pytest
import torch
from caches_built import batch, memory, said, texts
from caches_built import model as tiny
from models_built import tokens
from plain_reading import HEADS, SHARING, SIZE, Row, agree, drawn, quick
from torch import Tensor

from mnemos.activation.cache import EMLLM, ActQKV, AdaKV, LongMem
from mnemos.activation.cache.budgets import Budget
from mnemos.activation.cache.reading import Rest, Retrieval
from mnemos.errors import InvalidInput

READINGS = [23, 1, 1, 9, 1, 1, 1, 12, 1, 1, 1, 1, 1]


class Chunks:
    """Blocks of one size."""

    def __init__(self, size: int) -> None:
        self.size = size

    def cut(self, row: Row, begin: int, leaving: int) -> int | None:
        return self.size if leaving >= self.size else None

    def mean(self, row: Row, number: int, head: int) -> Tensor:
        return sum((row.keys[at][head] for at in row.blocks[number]), torch.zeros(SIZE)) / self.size


class PlainLongMem(Chunks):
    def chosen(self, row: Row, queries: list[Tensor], room: int, layer: int) -> list[list[set[int]]]:
        found: list[list[set[int]]] = []
        for head in range(HEADS):
            found.append([])
            for query in queries:
                near = [
                    sum(float(query[head, share] @ self.mean(row, number, head)) for share in range(SHARING))
                    for number in range(len(row.blocks))
                ]
                order = sorted(range(len(near)), key=lambda number: (-near[number], -number))
                found[-1].append(set(order[: room // self.size]))
        return found


class PlainActQKV(Chunks):
    def __init__(self, size: int, anchors: float) -> None:
        super().__init__(size)
        self.anchors = anchors

    def chosen(self, row: Row, queries: list[Tensor], room: int, layer: int) -> list[list[set[int]]]:
        whole = [query.flatten().tolist() for query in queries]
        count = len(whole)
        means = [sum(one[j] for one in whole) / count for j in range(len(whole[0]))]
        spread = [sum((one[j] - means[j]) ** 2 for one in whole) / count or 1.0 for j in range(len(means))]
        bias = [sum((x - m) ** 2 / s for x, m, s in zip(one, means, spread, strict=True)) for one in whole]
        order = sorted(range(count), key=lambda at: (-bias[at], -at))[: max(1, math.floor(count * self.anchors))]
        probe = sum(queries[at] for at in order) / len(order)
        scores = [
            sum(float(probe[h].mean(0) @ self.mean(row, number, h)) for h in range(HEADS)) / HEADS / math.sqrt(SIZE)
            for number in range(len(row.blocks))
        ]
        blocks = room // self.size
        if count == 1:
            parts = [math.exp(score - max(scores)) for score in scores]
            shares = [part / sum(parts) for part in parts]
            entropy = -sum(share * math.log(share) for share in shares)
            blocks = min(blocks, math.ceil(math.exp(entropy) - 1e-4))
        best = sorted(range(len(scores)), key=lambda number: (-scores[number], -number))[:blocks]
        return [[set(best)] * count] * HEADS


@pytest.mark.parametrize("budget", [1.0, 0.6, 17, 9])
def test_longmem_finds_what_the_plain_reference_finds(budget: float, tmp_path: Path) -> None:
    agree(PlainLongMem(2), LongMem(2), budget, READINGS, Rest(tmp_path if budget == 9 else None))
    agree(PlainLongMem(3), LongMem(3), budget, READINGS, Rest(), 1)


@pytest.mark.parametrize("budget", [1.0, 0.6, 17, 9])
def test_actqkv_finds_what_the_plain_reference_finds(budget: float, tmp_path: Path) -> None:
    agree(PlainActQKV(2, 0.25), ActQKV(2, 0.25), budget, READINGS, Rest(tmp_path if budget == 9 else None))
    agree(PlainActQKV(3, 0.01), ActQKV(3, 0.01), budget, READINGS, Rest(), 1)


def test_actqkv_reads_less_where_one_block_says_it_all() -> None:
    reads = ActQKV(4)
    steps = drawn([40, 1, 1], 1, 0, padded=False)
    steps[0][1][0, :, 8:12] = 30.0
    steps[-1] = (torch.full_like(steps[-1][0], 3.0), *steps[-1][1:])
    _, layer = quick(reads, Budget(30), steps, Rest())
    assert layer.looked[0, 0] == layer.held.counts[0, 0] + 4


READERS: dict[str, Retrieval] = {
    "em-llm": EMLLM(0.8, 8, least=2, most=6),
    "longmem": LongMem(2),
    "actqkv": ActQKV(3),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt-neox", "qwen3"])
def test_reading_everything_is_full_attention(name: str, family: str, tmp_path: Path) -> None:
    ids = tokens(33, 4)[None]
    full = said(tiny(family), ids, None, 8)
    cache = memory(family, READERS[name], 1.0, rest=tmp_path)
    torch.testing.assert_close(said(tiny(family), ids, cache, 8), full, atol=2e-5, rtol=1e-4)
    assert cache.rest.on_disk > 0


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("budget", [0.5, 7])
def test_a_padded_row_is_the_row_alone(name: str, budget: float) -> None:
    ids, mask = batch()
    together = said(tiny("llama"), ids, memory("llama", READERS[name], budget), mask=mask)
    for row, text in enumerate(texts()):
        alone = said(tiny("llama"), text, memory("llama", READERS[name], budget))
        torch.testing.assert_close(together[row], alone[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", READERS)
def test_nothing_goes_and_little_is_read(name: str) -> None:
    ids = tokens(60, 5)[None]
    cache = memory("llama", READERS[name], 20)
    said(tiny("llama"), ids, cache, 10)
    for layer in cache.layers:
        assert layer.kept == [[list(range(69))] * 2]
        assert layer.looked.max() <= 21


@pytest.mark.parametrize("name", READERS)
def test_a_long_text_is_read_piece_by_piece(name: str) -> None:
    ids = tokens(60, 6)[None]
    wanted = {"max_new_tokens": 4, "min_new_tokens": 4, "do_sample": False, "prefill_chunk_size": 12}
    cache = memory("llama", READERS[name], 24)
    looked: list[int] = []
    attend = cache.layers[0].attend

    def counted(asked: object) -> Tensor:
        found = attend(asked)
        looked.append(int(cache.layers[0].looked.max()))
        return found

    cache.layers[0].attend = counted
    out = tiny("llama").generate(ids, attention_mask=torch.ones_like(ids), past_key_values=cache, **wanted)
    assert out.shape == (1, 64)
    assert max(looked) <= (24 + 12 if name != "longmem" else 60)
    assert len(looked) > 6


@pytest.mark.parametrize("name", READERS)
def test_what_rests_goes_with_its_row(name: str) -> None:
    """Rows that change places read on as if they had stood there from the beginning."""
    ids = torch.stack([tokens(40, 8), tokens(40, 9)])
    order = torch.tensor([1, 0])
    changed, straight = memory("llama", READERS[name], 14), memory("llama", READERS[name], 14)
    with torch.no_grad():
        for part in ids[:, :30].split([20, 1, 9], 1):
            tiny("llama")(part, past_key_values=changed)
            tiny("llama")(part[order], past_key_values=straight)
        changed.reorder_cache(order)
        for part in ids[:, 30:].split([1, 1, 8], 1):
            expected = tiny("llama")(part[order], past_key_values=straight).logits
            found = tiny("llama")(part[order], past_key_values=changed).logits
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
            for one, other in zip(changed.layers, straight.layers, strict=True):
                for mark, value in one.held.marks.items():
                    torch.testing.assert_close(value, other.held.marks[mark], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", READERS)
def test_what_rests_on_disk_is_read_as_from_memory_and_removed(name: str, tmp_path: Path) -> None:
    ids = tokens(60, 7)[None]
    in_memory, on_disk = memory("llama", READERS[name], 20), memory("llama", READERS[name], 20, rest=tmp_path)
    one, two = said(tiny("llama"), ids, in_memory), said(tiny("llama"), ids, on_disk)
    assert torch.equal(one, two)
    (file,) = tmp_path.iterdir()
    assert on_disk.rest.path == file
    assert file.stat().st_size == on_disk.rest.on_disk > 0
    assert on_disk.bytes < in_memory.bytes / 2
    del on_disk
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_half_precision_rests_on_disk(tmp_path: Path) -> None:
    rest = Rest(tmp_path)
    for dtype in (torch.bfloat16, torch.float16, torch.float32):
        made = torch.randn(3, 5, 7).to(dtype)
        resting = [rest.put(made), rest.put(made[:, :2])]
        assert torch.equal(resting[0].read(), made)
        assert torch.equal(resting[1].read(), made[:, :2])
    assert rest.put(torch.empty(2, 0, 3)).read().shape == (2, 0, 3)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="folder"):
        memory("llama", "longmem", 20, rest=tmp_path / "none")


@pytest.mark.parametrize(
    ("policy", "more"),
    [("longmem", {"quantise": "int8"}), ("em-llm", {"spread": AdaKV()}), ("h2o", {"rest": "."})],
)
def test_what_does_not_go_together_is_refused(policy: str, more: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(more))):
        memory("llama", policy, 0.5, **more)


@pytest.mark.parametrize("wrong", [lambda: LongMem(0), lambda: ActQKV(0), lambda: ActQKV(anchors=0)])
def test_what_cannot_be_is_refused(wrong: object) -> None:
    with pytest.raises(InvalidInput):
        wrong()  # type: ignore[operator]
