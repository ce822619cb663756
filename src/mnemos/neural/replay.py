"""Training through a long sequence in the memory of one piece of it, by reading every piece twice.

Memory replay back-propagation, of "Memformer: A Memory-Augmented Transformer for Sequence Modeling" (Wu et al., 2020),
for any layer or model that carries a state: read once without gradients and keep the states between pieces; then, from
the last piece to the first, read again with gradients from the state that was kept, and hand the gradient of that state
on to the piece before. The gradients are those of reading it all at once.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mnemos.errors import InvalidInput
from mnemos.neural.memory import State
from mnemos.neural.tree import mapped, tensors

Read = Callable[[Tensor, State], tuple[Tensor, State]]
"""From tokens [batch, tokens, ...] and a state to what is said and the state after: a `MemoryLayer`, say."""


def replay(
    read: Read,
    start: Callable[[int], State],
    x: Tensor,
    loss: Callable[[Tensor, slice], Tensor],
    size: int,
) -> Tensor:
    """Add to the gradients of all parameters that `read`, `start` and `loss` use, as `backward` would.

    Args:
        read: the layer or model.
        start: its fresh state for so many sequences; gradients reach what it is made of.
        x: [batch, tokens, ...]; if it needs a gradient, a leaf.
        loss: of what was said to the tokens of a slice of x, one number; losses of pieces are summed.
        size: tokens of a piece. Peak memory falls with it, work does not depend on it: about one reading more.

    Returns: the sum of losses, without a gradient.

    Raises:
        InvalidInput: a size that is not positive, or no tokens.
    """
    if size < 1:
        raise InvalidInput("size", f"pieces of {size} tokens never end", "give 1 or more")
    if not x.shape[1]:
        raise InvalidInput("x", "there are no tokens to learn from", "give at least one")
    pieces = [slice(at, min(at + size, x.shape[1])) for at in range(0, x.shape[1], size)]
    states = _states(read, start, x, pieces)
    total, passed = torch.zeros((), device=x.device), list[Tensor | None]()
    for piece, state in zip(reversed(pieces), reversed(states), strict=True):
        state = start(x.shape[0]) if state is None else state
        said, after = read(x[:, piece], state)
        own = loss(said, piece)
        _backward(own, tensors(after), passed)
        passed = [tensor.grad for tensor in tensors(state)] if piece.start else []
        total = total + own.detach()
    return total


def _states(read: Read, start: Callable[[int], State], x: Tensor, pieces: list[slice]) -> list[State]:
    """The state before every piece, as leaves; None before the first, which is made with gradients."""
    states: list[State] = [None]
    with torch.no_grad():
        state = start(x.shape[0])
        for piece in pieces[:-1]:
            _, state = read(x[:, piece], state)
            states.append(state)
    return [mapped(_leaf, state) for state in states]


def _leaf(tensor: Tensor) -> Tensor:
    leaf = tensor.detach()
    return leaf.requires_grad_() if leaf.is_floating_point() else leaf


def _backward(own: Tensor, after: list[Tensor], passed: list[Tensor | None]) -> None:
    """Gradients of a piece's own loss, and of those behind it by way of the state that it left."""
    ends: list[Tensor] = [own]
    slopes: list[Tensor | None] = [None]
    for tensor, slope in zip(after, passed, strict=False):
        if slope is not None and tensor.requires_grad:
            ends.append(tensor)
            slopes.append(slope)
    wanted = [(end, slope) for end, slope in zip(ends, slopes, strict=True) if end.requires_grad]
    if wanted:
        torch.autograd.backward([end for end, _ in wanted], [slope for _, slope in wanted])
