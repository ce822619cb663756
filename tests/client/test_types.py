"""Both clients have true static types, from one description of each verb."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

from mnemos import Mnemos
from mnemos.client import AsyncClient, Client
from mnemos.client.verbs import Verb, Walk

HERE = Path(__file__).parent


def test_mypy_knows_what_each_verb_takes_and_returns() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", HERE / "typed.py"], cwd=HERE.parent.parent, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_methods_show_their_signature_and_their_words() -> None:
    with Client() as memory:
        assert list(inspect.signature(memory.get).parameters) == ["id"]
        assert memory.get.__doc__ == Client.get.__doc__ == AsyncClient.get.__doc__
    for name, value in vars(Client).items():
        assert not isinstance(value, Verb | Walk) or value.__doc__, name


def parameters(method: Callable[..., Any]) -> list[str]:
    """What a method takes by name."""
    told = get_type_hints(method)
    of = inspect.signature(method).parameters
    (many,) = [get_args(told[name])[0] for name, one in of.items() if one.kind is one.VAR_KEYWORD] or [None]
    return [name for name in of if of[name].kind is not inspect.Parameter.VAR_KEYWORD] + list(
        {} if many is None else many.__annotations__
    )


def test_verbs_of_the_library_take_the_same_here() -> None:
    for name in dir(Client):
        verb = inspect.getattr_static(Client, name)
        if isinstance(verb, Verb) and hasattr(Mnemos, name):
            here, there = parameters(verb.__wrapped__), parameters(getattr(Mnemos, name))  # type: ignore[attr-defined]
            assert {one for one in here if one not in there} == ADDED.get(name, set()), name
            assert {one for one in there if one not in here} == LEFT_OUT.get(name, set()), name


ADDED: dict[str, set[str]] = {"forget": {"progress"}}
"""What only the client's verb takes."""
LEFT_OUT: dict[str, set[str]] = {
    "forget": {"dry_run"},
    "list": {"offset"},
    "maintain": {"seconds", "gentle"},
}
"""What only the library's verb takes."""
