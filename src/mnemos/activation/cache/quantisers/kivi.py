"""Old keys in few bits per channel, old values per token, and the latest tokens exact.

Liu, Yuan, Jin, Zhong, Xu, Braverman, Chen, Hu 2024, "KIVI: A Tuning-Free Asymmetric 2bit Quantization for KV Cache".
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from mnemos.activation.cache.coded import Coded, Coding
from mnemos.activation.cache.few_bits import FewBits
from mnemos.activation.cache.held import Stored
from mnemos.activation.quantising import GROUP
from mnemos.errors import InvalidInput


class KIVI:
    """Codes what is left of a text, at prefill and at decoding, once it is old enough.

    Of each head's keys as many of the oldest as make whole residuals are coded, a residual at a time, so that from
    none to `residual` − 1 of its keys are exact; in each dimension `group` keys that follow each other share a
    range. Of its values all but the last `residual` are coded, each with ranges of its own for every 32 dimensions.
    What a step brings is exact until the step is over.

    Ours: under a policy the tokens of a group are those that follow each other in the head, not in the text, and a
    residual counts the tokens that the head still holds. 8 and 4 bits; the paper's 2 are not offered.

    Args:
        bits: 8 or 4.
        residual: exact tokens at most, 1 or more; a multiple of `group`.
        group: keys that share a range, 1 to 32.

    Raises:
        InvalidInput: a number is out of range.
    """

    def __init__(self, bits: int = 4, residual: int = 128, group: int = 32) -> None:
        read_bits(bits)
        if not 1 <= group <= GROUP:
            raise InvalidInput("group", f"{group} is not a number of keys", f"give 1 to {GROUP}")
        if residual < 1 or residual % group:
            raise InvalidInput("residual", f"{residual} tokens are not whole groups", f"give a multiple of {group}")
        self.bits, self.residual, self.group = bits, residual, group

    def __call__(self, empty: Tensor, which: Literal["keys", "values"], layer: int) -> Stored:
        """An empty store for the keys or the values of a layer."""
        if which == "keys":
            none = FewBits.none(self.bits, empty.shape[-1], empty.device, shared=True)
            return Coded.nothing(Coding(self._whole_residuals, self._keys), none, empty)
        none = FewBits.none(self.bits, empty.shape[-1], empty.device, shared=False)
        return Coded.nothing(Coding(self._all_but_residual, self._values), none, empty)

    def _keys(self, tokens: Tensor, heads: Tensor) -> FewBits:
        return FewBits.per_channel(tokens, self.bits, self.group)

    def _values(self, tokens: Tensor, heads: Tensor) -> FewBits:
        return FewBits.per_token(tokens, self.bits)

    def _whole_residuals(self, exact: Tensor) -> Tensor:
        return exact // self.residual * self.residual

    def _all_but_residual(self, exact: Tensor) -> Tensor:
        return (exact - self.residual).clamp_min(0)


def read_bits(bits: int) -> int:
    """A number of bits that can be kept.

    Raises:
        InvalidInput: it cannot.
    """
    if bits not in (8, 4):
        raise InvalidInput("bits", f"{bits!r} cannot be kept", "give 8 or 4")
    return bits
