"""docs/client.md: names every method and every error, and its examples run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from live_server import Serving

import mnemos.client
from mnemos.client.clients import Verbs
from mnemos.client.drivers import URL

PAGE = (Path(__file__).parent.parent.parent / "docs" / "client.md").read_text(encoding="utf-8")
METHODS = [name for name in dir(Verbs) if not name.startswith("_")]


@pytest.mark.parametrize("name", [*METHODS, *mnemos.client.__all__])
def test_everything_public_is_documented(name: str) -> None:
    assert re.search(rf"\b{re.escape(name)}\b", PAGE), f"say what {name} is in docs/client.md"
    assert getattr(Verbs, name, getattr(mnemos.client, name, None)).__doc__, name


def test_the_examples_run(
    serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    key = serving.key()
    program: dict[str, Any] = {}
    examples = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    assert len(examples) == 4
    for example in examples:
        here = example.replace(URL, serving.url).replace("mnemos_…", key)
        exec(compile(here, "docs/client.md", "exec"), program)  # noqa: S102 - our own examples
    said = capsys.readouterr().out
    assert "Rita is vegan" in said
    assert "I moved to Lisbon." in said
    assert "happened_at · " in said
    assert "maintain" in said
