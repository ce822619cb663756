"""Memories trained at test time, against a plain loop that lets autograd take every gradient."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from mnemos.neural.learners import Learner, newton_schulz  # noqa: E402
from mnemos.neural.memories import MATRIX, Deep, Vector  # noqa: E402
from mnemos.neural.objectives import KL, L2, Dot, Huber, Lp  # noqa: E402
from mnemos.neural.retentions import Entropy, Lq, Retention  # noqa: E402
from mnemos.neural.tokens import Tokens  # noqa: E402
from mnemos.neural.trained import Trained  # noqa: E402

BATCH, HEADS, WIDTH = 2, 2, 4
MEMORIES = {
    "vector": Vector(),
    "matrix": MATRIX,
    "linear with norm": Deep(depth=1),
    "mlp": Deep(depth=2, expansion=2),
    "mlp of 3, plain": Deep(depth=3, expansion=2, residual=False),
    "normed": Deep(depth=2, expansion=1, residual=False, normed=True),
}
OBJECTIVES = {"dot": Dot(), "l2": L2(), "lp": Lp(3), "huber": Huber(), "kl": KL()}
RETENTIONS = {"none": Retention(), "scalar": Retention("scalar"), "lq": Lq(), "entropy": Entropy()}
LEARNERS = {
    "gradient": Learner(),
    "momentum": Learner(momentum=True),
    "window": Learner(window=3),
    "newton-schulz": Learner(momentum=True, orthogonal=5),
    "atlas": Learner(momentum=True, orthogonal=3, window=3),
}


def built(memory, objective, retention, learner, size):
    torch.manual_seed(1)
    engine = Trained(
        HEADS, WIDTH, WIDTH, memory=memory, objective=objective, retention=retention, learner=learner, size=size
    ).double()
    for one in engine.first:
        torch.nn.init.normal_(one, std=0.5)
    return engine


def told(engine, length, masked=False):
    torch.manual_seed(2)
    draw = lambda *shape: torch.rand(BATCH, HEADS, length, *shape, dtype=torch.float64)  # noqa: E731
    q, k, v = (2 * draw(WIDTH) - 1 for _ in "qkv")
    decay = {"none": None, "scalar": 1, "channel": WIDTH}[engine.retention.decay]
    rate, log_decay, log_momentum = 0.3 * draw(), None if decay is None else -draw(decay), -draw()
    write = None
    if masked:
        write = (torch.rand(BATCH, 1, length, dtype=torch.float64) < 0.6).double()
        rate, log_momentum = rate * write, log_momentum * write
        log_decay = None if log_decay is None else log_decay * write.unsqueeze(-1)
    return Tokens(
        q,
        k,
        v,
        rate,
        log_decay,
        log_momentum if engine.learner.momentum else None,
        draw() if engine.learner.window > 1 else None,
        0.5 + draw() if engine.objective.needs_threshold else None,
        write,
    )


def plain_loop(engine, tokens, size):
    """Every sequence and head by itself, token by token; gradients by autograd, at the weights of the chunk's start."""
    read = torch.empty_like(tokens.v)
    last = []
    for b in range(BATCH):
        for h in range(HEADS):
            raw = [one[h].detach().clone() for one in engine.first]
            surprise = [torch.zeros_like(one) for one in raw]
            written = []
            for t in range(tokens.q.shape[2]):
                if t % size == 0:
                    start, kept = [one.clone() for one in raw], 1.0
                    frozen = [engine.retention.weights(one).clone().requires_grad_() for one in raw]
                if tokens.write is None or tokens.write[b, 0, t] > 0:
                    written.append(t)
                    loss = sum(one_loss(engine, tokens, frozen, b, h, i) for i in written[-engine.learner.window :])
                    gradients = torch.autograd.grad(loss, frozen)
                    learn(engine, tokens, raw, surprise, gradients, b, h, t)
                    kept *= 1.0 if tokens.log_decay is None else tokens.log_decay[b, h, t].exp()
                weights = [engine.retention.weights(one) for one in raw]
                if not engine.retention.linear and t % size < size - 1 and t < tokens.q.shape[2] - 1:
                    weights = [inside(engine.retention, *pair, kept) for pair in zip(start, raw, strict=True)]
                read[b, h, t] = answer(engine, tokens.q[b, h, t], weights)
            last.append(raw)
    return read, last


def inside(retention, start, raw, kept):
    """Weights at a token that is not the last of its chunk, with a link that is not linear."""
    if isinstance(retention, Lq):
        return raw / start.norm(p=4) ** 2
    change = raw - kept * start
    return len(raw) ** 0.5 * (kept * start.softmax(0) + (change - change.mean(0)) / len(raw))


def answer(engine, x, weights):
    through = (lambda i, y: y * weights[i]) if engine.memory.diagonal else (lambda i, y: y @ weights[i])
    return engine.memory.forward(x.unsqueeze(0), through).squeeze(0)


def one_loss(engine, tokens, weights, b, h, i):
    threshold = None if tokens.threshold is None else tokens.threshold[b, h, i]
    loss = engine.objective.loss(answer(engine, tokens.k[b, h, i], weights), tokens.v[b, h, i], threshold)
    return loss if tokens.weight is None else tokens.weight[b, h, i] * loss


def learn(engine, tokens, raw, surprise, gradients, b, h, t):
    theta = tokens.rate[b, h, t]
    for i, gradient in enumerate(gradients):
        alpha = 1.0
        if tokens.log_decay is not None:
            alpha = tokens.log_decay[b, h, t].exp()
            alpha = alpha.unsqueeze(-1) if alpha.numel() > 1 and not engine.memory.diagonal else alpha
        eta = 0.0 if tokens.log_momentum is None else tokens.log_momentum[b, h, t].exp()
        if engine.learner.orthogonal:
            surprise[i] = eta * surprise[i] + gradient
            raw[i] = alpha * raw[i] - theta * newton_schulz(surprise[i], engine.learner.orthogonal)
        else:
            surprise[i] = eta * surprise[i] - theta * gradient
            raw[i] = alpha * raw[i] + surprise[i]


def check(engine, length, size, masked=False):
    tokens = told(engine, length, masked)
    read, state = engine.chunk(tokens, engine.start(BATCH))
    expected, last = plain_loop(engine, tokens, size)
    torch.testing.assert_close(read, expected, rtol=0, atol=1e-9)
    for i, raw in enumerate(state.raw):
        stacked = torch.stack([one[i] for one in last]).unflatten(0, (BATCH, HEADS))
        torch.testing.assert_close(raw, stacked, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("memory", "learner"),
    [(m, rule) for m in MEMORIES for rule in LEARNERS if m != "vector" or not LEARNERS[rule].orthogonal],
)
def test_a_chunk_is_a_plain_loop_with_frozen_gradients(memory, learner):
    check(built(MEMORIES[memory], L2(), Retention("scalar"), LEARNERS[learner], 4), 10, 4)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("retention", RETENTIONS)
def test_every_objective_and_retention_follows_autograd(objective, retention):
    check(built(Deep(expansion=2), OBJECTIVES[objective], RETENTIONS[retention], Learner(momentum=True), 4), 7, 4)


@pytest.mark.parametrize("memory", ["vector", "matrix", "linear with norm"])
def test_decay_by_channels_follows_autograd(memory):
    check(built(MEMORIES[memory], L2(), Retention("channel"), Learner(), 4), 10, 4)


@pytest.mark.parametrize("learner", LEARNERS)
@pytest.mark.parametrize("memory", ["matrix", "mlp"])
def test_what_is_not_written_leaves_the_memory_as_it_is(memory, learner):
    check(built(MEMORIES[memory], Huber(), Retention("scalar"), LEARNERS[learner], 4), 10, 4, masked=True)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("learner", LEARNERS)
@pytest.mark.parametrize("retention", RETENTIONS)
def test_a_chunk_of_one_is_a_step(retention, learner, masked):
    engine = built(Deep(expansion=2), Huber(), RETENTIONS[retention], LEARNERS[learner], 1)
    tokens = told(engine, 8, masked)
    read, state = engine.chunk(tokens, engine.start(BATCH))
    kept, steps = engine.start(BATCH), []
    for t in range(8):
        y, kept = engine.step(Tokens(*(None if one is None else one[:, :, t] for one in tokens)), kept)
        steps.append(y)
    torch.testing.assert_close(read, torch.stack(steps, 2), rtol=0, atol=1e-10)
    for one, other in zip(state.raw + state.momentum, kept.raw + kept.momentum, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_gradient_of_an_objective_is_autograds(name):
    torch.manual_seed(0)
    answers = torch.randn(50, 6, dtype=torch.float64, requires_grad=True)
    values, threshold = torch.randn(50, 6, dtype=torch.float64), 4 * torch.rand(50, dtype=torch.float64)
    objective = OBJECTIVES[name]
    (expected,) = torch.autograd.grad(objective.loss(answers, values, threshold).sum(), answers)
    torch.testing.assert_close(objective.gradient(answers, values, threshold), expected, rtol=0, atol=1e-12)
    if name == "huber":
        sizes = (answers - values).square().sum(-1).sqrt()
        assert (sizes <= threshold).any()
        assert (sizes > threshold).any()


@pytest.mark.parametrize("name", MEMORIES)
def test_the_factors_of_a_memory_make_autograds_gradient(name):
    torch.manual_seed(0)
    memory = MEMORIES[name]
    weights = [torch.randn(3, *shape, dtype=torch.float64, requires_grad=True) for shape in memory.shapes(5, 5)]
    k, v = torch.randn(3, 7, 5, dtype=torch.float64), torch.randn(3, 7, 5, dtype=torch.float64)
    through = lambda i, x: x * weights[i] if memory.diagonal else x @ weights[i]  # noqa: E731
    expected = torch.autograd.grad(L2().loss(memory.forward(k, through), v).sum(), weights)
    factors = memory.factors([one.detach() for one in weights], k, lambda p: L2().gradient(p, v))
    for (a, delta), gradient in zip(factors, expected, strict=True):
        made = (a * delta).sum(-2, keepdim=True) if memory.diagonal else a.transpose(-1, -2) @ delta
        torch.testing.assert_close(made, gradient, rtol=0, atol=1e-12)
