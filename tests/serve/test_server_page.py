"""docs/server.md: its commands run as one script against a server, and it names every route."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live_server import serve

from mnemos.serve import Settings, create_app

PAGE = (Path(__file__).parents[2] / "docs" / "server.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(bash|json)\n(.*?)```", PAGE, re.S)
END = "=== end of a block ==="


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page's commands use curl")
def test_the_commands_of_the_page_run(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (tmp_path / ".curlrc").write_text('noproxy = "*"\n')
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "mnemos").write_text(f'#!/bin/sh\nexec {sys.executable} -m mnemos "$@"\n')
    (tmp_path / "bin" / "mnemos").chmod(0o755)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    with serve(data) as running:
        script = f"\necho; echo '{END}'\n".join(text for kind, text in BLOCKS if kind == "bash")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script.replace("http://127.0.0.1:8765", running.url)],
            env={**os.environ, "HOME": str(tmp_path), "MNEMOS_DATA": str(data), "PATH": path},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    outputs = iter(done.stdout.split(END))
    shown = ""
    compared = 0
    for kind, text in BLOCKS:
        if kind == "bash":
            shown = next(outputs)
        else:
            assert any(holds(answer, json.loads(text)) for answer in answers(shown)), (text, shown)
            compared += 1
    assert compared >= 4
    assert "mnemos_requests_total" in done.stdout
    assert "idempotency-replayed: true" in done.stdout.lower()
    assert (tmp_path / "acme-copy.db").stat().st_size > 0
    refused = [one["type"] for one in answers(done.stdout) if "type" in one]
    assert refused == ["urn:mnemos:invalid-input"], "only the example of an error is one"


def answers(shown: str) -> Iterator[dict[str, Any]]:
    """Every JSON object among what commands printed."""
    decoder, place = json.JSONDecoder(), 0
    while (place := shown.find("{", place)) >= 0:
        try:
            found, place = decoder.raw_decode(shown, place)
            yield found
        except ValueError:
            place += 1


def holds(answer: Any, part: Any) -> bool:
    """Whether an answer has everything that the page shows of it."""
    if isinstance(part, dict):
        return isinstance(answer, dict) and all(
            name in answer and holds(answer[name], one) for name, one in part.items()
        )
    if isinstance(part, list):
        return isinstance(answer, list) and len(answer) >= len(part) and all(map(holds, answer, part))
    return bool(answer == part)


def test_the_page_names_every_route(tmp_path: Path) -> None:
    app = create_app(Settings(folder=tmp_path, upstream="http://127.0.0.1:9/v1"))
    app.state.mnemos.close()
    paths = [path for path in app.openapi()["paths"] if path.startswith(("/v1/", "/metrics"))]
    assert len(paths) > 25
    assert [path for path in paths if f"{path}`" not in PAGE] == []
