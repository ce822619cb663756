"""Dependencies point one way, and the text form needs neither torch nor the network: held by parsing the imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parent.parent / "src" / "mnemos"
LAYERS = (
    ("_version", "errors", "records", "passages", "aio", "sample"),
    ("endpoint", "quoting"),
    ("times", "namespaces", "ids", "embed", "rendering"),
    ("filters", "events"),
    ("origin",),
    ("arguments", "store", "io"),
    ("activation", "cube"),
    ("recall",),
    ("stages",),
    ("facts", "entities"),
    ("gate",),
    ("update", "levels", "forget"),
    ("llm",),
    ("parametric", "neural"),
    ("operations", "pipeline"),
    ("maintenance",),
    ("keeping",),
    ("forms",),
    ("verbs",),
    ("system",),
    ("",),
    ("bench", "demo"),
    ("compat", "client"),
    ("serve",),
    ("cli",),
    ("__main__",),
)
"""Lowest first. A module may import its own package, and whatever is lower; `""` is the package's public face."""
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
THIRD_PARTY = {
    "numpy": (
        "embed",
        "store",
        "recall",
        "stages",
        "entities",
        "facts",
        "gate",
        "update",
        "levels",
        "forget",
        "llm",
        "bench",
        "compat",
    ),
    "tokenizers": ("embed", "bench"),
    "torch": ("activation", "parametric", "neural", "forms", "bench"),
    "transformers": ("activation", "parametric", "neural", "forms", "bench"),
    "safetensors": ("activation", "parametric", "neural", "forms", "bench"),
    "Stemmer": ("recall", "bench"),
    "threadpoolctl": ("recall",),
    "click": ("cli",),
    "peft": ("parametric", "neural"),
    "rich": ("parametric", "cli", "demo", "bench"),
    "sentence_transformers": ("embed", "bench"),
    "anthropic": ("compat",),
    "fastapi": ("serve", "cli"),
    "httpx2": ("serve", "client"),
    "jinja2": ("serve",),
    "anyio": ("serve",),
    "mcp": ("serve", "cli"),
    "mcp_types": ("serve",),
    "prometheus_client": ("serve",),
    "python_multipart": ("serve",),
    "pydantic": ("serve",),
    "pydantic_core": ("serve",),
    "markupsafe": ("serve",),
    "langgraph": ("compat",),
    "agents": ("compat",),
    "starlette": ("serve",),
    "uvicorn": ("serve", "cli"),
}
"""Who may import what. torch is for `activation`, `parametric`, `neural`, `forms`, and what measures them."""
NETWORK = {"socket", "ssl", "urllib", "urllib.error", "urllib.request", "http.client", "ftplib", "smtplib"}
"""Modules that connect; `urllib.parse` and the codes of `http` do not."""
MAY_CONNECT = {"endpoint.py"}

FILES = sorted(SRC.rglob("*.py"))


def layer(path: Path) -> str:
    """The package or module directly under `mnemos` to which a file belongs."""
    first = path.relative_to(SRC).parts[0]
    return "" if first == "__init__.py" else first.removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: import from the top, not relatively"
            module = node.module or ""
            names = (f"{module}.{alias.name}" for alias in node.names)
            known = {"mnemos": RANK}.get(module, {})
            yield from (name if name.split(".")[-1] in known else module for name in names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SRC)))
def test_a_file_imports_only_what_is_below_it(path: Path) -> None:
    own = layer(path)
    assert own in RANK, f"give {own} its place in LAYERS"
    for module in imports(path):
        root, _, rest = module.partition(".")
        if root == "mnemos":
            other = rest.partition(".")[0]
            assert other == own or RANK[other] < RANK[own], f"{own or 'mnemos'} imports {other or 'mnemos'}"
        elif root not in sys.stdlib_module_names:
            assert own in THIRD_PARTY.get(root, ()), f"{own} imports {root}"
        if module in NETWORK:
            assert str(path.relative_to(SRC)) in MAY_CONNECT, f"{path.name} imports {root}"


def test_only_benchmarks_of_models_need_torch() -> None:
    bench = [path for path in FILES if layer(path) == "bench" and path.parent.name not in ("caches", "forms", "neural")]
    assert not [path for path in bench if {"torch", "transformers", "safetensors"} & set(imports(path))]


def test_importing_loads_no_torch_and_no_command_line() -> None:
    heavy = ("torch", "transformers", "click", "rich", "asyncio")
    code = f"import mnemos, sys; print([name for name in {heavy} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_no_file_is_too_long_to_read_in_one_sitting() -> None:
    lengths = {str(path.relative_to(SRC)): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: length for name, length in lengths.items() if length > 300 and name != "system.py"} == {}
