"""A hash of what turns words into token ids, the same wherever and in whatever state a tokenizer is loaded."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from weakref import WeakKeyDictionary

from mnemos.errors import InvalidInput

DECIDING = ("added_tokens", "normalizer", "pre_tokenizer", "model")
"""Parts of a fast tokenizer that decide about ids; truncation, padding and what is put around a text do not."""

_hashed: WeakKeyDictionary[Any, tuple[str, str]] = WeakKeyDictionary()
"""Of each fast tokenizer that is alive: the summary that it was hashed with, and its hash."""


def tokenizer_hash(tokenizer: Any) -> str:
    """64 hexadecimal digits over vocabulary, merges, special and added tokens, normaliser and splitting.

    Args:
        tokenizer: a tokenizer of `transformers`: a fast one is hashed by its backend's own JSON, a slow one by its
            vocabulary, its merges or sentence pieces, and its switches.

    Raises:
        InvalidInput: it has neither a backend nor a vocabulary.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return _of_parts(_slow(tokenizer))
    summary = _summary(backend)
    known, digest = _hashed.get(tokenizer, ("", ""))
    if known != summary:
        whole = json.loads(backend.to_str())
        digest = _of_parts({part: whole.get(part) for part in DECIDING})
        _hashed[tokenizer] = (summary, digest)
    return digest


def _summary(backend: Any) -> str:
    """What a program can change in a fast tokenizer; its vocabulary can only grow by added tokens, or be replaced."""
    added = {number: repr(token) for number, token in backend.get_added_tokens_decoder().items()}
    return repr((backend.get_vocab_size(), added, backend.normalizer, backend.pre_tokenizer, backend.model))


def _slow(tokenizer: Any) -> dict[str, Any]:
    if not hasattr(tokenizer, "get_vocab"):
        raise InvalidInput("tokenizer", "it tells nothing of its vocabulary", "give the model's own tokenizer")
    pieces = getattr(tokenizer, "sp_model", None)
    proto = pieces.serialized_model_proto() if pieces is not None else b""
    switches = {key: on for key, on in getattr(tokenizer, "init_kwargs", {}).items() if isinstance(on, bool)}
    return {
        "kind": type(tokenizer).__name__,
        "vocabulary": tokenizer.get_vocab(),
        "merges": sorted((rank, list(pair)) for pair, rank in getattr(tokenizer, "bpe_ranks", {}).items()),
        "pieces": hashlib.sha256(proto).hexdigest(),
        "added": {str(number): repr(one) for number, one in getattr(tokenizer, "added_tokens_decoder", {}).items()},
        "switches": switches,
    }


def _of_parts(parts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
