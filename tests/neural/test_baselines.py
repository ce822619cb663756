"""Softmax attention and the LSTM against plain loops over tokens."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from mnemos.errors import InvalidInput  # noqa: E402
from mnemos.neural.attention import CausalAttention, rotate, visible  # noqa: E402
from mnemos.neural.crossing import CrossAttention  # noqa: E402
from mnemos.neural.lstm import LSTM  # noqa: E402


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(7)


def turned(x: torch.Tensor, place: int) -> torch.Tensor:
    """One vector by rotation, pair by pair, with complex numbers."""
    half = len(x) // 2
    parts = [
        complex(x[i], x[i + half]) * complex(math.cos(angle), math.sin(angle))
        for i in range(half)
        for angle in [place * 10000.0 ** (-i / half)]
    ]
    return torch.tensor([part.real for part in parts] + [part.imag for part in parts], dtype=x.dtype)


def attended(layer: CausalAttention, x: torch.Tensor) -> torch.Tensor:
    """What a layer should say of one sequence [tokens, dim], reader by reader, head by head."""
    head = layer.dim // layer.heads
    q, k, v = layer.inputs(x).detach().chunk(3, dim=-1)
    rows = []
    for t in range(len(x)):
        first = 0 if layer.window is None else max(0, t - layer.window + 1)
        found = []
        for h in range(layer.heads):
            part = slice(h * head, (h + 1) * head)
            turn = turned if layer.rotary else lambda vector, place: vector
            scores = [float(turn(q[t, part], t) @ turn(k[s, part], s)) / head**0.5 for s in range(first, t + 1)]
            weights = torch.tensor(scores, dtype=x.dtype).softmax(0)
            found.append(sum(w * v[s, part] for w, s in zip(weights, range(first, t + 1), strict=True)))
        rows.append(torch.cat(found))
    return layer.output(torch.stack(rows)).detach()


@pytest.mark.parametrize("rotary", [True, False])
@pytest.mark.parametrize("window", [None, 1, 3, 5, 40])
def test_attention_is_the_loop_over_readers(window: int | None, rotary: bool) -> None:
    layer = CausalAttention(8, heads=2, window=window, rotary=rotary).double()
    x = torch.randn(2, 17, 8, dtype=torch.float64)
    y, _ = layer(x)
    assert torch.allclose(y, torch.stack([attended(layer, row) for row in x]), atol=1e-10)


@pytest.mark.parametrize("window", [None, 1, 4, 40])
def test_attention_in_pieces_and_by_steps_is_the_same(window: int | None) -> None:
    layer = CausalAttention(8, heads=2, window=window).double()
    x = torch.randn(2, 19, 8, dtype=torch.float64)
    whole, last = layer(x)
    first, state = layer(x[:, :6])
    second, state = layer(x[:, 6:], state)
    stepped, walk = [], layer.start(2)
    for token in x.unbind(1):
        y, walk = layer.step(token, walk)
        stepped.append(y)
    assert torch.allclose(torch.cat([first, second], dim=1), whole, atol=1e-10)
    assert torch.allclose(torch.stack(stepped, dim=1), whole, atol=1e-10)
    for one, other, third in zip(last[:2], state[:2], walk[:2], strict=True):
        assert one.shape == other.shape == third.shape
        assert torch.allclose(one, other, atol=1e-10)
        assert torch.allclose(one, third, atol=1e-10)


@pytest.mark.parametrize("window", [None, 1, 4])
def test_attention_reads_only_what_was_written(window: int | None) -> None:
    """As if the others were not there, but for the places that they took."""
    layer = CausalAttention(8, heads=2, window=window, rotary=False).double()
    x = torch.randn(2, 15, 8, dtype=torch.float64, requires_grad=True)
    write = (torch.rand(2, 15) < 0.5).double()
    write[:, :5] = 0
    y, last = layer(x, write=write)
    stepped, walk = layer.unrolled(x, write=write)
    assert torch.allclose(y, stepped, atol=1e-10)
    assert torch.equal(last.written, walk.written)
    v = layer.inputs(x).chunk(3, dim=-1)
    for b in range(2):
        for t in range(15):
            first = 0 if window is None else max(0, t - window + 1)
            heard = [s for s in range(first, t + 1) if write[b, s]]
            parts = []
            for h in range(2):
                q, k, value = (one[b, :, h * 4 : h * 4 + 4] for one in v)
                weights = (k[heard] @ q[t] / 2).softmax(0)
                parts.append(weights @ value[heard])
            assert torch.allclose(y[b, t], layer.output(torch.cat(parts)), atol=1e-10)
    y.sum().backward()
    assert x.grad.isfinite().all()


def test_attention_sees_through_its_short_convolution() -> None:
    layer = CausalAttention(8, heads=2, conv=4).double()
    x = torch.randn(2, 9, 8, dtype=torch.float64)
    first, state = layer(x[:, :5])
    second, _ = layer(x[:, 5:], state)
    whole, _ = layer(x)
    assert torch.allclose(torch.cat([first, second], dim=1), whole, atol=1e-10)
    assert torch.allclose(layer.unrolled(x)[0], whole, atol=1e-10)
    bare = CausalAttention(8, heads=2).double()
    bare.load_state_dict(layer.state_dict(), strict=False)
    bare.inputs = torch.nn.Sequential(layer.inputs, Convolved(layer.conv))
    assert torch.allclose(bare(x)[0], whole, atol=1e-10)


def test_normed_attention_compares_directions_alone() -> None:
    layer = CausalAttention(8, heads=2, rotary=False, normed=True).double()
    layer.norms[0].weight.data = torch.rand(4, dtype=torch.float64)
    x = torch.randn(2, 9, 8, dtype=torch.float64)
    whole, _ = layer(x)
    assert torch.allclose(layer.unrolled(x)[0], whole, atol=1e-10)
    q, k, v = layer.inputs(x).chunk(3, -1)
    parts = []
    for head in (slice(0, 4), slice(4, 8)):
        units = [4**0.5 * one[..., head] / one[..., head].norm(dim=-1, keepdim=True) for one in (q, k)]
        weights = (layer.norms[0].weight * units[0]) @ units[1].mT / 2
        parts.append(weights.masked_fill(torch.ones(9, 9).triu(1).bool(), -torch.inf).softmax(-1) @ v[..., head])
    assert torch.allclose(layer.output(torch.cat(parts, -1)), whole, atol=1e-4)
    layer.inputs.weight.data[:16] *= 7
    assert torch.allclose(layer(x)[0], whole, atol=1e-4)


class Convolved(torch.nn.Module):
    """A short convolution as a plain loop over taps."""

    def __init__(self, conv: torch.nn.Module) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        taps = self.conv.weight.squeeze(1)
        rows = [sum(taps[:, i] * x[:, t - 3 + i] for i in range(4) if t - 3 + i >= 0) for t in range(x.shape[1])]
        return x + torch.nn.functional.silu(torch.stack(rows, dim=1))


def test_a_window_bounds_the_state() -> None:
    layer = CausalAttention(8, window=4)
    _, state = layer(torch.randn(1, 100, 8))
    assert state.keys.shape == state.values.shape == (1, 1, 3, 8)
    _, state = CausalAttention(8)(torch.randn(1, 100, 8))
    assert state.keys.shape[2] == 100


def test_a_token_outside_the_window_changes_nothing() -> None:
    layer = CausalAttention(8, window=4).double()
    x = torch.randn(1, 12, 8, dtype=torch.float64)
    other = x.clone()
    other[:, 3] += 1
    changed = (layer(x)[0] - layer(other)[0]).abs().amax(dim=(0, 2)) > 1e-12
    assert changed.tolist() == [3 <= t < 7 for t in range(12)]


def test_rotation_tells_distance_only() -> None:
    q, k = torch.randn(2, 6, dtype=torch.float64)
    near = rotate(q[None], 5) @ rotate(k[None], 3).T
    far = rotate(q[None], 1005) @ rotate(k[None], 1003).T
    assert torch.allclose(near, far, atol=1e-9)
    assert not torch.allclose(near, rotate(q[None], 5) @ rotate(k[None], 4).T, atol=1e-3)


def test_what_is_visible() -> None:
    assert visible(2, 4, None).tolist() == [[True, True, True, False], [True, True, True, True]]
    assert visible(2, 4, 2).tolist() == [[False, True, True, False], [False, False, True, True]]


def test_cross_attention_reads_what_the_mask_allows() -> None:
    layer = CrossAttention(8, heads=2).double()
    x, context = torch.randn(2, 3, 8, dtype=torch.float64), torch.randn(2, 5, 8, dtype=torch.float64)
    mask = torch.tensor([[True, False, True, False, False], [False] * 5])[:, None, None]
    weights = layer.weights(x, context, mask)
    assert torch.allclose(weights[0].sum(-1), torch.ones(2, 3, dtype=torch.float64))
    assert not weights[0, :, :, [1, 3, 4]].any()
    assert not weights[1].any()
    y = layer(x, context, mask)
    assert torch.allclose(y[0], layer(x[:1], context[:1, [0, 2]])[0], atol=1e-10)
    assert not y[1].any()


def test_the_lstm_loop_is_the_library_s() -> None:
    layer = LSTM(6, width=5).double()
    x = torch.randn(3, 11, 6, dtype=torch.float64)
    whole, last = layer(x)
    first, state = layer(x[:, :4])
    second, state = layer(x[:, 4:], state)
    stepped, walk = [], layer.start(3)
    for token in x.unbind(1):
        y, walk = layer.step(token, walk)
        stepped.append(y)
    assert torch.allclose(torch.stack(stepped, dim=1), whole, atol=1e-10)
    assert torch.allclose(torch.cat([first, second], dim=1), whole, atol=1e-10)
    for one, other, third in zip(last, state, walk, strict=True):
        assert one.shape == (3, 5)
        assert torch.allclose(one, other, atol=1e-10)
        assert torch.allclose(one, third, atol=1e-10)


def test_the_lstm_keeps_what_it_has_where_nothing_is_written() -> None:
    layer = LSTM(6).double()
    x = torch.randn(2, 8, 6, dtype=torch.float64)
    write = torch.tensor([[1, 1, 0, 1, 0, 0, 1, 0], [0, 0, 1, 0, 1, 1, 1, 1]])
    y, last = layer(x, write=write)
    for b in range(2):
        kept = [t for t in range(8) if write[b, t]]
        alone, state = layer(x[b : b + 1, kept])
        assert torch.allclose(y[b, kept], alone[0], atol=1e-10)
        assert torch.allclose(last.cell[b], state.cell[0], atol=1e-10)
    assert not y[1, :2].any()


def test_both_learn_from_both_forms() -> None:
    for layer in (CausalAttention(4, window=3), LSTM(4)):
        x = torch.randn(2, 6, 4)
        layer(x)[0].square().sum().backward()
        by_chunk = [parameter.grad.clone() for parameter in layer.parameters()]
        layer.zero_grad()
        total, state = torch.zeros(()), layer.start(2)
        for token in x.unbind(1):
            y, state = layer.step(token, state)
            total = total + y.square().sum()
        total.backward()
        for parameter, found in zip(layer.parameters(), by_chunk, strict=True):
            assert found.any()
            assert torch.allclose(parameter.grad, found, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: CausalAttention(0), "dim"),
        (lambda: CausalAttention(8, heads=3), "heads"),
        (lambda: CausalAttention(8, heads=0), "heads"),
        (lambda: CausalAttention(8, window=0), "window"),
        (lambda: CausalAttention(6, heads=2), "rotary"),
        (lambda: LSTM(0), "dim"),
        (lambda: LSTM(4, width=0), "width"),
    ],
)
def test_sizes_that_cannot_be_are_refused(make: object, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        make()  # type: ignore[operator]
    assert refused.value.field == field
