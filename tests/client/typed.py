"""What static types the verbs have on each client: read by mypy, never run."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, assert_type

from mnemos import Deletion, Hit, Memory, Page
from mnemos.client import AsyncClient, Client


def waited_for(memory: Client) -> None:
    assert_type(memory.add("I am vegan.", user_id="ana"), list[Memory])
    assert_type(memory.get("1"), Memory | None)
    assert_type(memory.search("diet", user_id="ana", limit=3), Page[Hit])
    assert_type(memory.delete("1"), Deletion)
    memory.get(1)  # type: ignore[arg-type]
    memory.search("diet", usr_id="ana")  # type: ignore[call-arg]
    memory.add(text="I am vegan.")  # type: ignore[call-arg]


async def awaited(memory: AsyncClient) -> None:
    coming: Coroutine[Any, Any, list[Memory]] = memory.add("I am vegan.", user_id="ana")
    assert_type(await coming, list[Memory])
    assert_type(await memory.get("1"), Memory | None)
    assert_type(await memory.search("diet", user_id="ana", limit=3), Page[Hit])
    assert_type(await memory.delete("1"), Deletion)
    await memory.get(1)  # type: ignore[arg-type]
    await memory.search("diet", usr_id="ana")  # type: ignore[call-arg]
