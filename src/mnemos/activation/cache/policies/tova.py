"""What the last query looked at least goes.

Oren, Hassid, Yarden, Adi, Schwartz 2024, "Transformers are Multi-State RNNs".
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from mnemos.activation.cache.policy import Look, Policy, Shown, registered


@registered
class TOVA(Policy):
    """Keeps what the last query gave most attention in the mean of all heads: the same tokens in every head.

    At prefill the last query of the prompt decides on all of it. At decoding every query, its own token included,
    decides anew which one goes. No token is kept because it is late.
    """

    name = "tova"
    looks = 1
    marks: Mapping[str, float] = {"seen": 0.0}

    def look(self, look: Look) -> Mapping[str, Tensor]:
        """Note the attention of the last query; none came to rows of padding."""
        came = (look.at >= 0).any(1)[:, None, None]
        return {"seen": look.weights.sum(2).where(came, look.marks["seen"])}

    def scores(self, shown: Shown) -> Tensor:
        """The mean over heads."""
        seen = shown.mark("seen")
        return seen.mean(1, keepdim=True).expand_as(seen)
