"""`NeuralMemory`: one layer, four choices. What remembers, what is aimed at, what is kept, how it learns."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn.functional import logsigmoid, silu, softplus

from mnemos.errors import InvalidInput
from mnemos.neural.choosing import engine_of
from mnemos.neural.convolution import ShortConvolution
from mnemos.neural.features import Map, feature_map
from mnemos.neural.learners import Learner, learner_of
from mnemos.neural.memories import Memory
from mnemos.neural.memory import MemoryLayer, State
from mnemos.neural.objectives import Objective, objective_of
from mnemos.neural.retentions import Retention, retention_of
from mnemos.neural.tokens import Gate, Tokens


class NeuralState(NamedTuple):
    """What a `NeuralMemory` carries."""

    memory: State
    """The engine's: weights, and what it learns with."""
    seen: Tensor | None
    """The last inputs of the short convolution, [batch, kernel − 1, width]; None without one."""


class NeuralMemory(MemoryLayer):
    """A memory that learns at test time to answer keys with values, after Behrouz et al. 2025, It's All Connected.

    For each token x of width `dim`: q, k, v and gates are linear in x (q, k, v through a short convolution where `conv`
    is not 0, q and k through `features`); the memory learns (k, v), is asked q, and the answer goes out through a norm,
    a gate and a linear map.

    Args:
        dim: width of tokens.
        heads: memories side by side.
        keys, values: widths of keys and values of a head; None: dim / heads.
        memory: what remembers: `vector`, `matrix`, `mlp`, or an object of `memories`.
        objective: what is aimed at: `dot`, `l2`, `lp`, `huber`, `kl`, or an object of `objectives`.
        retention: what is kept: `none`, `scalar`, `channel`, `lq`, `entropy`, or an object of `retentions`.
        learner: `gradient`, `delta`, `momentum`, `window`, `newton-schulz`, or an object of `learners`.
        features: what is done to q and k, see `features`.
        conv: kernel of the short convolution; 0: none.
        chunk: tokens of a chunk of `forward`; where gradients are frozen at its start this is part of the model, else
            of its speed alone. None: 64, or 32 where decays have channels, or 16 where gradients are frozen.
        rate: upper end of the learning rate, a gate of the token; None: it is 1.
        rate_bias: of that gate: at first, the rate is rate · σ(rate_bias).
        tied: keys are 1 − decay, the decay being made of token and key (HGRN2).
        gated: whether the answer is multiplied by SiLU(Wx), as in most published models; without, recall is learnt
            sooner.

    Raises:
        InvalidInput: choices that do not go together, or a number out of range; it says which.
    """

    def __init__(
        self,
        dim: int,
        *,
        heads: int = 1,
        keys: int | None = None,
        values: int | None = None,
        memory: str | Memory = "matrix",
        objective: str | Objective = "l2",
        retention: str | Retention = "none",
        learner: str | Learner = "delta",
        features: str | Map = "l2",
        conv: int = 0,
        chunk: int | None = None,
        rate: float | None = 1.0,
        rate_bias: float = 0.0,
        tied: bool = False,
        gated: bool = False,
    ) -> None:
        super().__init__()
        if dim < 1 or heads < 1 or dim % heads:
            raise InvalidInput("heads", f"{heads} heads do not share {dim} channels", "give a divisor of dim")
        if conv < 0 or (chunk is not None and chunk < 1):
            raise InvalidInput("conv" if conv < 0 else "chunk", "is out of range", "give a positive number")
        keys, values = keys or dim // heads, values or dim // heads
        kept, aim, rule = retention_of(retention), objective_of(objective), learner_of(learner)
        if tied and (kept.decay != "channel" or kept.fixed):
            raise InvalidInput("tied", "needs a decay for each channel of a key", "choose the retention channel")
        self.dim, self.heads, self.tied = dim, heads, tied
        self.widths = [heads * keys, heads * keys, heads * values]
        self.map = features if isinstance(features, str) else None
        self.features, keys = feature_map(features, keys)
        self.engine = engine_of(heads, keys, values, memory, aim, kept, rule, chunk)
        self.project = nn.Linear(dim, sum(self.widths), bias=False)
        self.conv = ShortConvolution(sum(self.widths), conv) if conv else None
        self.decay = kept.gate(dim, heads, keys)
        self.rate = None if rate is None else Gate(dim, heads, rate, rate_bias)
        self.momentum = nn.Linear(dim, heads) if rule.momentum else None
        self.weight = Gate(dim, heads) if rule.window > 1 else None
        self.threshold = nn.Linear(dim, heads) if aim.needs_threshold else None
        self.norm = nn.RMSNorm(values, eps=1e-6)
        self.gate = nn.Linear(dim, heads * values, bias=False) if gated else None
        self.join = nn.Linear(heads * values, dim, bias=False)

    def start(self, batch: int) -> NeuralState:
        """A fresh state."""
        return NeuralState(self.engine.start(batch), None if self.conv is None else self.conv.start(batch))

    def step(self, x: Tensor, state: NeuralState, *, write: Tensor | None = None) -> tuple[Tensor, NeuralState]:
        """Read one token."""
        tokens, seen = self.told(x, state, write=write)
        answer, memory = self.engine.step(tokens, state.memory)
        return self.out(x, answer), NeuralState(memory, seen)

    def forward(
        self, x: Tensor, state: NeuralState | None = None, *, write: Tensor | None = None
    ) -> tuple[Tensor, NeuralState]:
        """Read many tokens, by chunks."""
        state = self.start(x.shape[0]) if state is None else state
        if not x.shape[1]:
            return x, state
        answer, state = self.run(x, state, write=write)
        return self.out(x, answer), state

    def run(self, x: Tensor, state: NeuralState, *, write: Tensor | None = None) -> tuple[Tensor, NeuralState]:
        """`forward` before its last part: answers [batch, heads, tokens, values] for `out`, and the new state."""
        tokens, seen = self.told(x, state, write=write)
        answer, memory = self.engine.chunk(tokens, state.memory)
        return answer, NeuralState(memory, seen)

    def queries(self, x: Tensor, state: NeuralState) -> Tensor:
        """What the memory would be asked at tokens [batch, tokens, dim], [batch, heads, tokens, keys]."""
        return self.told(x, state)[0].q

    def recall(self, q: Tensor, state: NeuralState) -> Tensor:
        """Answers of a state that stays as it is, [batch, heads, tokens, keys] as [batch, heads, tokens, values]."""
        return self.engine.recall(q, state.memory)

    def told(self, x: Tensor, state: NeuralState, *, write: Tensor | None = None) -> tuple[Tokens, Tensor | None]:
        """What the memory is told of tokens [batch, (tokens,) dim], and the new `seen`."""
        mixed, seen = self.project(x), state.seen
        if self.conv is not None and seen is not None:
            mixed, seen = (self.conv if x.dim() == 3 else self.conv.step)(mixed, seen)
        parts = [one.unflatten(-1, (self.heads, -1)) for one in mixed.split(self.widths, -1)]
        raised = (x, parts[1]) if self.tied else (x,)
        log_decay = None if self.decay is None else self.decay(*raised).movedim(-2, 1)
        q, k, v = (one.movedim(-2, 1) for one in parts)
        q, k = self.features(q), self.features(k)
        tokens = Tokens(
            q,
            -log_decay.expm1() if self.tied and log_decay is not None else k,
            v,
            rate=q.new_ones(q.shape[:-1]) if self.rate is None else self.rate(x).movedim(-1, 1),
            log_decay=log_decay,
            log_momentum=None if self.momentum is None else logsigmoid(self.momentum(x)).movedim(-1, 1),
            weight=None if self.weight is None else self.weight(x).movedim(-1, 1),
            threshold=None if self.threshold is None else softplus(self.threshold(x)).movedim(-1, 1),
        )
        return (tokens if write is None else tokens.where(write)), seen

    def out(self, x: Tensor, answer: Tensor) -> Tensor:
        """Answers [batch, heads, (tokens,) values] through norm, gate and the last map, as [batch, (tokens,) dim]."""
        answer = self.norm(answer).movedim(1, -2).flatten(-2)
        if self.gate is not None:
            answer = answer * silu(self.gate(x))
        y: Tensor = self.join(answer)
        return y
