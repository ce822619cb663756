"""Who calls a tool, which scope the call has, and where a memory can be looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mnemos.serve.access import Access

LOCAL = "mnemos://memory/"
"""Begins the address of a memory where there is no web page for it."""


@dataclass(frozen=True, slots=True)
class Caller:
    """One caller, for one request."""

    access: Access
    clock: Callable[[], datetime]
    fixed: Mapping[str, Any] | None = None
    """The scope of every call, where it is not the caller's to choose; None where each call may name one."""
    address: str = LOCAL
    """What an id is put behind to link to the memory."""
    is_local: bool = True
    """Whether it is a process of the person whose file this is, who may be told what is wrong with the file."""

    def scope(self, user_id: str | None = None, namespace: list[str] | None = None) -> dict[str, Any]:
        """The keyword arguments of the scope that a call means.

        Raises:
            Forbidden: it lies outside of what the caller is bound to.
            InvalidInput: it cannot be read, or has to be named.
        """
        if self.fixed is not None:
            return self.access.scope(**self.fixed)
        return self.access.scope(user_id=user_id, namespace=namespace)

    def link(self, id: str) -> str:
        """The address of a memory."""
        return self.address + id
