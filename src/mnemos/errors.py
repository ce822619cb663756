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


class ImportFailed(MnemosError):
    """A file to import could not be read; what was imported before the failure is kept and reported."""
