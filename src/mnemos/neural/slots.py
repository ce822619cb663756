"""Memories of a fixed number of slots, read by cross-attention and rewritten once a segment: LM2 and Memformer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mnemos.errors import InvalidInput
from mnemos.neural.attention import join_heads, split_heads
from mnemos.neural.crossing import CrossAttention
from mnemos.neural.segments import SegmentMemory, kept_unless


class LM2(SegmentMemory):
    """Slots that gates write, keep and show, as in an LSTM.

    "LM2: Large Memory Models" (Kang et al., 2025). Tokens x read slots M: E = softmax(Q(x) K(M)ᵀ/√d) V(M), and the
    layer says attention(x) + σ(W_out E) ⊙ E. After a segment M ← σ(g_in) ⊙ tanh(C) + σ(g_forget) ⊙ M. Slots begin as
    rows of the identity, so that they differ.

    What is read and the form of the update are the paper's, as transcriptions of it have them: σ(W_out E) times E in
    one, times M in another, g_in = σ(x W_in), g_forget = σ(E W_forget), tanh(E) for tanh(C). That adds shapes of tokens
    to shapes of slots, and the published code lets row i of pooled tokens write slot i. So here C is what each slot
    reads in the segment, by attention from slots to tokens, and both gates are σ(W C + U tanh(M) + b), b = 0 for the
    input gate and 1 for the other as in that code. The choice of the top k slots, an option there, is left out.

    Args:
        dim: width of tokens and slots.
        heads: of every attention in it; divides `dim`.
        slots: at most `dim`, more rows of the identity would be alike.
        segment: tokens that are read before the slots are written.
        conv: kernel of a short convolution in the attention within a segment; 0: none.

    Raises:
        InvalidInput: a size that is not positive, heads that do not divide `dim`, or more slots than `dim`.
    """

    def __init__(self, dim: int, *, heads: int = 1, slots: int = 16, segment: int = 64, conv: int = 0) -> None:
        super().__init__(dim, heads=heads, segment=segment, conv=conv)
        if not 1 <= slots <= dim:
            raise InvalidInput("slots", f"{slots} rows of the identity do not differ", f"give 1 to {dim}")
        self.slots = slots
        self.ask, self.write = CrossAttention(dim, heads), CrossAttention(dim, heads)
        self.show = nn.Linear(dim, dim)
        self.gates, self.held = nn.Linear(dim, 2 * dim), nn.Linear(dim, 2 * dim, bias=False)
        with torch.no_grad():
            self.gates.bias.copy_(torch.cat([torch.zeros(dim), torch.ones(dim)]))

    def blank(self, batch: int) -> Tensor:
        """Rows of the identity: [batch, slots, dim]."""
        like = self.show.weight
        return torch.eye(self.slots, self.dim, dtype=like.dtype, device=like.device).repeat(batch, 1, 1)

    def answer(self, x: Tensor, near: Tensor, memory: Tensor, written: Tensor) -> tuple[Tensor, Tensor]:
        """Attention within the segment, and as much of what slots say as the output gate lets through."""
        found = self.ask(x, memory)
        return near + self.show(found).sigmoid() * found, memory

    def store(self, memory: Tensor, said: Tensor, written: Tensor) -> Tensor:
        """Every slot takes in some of the segment and keeps some of itself."""
        new = self.write(memory, said, written[:, None, None])
        put, keep = (self.gates(new) + self.held(memory.tanh())).sigmoid().chunk(2, dim=-1)
        return kept_unless(written.any(1), put * new.tanh() + keep * memory, memory)


class Memformer(SegmentMemory):
    """Slots on a sphere, each of which attends to itself and the tokens, and drifts home when it is not written.

    "Memformer: A Memory-Augmented Transformer for Sequence Modeling" (Wu et al., 2020). Tokens read slots by
    cross-attention. After a segment, slot m_i has the weights a = softmax([Q m_i · K m_i ; Q m_i · K X] / (√d τ)) and
    becomes m_i' = a [m_i ; V X]: no slot sees another. To forget, a learned bias v_i is added and the slot is put back
    on the sphere: m_i ← (m_i' + v_i) / ‖m_i' + v_i‖, beginning with v_i / ‖v_i‖.

    The paper's model has a memory of one encoder, written by its last layer, and τ below 1; how far below is not
    verified. Here every layer has slots of its own, and biases begin small, as in its authors' later code, so that a
    fresh memory forgets slowly. For its way to train with little memory see `replay`.

    Args:
        dim: width of tokens and slots.
        heads: of every attention in it; divides `dim`.
        slots: 1 or more.
        segment: tokens that are read before the slots are written.
        temperature: τ, above 0; the lower, the more a slot either keeps itself or is replaced.
        conv: kernel of a short convolution in the attention within a segment; 0: none.

    Raises:
        InvalidInput: a size or temperature that is not positive, or heads that do not divide `dim`.
    """

    def __init__(
        self,
        dim: int,
        *,
        heads: int = 1,
        slots: int = 16,
        segment: int = 64,
        temperature: float = 0.25,
        conv: int = 0,
    ) -> None:
        super().__init__(dim, heads=heads, segment=segment, conv=conv)
        if slots < 1:
            raise InvalidInput("slots", f"{slots} slots hold nothing", "give 1 or more")
        if not temperature > 0:
            raise InvalidInput("temperature", f"{temperature} sharpens nothing", "give a number above 0")
        self.heads, self.temperature = heads, temperature
        self.ask = CrossAttention(dim, heads)
        self.query, self.key, self.value = (nn.Linear(dim, dim, bias=False) for _ in range(3))
        self.home = nn.Parameter(0.02 * torch.randn(slots, dim))

    def blank(self, batch: int) -> Tensor:
        """Every slot where it drifts to: [batch, slots, dim], of length one."""
        return normalize(self.home, dim=-1).repeat(batch, 1, 1)

    def answer(self, x: Tensor, near: Tensor, memory: Tensor, written: Tensor) -> tuple[Tensor, Tensor]:
        """Attention within the segment, and on top of it what slots say."""
        return near + self.ask(x + near, memory), memory

    def store(self, memory: Tensor, said: Tensor, written: Tensor) -> Tensor:
        """Every slot keeps itself or takes in tokens, and moves a little towards its home."""
        q, own = split_heads(self.query(memory), self.heads), split_heads(self.key(memory), self.heads)
        k, v = split_heads(self.key(said), self.heads), split_heads(self.value(said), self.heads)
        other = (q @ k.transpose(-1, -2)).masked_fill(~written[:, None, None], torch.finfo(q.dtype).min)
        scores = torch.cat([(q * own).sum(-1, keepdim=True), other], dim=-1)
        a = (scores / (q.shape[-1] ** 0.5 * self.temperature)).softmax(dim=-1)
        new = join_heads(a[..., :1] * split_heads(memory, self.heads) + a[..., 1:] @ v)
        return kept_unless(written.any(1), normalize(new + self.home, dim=-1), memory)
