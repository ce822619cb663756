"""Every call that mem0's own classes take is taken here: held against the real package, in a process of its own."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from typing import Any

import pytest

from mnemos.compat.mem0 import AsyncMemory, Memory

READ = """
import inspect, json
from mem0 import AsyncMemory, Memory

def told(cls):
    verbs = {}
    for name, verb in inspect.getmembers(cls, callable):
        if name.startswith("_") or name not in cls.__dict__:
            continue
        parts = [(p.name, p.kind.name) for p in inspect.signature(getattr(cls, name)).parameters.values()]
        verbs[name] = [part for part in parts if part[0] not in ("self", "cls")]
    return verbs

print(json.dumps({"Memory": told(Memory), "AsyncMemory": told(AsyncMemory)}))
"""
NOT_OURS = {"chat"}
"""What mem0 itself has not implemented."""


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[tuple[str, str]]]]:
    folder = tmp_path_factory.mktemp("mem0")
    env = {**os.environ, "MEM0_TELEMETRY": "False", "MEM0_DIR": str(folder), "HOME": str(folder)}
    said = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", READ], capture_output=True, text=True, check=True, env=env, cwd=folder
    )
    found: dict[str, dict[str, list[tuple[str, str]]]] = json.loads(said.stdout)
    return found


@pytest.mark.parametrize("ours", [Memory, AsyncMemory])
def test_every_verb_takes_the_arguments_that_it_takes_in_mem0(ours: type, real: dict[str, Any]) -> None:
    verbs = real[ours.__name__]
    assert {"add", "search", "get", "get_all", "update", "delete", "delete_all", "history", "reset"} <= verbs.keys()
    for name in verbs.keys() - NOT_OURS:
        own = inspect.signature(getattr(ours, name))
        accepts_any = any(part.kind is part.VAR_KEYWORD for part in own.parameters.values())
        for parameter, kind in verbs[name]:
            if kind == "VAR_KEYWORD":
                assert accepts_any, f"{name} takes any keyword in mem0"
                continue
            assert parameter in own.parameters or accepts_any, f"{name}({parameter}=)"
            if kind == "POSITIONAL_OR_KEYWORD" and parameter in own.parameters:
                assert own.parameters[parameter].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD, f"{name}({parameter})"


@pytest.mark.parametrize("ours", [Memory, AsyncMemory])
def test_what_mem0_takes_by_place_stands_in_the_same_place(ours: type, real: dict[str, Any]) -> None:
    for name in real[ours.__name__].keys() - NOT_OURS:
        theirs = [parameter for parameter, kind in real[ours.__name__][name] if kind == "POSITIONAL_OR_KEYWORD"]
        own = [part for part in inspect.signature(getattr(ours, name)).parameters if part not in ("self", "cls")]
        assert own[: len(theirs)] == theirs, name


@pytest.mark.parametrize("verb", ["add", "search", "get", "get_all", "update", "delete", "delete_all", "history"])
def test_the_async_class_has_the_same_verbs(verb: str) -> None:
    assert inspect.iscoroutinefunction(getattr(AsyncMemory, verb))
    assert inspect.signature(getattr(AsyncMemory, verb)) == inspect.signature(getattr(Memory, verb))
