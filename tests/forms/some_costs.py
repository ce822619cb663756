"""What a model takes of which nothing is assumed: a machine on which every form can pay."""

from __future__ import annotations

from mnemos.forms.measured import Measured

COSTS = Measured(
    prefill_seconds=0.01,
    block_bytes=25_000,
    block_seconds=0.005,
    join_seconds=0.0015,
    teach_seconds=2.0,
    adapter_bytes=5e6,
    switch_seconds=0.01,
    assumed=(),
)
