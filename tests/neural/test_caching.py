"""Memory Caching against a loop that keeps states in a list, for linear memories and for deep ones."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from torch import Tensor, nn  # noqa: E402

from mnemos import InvalidInput  # noqa: E402
from mnemos.neural.attention import CausalAttention  # noqa: E402
from mnemos.neural.caching import WAYS, CachedMemory, souped  # noqa: E402
from mnemos.neural.layer import NeuralMemory, NeuralState  # noqa: E402
from mnemos.neural.learners import Learner  # noqa: E402
from mnemos.neural.tree import mapped  # noqa: E402

LINEAR = {"learner": "delta", "retention": "scalar"}
DEEP = {"memory": "mlp", "learner": "momentum", "retention": "scalar", "chunk": 1}
WINDOW = {"memory": "matrix", "learner": "window", "retention": "scalar", "chunk": 1}
PERIODIC = {"memory": "mlp", "learner": Learner(period=3), "retention": "scalar"}
KINDS: dict[str, dict[str, Any]] = {"linear": LINEAR, "deep": DEEP, "window": WINDOW, "periodic": PERIODIC}


def cached(kind: str, conv: int = 3, **choices: Any) -> CachedMemory:
    torch.manual_seed(0)
    memory = NeuralMemory(8, heads=2, conv=conv, **KINDS[kind])
    layer = CachedMemory(memory, **{"segment": 4, "top": 2, **choices}).double()
    if layer.asking is not None:
        nn.init.normal_(layer.asking.weight)
    return layer


def tokens(batch: int = 2, length: int = 14, seed: int = 1) -> Tensor:
    return torch.randn(batch, length, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def leaves(state: Any) -> list[Tensor]:
    if isinstance(state, Tensor):
        return [state]
    return [leaf for part in (() if state is None else state) for leaf in leaves(part)]


def loop(layer: CachedMemory, x: Tensor, how: str) -> Tensor:
    """One row of tokens [length, dim], one by one, with a list of what the memory was."""
    memory, kept, means, said = layer.memory, [], [], []
    state, told = memory.start(1), memory.told(x[None], memory.start(1))[0]
    now = state.memory
    for t, token in enumerate(x):
        at = t % layer.segment
        if t and not at:
            kept.append(now)
            means.append(x[t - layer.segment : t].mean(0))
            now = memory.engine.start(1) if layer.restarts else now
        one = mapped(lambda field, t=t: field[:, :, t], told)
        read, now = memory.engine.step(one, now)
        states, q = [*kept, now], told.q[:, :, t : t + 1]
        if how == "residual":
            weights = torch.ones(len(states), dtype=x.dtype)
        else:
            asked = layer.asking.weight @ token
            scores = torch.stack([asked @ mean / 8**0.5 for mean in [*means, x[t - at : t + 1].mean(0)]])
            if how == "sparse":
                order = scores[:-1].argsort(descending=True).tolist()
                scores[order[layer.top :]] = -torch.inf
            weights = scores.softmax(0)
        if how == "soup":
            pairs = list(zip(*(leaves(getattr(one, "raw", one)) for one in states), strict=True))
            mixed = [sum(w * leaf for w, leaf in zip(weights, those, strict=True)) for those in pairs]
            soup = now._replace(raw=tuple(mixed)) if hasattr(now, "raw") else mixed[0]
            answer = memory.engine.recall(q, soup)[:, :, 0]
        else:
            reads = [memory.engine.recall(q, one)[:, :, 0] for one in kept] + [read]
            answer = sum(w * one for w, one in zip(weights, reads, strict=True))
        said.append(memory.out(token[None], answer)[0])
    return torch.stack(said)


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_cached_memory_is_the_loop(kind: str, how: str, restarts: bool) -> None:
    layer, x = cached(kind, how=how, restarts=restarts), tokens()
    got, state = layer(x)
    with torch.no_grad():
        assert torch.allclose(got[1], loop(layer, x[1], how), atol=1e-10)
    assert state.means.shape == (2, 3, 8)


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_steps_and_pieces_are_the_whole(kind: str, how: str) -> None:
    layer, x = cached(kind, how=how), tokens()
    whole, end = layer(x)
    walked, walked_to = layer.unrolled(x)
    first, state = layer(x[:, :6])
    before = [one.clone() for one in leaves(state)]
    rest, then = layer(x[:, 6:], state)
    assert torch.allclose(walked, whole, atol=1e-10)
    assert torch.allclose(torch.cat([first, rest], 1), whole, atol=1e-10)
    for one in (walked_to, then):
        assert all(torch.allclose(a, b, atol=1e-10) for a, b in zip(leaves(one), leaves(end), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(before, leaves(state), strict=True))


def test_before_the_first_segment_ends_nothing_is_added() -> None:
    x = tokens(length=4)
    for how in WAYS:
        layer = cached("linear", how=how)
        assert torch.allclose(layer(x)[0], layer.memory(x)[0], atol=1e-12)


def test_of_a_matrix_residual_is_one_matrix_and_soup_is_gated() -> None:
    x = tokens()
    plain, gated, soup = (cached("linear", how=how, conv=0) for how in ("residual", "gated", "soup"))
    assert torch.equal(soup(x)[0], gated(x)[0])
    told, (_, state) = plain.memory.told(x, plain.memory.start(2))[0], plain(x)
    whole = souped(torch.ones(2, 4, dtype=x.dtype), state.kept, state.online.memory)
    last = mapped(lambda one: one[:, :, -1:], told)
    answer = plain.memory.out(x[:, -1:], plain.memory.engine.recall(last.q, whole))
    assert torch.allclose(answer, plain(x)[0][:, -1:], atol=1e-10)


def test_of_a_memory_trained_by_chunks_gradients_are_frozen_as_without_a_cache() -> None:
    torch.manual_seed(0)
    memory = NeuralMemory(8, heads=2, **(DEEP | {"chunk": 2})).double()
    layer, x = CachedMemory(memory, how="gated", segment=4).double(), tokens()
    nn.init.zeros_(layer.asking.weight)
    (got, state), parts = layer(x), []
    for end in (4, 8, 12):
        parts.append(memory.run(x[:, :end], memory.start(2))[1].memory)
    kept = [mapped(lambda one, n=n: one[:, n], state.kept) for n in range(3)]
    for one, other in zip(kept, parts, strict=True):
        assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(one.raw, other.raw, strict=True))
    own, _ = memory.run(x, memory.start(2))
    q = memory.queries(x, memory.start(2))
    reads = [memory.recall(q, memory.start(2)._replace(memory=one)) for one in kept]
    even = (own[:, :, 8:12] + reads[0][:, :, 8:12] + reads[1][:, :, 8:12]) / 3
    assert torch.allclose(got[:, 8:12], memory.out(x[:, 8:12], even), atol=1e-10)


def test_of_a_deep_memory_soup_is_not_gated() -> None:
    x = tokens()
    assert not torch.allclose(cached("deep", how="soup")(x)[0], cached("deep", how="gated")(x)[0], atol=1e-4)


def test_sparse_with_room_for_all_is_gated() -> None:
    x = tokens()
    assert torch.allclose(cached("linear", how="sparse", top=9)(x)[0], cached("linear")(x)[0], atol=1e-12)
    assert not torch.allclose(cached("linear", how="sparse", top=1)(x)[0], cached("linear")(x)[0], atol=1e-4)


def test_a_sparse_step_asks_its_chosen_segments_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = cached("linear", how="sparse", top=2), tokens(length=21)
    _, state = layer(x[:, :20])
    assert state.means.shape[1] == 5
    asked, recall = [], layer.memory.engine.recall
    monkeypatch.setattr(layer.memory.engine, "recall", lambda q, kept: asked.append(len(kept)) or recall(q, kept))
    layer.step(x[:, 20], state)
    layer(x[:, :20])
    assert asked[0] == 2 * 2, "two sequences, two segments each"
    assert max(asked[1:]) == 2 * 4, "in parallel all of them are read"


def test_what_is_not_written_counts_for_nothing() -> None:
    layer, x = cached("linear", conv=0), tokens()
    write = torch.ones(2, 14, dtype=x.dtype)
    write[:, 2:4] = 0
    other = x.clone()
    other[:, 2:4] = tokens(seed=9)[:, 2:4]
    (one, _), (two, _) = layer(x, write=write), layer(other, write=write)
    assert torch.allclose(one[:, 4:], two[:, 4:], atol=1e-12)
    assert not torch.allclose(layer(x)[0][:, 4:], layer(other)[0][:, 4:], atol=1e-4)


def test_only_what_is_read_is_kept() -> None:
    _, state = cached("deep")(tokens())
    deep = state.online.memory
    assert len(leaves(deep.momentum)) == len(leaves(state.kept))
    assert [tuple(one.shape) for one in leaves(state.kept)] == [(2, 3, *one.shape[1:]) for one in deep.raw]


@pytest.mark.parametrize("how", WAYS)
def test_former_states_teach(how: str) -> None:
    layer, x = cached("deep", how=how, restarts=True), tokens().requires_grad_()
    layer(x)[0][:, -1].square().sum().backward()
    assert x.grad is not None
    assert float(x.grad[:, :8].abs().max()) > 0, "former segments are known through their cached memories alone"
    assert layer.asking is None or float(layer.asking.weight.grad.abs().max()) > 0


def test_a_tree_of_any_build_is_mapped_tensor_by_tensor() -> None:
    one = torch.ones(2)
    state = {"a": (one, [None, one + 1]), "b": NeuralState(one * 3, None)}
    changed = mapped(lambda a, b: a + b, state, mapped(lambda tensor: tensor * 10, state))
    assert isinstance(changed["b"], NeuralState)
    assert changed["b"].seen is None
    assert [leaf.tolist() for leaf in leaves(list(changed.values()))] == [[11.0] * 2, [22.0] * 2, [33.0] * 2]
    assert isinstance(changed["a"], tuple)
    assert isinstance(changed["a"][1], list)


def test_what_does_not_fit_is_refused() -> None:
    memory = NeuralMemory(8)
    for choices, field in [({"how": "all"}, "how"), ({"segment": 0}, "segment"), ({"top": 0}, "top")]:
        with pytest.raises(InvalidInput, match=field):
            CachedMemory(memory, **choices)
    with pytest.raises(InvalidInput, match="memory"):
        CachedMemory(CausalAttention(8))  # type: ignore[arg-type]
