"""The built wheel, in a bare environment, runs the README's three lines without touching the network."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MOST_PACKAGES = 30
OFFLINE = re.compile(
    r"No matching distribution|Could not find a version|Connection|resolve|Network|timed out|SSLError", re.I
)
GUARD = """
import ipaddress, sys

def refuse(event, args):
    if event == "socket.connect" and isinstance(args[1], tuple):
        if not ipaddress.ip_address(args[1][0]).is_loopback:
            raise PermissionError(f"connects to {args[1]}")
    if event in ("socket.getaddrinfo", "socket.gethostbyname") and args[0] not in ("localhost", "127.0.0.1", None):
        raise PermissionError(f"asks for the address of {args[0]}")

sys.addaudithook(refuse)
"""


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """What a command prints; a missing registry skips the test."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "COVERAGE_PROCESS_START")}
    done = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, cwd=cwd, env=clean, timeout=300, check=False
    )
    if done.returncode and "pip" in map(str, command) and OFFLINE.search(done.stderr):
        pytest.skip("no package registry can be reached")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "-w", folder, ROOT)
    (built,) = folder.glob("mnemos-*.whl")
    return built


@pytest.fixture(scope="module")
def bare(wheel: Path) -> Path:
    """The Python of an environment that holds the wheel and what it needs, and refuses to connect."""
    folder = wheel.parent / "bare"
    run(sys.executable, "-m", "venv", folder)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    (site,) = (folder / "lib").glob("python*/site-packages")
    (site / "guard_sockets.py").write_text(GUARD)
    (site / "guard_sockets.pth").write_text("import guard_sockets\n")
    return python


def test_the_wheel_holds_what_it_needs_and_no_more(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        size = sum(info.file_size for info in archive.infolist())
    for part in (
        "mnemos/py.typed",
        "mnemos/recall/weights.json",
        "mnemos/embed/data/vectors.npz",
        "mnemos/serve/console/templates/base.html",
        "mnemos/serve/console/static/console.css",
        "licenses/NOTICE",
    ):
        assert any(name.endswith(part) for name in names), part
    assert not [name for name in names if not name.startswith(("mnemos/", "mnemos-"))]
    assert not [name for name in names if "test" in name or name.endswith(".db")]
    assert size < 40_000_000


def test_a_core_install_is_small(bare: Path) -> None:
    listed = json.loads(run(bare, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"))
    names = sorted(package["name"] for package in listed)
    assert len(names) <= MOST_PACKAGES, names
    assert not {"torch", "transformers", "pandas", "scipy"} & set(names)


def test_the_guard_refuses_to_connect(bare: Path, tmp_path: Path) -> None:
    code = "import socket; socket.create_connection(('192.0.2.1', 80), 1)"
    done = subprocess.run([bare, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "PermissionError" in done.stderr


def test_the_three_lines_of_the_readme(bare: Path, tmp_path: Path) -> None:
    (code, *_) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    said = run(bare, "-c", code, cwd=tmp_path)
    assert "vegan" in said
    assert [file.name for file in tmp_path.iterdir()] == ["ana.db"]


def test_the_command_and_the_demo_run(bare: Path, tmp_path: Path) -> None:
    command = bare.with_name("mnemos")
    assert "mnemos" in run(command, "--help", cwd=tmp_path)
    run(command, "add", "My sister Rita is vegan.", "--user", "ana", cwd=tmp_path)
    assert "vegan" in run(command, "search", "Who is vegan?", "--user", "ana", cwd=tmp_path)
    assert run(command, "demo", cwd=tmp_path)
