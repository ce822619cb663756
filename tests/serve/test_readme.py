"""The README's blocks for those who build agents do what they say, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from live_server import serve
from upstream import upstream

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
AGENT = README.split("## Give it to an agent")[1].split("\n## ")[0]
LANGGRAPH, OPENAI = re.findall(r"```python\n(.*?)```", AGENT, re.S)
DEFAULT = "http://127.0.0.1:8765"


def test_langgraph_finds_what_it_put(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(LANGGRAPH, "README.md", "exec"), names)  # noqa: S102 - our own words
    assert "Rita is vegan" in capsys.readouterr().out
    assert (tmp_path / "agent.db").exists()
    names["memory"].close()  # type: ignore[attr-defined]


def test_a_plain_openai_script_remembers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert DEFAULT in OPENAI
    with upstream() as model, serve(tmp_path / "data", upstream=model.url) as serving:
        with serving.server.tenants.use("default") as memory:
            memory.add("My sister Rita is vegan and lives in Porto.", user_id="ana")
        model.says = "A risotto."
        names: dict[str, object] = {}
        exec(compile(OPENAI.replace(DEFAULT, serving.url), "README.md", "exec"), names)  # noqa: S102 - our own words
        names["client"].close()  # type: ignore[attr-defined]
        assert "Rita is vegan" in model.prompt()
    assert capsys.readouterr().out == "A risotto.\n"
