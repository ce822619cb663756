"""Paths below `/memories`, read so that none can lead out of it or stand for two files."""

from __future__ import annotations

import re
import unicodedata

ROOT = "/memories"
MAX_DEPTH = 16
"""Names below the root."""
MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 1000

_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode's controls, formats (bidirectional marks, characters without width), surrogates and separators of lines."""
_SHOWN = 200
_ENCODED = re.compile("%([0-9a-fA-F]{2})")
_LAYERS = 8
"""Percent-encodings inside one another that are looked into."""


class CommandRefused(Exception):
    """A command that cannot be done; the message is for the model that gave it. Nothing was changed."""


def read_path(path: object) -> str:
    """A path in its one form: `/memories`, or `/memories/` and names, composed (NFC), without a slash at the end.

    Raises:
        CommandRefused: it is not a path below `/memories`, in any reading of it, or it is too deep or too long.
    """
    if not isinstance(path, str):
        raise CommandRefused(f"Error: Path must be text, got: {type(path).__name__}")
    shown = show(path)
    if any(unicodedata.category(char) in _UNSEEN for char in path):
        raise CommandRefused(f"Error: Path {shown} holds characters that cannot be seen; use plain names")
    if "\\" in path:
        raise CommandRefused(f"Error: Path {shown} holds a backslash; separate names by /")
    if path != ROOT and not path.startswith(f"{ROOT}/"):
        raise CommandRefused(f"Error: Path must start with {ROOT}, got: {shown}")
    if any(_leads_out(reading, path) for reading in _readings(path)):
        raise CommandRefused(f"Error: Path {shown} would escape {ROOT} directory")
    names = [name for name in unicodedata.normalize("NFC", path).split("/") if name]
    clean = "/" + "/".join(names)
    if any(name != name.strip() for name in names):
        raise CommandRefused(f"Error: Path {shown} has a name that begins or ends with a space")
    if len(names) > MAX_DEPTH + 1:
        raise CommandRefused(f"Error: Path {shown} is deeper than {MAX_DEPTH} names")
    if len(clean.encode()) > MAX_PATH_BYTES or any(len(name.encode()) > MAX_NAME_BYTES for name in names):
        raise CommandRefused(
            f"Error: Path {shown} is too long; keep it to {MAX_PATH_BYTES} bytes, each name to {MAX_NAME_BYTES}"
        )
    return clean


def show(text: str) -> str:
    """A text as an error may quote it: cut, and with what cannot be seen spelled out."""
    cut = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return "".join(repr(char)[1:-1] if unicodedata.category(char) in _UNSEEN else char for char in cut)


def parents(path: str) -> list[str]:
    """The directories above a path, the root left out."""
    names = path.removeprefix(f"{ROOT}/").split("/")
    return [f"{ROOT}/{'/'.join(names[:depth])}" for depth in range(1, len(names))]


def _readings(path: str) -> list[str]:
    """A path as it stands, and as it would be once decoded, however often, or with its look-alikes made plain."""
    found = [path]
    for _ in range(_LAYERS):
        decoded = _ENCODED.sub(lambda code: chr(int(code[1], 16)), found[-1])
        decoded = decoded.replace("\xc0\xae", ".").replace("\xc0\xaf", "/")  # dot and slash as overlong UTF-8
        if decoded == found[-1]:
            break
        found.append(decoded)
    else:
        found.append("..")
    return [form for reading in found for form in (reading, unicodedata.normalize("NFKC", reading))]


def _leads_out(reading: str, path: str) -> bool:
    """Whether a reading has a name of dots alone, or more structure than the path shows."""
    names = reading.split("/")
    dots = any(name and not name.strip(". ") for name in names)
    return dots or len(names) != path.count("/") + 1 or "\\" in reading or any(char < " " for char in reading)
