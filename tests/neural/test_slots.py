"""LM2 and Memformer against plain loops over tokens, slots and heads."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from segmented import by_pieces_and_steps, causal, one_by_one  # noqa: E402

from mnemos.errors import InvalidInput  # noqa: E402
from mnemos.neural.crossing import CrossAttention  # noqa: E402
from mnemos.neural.slots import LM2, Memformer  # noqa: E402

Tensor = torch.Tensor
MAKE = {
    "lm2": lambda **more: LM2(8, **{"heads": 2, "slots": 3, "segment": 5} | more).double(),
    "memformer": lambda **more: Memformer(8, **{"heads": 2, "slots": 3, "segment": 5} | more).double(),
}


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(11)


def crossed(layer: CrossAttention, reader: Tensor, context: list[Tensor]) -> Tensor:
    """What one vector reads in a list of vectors, head by head."""
    head, parts = layer.dim // layer.heads, []
    for h in range(layer.heads):
        part = slice(h * head, (h + 1) * head)
        scores = torch.stack([layer.query(reader)[part] @ layer.key(one)[part] / head**0.5 for one in context])
        parts.append(sum(w * layer.value(one)[part] for w, one in zip(scores.softmax(0), context, strict=True)))
    return layer.output(torch.cat(parts))


def lm2_by_loop(layer: LM2, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    def answer(token: Tensor, near: Tensor, slots: list[Tensor]) -> Tensor:
        found = crossed(layer.ask, token, slots)
        return near + torch.sigmoid(layer.show.weight @ found + layer.show.bias) * found

    def store(slots: list[Tensor], said: list[Tensor]) -> list[Tensor]:
        new = []
        for slot in slots:
            taken = crossed(layer.write, slot, said)
            gates = layer.gates.weight @ taken + layer.gates.bias + layer.held.weight @ torch.tanh(slot)
            put, keep = torch.sigmoid(gates[:8]), torch.sigmoid(gates[8:])
            new.append(put * torch.tanh(taken) + keep * slot)
        return new

    return one_by_one(layer, x, answer, store, list(torch.eye(8, dtype=x.dtype)[:3]))


def memformer_by_loop(layer: Memformer, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    def answer(token: Tensor, near: Tensor, slots: list[Tensor]) -> Tensor:
        return near + crossed(layer.ask, token + near, slots)

    def store(slots: list[Tensor], said: list[Tensor]) -> list[Tensor]:
        new = []
        for slot, home in zip(slots, layer.home, strict=True):
            parts = []
            for part in (slice(0, 4), slice(4, 8)):
                q = layer.query(slot)[part]
                scores = torch.stack([q @ layer.key(one)[part] for one in [slot, *said]])
                a = (scores / (4**0.5 * layer.temperature)).softmax(0)
                values = [slot[part], *(layer.value(one)[part] for one in said)]
                parts.append(sum(weight * value for weight, value in zip(a, values, strict=True)))
            moved = torch.cat(parts) + home
            new.append(moved / moved.norm())
        return new

    return one_by_one(layer, x, answer, store, [home / home.norm() for home in layer.home])


LOOPS = {"lm2": lm2_by_loop, "memformer": memformer_by_loop}


@pytest.mark.parametrize("name", MAKE)
def test_it_is_the_loop_over_tokens_and_slots(name: str) -> None:
    layer, x = MAKE[name](), torch.randn(2, 17, 8, dtype=torch.float64)
    y, state = layer(x)
    for b, row in enumerate(x):
        expected, slots = LOOPS[name](layer, row)
        assert torch.allclose(y[b], expected, atol=1e-10)
        assert torch.allclose(state.memory[b], torch.stack(slots), atol=1e-10)


@pytest.mark.parametrize("conv", [0, 4])
@pytest.mark.parametrize("name", MAKE)
def test_pieces_and_steps_are_the_whole(name: str, conv: int) -> None:
    x = torch.randn(2, 17, 8, dtype=torch.float64)
    by_pieces_and_steps(MAKE[name](conv=conv), x)
    by_pieces_and_steps(MAKE[name](conv=conv), x, write=(torch.rand(2, 17) < 0.6).double())
    by_pieces_and_steps(MAKE[name](segment=1), x)


@pytest.mark.parametrize("name", MAKE)
def test_the_past_is_reached_through_slots_alone(name: str) -> None:
    layer, x = MAKE[name](), torch.randn(1, 15, 8, dtype=torch.float64)
    assert causal(layer, x, 7) == [t >= 7 for t in range(15)]
    layer.ask.output.weight.data.zero_()
    assert causal(layer, x, 7) == [7 <= t < 10 for t in range(15)]


@pytest.mark.parametrize("name", MAKE)
def test_a_token_that_is_not_written_leaves_no_trace(name: str) -> None:
    layer, x = MAKE[name](), torch.randn(2, 10, 8, dtype=torch.float64)
    write = torch.ones(2, 10)
    write[0, 3] = 0
    write[1, 5:] = 0
    other = x.clone()
    other[0, 3] += 1
    _, first = layer(x[:, :5])
    _, one = layer(x, write=write)
    _, two = layer(other, write=write)
    assert torch.allclose(one.memory, two.memory, atol=1e-12)
    assert not torch.allclose(one.memory[0], first.memory[0])
    assert torch.equal(one.memory[1], first.memory[1])


def test_lm2_begins_as_if_it_remembered_and_keeps_more_than_it_takes() -> None:
    layer = MAKE["lm2"]()
    assert torch.equal(layer.blank(2)[1], torch.eye(8, dtype=torch.float64)[:3])
    assert layer.gates.bias.tolist() == [0.0] * 8 + [1.0] * 8
    layer.gates.bias.data = torch.cat([torch.full((8,), -40.0), torch.full((8,), 40.0)]).double()
    assert torch.allclose(layer(torch.randn(1, 20, 8).double())[1].memory, layer.blank(1), atol=1e-10)


def test_a_memformer_slot_that_takes_nothing_in_drifts_home() -> None:
    layer = MAKE["memformer"](temperature=1e-4)
    layer.query = layer.key
    layer.ask.output.weight.data.zero_()
    layer.home.data *= 5
    far = torch.nn.functional.normalize(-layer.home + 0.3 * torch.randn_like(layer.home), dim=-1)
    state = layer.start(1)._replace(memory=far[None])
    near = []
    for _ in range(40):
        state = layer(1e-6 * torch.randn(1, 5, 8).double(), state)[1]
        assert torch.allclose(state.memory.norm(dim=-1), torch.ones(1, 3).double(), atol=1e-10)
        near.append(float((state.memory * layer.blank(1)).sum(-1).mean().detach()))
    assert near == sorted(near)
    assert near[-1] > 0.99 > 0.5 > near[0]


@pytest.mark.parametrize("name", MAKE)
def test_a_segment_learns_from_the_next(name: str) -> None:
    layer, x = MAKE[name](), torch.randn(2, 15, 8, dtype=torch.float64)
    layer(x)[0][:, 10:].square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in layer.parameters())


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: LM2(8, slots=9), "slots"),
        (lambda: LM2(8, slots=0), "slots"),
        (lambda: LM2(8, segment=0), "segment"),
        (lambda: LM2(8, heads=3), "heads"),
        (lambda: Memformer(8, slots=0), "slots"),
        (lambda: Memformer(8, temperature=0), "temperature"),
    ],
)
def test_slots_that_cannot_be_are_refused(make: object, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        make()  # type: ignore[operator]
    assert refused.value.field == field
