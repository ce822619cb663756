"""The MLP of a block."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import silu

from mnemos.errors import InvalidInput


class SwiGLU(nn.Module):
    """W₃(SiLU(W₁x) ⊙ W₂x), after Shazeer 2020, GLU Variants Improve Transformer.

    Args:
        dim: width of tokens.
        size: of the hidden layer; None: 8/3 of `dim`, rounded up to a multiple of 8.

    Raises:
        InvalidInput: the size is not positive.
    """

    def __init__(self, dim: int, *, size: int | None = None) -> None:
        super().__init__()
        size = -(-8 * dim // 24) * 8 if size is None else size
        if size < 1:
            raise InvalidInput("size", f"is {size}", "give 1 or more")
        self.inward, self.outward = nn.Linear(dim, 2 * size, bias=False), nn.Linear(size, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """For x [..., dim], the same shape."""
        gate, value = self.inward(x).chunk(2, -1)
        y: Tensor = self.outward(silu(gate) * value)
        return y
