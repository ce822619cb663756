"""Kernels of flash-linear-attention in place of the chunk forms of `matrix`, where they serve; nothing requires them.

They serve where `served` says so: on a GPU, in half precision, for widths they take, with the library installed.
Elsewhere the forms of `matrix` run. The kernels know first derivatives only. They are checked against `step`, not
against the plain versions that come with them.

Library: Yang and Zhang 2024, FLA: A Triton-Based Library for Hardware-Efficient Implementations of Linear Attention
Mechanism; its calls as in version 0.6.0.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from mnemos.neural.tokens import Tokens

KERNELS = {
    (False, "none"): "chunk_simple_gla",
    (False, "scalar"): "chunk_simple_gla",
    (False, "channel"): "chunk_gla",
    (True, "none"): "chunk_delta_rule",
    (True, "scalar"): "chunk_gated_delta_rule",
    (True, "channel"): "chunk_kda",
}
"""By whether it is the delta rule, and its decay: linear attention and RetNet; GLA and HGRN2; DeltaNet; Gated DeltaNet;
Kimi Delta Attention."""
LEAST: dict[str, tuple[int, ...]] = {"triton": (3, 7, 1), "fla": (0, 6)}
"""Oldest versions that are called: Triton before this one miscompiles gradients of decays on Hopper GPUs."""
KINDS = (torch.bfloat16, torch.float16)
"""Number types: in float32 the kernels multiply in TF32, less exactly than `matrix`, or refuse."""
AMPERE = (8, 0)
BLOCK = 16
WIDEST = 256


@cache
def library() -> Any:
    """The library's operations; None where it, or the Triton that compiles it, is not installed or too old."""
    for name, least in LEAST.items():
        if find_spec(name) is None:
            return None
        numbers = re.findall(r"\d+", import_module(name).__version__)
        if tuple(map(int, numbers[:3])) < least:
            return None
    return import_module("fla.ops")


def served(device: torch.device, kind: torch.dtype, keys: int, values: int) -> bool:
    """Whether there are kernels for tensors like these.

    Args:
        device: a GPU of Ampere or later, or its like of another maker.
        kind: number type, bfloat16 or float16.
        keys: width of keys, a multiple of 16 up to 256.
        values: width of values, a multiple of 16.
    """
    return (
        device.type == "cuda"
        and kind in KINDS
        and keys % BLOCK == values % BLOCK == 0
        and keys <= WIDEST
        and torch.cuda.get_device_capability(device) >= AMPERE
        and library() is not None
    )


def chunk(tokens: Tokens, state: Tensor, *, delta: bool) -> tuple[Tensor, Tensor] | None:
    """Many tokens by a kernel: `linear_chunk` or, with `delta`, `delta_chunk`; None where there is none for them.

    The kernels are told neither to normalise nor to scale, which features have done; a token that is not written has
    rate 0 and log decay 0, which they take as it is.

    Args:
        tokens: queries, keys, values, rates and log decays; under autocast, in whatever number types.
        state: [batch, heads, keys, values].

    Returns:
        What is read, [batch, heads, tokens, values], and the last state, in the number type of `state`.
    """
    q, k, v, rate, log_decay, *_ = tokens
    kind = torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else v.dtype
    if not served(v.device, kind, q.shape[-1], v.shape[-1]):
        return None
    exact = torch.promote_types(kind, torch.float32)
    decay = "none" if log_decay is None else "scalar" if log_decay.shape[-1] == 1 else "channel"
    gates = {"beta": _tokens_first(rate, kind)} if delta else {}
    if log_decay is not None:
        gates["g"] = _tokens_first(log_decay.squeeze(-1) if decay == "scalar" else log_decay, exact)
    read, last = getattr(library(), KERNELS[delta, decay])(
        q=_tokens_first(q, kind),
        k=_tokens_first(k, kind),
        v=_tokens_first(v if delta else rate.unsqueeze(-1) * v, kind),
        scale=1.0,
        initial_state=state.to(exact),
        output_final_state=True,
        **gates,
    )
    return read.transpose(1, 2), last.to(state.dtype)


def _tokens_first(x: Tensor, kind: torch.dtype) -> Tensor:
    """[batch, heads, tokens, ...] as [batch, tokens, heads, ...], which is how the kernels lay them out."""
    return x.to(kind).transpose(1, 2).contiguous()
