"""The lines of a cube by what they are about: the same lines as in an export, in an order that only they decide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mnemos.cube.folding import memory_of_derived, memory_of_history, with_judgement
from mnemos.errors import InvalidInput
from mnemos.ids import read_id
from mnemos.namespaces import read_namespace
from mnemos.records import KINDS, Memory, Namespace
from mnemos.store.exported import MEND, check_entry, check_writable, read_digest, read_line

Line = Mapping[str, Any]
HISTORY = ("add", "update", "delete")
"""Log entries that a memory's words and attributes follow from; the others are links."""


@dataclass
class Content:
    """What a cube says in words: memories with their history, and what is known about each."""

    entries: list[Line] = field(default_factory=list)
    """Of the log, in reading order."""
    derived: dict[str, Line] = field(default_factory=dict)
    """By id; sources stand before what was derived from them."""
    uses: dict[str, Line] = field(default_factory=dict)
    judged: dict[str, Line] = field(default_factory=dict)
    decisions: dict[str, Line] = field(default_factory=dict)
    """By their own id, in the order in which they were taken."""
    feedback: dict[Namespace, Line] = field(default_factory=dict)
    forms: dict[tuple[str, str], Line] = field(default_factory=dict)
    """By memory and form."""

    @classmethod
    def of(cls, lines: Iterable[Mapping[str, Any]]) -> Content:
        """The content of an export's lines.

        Raises:
            InvalidInput: a line could not have been written by a store, or says again what another one said.
        """
        content = cls()
        for place, line in enumerate(lines):
            content._take(read_line(line, f"lines[{place}]"), f"lines[{place}]")
        content.derived = {line["id"]: line for line in in_order(content.derived)}
        return content

    def _take(self, line: Line, name: str) -> None:
        kind = line["type"]
        if kind == "entry":
            check_entry(line, name)
            read_id(line["id"], f"{name}.id")
            read_namespace(line["namespace"], f"{name}.namespace")
            if line["digest"] is not None:
                read_digest(line["digest"], name)
            self.entries.append(line)
            return
        check_writable(line, name)
        if kind == "derived":
            if line["kind"] not in KINDS:
                raise InvalidInput(f"{name}.kind", f"{line['kind'][:40]!r} is not a kind", MEND)
            read_namespace(line["namespace"], f"{name}.namespace")
            if not all(isinstance(one, str) for one in line["sources"]):
                raise InvalidInput(f"{name}.sources", "are not ids", MEND)
            line = {**line, "sources": sorted(set(line["sources"]))}
            _put(self.derived, read_id(line["id"], f"{name}.id"), line, name)
        elif kind == "feedback":
            _put(self.feedback, read_namespace(line["namespace"], f"{name}.namespace"), line, name)
        elif kind == "form":
            _put(self.forms, (line["memory"], line["form"]), line, name)
        else:
            _put({"uses": self.uses, "judged": self.judged, "decision": self.decisions}[kind], line["id"], line, name)

    def lines(self) -> Iterator[Line]:
        """Every line, in an order that depends on nothing else."""
        yield from self.entries
        yield from self.derived.values()
        for own in (self.uses, self.judged):
            yield from (own[one] for one in sorted(own))
        yield from self.decisions.values()
        yield from (self.feedback[one] for one in sorted(self.feedback))
        yield from (self.forms[one] for one in sorted(self.forms))

    @cached_property
    def histories(self) -> dict[str, list[Line]]:
        """By memory, its entries in the log, links left out."""
        found: dict[str, list[Line]] = {}
        for line in self.entries:
            if line["op"] in HISTORY:
                found.setdefault(line["id"], []).append(line)
        return found

    @cached_property
    def there(self) -> frozenset[str]:
        """The ids of every memory that is there and not deleted."""
        kept = (memory_id for memory_id, history in self.histories.items() if is_there(history))
        return frozenset((*kept, *self.derived))

    @cached_property
    def memories(self) -> dict[str, Memory]:
        """Every memory that is there and not deleted, by id; what was observed stands before what was derived."""
        found: dict[str, Memory] = {}
        for memory_id, history in self.histories.items():
            memory = memory_of_history(history)
            if memory is not None:
                found[memory_id] = memory
        found |= {memory_id: memory_of_derived(line) for memory_id, line in self.derived.items()}
        return {
            memory_id: with_judgement(memory, self.uses.get(memory_id), self.judged.get(memory_id))
            for memory_id, memory in found.items()
        }

    @property
    def namespaces(self) -> tuple[Namespace, ...]:
        """Those of which something is told, in order."""
        told = (*self.entries, *self.derived.values(), *self.feedback.values())
        return tuple(sorted({tuple(line["namespace"]) for line in told}))


def is_there(history: Sequence[Line]) -> bool:
    """Whether a memory was added, and not deleted since."""
    last = next((line for line in reversed(history) if line["op"] != "update"), None)
    return last is not None and last["op"] == "add" and last["text"] is not None


def _put(own: dict[Any, Line], key: Any, line: Line, name: str) -> None:
    if key in own:
        raise InvalidInput(name, "says again what another line said", MEND)
    own[key] = line


def in_order(derived: Mapping[str, Line]) -> list[Line]:
    """Derived memories as they come, but each after those that it was derived from."""
    done: dict[str, Line] = {}
    for first in derived:
        waiting = [first]
        begun: set[str] = set()
        while waiting:
            one = waiting[-1]
            missing = [source for source in derived[one]["sources"] if source in derived and source not in done]
            if one in done or one in begun or not missing:
                # met again with something missing: it stands in a ring, which is left as it comes
                waiting.pop()
                done.setdefault(one, derived[one])
            else:
                begun.add(one)
                waiting += reversed(missing)
    return list(done.values())
