"""docs/neural-memory.md: its examples run, and its table names every preset with its choices."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
torch.set_num_threads(1)

from mnemos.neural.learners import LEARNERS  # noqa: E402
from mnemos.neural.memories import MEMORIES  # noqa: E402
from mnemos.neural.mixers import FEEDS, OTHERS, WRAPPERS  # noqa: E402
from mnemos.neural.objectives import OBJECTIVES  # noqa: E402
from mnemos.neural.presets import PRESETS  # noqa: E402
from mnemos.neural.retentions import RETENTIONS  # noqa: E402

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "neural-memory.md").read_text(encoding="utf-8")


def test_the_examples_run_and_a_preset_of_ones_own_takes_ten_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    before = dict(PRESETS)
    program: dict[str, Any] = {}
    examples = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    own = next(one for one in examples if "def stubborn" in one)
    assert len([line for line in own.splitlines() if line]) <= 10
    torch.manual_seed(0)
    try:
        for example in examples:
            exec(compile(example, "docs/neural-memory.md", "exec"), program)  # noqa: S102 - our own examples
    finally:
        PRESETS.clear()
        PRESETS.update(before)
    shapes, found, text, *kept = capsys.readouterr().out.splitlines()
    assert shapes == "torch.Size([1, 100, 64]) torch.Size([1, 64])"
    assert re.fullmatch(r"\d+% after \d+ steps, with [\d,]+ numbers of state", found)
    assert ast.literal_eval(text).startswith(b"Ana has a sister called")
    assert kept == ["True", "False"]


def test_the_readmes_layers_read() -> None:
    block = next(one for one in re.findall(r"```python\n(.*?)```", README, re.S) if "mnemos.neural" in one)
    program: dict[str, Any] = {"x": torch.randn(2, 20, 64)}
    exec(compile(block, "README.md", "exec"), program)  # noqa: S102 - our own example
    assert program["y"].shape == (2, 20, 64)


def test_the_table_names_every_preset() -> None:
    table = PAGE.split("## The presets")[1].split("\n## ")[0]
    named = [
        name for line in re.findall(r"^\| (`[^|]+) \|", table, re.M) for name in re.findall(r"`([a-z0-9-]+)`", line)
    ]
    assert sorted(named) == sorted(PRESETS)


@pytest.mark.parametrize("choices", [MEMORIES, OBJECTIVES, RETENTIONS, LEARNERS])
def test_every_choice_is_named(choices: dict[str, Any]) -> None:
    assert [name for name in choices if f"`{name}`" not in PAGE] == []


def test_every_other_layer_is_named() -> None:
    assert [name for name in (*OTHERS, *WRAPPERS, *FEEDS) if f"`{name}`" not in PAGE] == []
