"""Kernels of flash-linear-attention: when they serve, what they are told, and, on a GPU, what they return."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from mnemos.neural import kernels  # noqa: E402
from mnemos.neural.presets import preset  # noqa: E402
from mnemos.neural.recurrence import MatrixRecurrence  # noqa: E402
from mnemos.neural.tokens import Tokens  # noqa: E402

CALLED = {
    "linear-attention": "chunk_simple_gla",
    "retnet": "chunk_simple_gla",
    "gla": "chunk_gla",
    "hgrn2": "chunk_gla",
    "delta-net": "chunk_delta_rule",
    "gated-delta-net": "chunk_gated_delta_rule",
    "kimi-delta": "chunk_kda",
}
GPU = torch.device("cuda", 0)
HAS_GPU = torch.cuda.is_available() and find_spec("fla") is not None


def recurrence(q, k, v, g, beta, scale, initial_state, output_final_state):
    """What the library documents of its operations: tokens before heads, states [keys, values], 1/√keys as scale."""
    batch, tokens, heads, keys = q.shape
    assert k.shape == q.shape
    assert v.shape[:3] == q.shape[:3]
    assert beta is None or beta.shape == q.shape[:3]
    state = q.new_zeros(batch, heads, keys, v.shape[-1])
    if initial_state is not None:
        assert initial_state.dtype == torch.promote_types(q.dtype, torch.float32)
        assert initial_state.shape == state.shape
        state = initial_state
    scale = keys**-0.5 if scale is None else scale
    read = []
    for at in range(tokens):
        if g is not None:
            state = state * g[:, at].exp().reshape(batch, heads, -1, 1)
        learnt = v[:, at].to(state)
        if beta is not None:
            learnt = beta[:, at, :, None] * (learnt - torch.einsum("bhkv,bhk->bhv", state, k[:, at].to(state)))
        state = state + torch.einsum("bhk,bhv->bhkv", k[:, at].to(state), learnt)
        read.append(torch.einsum("bhkv,bhk->bhv", state, q[:, at].to(state) * scale))
    return torch.stack(read, 1).to(q.dtype), state if output_final_state else None


class StandIn:
    """The operations of the library that are called, by plain loops; it notes each call."""

    def __init__(self):
        self.calls = []

    def chunk_simple_gla(self, q, k, v, g=None, g_gamma=None, scale=None, initial_state=None, output_final_state=False):
        assert g_gamma is None
        assert g is None or g.shape == q.shape[:3]
        return self.run("chunk_simple_gla", q, k, v, g, None, scale, initial_state, output_final_state)

    def chunk_gla(self, q, k, v, g, scale=None, initial_state=None, output_final_state=False):
        assert g.shape == q.shape
        return self.run("chunk_gla", q, k, v, g, None, scale, initial_state, output_final_state)

    def chunk_delta_rule(
        self, q, k, v, beta, scale=None, initial_state=None, output_final_state=False, use_qk_l2norm_in_kernel=False
    ):
        assert q.dtype == k.dtype == v.dtype != torch.float32
        assert not use_qk_l2norm_in_kernel
        return self.run("chunk_delta_rule", q, k, v, None, beta, scale, initial_state, output_final_state)

    def chunk_gated_delta_rule(
        self, q, k, v, g, beta, scale=None, initial_state=None, output_final_state=False, use_qk_l2norm_in_kernel=False
    ):
        assert g.shape == q.shape[:3]
        assert not use_qk_l2norm_in_kernel
        return self.run("chunk_gated_delta_rule", q, k, v, g, beta, scale, initial_state, output_final_state)

    def chunk_kda(self, q, k, v, g, beta, scale=None, initial_state=None, output_final_state=False):
        assert g.shape == q.shape
        return self.run("chunk_kda", q, k, v, g, beta, scale, initial_state, output_final_state)

    def run(self, name, q, k, v, g, beta, scale, initial_state, output_final_state):
        self.calls.append(SimpleNamespace(name=name, q=q, k=k, v=v, g=g, beta=beta, state=initial_state))
        return recurrence(q, k, v, g, beta, scale, initial_state, output_final_state)


@pytest.fixture
def stand_in(monkeypatch):
    """The library and a GPU, as far as `kernels` asks for them."""
    library = StandIn()
    monkeypatch.setattr(kernels, "library", lambda: library)
    monkeypatch.setattr(kernels, "served", lambda *_: True)
    return library


@pytest.fixture
def fresh():
    """The library looked for anew, before and after."""
    kernels.library.cache_clear()
    yield
    kernels.library.cache_clear()


def drawn(name, tokens=21, **choices):
    """A layer in float64, its tokens, which of them are written, and a state that has read others."""
    torch.manual_seed(0)
    layer = preset(name, 8, **{"heads": 2, "keys": 4, "values": 3} | choices).double()
    x = torch.randn(2, tokens, 8, dtype=torch.float64)
    return layer, x, torch.rand(2, tokens) > 0.3, layer.unrolled(torch.randn(2, 3, 8, dtype=torch.float64))[1]


@pytest.mark.parametrize("is_masked", [False, True])
@pytest.mark.parametrize("name", CALLED)
def test_what_the_library_is_told_reads_as_a_loop_over_step(stand_in, name, is_masked):
    layer, x, write, state = drawn(name)
    write = write if is_masked else None
    with torch.no_grad():
        y, after = layer(x, state, write=write)
        expected, last = layer.unrolled(x, state, write=write)
    assert [call.name for call in stand_in.calls] == [CALLED[name]]
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(after.memory, last.memory, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", CALLED)
def test_what_is_told_starts_from_nothing_and_carries_gradients(stand_in, name):
    layer, x, *_ = drawn(name, conv=0)
    grads = []
    for way in (layer, layer.unrolled):
        layer.zero_grad()
        way(x)[0].square().sum().backward()
        grads.append([one.grad.clone() for one in layer.parameters()])
    assert len(stand_in.calls) == 1
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-9)


def test_the_rate_of_a_sum_is_in_its_values(stand_in):
    layer, x, write, state = drawn("linear-attention", rate=0.5)
    with torch.no_grad():
        torch.testing.assert_close(
            layer(x, state, write=write)[0], layer.unrolled(x, state, write=write)[0], rtol=0, atol=1e-10
        )
    assert len(stand_in.calls) == 1


def test_under_autocast_the_rest_is_halved_and_decays_and_states_are_not(stand_in, monkeypatch):
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda device: device == "cuda")
    monkeypatch.setattr(torch, "get_autocast_dtype", lambda device: torch.bfloat16)
    q, k, v = (torch.randn(1, 2, 5, 4) for _ in "qkv")
    tokens = Tokens(q, k, v, torch.rand(1, 2, 5), log_decay=-torch.rand(1, 2, 5, 1))
    read, state = kernels.chunk(tokens, torch.randn(1, 2, 4, 4), delta=True)
    (call,) = stand_in.calls
    assert {call.q.dtype, call.k.dtype, call.v.dtype, call.beta.dtype, read.dtype} == {torch.bfloat16}
    assert {call.g.dtype, call.state.dtype, state.dtype} == {torch.float32}


@pytest.mark.parametrize("name", CALLED)
def test_a_cpu_never_asks_for_the_library(monkeypatch, name):
    def library():
        raise AssertionError("looked for")

    monkeypatch.setattr(kernels, "library", library)
    layer = preset(name, 32, heads=2).to(torch.bfloat16)
    x = torch.randn(1, 5, 32, dtype=torch.bfloat16)
    with torch.no_grad():
        assert apart(layer(x)[0], layer.unrolled(x)[0].double()) < 0.05


def test_kernels_serve_halves_of_even_widths_on_a_gpu_with_the_library_alone(monkeypatch):
    capability, library = [(8, 0)], [StandIn()]
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability[0])
    monkeypatch.setattr(kernels, "library", lambda: library[0])
    assert kernels.served(GPU, torch.bfloat16, 64, 128)
    assert kernels.served(GPU, torch.float16, 256, 512)
    assert not kernels.served(torch.device("cpu"), torch.bfloat16, 64, 128)
    assert not kernels.served(GPU, torch.float32, 64, 128)
    assert not kernels.served(GPU, torch.float64, 64, 128)
    assert not kernels.served(GPU, torch.bfloat16, 24, 128)
    assert not kernels.served(GPU, torch.bfloat16, 64, 8)
    assert not kernels.served(GPU, torch.bfloat16, 272, 128)
    capability[0] = (7, 5)
    assert not kernels.served(GPU, torch.bfloat16, 64, 128)
    capability[0], library[0] = (9, 0), None
    assert not kernels.served(GPU, torch.bfloat16, 64, 128)


@pytest.mark.parametrize(
    ("triton", "fla", "is_found"),
    [
        (None, None, False),
        ("3.8.0", None, False),
        (None, "0.6.0", False),
        ("3.7.1", "0.6.0", True),
        ("3.10.0+git1a2b", "1.0rc1", True),
        ("3.7.0", "0.6.0", False),
        ("3.8.0", "0.5.9", False),
    ],
)
def test_the_library_is_found_where_it_and_triton_are_new_enough(monkeypatch, fresh, triton, fla, is_found):
    operations = ModuleType("fla.ops")
    for name, version in (("triton", triton), ("fla", fla)):
        module = ModuleType(name)
        module.__spec__, module.__version__ = ModuleSpec(name, None), version
        monkeypatch.setitem(sys.modules, name, module if version else None)
    monkeypatch.setitem(sys.modules, "fla.ops", operations)
    monkeypatch.setattr(kernels, "find_spec", lambda name: sys.modules[name] and sys.modules[name].__spec__)
    assert kernels.library() is (operations if is_found else None)


@pytest.mark.filterwarnings("default")
@pytest.mark.skipif(not HAS_GPU, reason="needs a GPU and flash-linear-attention")
@pytest.mark.parametrize(("kind", "near"), [(torch.float16, 5e-3), (torch.bfloat16, 4e-2)])
@pytest.mark.parametrize("name", CALLED)
def test_a_kernel_reads_and_learns_as_step_does(name, kind, near):
    torch.manual_seed(0)
    layer = preset(name, 64, heads=2).to(GPU, kind)
    if not kernels.served(GPU, kind, 32, 32):
        pytest.skip("the GPU or the library is too old")
    x, write = torch.randn(2, 150, 64).to(GPU, kind), torch.rand(2, 150, device=GPU) > 0.3
    told = layer.told(x, layer.start(2), write=write)[0]
    engine: MatrixRecurrence = layer.engine
    halves, doubles = leaf(told, kind), leaf(told, torch.float64)
    state = torch.randn(2, 2, 32, 32, device=GPU).to(kind)
    found = kernels.chunk(halves, state, delta=engine.delta)
    assert found is not None
    read, last = [], state.double()
    for at in range(150):
        y, last = engine.step(doubles.each(lambda one, at=at: one[:, :, at]), last)
        read.append(y)
    expected = (torch.stack(read, 2), last)
    weights = [torch.randn_like(one) for one in expected]
    sum((one * weight).sum() for one, weight in zip(found, weights, strict=True)).backward()
    sum((one * weight).sum() for one, weight in zip(expected, weights, strict=True)).backward()
    for one, other in zip(found, expected, strict=True):
        assert apart(one, other) < near
    for one, other in zip(halves, doubles, strict=True):
        if one is not None and one.grad is not None:
            assert apart(one.grad, other.grad) < near


def leaf(tokens, kind):
    return tokens.each(lambda one: one.detach().to(kind, copy=True).requires_grad_())


def apart(one, other):
    """How far tensors are from those they should be, for their length."""
    return float((one.double() - other).norm() / other.norm())
