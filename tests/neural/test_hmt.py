"""HMT against a plain loop over tokens that keeps lists of vectors."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from segmented import by_pieces_and_steps, causal  # noqa: E402

from mnemos.errors import InvalidInput  # noqa: E402
from mnemos.neural.hmt import HMT  # noqa: E402

Tensor = torch.Tensor


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(13)


def hmt(**more: int) -> HMT:
    return HMT(8, **{"heads": 2, "segment": 6, "head": 2, "sensory": 2, "shelf": 3, "width": 5} | more).double()


def by_loop(layer: HMT, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Answers to one sequence [tokens, dim], and the shelf after it."""

    def attended(context: list[Tensor]) -> Tensor:
        return layer.local(torch.stack(context)[None])[0][0, -1]

    rows, shelf, context, recalled = [], [], [], layer.prompt
    for t, token in enumerate(x):
        context.append(token)
        rows.append(attended(context))
        if t % layer.segment == layer.head - 1:
            about = layer.prompt + attended([*context, layer.prompt])
            recalled = layer.prompt
            if shelf:
                q, keys = layer.query(about), [layer.key(one) for one in shelf]
                weights = torch.stack([q @ key / len(q) ** 0.5 for key in keys]).softmax(0)
                recalled = sum(weight * one for weight, one in zip(weights, shelf, strict=True))
            context.append(recalled)
        if t % layer.segment == layer.segment - 1:
            shelf = [*shelf, recalled + attended([*context, recalled])][-layer.shelf :]
            context = context[len(context) - layer.sensory :]
    return torch.stack(rows), shelf


@pytest.mark.parametrize("more", [{}, {"sensory": 0}, {"sensory": 5}, {"shelf": 1}, {"head": 5}])
def test_it_is_the_loop_over_tokens(more: dict[str, int]) -> None:
    layer, x = hmt(**more), torch.randn(2, 33, 8, dtype=torch.float64)
    y, state = layer(x)
    for b, row in enumerate(x):
        expected, shelf = by_loop(layer, row)
        assert torch.allclose(y[b], expected, atol=1e-10)
        assert torch.allclose(state.memory.vectors[b], torch.stack(shelf), atol=1e-10)


@pytest.mark.parametrize("conv", [0, 4])
def test_pieces_and_steps_are_the_whole(conv: int) -> None:
    x = torch.randn(2, 27, 8, dtype=torch.float64)
    by_pieces_and_steps(hmt(conv=conv), x)
    by_pieces_and_steps(hmt(conv=conv), x, write=(torch.rand(2, 27) < 0.6).double())


def test_a_token_is_told_of_the_past_only_and_reaches_far() -> None:
    layer, x = hmt(sensory=0), torch.randn(1, 30, 8, dtype=torch.float64)
    assert causal(layer, x, 3) == [3 <= t < 6 or (t >= 6 and t % 6 >= 2) for t in range(30)]
    assert causal(hmt(sensory=2), x, 5) == [5 <= t < 12 or (t > 12 and t % 6 >= 2) for t in range(30)]


def test_the_head_chooses_what_is_recalled() -> None:
    """With a shelf of two far vectors, the one that the head is about comes back."""
    layer = hmt(width=8)
    for part in (layer.query, layer.key):
        part.weight.data = torch.eye(8, dtype=torch.float64)
    layer.local.output.weight.data.zero_()
    state = layer.start(2)
    held = 40 * torch.eye(8, dtype=torch.float64)[:2]
    memory = state.memory._replace(vectors=held.repeat(2, 1, 1), held=torch.ones(2, 2, dtype=torch.bool))
    assert torch.allclose(layer.recall(held / 10, memory), held, atol=1e-10)
    empty = memory._replace(held=torch.zeros(2, 2, dtype=torch.bool))
    assert torch.allclose(layer.recall(held / 10, empty), layer.prompt.expand(2, -1), atol=1e-10)


def test_a_segment_of_which_nothing_is_written_is_not_recalled() -> None:
    layer, x = hmt(sensory=0), torch.randn(2, 18, 8, dtype=torch.float64)
    write = torch.ones(2, 18)
    write[0, 6:12] = 0
    _, state = layer(x, write=write)
    assert state.memory.held.tolist() == [[True, False, True], [True, True, True]]
    alone, _ = layer(torch.cat([x[:1, :6], x[:1, 12:]], dim=1))
    assert torch.allclose(layer(x, write=write)[0][0, 12:], alone[0, 6:], atol=1e-10)


def test_the_shelf_is_all_that_grows_and_only_so_far() -> None:
    layer = hmt(shelf=4)
    sizes = [layer(torch.randn(1, tokens, 8).double())[1].memory.vectors.shape[1] for tokens in (5, 6, 23, 24, 120)]
    assert sizes == [0, 1, 3, 4, 4]


def test_the_search_of_the_shelf_learns() -> None:
    layer, x = hmt(), torch.randn(2, 24, 8, dtype=torch.float64)
    layer(x)[0][:, 20:].square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in layer.parameters())


@pytest.mark.parametrize(
    ("more", "field"),
    [({"head": 6}, "head"), ({"head": 0}, "head"), ({"sensory": 7}, "sensory"), ({"shelf": 0}, "shelf")],
)
def test_shelves_that_cannot_be_are_refused(more: dict[str, int], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        hmt(**more)
    assert refused.value.field == field
