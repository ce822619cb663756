"""docs/library.md: names everything that is public, and its examples run."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import mnemos
from mnemos import Mnemos
from mnemos.arguments import Where
from mnemos.events import MESSAGE_FIELDS
from mnemos.filters import OPERATORS

PAGE = (Path(__file__).parent.parent / "docs" / "library.md").read_text(encoding="utf-8")
METHODS = [
    name for name in dir(Mnemos) if not name.startswith("_") and not (name[0] == "a" and name[1:] in dir(Mnemos))
]


@pytest.mark.parametrize(
    "name", [*mnemos.__all__, *METHODS, *Where.__annotations__, *sorted(MESSAGE_FIELDS), *sorted(OPERATORS)]
)
def test_everything_public_is_documented(name: str) -> None:
    assert re.search(rf"\b{re.escape(name)}\b", PAGE), f"say what {name} is in docs/library.md"


def test_everything_public_has_a_docstring() -> None:
    for name in mnemos.__all__:
        assert name == "__version__" or getattr(mnemos, name).__doc__, name
    for name, value in inspect.getmembers(Mnemos):
        assert name.startswith("_") or value.__doc__, name


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    program: dict[str, Any] = {}
    examples = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    assert len(examples) > 6
    for example in examples:
        exec(compile(example, "docs/library.md", "exec"), program)  # noqa: S102 - our own examples
    assert "vegan" in capsys.readouterr().out
