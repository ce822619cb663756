"""The templates: always escaped, and strict about what they are given."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from mnemos._version import __version__
from mnemos.serve.console import words


def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("mnemos.serve.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(
        written=words.written, excerpt=words.excerpt, day=words.day, clock=words.clock, percent=words.percent,
        size=words.size, named=words.named,
    )  # fmt: skip
    found.globals["version"] = __version__
    return found


ENVIRONMENT = _environment()
