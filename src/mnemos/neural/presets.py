"""Published models as choices of a `NeuralMemory`, each a few lines; any choice can be overridden by name.

What the models have around their memory (rotary positions of RetNet, low-rank gates of GLA, normalisers) is that of
`NeuralMemory` here, so that two presets differ in their four choices and in nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mnemos.errors import InvalidInput
from mnemos.neural.features import Polynomial
from mnemos.neural.layer import NeuralMemory
from mnemos.neural.learners import Learner
from mnemos.neural.levels import Levels
from mnemos.neural.memories import Deep
from mnemos.neural.memory import MemoryLayer
from mnemos.neural.objectives import Lp
from mnemos.neural.retentions import Lq, Retention
from mnemos.neural.titans import MemoryAsContext, MemoryAsGate, MemoryAsLayer, PersistentAttention


def linear_attention(dim: int, **choices: Any) -> NeuralMemory:
    """Sums of k vᵀ, read by positive features; the denominator is left to the norm.

    Katharopoulos et al. 2020, Transformers are RNNs.
    """
    return _memory(dim, choices, objective="dot", learner="gradient", features="elu", rate=None)


def retnet(dim: int, **choices: Any) -> NeuralMemory:
    """Linear attention with one decay for each head, the same for every token (Sun et al. 2023, Retentive Network)."""
    fixed = Retention("scalar", fixed=True)
    return _memory(dim, choices, objective="dot", retention=fixed, learner="gradient", features="scaled", rate=None)


def gla(dim: int, **choices: Any) -> NeuralMemory:
    """A decay for each channel and token (Yang et al. 2023, Gated Linear Attention Transformers)."""
    return _memory(dim, choices, objective="dot", retention="channel", learner="gradient", features="scaled", rate=None)


def hgrn2(dim: int, floor: float = 0.0, **choices: Any) -> NeuralMemory:
    """GLA whose keys are what is forgotten, 1 − decay; give higher layers a higher `floor`, from 0 to below 1.

    Qin et al. 2024, HGRN2: Gated Linear RNNs with State Expansion.
    """
    kept = Retention("channel", floor=floor, calm=1.0)
    return _memory(
        dim, choices, objective="dot", retention=kept, learner="gradient", features="none", rate=None, tied=True
    )


def delta_net(dim: int, **choices: Any) -> NeuralMemory:
    """One step on L2 for each token, along the key alone (Yang et al. 2024, Parallelizing Linear Transformers)."""
    return _memory(dim, choices, learner="delta")


def gated_delta_net(dim: int, **choices: Any) -> NeuralMemory:
    """DeltaNet with a decay for each head and token (Yang et al. 2024, Gated Delta Networks)."""
    return _memory(dim, choices, learner="delta", retention="scalar")


def kimi_delta(dim: int, **choices: Any) -> NeuralMemory:
    """DeltaNet with a decay for each channel and token (Kimi Team 2025, Kimi Linear)."""
    return _memory(dim, choices, learner="delta", retention="channel")


def titans(dim: int, **choices: Any) -> NeuralMemory:
    """Titans' long-term memory by itself: a deep memory, L2, surprise with momentum, decay.

    Behrouz et al. 2024, Titans: Learning to Memorize at Test Time; with attention beside it: see `titans`.
    """
    return _memory(dim, choices, memory="mlp", retention="scalar", learner="momentum", rate_bias=CAREFUL)


def moneta(dim: int, **choices: Any) -> NeuralMemory:
    """L3 as objective, L4 as retention (Behrouz et al. 2025, It's All Connected); see `objectives`, `retentions`.

    Gradients of L3 grow with the square of an error, so that steps are still smaller at first than those of others.
    """
    return _memory(
        dim, choices, memory="mlp", objective=Lp(3), retention=Lq(q=4), learner="gradient", rate_bias=CAREFUL - 1
    )


def yaad(dim: int, **choices: Any) -> NeuralMemory:
    """Huber's loss with a threshold of the token, and a decay (Behrouz et al. 2025, It's All Connected)."""
    return _memory(
        dim, choices, memory="mlp", objective="huber", retention="scalar", learner="gradient", rate_bias=TRAINED
    )


def memora(dim: int, **choices: Any) -> NeuralMemory:
    """L2, and entropy as retention: weights on simplices (Behrouz et al. 2025, It's All Connected)."""
    return _memory(dim, choices, memory="mlp", retention="entropy", learner="gradient", rate_bias=TRAINED)


def omega_net(dim: int, window: int = 8, **choices: Any) -> NeuralMemory:
    """A deep memory of polynomial features that learns the last tokens together (Behrouz et al. 2025, ATLAS).

    The norm of what it answers is as in Titans; whether the paper has one could not be verified. Without it, training
    on books ended in weights that were no numbers.
    """
    return _polynomial(dim, choices, Learner(window=window), 8, CAREFUL)


def atlas(dim: int, window: int = 8, **choices: Any) -> NeuralMemory:
    """OmegaNet with momentum and Newton–Schulz, that is with Muon (Behrouz et al. 2025, ATLAS).

    Newton–Schulz costs the cube of the features at every token, so keys are narrower than OmegaNet's.
    """
    return _polynomial(dim, choices, Learner(momentum=True, window=window, orthogonal=5), 4, TRAINED)


def titans_mac(dim: int, *, heads: int = 1, segment: int = 32, persistent: int = 4, **choices: Any) -> MemoryLayer:
    """Titans, memory as context; `choices` are of its memory. For the paper of all three see `titans`.

    Attention sees two for each token, so that its convolution is twice as long.
    """
    attention = PersistentAttention(dim, persistent=persistent, heads=heads, conv=2 * CONVOLUTION)
    return MemoryAsContext(titans(dim, heads=heads, **choices), attention, segment)


def titans_mag(dim: int, *, heads: int = 1, window: int = 32, persistent: int = 4, **choices: Any) -> MemoryLayer:
    """Titans, memory as gate."""
    attention = PersistentAttention(dim, persistent=persistent, heads=heads, window=window, conv=CONVOLUTION)
    return MemoryAsGate(titans(dim, heads=heads, **choices), attention)


def titans_mal(dim: int, *, heads: int = 1, window: int = 32, persistent: int = 4, **choices: Any) -> MemoryLayer:
    """Titans, memory as layer."""
    attention = PersistentAttention(dim, persistent=persistent, heads=heads, window=window, conv=CONVOLUTION)
    return MemoryAsLayer(titans(dim, heads=heads, **choices), attention)


def hope(dim: int, *, periods: Sequence[int] = (16, 64), **choices: Any) -> MemoryLayer:
    """Hope's continuum: a memory that learns at every token, then slower ones, each after its period of tokens.

    Behrouz et al. 2025, Nested Learning: The Illusion of Deep Learning Architectures. The first level is that of
    Titans; Hope's own, which makes its keys, values and rates by memories too, is not built here.
    """
    slow = [
        _memory(dim, choices, memory="mlp", retention="scalar", learner=Learner(period=period), rate_bias=TRAINED)
        for period in periods
    ]
    return Levels([titans(dim, **choices), *slow])


TRAINED = -3.0
"""Bias of the learning rates of deep memories at first: their steps add up over a chunk."""
CAREFUL = -5.0
"""Of those whose steps add up over windows or by momentum too (not Atlas', which Newton–Schulz makes of one size)."""
CONVOLUTION = 4
"""Kernel of the short convolutions; without them none of these models recalls well."""
Preset = Callable[..., MemoryLayer]
PRESETS: dict[str, Preset] = {
    preset.__name__.replace("_", "-"): preset
    for preset in (
        linear_attention,
        retnet,
        gla,
        hgrn2,
        delta_net,
        gated_delta_net,
        kimi_delta,
        titans,
        moneta,
        yaad,
        memora,
        omega_net,
        atlas,
        titans_mac,
        titans_mag,
        titans_mal,
        hope,
    )
}


def preset(name: str, dim: int, **choices: Any) -> MemoryLayer:
    """A published model by its name.

    Raises:
        InvalidInput: there is none of that name.
    """
    if name not in PRESETS:
        raise InvalidInput("name", f"{name!r} is not a preset", f"choose of {', '.join(PRESETS)}")
    return PRESETS[name](dim, **choices)


def _memory(dim: int, choices: dict[str, Any], **published: Any) -> NeuralMemory:
    return NeuralMemory(dim, **{"conv": CONVOLUTION} | published | choices)


def _polynomial(dim: int, choices: dict[str, Any], learner: Learner, most: int, rate_bias: float) -> NeuralMemory:
    """Keys of at most so many numbers: 8 have 44 monomials of degree 1 and 2, 4 have 14."""
    keys = min(most, dim // choices.get("heads", 1))
    deep = Deep(expansion=1, residual=False, normed=True)
    return _memory(
        dim,
        choices,
        keys=keys,
        memory=deep,
        retention="scalar",
        learner=learner,
        features=Polynomial(2),
        rate_bias=rate_bias,
    )
