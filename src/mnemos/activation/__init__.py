"""Memories as keys and values: read once by a model, stored, and put back without reading them again.

Needs `pip install "mnemos[torch]"`.
"""

from __future__ import annotations

try:
    from mnemos.activation.assembled import Assembled, Place
    from mnemos.activation.kv import Encoded, KVMemory
except ModuleNotFoundError as error:
    if error.name not in ("torch", "transformers", "safetensors"):
        raise
    raise ModuleNotFoundError(
        f"mnemos.activation needs {error.name}, which is not installed; pip install 'mnemos[torch]'", name=error.name
    ) from error

__all__ = ["Assembled", "Encoded", "KVMemory", "Place"]
