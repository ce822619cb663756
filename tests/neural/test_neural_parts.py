"""The parts of a neural memory, each against its definition."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from torch.nn.functional import conv1d, normalize, silu  # noqa: E402

from mnemos.errors import InvalidInput  # noqa: E402
from mnemos.neural.convolution import ShortConvolution  # noqa: E402
from mnemos.neural.features import Polynomial  # noqa: E402
from mnemos.neural.learners import Learner, newton_schulz  # noqa: E402
from mnemos.neural.matrix import delta_chunk, linear_chunk, scores  # noqa: E402
from mnemos.neural.memories import Deep, Vector  # noqa: E402
from mnemos.neural.presets import preset  # noqa: E402
from mnemos.neural.recurrence import affine_scan  # noqa: E402
from mnemos.neural.retentions import Entropy, Lq  # noqa: E402


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_a_short_convolution_is_causal_and_goes_on():
    conv, x = ShortConvolution(3, 4).double(), draw(2, 9, 3)
    padded = torch.nn.functional.pad(x.transpose(1, 2), (3, 0))
    expected = silu(conv1d(padded, conv.weight.unsqueeze(1), groups=3)).transpose(1, 2)
    whole, last = conv(x, conv.start(2))
    torch.testing.assert_close(whole, expected)
    first, state = conv(x[:, :2], conv.start(2))
    parts = [first]
    for at in range(2, 9):
        y, state = conv.step(x[:, at], state)
        parts.append(y.unsqueeze(1))
    torch.testing.assert_close(torch.cat(parts, 1), whole)
    assert torch.equal(state, last)


def test_polynomial_features_are_all_monomials():
    x = normalize(draw(4), dim=-1)
    a, b, c, d = x.tolist()
    second = [a * a, a * b, a * c, a * d, b * b, b * c, b * d, c * c, c * d, d * d]
    expected = normalize(torch.tensor([a, b, c, d, *second], dtype=torch.float64), dim=-1)
    made = Polynomial(2)(x)
    torch.testing.assert_close(made, expected)
    assert Polynomial(2).width(4) == len(made) == 14
    assert Polynomial(3).width(4) == Polynomial(3)(x).shape[-1] == 34
    with pytest.raises(InvalidInput, match="degree"):
        Polynomial(0)


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4)])
def test_newton_schulz_evens_out_singular_values_and_keeps_directions(shape):
    x = draw(3, *shape)
    u, s, v = torch.linalg.svd(newton_schulz(x, 5), full_matrices=False)
    before, _, after = torch.linalg.svd(x, full_matrices=False)
    assert s.min() > 0.3
    assert s.max() < 1.3
    # the same directions, in another order: what was made is diagonal between the old ones
    between = before.transpose(-1, -2) @ (u * s.unsqueeze(-2) @ v) @ after.transpose(-1, -2)
    off = between - torch.diag_embed(between.diagonal(dim1=-2, dim2=-1))
    assert off.abs().max() < 1e-6


def test_entropy_keeps_the_logarithm_of_weights_up_to_what_does_not_matter():
    kept, raw = Entropy(scale=1.0), draw(5, 3)
    alpha, gradient = 0.7, draw(5, 3, seed=1)
    weights = kept.weights(raw)
    torch.testing.assert_close(weights.sum(0), torch.ones(3, dtype=torch.float64))
    published = (alpha * weights.log() - 0.1 * gradient).softmax(0)
    torch.testing.assert_close(kept.weights(alpha * raw - 0.1 * gradient), published)


@pytest.mark.parametrize("q", [2.0, 3.0, 4.0])
def test_lq_divides_by_a_power_of_the_norm(q):
    raw = draw(5, 3)
    norm = raw.abs().pow(q).sum() ** (1 / q)
    torch.testing.assert_close(Lq(q=q).weights(raw), raw / norm ** (q - 2))


def test_a_scan_is_the_recurrence_whatever_the_signs():
    keep, add = draw(2, 13, 3), draw(2, 13, 3, seed=1)
    state, expected = torch.zeros(2, 3, dtype=torch.float64), []
    for t in range(13):
        state = keep[:, t] * state + add[:, t]
        expected.append(state)
    torch.testing.assert_close(affine_scan(keep, add), torch.stack(expected, 1))


@pytest.mark.parametrize("tokens", [1, 3, 8, 13])
def test_scores_decay_between_two_tokens(tokens):
    q, k, total = draw(tokens, 4), draw(tokens, 4, seed=1), -draw(tokens, 4, seed=2).abs().cumsum(0)
    expected = torch.zeros(tokens, tokens, dtype=torch.float64)
    for i in range(tokens):
        for j in range(i + 1):
            expected[i, j] = (q[i] * k[j] * (total[i] - total[j]).exp()).sum()
    torch.testing.assert_close(scores(q, k, total), expected)


@pytest.mark.parametrize("rule", ["linear", "delta"])
def test_outer_gradients_of_chunks_are_right(rule):
    q, k, v = draw(1, 5, 2), normalize(draw(1, 5, 2, seed=1), dim=-1), draw(1, 5, 2, seed=2)
    rate, decay, state = draw(1, 5, seed=3).sigmoid(), -draw(1, 5, 2, seed=4).abs(), draw(1, 2, 2, seed=5)
    inputs = tuple(one.requires_grad_() for one in (q, k, v, rate, decay, state))

    def read(q, k, v, rate, decay, state):
        if rule == "delta":
            return delta_chunk(q, k, v, rate, decay, state, 3)
        return linear_chunk(q, k, rate.unsqueeze(-1) * v, decay, state, 3)

    assert torch.autograd.gradcheck(read, inputs)


def test_presets_are_what_they_are_published_as():
    x = draw(1, 1, 8).float()
    retnet = preset("retnet", 8, heads=2)
    decays = retnet.told(x, retnet.start(1))[0].log_decay.exp().flatten()
    torch.testing.assert_close(decays, torch.tensor([1 - 2.0**-5, 1 - 2.0**-6]))
    hgrn2 = preset("hgrn2", 8, floor=0.25)
    told = hgrn2.told(x, hgrn2.start(1))[0]
    torch.testing.assert_close(told.k, 1 - told.log_decay.exp())
    assert told.log_decay.min() > math.log(0.25)
    torch.nn.init.ones_(hgrn2.conv.weight)
    before = hgrn2.start(1)._replace(seen=hgrn2.conv.start(1) + 1)
    assert (hgrn2.told(x, before)[0].k != hgrn2.told(x, hgrn2.start(1))[0].k).all(), "keys know the tokens before"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Learner(window=0),
        lambda: Learner(period=0),
        lambda: Learner(delta=True, momentum=True),
        lambda: Learner(period=4, window=2),
        lambda: Deep(depth=0).shapes(4, 4),
        lambda: Deep().shapes(4, 6),
        lambda: Vector().shapes(4, 6),
    ],
)
def test_parts_that_make_no_sense_are_refused(make):
    with pytest.raises(InvalidInput):
        make()
