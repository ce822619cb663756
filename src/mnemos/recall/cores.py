"""Keeps the matrix products of a search on one core.

The matrices are small: a second BLAS thread gains a tenth. But such threads spin while they wait for one another, and
where anything else wants the second core, a search takes several times as long.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def one_core() -> Iterator[None]:
    """Inside, numpy's BLAS uses one thread in the calling thread; afterwards as many as before."""
    with _controller().limit(limits=1, user_api="blas"):
        yield


def stay_on_one_core() -> None:
    """Let this process use one BLAS thread from now on: a server computes several searches side by side instead."""
    _controller().limit(limits=1, user_api="blas")
