"""What the queries to come will look at, as far as those that came tell.

Devoto, Jeblick, Jégou 2025, "Expected Attention: KV Cache Compression by Estimating Attention from Future Queries
Distribution".
"""

from __future__ import annotations

import torch
from torch import Tensor

from mnemos.activation.cache.policy import Policy, Shown, registered
from mnemos.activation.cache.settings import whole, within
from mnemos.activation.rotation import Angles, put_on, take_off


@registered
class ExpectedAttention(Policy):
    """Keeps what queries as those of the prompt would look at from the places that come next, on average.

    At prefill, once: the queries are taken as normally distributed where they stand nowhere, and their mean and
    covariance are turned by the mean rotation of the next `future` places. So the expected attention of each token is
    known in closed form; it is weighed by the length of the token's value. The first tokens stay, and neither they nor
    their queries count. At decoding nothing goes. A second prompt of a conversation is treated as the first one.

    Args:
        future: how many places are looked ahead.
        sinks: how many of a row's first tokens stay.
        least: added to every expected attention before it is weighed, 0 to 1.

    Raises:
        InvalidInput: one is no such number.
    """

    name = "expected"
    queries = True
    rotates = True

    def __init__(self, future: int = 512, sinks: int = 4, least: float = 0.0) -> None:
        self.future, self.sinks = whole("future", future), whole("sinks", sinks, 0)
        self.least = within("least", least, 0, 1)

    def due(self, shown: Shown) -> Tensor:
        """After a prompt."""
        return shown.prefill

    def scores(self, shown: Shown) -> Tensor:
        """The sinks first, then by expected attention."""
        mean, spread = self._to_come(shown)
        keys = shown.keys.float()[:, :, None]
        logits = (keys @ mean[..., None])[..., 0] * shown.scaling
        logits += ((keys @ spread) * keys).sum(-1) * (shown.scaling**2 / 2)
        sinks = shown.positions < self.sinks
        weights = logits.masked_fill(sinks[:, :, None], -torch.inf).softmax(-1).nan_to_num(0.0).mean(2)
        sizes = shown.values.float().square().sum(-1).sqrt()
        return ((weights + self.least) * sizes).masked_fill(sinks, torch.inf)

    def _to_come(self, shown: Shown) -> tuple[Tensor, Tensor]:
        """Mean, [rows, heads, sharing, dimensions], and covariance of queries to come."""
        assert shown.queries is not None
        counted = shown.at >= self.sinks
        counted = torch.where(counted.any(1, keepdim=True), counted, shown.at >= 0)[:, None, :, None]
        queries = take_off(shown.queries.float(), self._angles(shown, shown.at.clamp_min(0)))
        number = counted.sum(2, keepdim=True).clamp_min(1)
        mean = (queries * counted).sum(2, keepdim=True) / number
        centred = (queries - mean) * counted
        spread = centred.transpose(-1, -2) @ centred / number
        ahead = shown.seen.to(shown.at.device)[:, None] + torch.arange(self.future, device=shown.at.device)
        turns = self._angles(shown, ahead)
        turn = Angles(turns.cos.mean(2, keepdim=True), turns.sin.mean(2, keepdim=True))
        spread = put_on(put_on(spread, turn).transpose(-1, -2), turn)
        rows, heads = shown.held.counts.shape
        size = spread.shape[-1]
        return put_on(mean, turn).view(rows, heads, -1, size), spread.view(rows, heads, -1, size, size)

    def _angles(self, shown: Shown, places: Tensor) -> Angles:
        """Of places, [rows, places], to be used with [rows, heads, places, dimensions]."""
        assert shown.rotation is not None
        flat = shown.rotation.angles(places.flatten(), int(places.max()) + 1, shown.kind)
        shape = (len(places), 1, places.shape[1], -1)
        return Angles(flat.cos.view(shape), flat.sin.view(shape))
