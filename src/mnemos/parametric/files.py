"""Adapters on disk: one safetensors file each, with `peft`'s own names for the weights and its configuration inside.

`unpack` makes of it the folder that `peft` writes and reads: `adapter_config.json` and `adapter_model.safetensors`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peft import LoraConfig
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mnemos.activation.fingerprint import Fingerprint
from mnemos.parametric.errors import AdapterDamaged
from mnemos.store.artifact_files import content

KIND = "mnemos adapter 1"
"""What a file says that it is; the number changes with the layout."""
HEADER = "mnemos"
"""The one entry of the header, so that the same adapter always makes the same bytes."""
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


@dataclass(frozen=True, slots=True)
class Adapter:
    """What an adapter consists of."""

    config: Mapping[str, Any]
    """As in `peft`'s `adapter_config.json`."""
    weights: Mapping[str, Tensor]
    """By `peft`'s names, without that of the adapter."""
    fingerprint: Fingerprint
    """Of the model that it was trained on, without any adapter."""


def config_of(config: LoraConfig) -> dict[str, Any]:
    """A configuration as JSON, the same for the same adapter."""
    found: dict[str, Any] = config.to_dict()  # type: ignore[no-untyped-call]
    entries = {key: sorted(value) if isinstance(value, set) else value for key, value in found.items()}
    return dict(json.loads(json.dumps(entries | {"inference_mode": True}, default=str)))


def save(adapter: Adapter, path: Path) -> None:
    """Write an adapter to a file, over any that is there."""
    header = {"kind": KIND, "config": adapter.config, "fingerprint": adapter.fingerprint.to_json()}
    save_file(_own(adapter.weights), path, {HEADER: json.dumps(header, sort_keys=True)})


def load(path: Path, hash: str | None = None) -> Adapter:
    """Read an adapter from a file; nothing in it is executed.

    Args:
        path: where `save` wrote it.
        hash: SHA-256 that the file has to have, in hexadecimal; None: any.

    Raises:
        AdapterDamaged: the file is missing, cut off, changed, or no adapter.
    """
    try:
        if hash is not None and content(path).hash != hash:
            raise AdapterDamaged(f"{path.name} was changed since it was written; drop it and train again")
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get(HEADER, "null"))
            if not isinstance(header, dict) or header.get("kind") != KIND:
                raise AdapterDamaged(f"{path.name} is no adapter of this release; drop it and train again")
            names: list[str] = file.keys()
            weights = {name: file.get_tensor(name) for name in names}
        return Adapter(dict(header["config"]), weights, Fingerprint.from_json(header["fingerprint"]))
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise AdapterDamaged(f"{path.name} cannot be read as an adapter ({error}); drop it and train again") from error


def unpack(adapter: Adapter, folder: Path) -> Path:
    """Write an adapter as the folder that `peft.PeftModel.from_pretrained` reads; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(json.dumps(adapter.config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    save_file(_own(adapter.weights), folder / WEIGHTS, {"format": "pt"})
    return folder


def _own(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights on the CPU, each with its bytes to itself."""
    return {name: weight.detach().cpu().contiguous().clone() for name, weight in weights.items()}
