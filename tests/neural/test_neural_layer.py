"""The layer: every preset reads the same in one go, in pieces and token by token, where its rule is exact."""

from __future__ import annotations

import itertools

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from mnemos.errors import InvalidInput  # noqa: E402
from mnemos.neural.layer import NeuralMemory  # noqa: E402
from mnemos.neural.learners import Learner  # noqa: E402
from mnemos.neural.memories import Deep  # noqa: E402
from mnemos.neural.presets import PRESETS, preset  # noqa: E402
from mnemos.neural.retentions import Retention  # noqa: E402
from mnemos.neural.trained import Trained  # noqa: E402

EXACT = ["linear-attention", "retnet", "gla", "hgrn2", "delta-net", "gated-delta-net", "kimi-delta"]
TRAINED = ["titans", "moneta", "yaad", "memora", "omega-net", "atlas"]
JOINED = ["titans-mac", "titans-mag", "titans-mal", "hope"]
SMALL = {
    "titans-mac": {"segment": 3},
    "titans-mag": {"window": 3},
    "titans-mal": {"window": 3},
    "hope": {"periods": (2, 5)},
}


def layer(name, **choices):
    torch.manual_seed(0)
    return preset(name, 8, **{"heads": 2} | SMALL.get(name, {}) | choices).double()


def tokens(length, batch=2):
    torch.manual_seed(1)
    return torch.randn(batch, length, 8, dtype=torch.float64)


def leaves(state):
    if isinstance(state, torch.Tensor):
        yield state
    elif isinstance(state, tuple):
        for part in state:
            yield from leaves(part)


def assert_same(one, other, atol=1e-10):
    for left, right in itertools.zip_longest(leaves(one), leaves(other)):
        torch.testing.assert_close(left, right, rtol=0, atol=atol)


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("chunk", [5, 64])
def test_any_chunk_of_an_exact_rule_is_a_loop_over_step(name, chunk):
    memory, x = layer(name, chunk=chunk), tokens(37)
    with torch.no_grad():
        assert_same(memory(x), memory.unrolled(x))


@pytest.mark.parametrize("name", TRAINED + JOINED)
def test_a_chunk_of_one_of_a_trained_memory_is_a_loop_over_step(name):
    memory, x = layer(name, chunk=1), tokens(9)
    with torch.no_grad():
        assert_same(memory(x), memory.unrolled(x))


@pytest.mark.parametrize("name", EXACT + TRAINED)
def test_reading_goes_on_from_a_state_that_stays_as_it_was(name):
    memory, x = layer(name, chunk=4), tokens(16)
    with torch.no_grad():
        whole, last = memory(x)
        first, state = memory(x[:, :8])
        before = [one.clone() for one in leaves(state)]
        second, end = memory(x[:, 8:], state)
        memory.step(x[:, 0], state)
    assert_same((whole, last), (torch.cat([first, second], 1), end))
    assert_same(tuple(before), tuple(leaves(state)), atol=0)


@pytest.mark.parametrize("name", EXACT + TRAINED + JOINED)
def test_the_future_is_not_read(name):
    memory, x = layer(name, chunk=4), tokens(10)
    other = x.clone()
    other[:, 6:] += 1
    with torch.no_grad():
        assert_same(memory(x)[0][:, :6], memory(other)[0][:, :6], atol=0)


@pytest.mark.parametrize("name", ["titans-mac", "titans-mag"])
def test_no_token_turns_the_sign_of_what_the_memory_recalls(name):
    memory, seen = layer(name), tokens(5)
    memory.join = torch.nn.Identity()
    recalled = torch.randn(2, 2, 5, 8, dtype=torch.float64)
    more = memory.joined(seen, recalled[0]) > memory.joined(seen, recalled[1])
    assert torch.equal(more, memory.joined(-seen, recalled[0]) > memory.joined(-seen, recalled[1]))


@pytest.mark.parametrize("name", EXACT + TRAINED)
def test_what_is_not_written_is_as_if_it_had_not_been_there(name):
    memory, x = layer(name, chunk=4, conv=0), tokens(11)
    write = torch.tensor([1, 1, 0, 1, 0, 0, 0, 1, 1, 0, 1.0]).expand(2, -1)
    with torch.no_grad():
        _, masked = memory(x, write=write)
        _, stepped = memory.unrolled(x, write=write)
        if name in EXACT:
            assert_same(masked, memory(x[:, write[0] > 0])[1])
            assert_same(masked, stepped)
        else:
            _, alone = memory.unrolled(x[:, write[0] > 0])
            assert_same(stepped, alone)
            start = memory.start(2)
            assert_same(memory(x, start, write=torch.zeros(2, 11))[1], start, atol=1e-12)


@pytest.mark.parametrize("name", ["gla", "gated-delta-net", "kimi-delta", "titans", "atlas", "memora"])
def test_outer_gradients_are_those_of_the_loop(name):
    memory, x = layer(name, chunk=1 if name in TRAINED else 8), tokens(9, 1)
    found = []
    for read in (memory.forward, memory.unrolled):
        memory.zero_grad()
        read(x)[0].square().sum().backward()
        found.append(tuple(one.grad.clone() for one in memory.parameters()))
    assert_same(*found, atol=1e-9)
    assert all(one.abs().sum() > 0 for one in found[0])


@pytest.mark.parametrize("name", EXACT + TRAINED)
def test_a_state_is_asked_without_being_written(name):
    memory, x = layer(name, chunk=4), tokens(8)
    with torch.no_grad():
        _, state = memory.run(x, memory.start(2))
        answers = memory.recall(memory.queries(x, state), state)
        silent, same = memory.run(x, state, write=torch.zeros(2, 8))
    assert_same(answers, silent)
    assert_same(same.memory, state.memory, atol=1e-12)


MEMORIES = {"vector": "vector", "matrix": "matrix", "mlp": "mlp", "mlp of 3": Deep(depth=3)}
OBJECTIVES = ["dot", "l2", "lp", "huber", "kl"]
RETENTIONS = ["none", "scalar", "channel", "lq", "entropy"]
LEARNERS = ["gradient", "delta", "momentum", "window", "newton-schulz"]


def goes_together(memory, objective, retention, learner):
    deep = memory.startswith("mlp")
    if learner == "delta":
        return not deep and objective == "l2" and retention in ("none", "scalar", "channel")
    if retention == "channel":
        return not deep and learner == "gradient"
    return memory != "vector" or (learner != "newton-schulz" and retention in ("none", "scalar"))


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("retention", RETENTIONS)
@pytest.mark.parametrize("learner", LEARNERS)
def test_every_choice_reads_or_is_refused(memory, retention, learner):
    x = torch.randn(1, 5, 4, generator=torch.Generator().manual_seed(0))
    for objective in OBJECTIVES:
        torch.manual_seed(0)
        choices = {"memory": MEMORIES[memory], "objective": objective, "retention": retention, "learner": learner}
        if not goes_together(memory, objective, retention, learner):
            with pytest.raises(InvalidInput, match="choose"):
                NeuralMemory(4, **choices)
            continue
        made = NeuralMemory(4, chunk=2, **choices)
        with torch.no_grad():
            y, _ = made(x)
            assert y.isfinite().all()
            assert y.shape == x.shape
            if not isinstance(made.engine, Trained):
                torch.testing.assert_close(y, made.unrolled(x)[0])


@pytest.mark.parametrize("name", EXACT)
def test_hard_forgetting_stays_finite(name):
    memory = layer(name).float()
    if memory.decay is None or not list(memory.decay.parameters()):
        return
    torch.nn.init.constant_(memory.decay.weight.bias, -3000.0)
    x = tokens(70).float().requires_grad_()
    y, _ = memory(x)
    y.sum().backward()
    assert y.isfinite().all()
    assert x.grad.isfinite().all()
    torch.testing.assert_close(y, memory.unrolled(x)[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", JOINED)
def test_joined_memories_go_on_and_leave_out_what_is_not_written(name):
    memory, x = layer(name, chunk=1), tokens(11)
    write = torch.tensor([[1, 1, 0, 1, 0, 0, 0, 1, 1, 0, 1.0], [1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1]])
    with torch.no_grad():
        whole, last = memory(x, write=write)
        first, state = memory(x[:, :7], write=write[:, :7])
        second, end = memory(x[:, 7:], state, write=write[:, 7:])
        assert_same((whole, last), (torch.cat([first, second], 1), end))
        assert_same((whole, last), memory.unrolled(x, write=write))


@pytest.mark.parametrize("period", [2, 5, 64])
@pytest.mark.parametrize("memory", ["vector", "matrix", "mlp"])
@pytest.mark.parametrize("retention", ["none", "scalar"])
def test_a_memory_with_a_period_changes_only_at_its_end(memory, period, retention):
    torch.manual_seed(0)
    made = NeuralMemory(6, heads=2, memory=memory, retention=retention, learner=Learner(period=period), conv=3).double()
    x = torch.randn(2, 13, 6, dtype=torch.float64)
    with torch.no_grad():
        assert_same(made(x), made.unrolled(x))
        state, changes = made.start(2), []
        for at in range(13):
            _, after = made.step(x[:, at], state)
            pairs = zip(after.memory.raw, state.memory.raw, strict=True)
            changes.append(not all(torch.equal(one, other) for one, other in pairs))
            state = after
    assert changes == [(at + 1) % period == 0 for at in range(13)]


def test_a_period_takes_the_step_of_all_its_gradients():
    torch.manual_seed(0)
    made = NeuralMemory(4, retention="scalar", learner=Learner(period=3)).double()
    torch.nn.init.normal_(made.engine.first[0])
    x = torch.randn(1, 3, 4, dtype=torch.float64)
    told, _ = made.told(x, made.start(1))
    weights = made.engine.first[0][0].detach().requires_grad_()
    losses = 0.5 * (told.k[0, 0] @ weights - told.v[0, 0]).square().sum(-1)
    (gradient,) = torch.autograd.grad((told.rate[0, 0] * losses).sum(), weights)
    expected = told.log_decay.sum().exp() * weights - gradient
    torch.testing.assert_close(made(x)[1].memory.raw[0][0, 0], expected, rtol=0, atol=1e-12)


def test_what_a_segment_is_read_with_is_what_was_known_before_it():
    memory, x = layer("titans-mac", chunk=1), tokens(9)
    with torch.no_grad():
        _, state = memory(x[:, :5])
        near = state.near.keys.shape[2]
        _, after = memory(x[:, 5:6], state)
    assert near == 2 * 2
    assert_same(after.before.memory, after.memory.memory)
    assert after.near.keys.shape[2] == 0


@pytest.mark.parametrize("name", [*EXACT[4:], *TRAINED, *JOINED])
def test_a_token_that_comes_again_and_again_overwhelms_no_memory(name):
    torch.manual_seed(0)
    fast = {} if name in EXACT else {"rate_bias": 3.0}
    memory, x = preset(name, 16, **fast), torch.randn(1, 1, 16).expand(1, 256, 16)
    with torch.no_grad():
        y, state = memory(x)
    assert all(one.abs().max() < 1e3 for one in (y, *leaves(state)) if one.numel())


def test_nothing_read_changes_nothing():
    memory = layer("gated-delta-net")
    state = memory.start(2)
    y, same = memory(tokens(0), state)
    assert y.shape == (2, 0, 8)
    assert same is state


@pytest.mark.parametrize(
    ("field", "choices"),
    [
        ("heads", {"heads": 3}),
        ("memory", {"memory": "tape"}),
        ("objective", {"objective": "l0"}),
        ("retention", {"retention": "all"}),
        ("learner", {"learner": "luck"}),
        ("features", {"features": "cosine"}),
        ("chunk", {"chunk": 0}),
        ("tied", {"tied": True}),
        ("tied", {"tied": True, "retention": Retention("channel", fixed=True)}),
    ],
)
def test_what_cannot_be_built_is_refused_by_name(field, choices):
    with pytest.raises(InvalidInput) as refusal:
        NeuralMemory(8, **choices)
    assert refusal.value.field == field


def test_an_unknown_preset_is_refused():
    with pytest.raises(InvalidInput, match="delta-net"):
        preset("delta", 8)
    assert set(PRESETS) == {*EXACT, *TRAINED, *JOINED}
