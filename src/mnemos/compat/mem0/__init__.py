"""mem0's Python interface: `from mnemos.compat.mem0 import Memory` in the place of `from mem0 import Memory`.

What is the same and what differs is told in docs/mem0.md.
"""

from __future__ import annotations

from mnemos.compat.mem0.errors import MemoryNotFoundError, ValidationError
from mnemos.compat.mem0.facade import AsyncMemory, Memory

__all__ = ["AsyncMemory", "Memory", "MemoryNotFoundError", "ValidationError"]
