"""What can go wrong with adapters, by name."""

from __future__ import annotations

from collections.abc import Sequence

from mnemos.errors import MnemosError


class AdapterRefused(MnemosError):
    """An adapter is not for this model; `differences` names each thing in which the two differ."""

    def __init__(self, differences: Sequence[str]) -> None:
        super().__init__(f"the adapter is of another model: {'; '.join(differences)}; train one for this model")
        self.differences = tuple(differences)


class AdapterDamaged(MnemosError):
    """A file is no adapter, or was changed; drop the artifact and train it again."""


class TrainingFailed(MnemosError):
    """Training came to nothing; the model is as it was, and nothing was kept."""


class NotRestored(MnemosError):
    """The model's own weights were changed by something else while an adapter was on it."""
