"""What a figure was made with: versions of what was measured, and the machine in words, without its name."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mnemos._version import __version__

PACKAGES = (
    *("numpy", "tokenizers", "PyStemmer", "sentence-transformers", "torch", "transformers", "safetensors", "peft"),
    *("triton", "fla-core", "flash-linear-attention"),
)


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """The versions of Mnemos, Python, SQLite, and of each package that is installed."""
    found = {"mnemos": __version__, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, str | int | float]:
    """Processor, cores, memory and system, as far as they can be read."""
    return {
        "processor": _field("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "cores": os.cpu_count() or 0,
        "memory_gb": round(int((_field("/proc/meminfo", "MemTotal") or "0 kB").split()[0]) / 1024**2, 1),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
    }


def load() -> float | None:
    """The load average of the last minute, where the system tells."""
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None


def _field(path: str, name: str) -> str | None:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), None)
