"""Everything is kept: the upper end of all comparisons."""

from __future__ import annotations

from torch import Tensor

from mnemos.activation.cache.policy import Policy, Shown, registered


@registered
class Full(Policy):
    """At prefill and at decoding nothing goes, whatever the budget."""

    name = "full"

    def due(self, shown: Shown) -> Tensor:
        """Never."""
        return shown.seen < 0
