"""The README's block about forms does what it says, with the small model that comes along."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from mnemos import Mnemos
from mnemos.bench.forms.fixtures import bundled

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCK = README.split("## One memory, three forms")[1].split("```python\n")[1].split("```")[0]
QUESTION = "What can Rita eat?"


def test_the_block_runs_and_answers_from_keys_and_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, tokenizer = bundled()
    with Mnemos(tmp_path / "town.db") as memory:
        told = memory.add("Torthe lives in Tarford.", user_id="ana", name="Ana", happened_at="2026-03-02T10:00Z")
        names = {"memory": memory, "model": model, "tokenizer": tokenizer, "ids": [one.id for one in told]}
        assert QUESTION in BLOCK
        exec(compile(BLOCK.replace(QUESTION, "Where does Torthe live?"), "README.md", "exec"), names)  # noqa: S102 - our own words
        assert capsys.readouterr().out.startswith("Tarford")
        assert names["session"].seen.forms == {told[0].id: "activation"}
