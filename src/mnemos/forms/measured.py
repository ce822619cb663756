"""What reading and building cost one model: measured where possible, and said where not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any

from mnemos.errors import InvalidInput
from mnemos.store.artifact_rows import Artifact

TEACHING = 5_000
"""Tokens that are read, forwards, in about the time in which one memory is taught to an adapter: six lessons of 20
tokens, forwards and backwards, fifteen times. Holds until an adapter has been trained."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one model takes. The defaults are those of a model of 8 billion parameters on one accelerator."""

    model: str | None = None
    """Its fingerprint; None: of no model in particular."""
    prefill_seconds: float = 2e-4
    """To read one token of a prompt."""
    block_bytes: float = 131_072.0
    """That one token's keys and values take on disk."""
    block_seconds: float = 2e-3
    """To fetch one block and put it in its place, once a session."""
    join_seconds: float = 3e-5
    """To repair one token of a block among others, by the share that `attach` repairs by default; once a session."""
    teach_seconds: float = 1.0
    """To teach one memory to an adapter."""
    adapter_bytes: float = 40e6
    """That one adapter takes."""
    switch_seconds: float = 0.1
    """To put an adapter on, once a session."""
    blocks: bool = True
    """Whether its keys can be moved; where they cannot, there are no blocks."""
    assumed: tuple[str, ...] = (
        "prefill_seconds", "block_bytes", "block_seconds", "join_seconds", "teach_seconds", "adapter_bytes",
        "switch_seconds",
    )  # fmt: skip
    """The figures that were not measured."""

    def __post_init__(self) -> None:
        """Refuse what is no cost.

        Raises:
            InvalidInput: a figure is negative, or no number.
        """
        for name in FIGURES:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
                raise InvalidInput(f"costs.{name}", f"{str(value)[:40]!r} is no cost", "give a number from 0")

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Measured:
        """The inverse of `to_json`; figures that are missing are assumed."""
        known = {name: value for name, value in told.items() if name in cls.__slots__}
        return cls(**{**known, "assumed": tuple(told.get("assumed", FIGURES))})

    def seen(self, artifacts: Iterable[Artifact]) -> Measured:
        """With what the artifacts of this model took, in place of what was assumed or tried.

        Args:
            artifacts: any; those of other models are left out.
        """
        own = [one for one in artifacts if self.model in (None, one.fingerprint)]
        found: dict[str, float] = {}
        blocks = [one for one in own if one.form == "activation" and one.metadata.get("tokens")]
        tokens = sum(one.metadata["tokens"] for one in blocks)
        if blocks:
            found["block_bytes"] = sum(one.bytes for one in blocks) / tokens
            if "prefill_seconds" in self.assumed and any(one.seconds for one in blocks):
                found["prefill_seconds"] = sum(one.seconds for one in blocks) / tokens
        adapters = [one for one in own if one.form == "parametric" and one.sources]
        if adapters:
            found["teach_seconds"] = median(one.seconds / len(one.sources) for one in adapters)
            found["adapter_bytes"] = median(one.bytes for one in adapters)
        left = tuple(name for name in self.assumed if name not in found)
        return replace(self, **found, assumed=left)  # type: ignore[arg-type]  # all of them are figures


FIGURES = (
    "prefill_seconds", "block_bytes", "block_seconds", "join_seconds", "teach_seconds", "adapter_bytes",
    "switch_seconds",
)  # fmt: skip
