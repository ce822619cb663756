"""What a model is, so that keys and values of one model are never put into another.

Two models have one fingerprint where they read the same words in the same way: the same weights, adapters, settings,
number type and tokenizer. A model's name is kept to be shown, and not compared: a copy in another folder is the same
model, and a name says nothing about the weights that it has today.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from mnemos.activation.sums import quick_sum, raw
from mnemos.activation.tokenizers import tokenizer_hash
from mnemos.errors import InvalidInput

STREAMED = 1 << 26
"""Bytes that are hashed at a time: no more of a model on a GPU is ever copied."""
NONE = "none"
"""The hash of no adapter."""
ROPE = ("rope_parameters", "rope_scaling", "rope_theta", "partial_rotary_factor", "max_position_embeddings", "head_dim")
WINDOW = ("sliding_window", "layer_types", "use_sliding_window", "max_window_layers")
OUTSIDE = {
    *("_name_or_path", "architectures", "chunk_size_feed_forward", "dtype", "id2label", "initializer_range"),
    *("is_encoder_decoder", "label2id", "model_type", "output_attentions", "output_hidden_states", "problem_type"),
    *("return_dict", "tie_word_embeddings", "torch_dtype", "transformers_version", "use_cache"),
    *("bos_token_id", "eos_token_id", "pad_token_id"),
}
"""Settings that change nothing in what a model reads."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A model and its tokenizer, as far as they decide about keys and values."""

    name: str
    """The model's id, for people; it is not compared."""
    model: str
    """Its type, such as `llama`."""
    weights: str
    """Hash of every parameter and kept buffer, by name, without adapters that are not merged."""
    adapter: str
    """Hash of the adapters that are switched on, or `none`."""
    tokenizer: str
    """Hash of what turns words into token ids."""
    dtype: str
    """The type of its keys and values, such as `float32`."""
    rope: Mapping[str, Any]
    """Settings of its positions."""
    window: Mapping[str, Any]
    """How far its layers look back."""
    settings: Mapping[str, Any]
    """Whatever else of its configuration changes what it reads."""

    @property
    def digest(self) -> str:
        """64 hexadecimal digits, equal where nothing differs."""
        parts = {key: value for key, value in asdict(self).items() if key != "name"}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> str:
        """Everything, as JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Fingerprint:
        """The inverse of `to_json`.

        Raises:
            ValueError: it is something else.
        """
        parts = json.loads(text)
        if not isinstance(parts, dict) or set(parts) != set(cls.__slots__):
            raise ValueError("not a fingerprint")
        kinds = {key: dict if key in ("rope", "window", "settings") else str for key in parts}
        if not all(isinstance(parts[key], kind) for key, kind in kinds.items()):
            raise ValueError("not a fingerprint")
        return cls(**parts)


def fingerprint_of(model: PreTrainedModel, tokenizer: Any) -> Fingerprint:
    """What a model is at this moment.

    The weights are hashed once for each model object (about a second for 1 GB), and again when they have changed: at
    every call a quick sum over all their bytes (see `sums`, some ten times faster) is compared with the one that was
    taken then. So a training step, a merged adapter or an edit is noticed, also where it went past torch's own version
    counters through `.data`.

    Args:
        model: a `transformers` model; with `peft`, the wrapped one or the one inside.
        tokenizer: its tokenizer, fast or slow.

    Raises:
        InvalidInput: the weights are not loaded, or the tokenizer tells nothing of its vocabulary.
    """
    config = model.config.get_text_config()
    entries = json.loads(json.dumps(config.to_dict(), sort_keys=True, default=str))
    # what is off is the same as what a release does not know
    on = {key: value for key, value in entries.items() if value is not None and value is not False}
    known = {key: value for key, value in on.items() if key not in OUTSIDE}
    rest = {key: value for key, value in known.items() if key not in (*ROPE, *WINDOW) and not key.endswith("dropout")}
    weights, adapter = _weights(model)
    return Fingerprint(
        name=_shown(str(model.config._name_or_path)),
        model=config.model_type,
        weights=weights,
        adapter=adapter,
        tokenizer=tokenizer_hash(tokenizer),
        dtype=str(model.dtype).removeprefix("torch."),
        rope={key: known[key] for key in ROPE if key in known},
        window={key: known[key] for key in WINDOW if key in known},
        settings=rest,
    )


def _shown(name: str) -> str:
    """A model's name; of a folder only the last part, since where it lies is nobody's business who is sent a block."""
    path = name.replace("\\", "/")
    is_path = path.startswith(("/", "~", "./", "../")) or path[1:3] == ":/"
    return path.rstrip("/").rpartition("/")[2] if is_path else name


def differences(expected: Fingerprint, found: Fingerprint) -> list[str]:
    """Each part in which two fingerprints differ, in words; empty where they agree.

    Args:
        expected: of the model at hand.
        found: of what was stored.
    """
    said = []
    for part, words in (("model", "model type"), ("dtype", "number type (dtype)")):
        here, there = getattr(expected, part), getattr(found, part)
        if here != there:
            said.append(f"{words}: made with {there}, this is {here}")
    for part in ("weights", "adapter", "tokenizer"):
        here, there = getattr(expected, part), getattr(found, part)
        if here != there:
            said.append(f"{part}: made with {_short(there)}, this is {_short(here)}")
    for part, words in (("rope", "RoPE settings"), ("window", "attention window"), ("settings", "model settings")):
        here, there = _flat(getattr(expected, part)), _flat(getattr(found, part))
        other = [key for key in sorted({*here, *there}) if here.get(key) != there.get(key)]
        told = (f"{key} was {there.get(key, 'not set')}, is {here.get(key, 'not set')}" for key in other)
        if other:
            said.append(f"{words}: {', '.join(told)}")
    return said


def _short(digest: str) -> str:
    return digest[:12]


def _flat(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Settings of settings by dotted names."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        inner = _flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
        flat |= inner
    return flat


@dataclass(frozen=True, slots=True)
class _Hashed:
    """What a model's weights were when they were hashed, and their hashes."""

    sums: dict[str, str]
    digests: dict[str, str]


_hashed: WeakKeyDictionary[nn.Module, _Hashed] = WeakKeyDictionary()
"""For each model that is alive; only what changed since is hashed again."""


def _weights(model: nn.Module) -> tuple[str, str]:
    """Hashes of a model's own weights and of the adapters that are switched on."""
    tensors = {name: tensor for name, tensor in model.state_dict().items() if isinstance(tensor, Tensor)}
    if any(tensor.is_meta for tensor in tensors.values()):
        raise InvalidInput("model", "its weights are not loaded", "load it onto a device first")
    known = _hashed.get(model, _Hashed({}, {}))
    sums = {name: f"{tuple(tensor.shape)} {tensor.dtype} {quick_sum(tensor)}" for name, tensor in tensors.items()}
    fresh = {name for name in tensors if known.sums.get(name) != sums[name]}
    digests = {name: _digest(tensors[name]) if name in fresh else known.digests[name] for name in tensors}
    _hashed[model] = _Hashed(sums, digests)
    adapters = dict(_adapters(model, digests))
    active = sorted(text for text in adapters.values() if text)
    own = sorted(f"{_own_name(name)} {digest}" for name, digest in digests.items() if name not in adapters)
    return _all(own), _all(active) if active else NONE


def _all(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _digest(tensor: Tensor) -> str:
    digest = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
    for piece in torch.split(raw(tensor), STREAMED):
        digest.update(piece.cpu().numpy().data)
    return digest.hexdigest()


def _own_name(name: str) -> str:
    """The name that a weight has in a model without adapters."""
    bare = name.removeprefix("base_model.model.")
    return bare.replace(".base_layer.", ".").replace(".original_module.", ".")


def _adapters(model: nn.Module, digests: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Each weight of a `peft` adapter, and what it adds to the hash: nothing where it is off, or merged already."""
    for path, module in model.named_modules():
        if not (hasattr(module, "active_adapters") and (hasattr(module, "base_layer") or _wraps(module))):
            continue
        merged = getattr(module, "merged_adapters", [])
        on = [] if module.disable_adapters else [one for one in module.active_adapters if one not in merged]
        for name in digests:
            if not name.startswith(f"{path}."):
                continue
            kind, adapter, *rest = [*name.removeprefix(f"{path}.").split("."), ""]
            if kind in ("base_layer", "original_module"):
                continue
            factor = getattr(module, "scaling", {}).get(adapter, 1.0)
            place = on.index(adapter) if adapter in on else None
            yield name, "" if place is None else f"{_own_name(path)} {place} {kind} {rest} {factor} {digests[name]}"


def _wraps(module: nn.Module) -> bool:
    """Whether a module is a whole copy that an adapter trains in place of the model's own."""
    return hasattr(module, "original_module") and hasattr(module, "modules_to_save")
