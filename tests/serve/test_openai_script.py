"""examples/openai_script.py: what one run was told, the next one knows, though nothing in it speaks of memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from live_server import Serving, serve
from upstream import upstream

EXAMPLE = Path(__file__).parents[2] / "examples" / "openai_script.py"


def ask(serving: Serving, *question: str) -> str:
    """What the script prints."""
    told = {"MNEMOS_URL": f"{serving.url}/v1", "OPENAI_API_KEY": "sk-none", "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-W", "error", str(EXAMPLE), *question]
    return subprocess.run(command, env={**os.environ, **told}, capture_output=True, text=True, check=True).stdout


def learnt(serving: Serving, most: float = 20.0) -> list[str]:
    """What the server has learnt of Ana once it has learnt a whole exchange."""
    end = time.monotonic() + most
    while time.monotonic() < end:
        with serving.server.tenants.use("default") as memory:
            said = [one.text for one in memory.list(user_id="ana", kinds=["turn"])]
        if len(said) >= 2:
            return said
        time.sleep(0.02)
    raise AssertionError("nothing was learnt")


def test_the_next_run_knows_what_this_one_was_told(tmp_path: Path) -> None:
    with upstream() as model, serve(tmp_path / "data", upstream=model.url) as serving:
        model.says = "Noted."
        assert ask(serving, "My", "sister", "Rita", "is", "vegan", "and", "lives", "in", "Porto.") == "Noted.\n"
        assert model.bodies[0]["messages"] == [
            {"role": "user", "content": "My sister Rita is vegan and lives in Porto."}
        ]
        assert learnt(serving) == ["My sister Rita is vegan and lives in Porto.", "Noted."]
        model.says = "A risotto."
        assert ask(serving) == "A risotto.\n"
        assert "Rita is vegan" in model.prompt()
        assert "What can I cook for my sister Rita?" in model.prompt()
        assert {one["authorization"] for one in model.headers} == {"Bearer sk-none"}


def test_it_is_short() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").split('"""')[2].split("\n")
    assert len([line for line in lines if line]) <= 10
