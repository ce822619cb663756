from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from mnemos.neural.matrix import delta_chunk, delta_step, linear_chunk, linear_step  # noqa: E402


def draw(tokens: int, channels: int | None, calm: float, seed: int = 0):
    torch.manual_seed(seed)
    q, k = (torch.nn.functional.normalize(torch.randn(2, 3, tokens, 8, dtype=torch.float64), dim=-1) for _ in "qk")
    v = torch.randn(2, 3, tokens, 5, dtype=torch.float64)
    rate = torch.rand(2, 3, tokens, dtype=torch.float64)
    state = torch.randn(2, 3, 8, 5, dtype=torch.float64)
    log_decay = None if channels is None else -torch.rand(2, 3, tokens, channels, dtype=torch.float64) * calm
    return q, k, v, rate, log_decay, state


@pytest.mark.parametrize("channels", [None, 1, 8])
@pytest.mark.parametrize(("tokens", "size"), [(1, 4), (37, 8), (32, 16), (50, 64), (9, 1)])
@pytest.mark.parametrize("calm", [0.1, 90.0])
@pytest.mark.parametrize("rule", ["linear", "delta"])
def test_chunks_of_any_size_are_the_recurrence(rule, channels, tokens, size, calm):
    q, k, v, rate, log_decay, state = draw(tokens, channels, calm)
    at = lambda t: None if log_decay is None else log_decay[:, :, t]  # noqa: E731
    kept, expected = state, []
    for t in range(tokens):
        now = (q[:, :, t], k[:, :, t], v[:, :, t])
        o, kept = delta_step(*now, rate[:, :, t], at(t), kept) if rule == "delta" else linear_step(*now, at(t), kept)
        expected.append(o)
    chunk = (
        delta_chunk(q, k, v, rate, log_decay, state, size)
        if rule == "delta"
        else linear_chunk(q, k, v, log_decay, state, size)
    )
    torch.testing.assert_close(chunk[0], torch.stack(expected, 2), rtol=0, atol=1e-10)
    torch.testing.assert_close(chunk[1], kept, rtol=0, atol=1e-10)
