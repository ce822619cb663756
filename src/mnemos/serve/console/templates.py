"""The templates: always escaped, what cannot be seen made visible, and strict about what they are given.

What goes back to the server as it is, the values of fields, is `exact`.
"""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import escape

from mnemos._version import __version__
from mnemos.serve.console import words
from mnemos.times import from_micros


def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("mnemos.serve.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=words.seen,
    )
    found.filters.update(
        written=words.written, exact=escape, excerpt=words.excerpt, day=words.day, clock=words.clock,
        percent=words.percent, size=words.size, named=words.named, since_epoch=from_micros,
    )  # fmt: skip
    found.globals["version"] = __version__
    return found


ENVIRONMENT = _environment()
