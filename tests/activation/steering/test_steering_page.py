"""The examples of docs/steering.md run one after the other, and do what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from by_hand import same_state, state
from small_world import HOME, MOODS, world

from mnemos.activation import steering

PAGE = (Path(__file__).parents[3] / "docs" / "steering.md").read_text(encoding="utf-8")


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    model, tokenizer = world()
    before = state(model)
    program: dict[str, Any] = {"model": model, "tokenizer": tokenizer}
    examples = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    assert len(examples) == 5
    for example in examples:
        exec(compile(example, "docs/steering.md", "exec"), program)  # noqa: S102 - our own examples
    program["memory"].close()
    kind, rude, names, gone, rows, kitchen, garden, likely, context, weights = capsys.readouterr().out.splitlines()
    moods = [[sum(word in line.split() for word in MOODS[mood]) for mood in MOODS] for line in (kind, rude)]
    assert moods[0][0] > 0 == moods[0][1]
    assert moods[1][1] > 0
    assert (names, gone) == ("['rude'] True", "[]")
    assert rows == "[False, True]"
    assert not set(kitchen.split()) & set(MOODS["rudely"])
    assert set(garden.split()) & set(MOODS["rudely"])
    assert float(likely.split()[-4]) > 1.2
    assert (context.split()[:2], weights.split()[:2]) == (["0.0", "lima"], ["1.0", HOME["ana"]])
    assert same_state(before, state(model))


def test_all_that_is_public_is_documented_somewhere() -> None:
    for name in steering.__all__:
        assert getattr(steering, name).__doc__, name
    for name in ("Steering", "steer", "inject", "Reliance"):
        assert name in PAGE
