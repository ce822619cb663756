"""Memoria's store against one that keeps a list of engrams and a count for each pair; the layer against a loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from segmented import by_pieces_and_steps, causal  # noqa: E402

from mnemos.errors import InvalidInput  # noqa: E402
from mnemos.neural.engrams import Engrams, HebbianStore, Level, best, packed  # noqa: E402
from mnemos.neural.memoria import Memoria  # noqa: E402

Tensor = torch.Tensor


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(17)


@dataclass(eq=False)
class One:
    """An engram by itself."""

    vector: Tensor
    life: float
    number: int
    level: Level = Level.WORKING
    links: dict[int, int] = field(default_factory=dict)


class Listed:
    """A store of one sequence, by the rules as they are told."""

    def __init__(self, rules: HebbianStore) -> None:
        self.rules, self.all, self.number = rules, [], count()

    def on(self, level: Level) -> list[One]:
        return [one for one in self.all if one.level == level]

    def add(self, vectors: Tensor) -> None:
        self.all += [One(vector, self.rules.life, next(self.number)) for vector in vectors.detach()]

    def nearest(self, among: list[One], many: int) -> list[One]:
        def near(one: One) -> float:
            return sum(float((-((work.vector - one.vector) ** 2).sum()).exp()) for work in self.on(Level.WORKING))

        return sorted(among, key=near, reverse=True)[:many]

    def remind(self) -> list[One]:
        short = self.nearest(self.on(Level.SHORT), self.rules.recall_short)
        met, walks = [], short
        for _ in range(self.rules.depth + 1):
            steps = []
            for one in walks:
                linked = [other for other in self.on(Level.LONG) if other not in met and one.links.get(other.number, 0)]
                if linked:
                    steps.append(max(linked, key=lambda other: one.links[other.number]))
            met += list(dict.fromkeys(steps))
            walks = steps
        return short + self.nearest(met, self.rules.recall_long)

    def fire(self, recalled: list[One]) -> None:
        firing = recalled + self.on(Level.WORKING)
        for one in firing:
            for other in firing:
                one.links[other.number] = one.links.get(other.number, 0) + 1

    def age(self, gained: dict[int, float]) -> None:
        for one in self.all:
            one.life += gained.get(one.number, 0.0) - 1
            if one.level == Level.WORKING:
                one.level = Level.SHORT
        short = self.on(Level.SHORT)
        for one in short[: max(0, len(short) - self.rules.short)]:
            one.level = Level.LONG
        self.all = [one for one in self.all if one.life > 0]


def rules(**more: float) -> HebbianStore:
    return HebbianStore(**{"short": 4, "recall_short": 2, "recall_long": 2, "depth": 2, "life": 3.0} | more)


def agrees(held: Engrams, listed: list[Listed]) -> None:
    """Whether both hold the same engrams, in the same order, with the same levels, lives and links."""
    for b, store in enumerate(listed):
        at = [i for i, level in enumerate(held.level[b].tolist()) if level != Level.NONE]
        assert held.level[b, at].tolist() == [one.level for one in store.all]
        assert torch.allclose(held.life[b, at], torch.tensor([one.life for one in store.all]).to(held.life))
        assert torch.allclose(held.vectors[b, at], torch.stack([one.vector for one in store.all]))
        counts = [[one.links.get(other.number, 0) for other in store.all] for one in store.all]
        assert held.links[b][at][:, at].tolist() == counts


def chosen(held: Engrams, mask: Tensor, store: Listed, b: int) -> list[One]:
    """The engrams of a list that stand where a mask says."""
    at = [i for i, level in enumerate(held.level[b].tolist()) if level != Level.NONE]
    return [one for one, i in zip(store.all, at, strict=True) if mask[b, i]]


@pytest.mark.parametrize(
    "more",
    [{}, {"depth": 0}, {"recall_long": 5}, {"recall_short": 0}, {"short": 0}, {"life": 6.0, "short": 9, "depth": 5}],
)
def test_the_store_is_the_list_of_engrams(more: dict[str, float]) -> None:
    store = rules(**more)
    held, listed, longest = store.empty(3, 4, torch.zeros(0).double()), [Listed(store) for _ in range(3)], 0
    for _ in range(14):
        vectors = torch.randn(3, 2, 4).double()
        held = store.add(held, vectors, torch.tensor([True] * 3))
        recalled = store.remind(held)
        held = store.fire(held, recalled)
        gained = torch.rand(held.life.shape).double() * 4 * recalled
        extra = []
        for b, one in enumerate(listed):
            one.add(vectors[b])
            mind = one.remind()
            assert {engram.number for engram in mind} == {engram.number for engram in chosen(held, recalled, one, b)}
            one.fire(mind)
            at = [i for i, level in enumerate(held.level[b].tolist()) if level != Level.NONE]
            extra.append({engram.number: float(gained[b, i]) for engram, i in zip(one.all, at, strict=True)})
        agrees(held, listed)
        longest = max(longest, int(((held.level == Level.LONG) & recalled).sum()))
        held = store.age(held, gained, torch.tensor([True] * 3))
        for one, more_life in zip(listed, extra, strict=True):
            one.age(more_life)
        agrees(held, listed)
    assert longest > 0 or more in ({"recall_short": 0}, {"short": 0})


def test_a_link_brings_back_what_resemblance_would_not() -> None:
    """A cue recalls its neighbour, and over a link what once fired with it, not what is merely nearer."""
    store = rules(short=1, recall_short=1, recall_long=1, life=9.0)
    vectors = torch.tensor([[[0.0, 9.0], [0.0, 1.0], [5.0, 0.0], [5.1, 0.0]]]).double()
    level = torch.tensor([[Level.LONG, Level.LONG, Level.SHORT, Level.WORKING]])
    links = torch.zeros(1, 4, 4, dtype=torch.long)
    links[0, 2, 0] = links[0, 0, 2] = 1
    held = Engrams(vectors, level, torch.ones(1, 4).double(), links)
    assert store.remind(held).tolist() == [[True, False, True, False]]
    assert store.remind(held._replace(links=links * 0)).tolist() == [[False, False, True, False]]


def test_what_is_used_outlives_what_is_not() -> None:
    store, all_ = rules(life=2.0), torch.tensor([True])
    held = store.add(store.empty(1, 2, torch.zeros(0)), torch.tensor([[[1.0, 0], [0, 1]]]), all_)
    for _ in range(6):
        held = store.age(held, (held.vectors[..., 0] > 0).float(), all_)
    assert held.vectors.tolist() == [[[1.0, 0.0]]]
    assert held.life.tolist() == [[2.0]]


def test_the_best_of_few_and_of_none() -> None:
    score = torch.tensor([[3.0, 1.0, 2.0], [0.0, 0.0, 0.0]])
    among = torch.tensor([[False, True, True], [False, False, False]])
    assert best(score, among, 1).tolist() == [[False, False, True], [False] * 3]
    assert best(score, among, 9).tolist() == [[False, True, True], [False] * 3]
    assert packed(rules().empty(2, 3, score)).vectors.shape == (2, 0, 3)


def memoria(**more: float) -> Memoria:
    few = {"heads": 2, "segment": 4, "working": 2, "short": 3, "recall_short": 2, "recall_long": 2, "life": 3.0}
    return Memoria(8, **few | more).double()  # type: ignore[arg-type]


def attended(layer: torch.nn.Module, reader: Tensor, context: list[Tensor]) -> tuple[Tensor, list[float]]:
    """What one vector reads in others, head by head, and how much of each in all."""
    if not context:
        return torch.zeros_like(reader), []
    head, parts, total = layer.dim // layer.heads, [], torch.zeros(len(context)).double()
    for h in range(layer.heads):
        part = slice(h * head, (h + 1) * head)
        scores = torch.stack([layer.query(reader)[part] @ layer.key(one)[part] / head**0.5 for one in context])
        weights = scores.softmax(0)
        total += weights
        parts.append(sum(w * layer.value(one)[part] for w, one in zip(weights, context, strict=True)))
    return layer.output(torch.cat(parts)), total.tolist()


def test_the_layer_is_the_loop_over_tokens() -> None:
    layer = memoria(gain=1.5)
    x = torch.randn(2, 45, 8).double()
    with torch.no_grad():
        y, state = layer(x)
        listed = []
        for b, row in enumerate(x):
            store, mind, used, said = Listed(layer.store_of), [], {}, []
            for t, token in enumerate(row):
                near = layer.local(row[None, t - t % 4 : t + 1])[0][0, -1]
                context = mind + store.on(Level.WORKING)
                answer, weights = attended(layer.ask, token + near, [one.vector for one in context])
                assert torch.allclose(y[b, t], near + answer, atol=1e-10)
                for one, weight in zip(mind, weights, strict=False):
                    used[one.number] = used.get(one.number, 0.0) + weight
                said.append(token + near + answer)
                if len(said) == 4:
                    total = sum(used.values())
                    store.age({key: 1.5 * len(mind) * amount / total for key, amount in used.items()})
                    store.add(torch.stack([attended(layer.sum_up, one, said)[0] for one in layer.questions]))
                    mind = store.remind()
                    store.fire(mind)
                    used, said = {}, []
            listed.append(store)
        agrees(state.memory.held, listed)
    assert {Level.SHORT, Level.LONG} <= {one.level for store in listed for one in store.all}


@pytest.mark.parametrize("conv", [0, 4])
def test_pieces_and_steps_are_the_whole(conv: int) -> None:
    x = torch.randn(2, 27, 8).double()
    by_pieces_and_steps(memoria(conv=conv), x)
    by_pieces_and_steps(memoria(conv=conv), x, write=(torch.rand(2, 27) < 0.6).double())


def test_a_segment_of_which_nothing_is_written_takes_no_time() -> None:
    layer, x = memoria(), torch.randn(2, 24, 8).double()
    write = torch.ones(2, 24)
    write[0, 12:20] = 0
    y, _ = layer(x, write=write)
    alone, _ = layer(torch.cat([x[:1, :12], x[:1, 20:]], dim=1))
    assert torch.allclose(y[0, 20:], alone[0, 12:], atol=1e-10)


def test_tokens_are_told_of_segments_before_and_teach_the_next() -> None:
    layer, x = memoria(), torch.randn(1, 12, 8).double()
    assert causal(layer, x, 2) == [t >= 2 for t in range(12)]
    layer(x)[0][:, 8:].square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in layer.parameters())


def test_the_number_of_engrams_is_bounded() -> None:
    layer = memoria(gain=1.5)
    with torch.no_grad():
        state, sizes = None, []
        for _ in range(150):
            _, state = layer(torch.randn(1, 4, 8).double(), state)
            sizes.append(state.memory.held.level.shape[1])
    assert 2 * 3 < sum(sizes) / len(sizes) <= 2 * 3 + 1.5 * 4 + 2


@pytest.mark.parametrize(
    ("more", "field_"),
    [
        ({"working": 0}, "working"),
        ({"gain": -1.0}, "gain"),
        ({"life": 0.0}, "life"),
        ({"short": -1}, "short"),
        ({"depth": -1}, "depth"),
        ({"heads": 3}, "heads"),
    ],
)
def test_minds_that_cannot_be_are_refused(more: dict[str, float], field_: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        memoria(**more)
    assert refused.value.field == field_
