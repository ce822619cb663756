"""The secret scan: what `add`, `put`, `update` and imports pass through before anything is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, get_args

from mnemos.errors import InvalidInput
from mnemos.events import Event
from mnemos.gate.detect import find, may_hold
from mnemos.gate.secret_rules import is_label, is_value

Mode = Literal["mask", "refuse", "keep"]
MODES: tuple[str, ...] = get_args(Mode)

_MARK = "[secret: "
_TELLING = 6
"""Characters from which on a value that its key gave away is masked inside other texts of the same event too."""


class SecretScan:
    """Finds secrets, and masks, refuses or keeps them as the store was told."""

    def __init__(self, mode: Mode = "mask") -> None:
        self.mode = mode

    def event(self, event: Event, field: str) -> Event:
        """An event as it may be logged; `masked` names the kinds of what was taken out.

        Raises:
            InvalidInput: a secret is in it and the store refuses them; names the field and the kind, not the secret.
        """
        if self.mode == "keep":
            return event
        run = _Run(self.mode)
        value = run.data(event.value, f"{field}value") if event.key is not None else event.value
        metadata = run.data(event.metadata, f"{field}metadata") if event.metadata else event.metadata
        text, texts = event.text, event.texts
        if texts is None:
            text = run.text(text, f"{field}content")
        else:
            texts = tuple(run.text(part, f"{field}texts[{place}]") for place, part in enumerate(texts))
            text = "\n".join(texts)
        if not run.kinds:
            return event
        return replace(event, text=text, texts=texts, metadata=metadata, value=value, masked=tuple(run.kinds))

    def words(self, text: str, field: str = "text") -> tuple[str, tuple[str, ...]]:
        """A text as it may be kept, and the kinds of what was masked in it."""
        run = _Run(self.mode)
        return (text if self.mode == "keep" else run.text(text, field)), tuple(run.kinds)

    def data(self, value: Any, field: str) -> tuple[Any, tuple[str, ...]]:
        """JSON as it may be kept, and the kinds of what was masked in it."""
        run = _Run(self.mode)
        return (value if self.mode == "keep" else run.data(value, field)), tuple(run.kinds)

    def entry(self, entry: Mapping[str, Any], /) -> Mapping[str, Any]:
        """An entry of an export as it may be restored; one that was exported masked stays as it is.

        Where words are masked only now, a digest that may be of them goes: nothing of a secret is kept.
        """
        kind, text = entry.get("type"), entry.get("text")
        if self.mode == "keep" or kind not in ("entry", "derived"):
            return entry
        run = _Run(self.mode)
        rest = entry.get("metadata" if kind == "derived" else "body")
        said = dict(rest) if isinstance(rest, Mapping) else {}
        for name in ("value", "metadata", "texts") if kind == "entry" else tuple(said):
            if name in said:
                said[name] = run.under(str(name), said[name], str(name))
        words = run.text(text, "text") if isinstance(text, str) else text
        if not run.kinds:
            return entry
        if kind == "derived":
            return {**entry, "text": words, "metadata": said}
        digest = entry.get("digest") if said.get("source_id") is not None else None
        return {**entry, "text": words, "body": {**said, "masked": list(run.kinds)}, "digest": digest}


class _Run:
    """One event: the kinds that were found in it, and what keys gave away."""

    def __init__(self, mode: Mode) -> None:
        self.mode = mode
        self.kinds: dict[str, None] = {}
        self.told: dict[str, str] = {}

    def text(self, text: str, field: str) -> str:
        """A text without its secrets."""
        for secret, mark in self.told.items():
            if secret == text or (len(secret) >= _TELLING and secret in text):
                text = text.replace(secret, mark)
        spans = find(text)
        if not spans:
            return text
        self._refuse(spans[0][2], field)
        parts, done = [], 0
        for start, end, kind in spans:
            parts += [text[done:start], _MARK, kind, "]"]
            self.kinds[kind] = None
            done = end
        return "".join((*parts, text[done:]))

    def data(self, value: Any, field: str) -> Any:
        """JSON without the secrets in it."""
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, str):
            return self.text(value, field)
        if isinstance(value, int):
            written = str(value)
            masked = self.text(written, field) if len(written) > 12 else written
            return value if masked == written else masked
        if not may_hold(json.dumps(value, ensure_ascii=False)) and not self.told:
            return value
        if isinstance(value, Mapping):
            return {
                self.text(name, field): self.under(name, part, f"{field}.{name[:60]}") for name, part in value.items()
            }
        return [self.data(part, f"{field}[{place}]") for place, part in enumerate(value)]

    def under(self, name: str, value: Any, field: str) -> Any:
        """What stands under a key, which may give the secret away."""
        found = self.data(value, field)
        if isinstance(value, str) and found == value and _MARK not in value and is_label(name) and is_value(value):
            self._refuse("password", field)
            self.kinds["password"] = None
            found = self.told[value] = f"{_MARK}password]"
        return found

    def _refuse(self, kind: str, field: str) -> None:
        if self.mode == "refuse":
            raise InvalidInput(field, f"holds a secret ({kind})", "take it out, or open the store with secrets='mask'")


def read_mode(value: object) -> Mode:
    """The setting `secrets` of a store."""
    if value not in MODES:
        raise InvalidInput("secrets", f"{str(value)[:40]!r} is unknown", f"use {', '.join(MODES)}")
    return value  # type: ignore[return-value]  # checked against the literal's values
