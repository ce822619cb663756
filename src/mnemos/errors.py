"""What can go wrong, by name. Every message says which field is wrong and how to mend it."""

from __future__ import annotations


class MnemosError(Exception):
    """The base of every error that Mnemos raises on purpose."""


class InvalidInput(MnemosError, ValueError):
    """An argument that cannot be accepted; the store is as it was.

    `field` names the argument (dotted for nested ones, e.g. `messages[3].happened_at`), `problem` says what is
    wrong with it and `mend` how to put it right.
    """

    def __init__(self, field: str, problem: str, mend: str) -> None:
        super().__init__(f"{field}: {problem}; {mend}")
        self.field = field
        self.problem = problem
        self.mend = mend


class NotFound(MnemosError, KeyError):
    """`update`, `delete` or `history` of an id that the store does not hold."""

    def __init__(self, field: str, value: str) -> None:
        super().__init__(f"{field}: nothing is stored under {value[:80]!r}; take ids from add, search or list")
        self.field = field
        self.value = value

    def __str__(self) -> str:
        return str(self.args[0])


class StoreError(MnemosError):
    """The store file could not be used; nothing was changed."""


class NotAStore(StoreError):
    """The file exists but is not a Mnemos store (another format, or damaged)."""


class NewerSchema(StoreError):
    """The file was written by a newer release of Mnemos."""


class ReadOnlyStore(StoreError):
    """The file or its folder cannot be written."""


class StoreFull(StoreError):
    """The disk, or a limit set on the file, has no room for this write."""


class StoreBusy(StoreError):
    """Another process held the write lock for longer than the busy timeout."""


class EmbedderError(MnemosError):
    """An embedder could not be loaded, or answered with something that is not a vector per text."""


class LanguageModelError(MnemosError):
    """A language model gave no answer that can be used. The message holds no word of a memory, and no key.

    `wait` is how many seconds the endpoint asked to wait; `reachable` is False where the endpoint failed, rather than
    this one question to it.
    """

    def __init__(self, problem: str, *, wait: float = 0.0, reachable: bool = True) -> None:
        super().__init__(problem)
        self.wait = wait
        self.reachable = reachable


class BudgetExceeded(MnemosError):
    """A call of the language model would cost more than the store may spend; it was not made."""


class ImportFailed(MnemosError):
    """A file to import could not be read; what was imported before the failure is kept and reported."""


class CubeRefused(ImportFailed):
    """A MemCube that cannot be read, or is not as it was written; nothing of it was kept.

    `file` names the cube, `problem` says what is wrong with it and `mend` how to put it right.
    """

    def __init__(self, file: str, problem: str, mend: str = "ask for the cube again") -> None:
        super().__init__(f"{file}: {problem}; {mend}")
        self.file = file
        self.problem = problem
        self.mend = mend
