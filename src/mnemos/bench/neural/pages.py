"""Books as bytes, with notes in them: `<a=w>` is told somewhere, and told again somewhere behind.

A note is made of letters drawn by chance, so that nobody knows what is behind its sign of equality the first time, and
who remembers knows it the second time.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mnemos.errors import InvalidInput

OPEN, IS, CLOSE = b"<=>"
NOTE, VALUE = 5, 3
"""Bytes of a note, and where in it the letter stands that is to be known."""
LETTERS = 26


@dataclass(frozen=True, slots=True)
class Books:
    """What is trained on, and what is not."""

    train: Tensor
    """[bytes]."""
    held: Tensor
    """[bytes], of the last file."""
    files: dict[str, str]
    """File name to SHA-256."""


def read(files: Sequence[Path]) -> Books:
    """Texts, plain or packed with gzip; the last is held out.

    Raises:
        InvalidInput: there are fewer than two, or one cannot be read.
    """
    if len(files) < 2:
        raise InvalidInput("files", "is one book or none", "give one or more to train on, and last one to be tested on")
    found, sums = [], {}
    for file in files:
        try:
            packed = file.read_bytes()
            text = gzip.decompress(packed) if file.suffix == ".gz" else packed
        except (OSError, EOFError, gzip.BadGzipFile) as error:
            raise InvalidInput(
                "files", f"{file.name} cannot be read ({error})", "give texts, or such packed"
            ) from error
        sums[file.name] = hashlib.sha256(packed).hexdigest()
        found.append(torch.frombuffer(bytearray(text), dtype=torch.uint8).long())
    return Books(torch.cat(found[:-1]), found[-1], sums)


def notes(batch: int, count: int, generator: torch.Generator) -> Tensor:
    """Notes with different names in each row, [batch, count, NOTE]."""
    names = torch.rand(batch, LETTERS, generator=generator).argsort(1)[:, :count, None]
    values = torch.randint(LETTERS, (batch, count, 1), generator=generator)
    signs = torch.tensor([OPEN, IS, CLOSE]).expand(batch, count, 3)
    parts = [signs[..., :1], names + ord("a"), signs[..., 1:2], values + ord("a"), signs[..., 2:]]
    return torch.cat(parts, -1)


def slices(book: Tensor, batch: int, length: int, generator: torch.Generator) -> Tensor:
    """Pieces from anywhere in a book, [batch, length]."""
    if len(book) < length:
        raise InvalidInput("files", f"hold {len(book):,} bytes, and {length:,} are read at once", "give longer books")
    first = torch.randint(len(book) - length + 1, (batch, 1), generator=generator)
    return book[first + torch.arange(length)]


@dataclass(frozen=True, slots=True)
class Pages:
    """Pieces of a book with notes, [batch, length] each."""

    ids: Tensor
    known: Tensor
    """Where a letter stands that a note told before says."""


def with_notes(book: Tensor, batch: int, length: int, count: int, generator: torch.Generator, times: int = 2) -> Pages:
    """Pieces of a book in which so many notes are told so many times each, anywhere."""
    text = slices(book, batch, length - times * count * NOTE, generator)
    told = notes(batch, count, generator)
    rows, known = [], torch.zeros(batch, length, dtype=torch.bool)
    for row in range(batch):
        order = torch.arange(count).repeat(times)[torch.randperm(times * count, generator=generator)]
        again = (order.unsqueeze(1) == order).tril(-1).any(1).nonzero()
        cuts = torch.randint(text.shape[1] + 1, (times * count,), generator=generator).sort().values
        pieces = torch.tensor_split(text[row], cuts.tolist())
        parts = [part for piece, note in zip(pieces, order, strict=False) for part in (piece, told[row, note])]
        rows.append(torch.cat([*parts, pieces[-1]]))
        known[row, cuts[again] + again * NOTE + VALUE] = True
    return Pages(torch.stack(rows), known)


def full_of_notes(book: Tensor, batch: int, length: int, generator: torch.Generator) -> Pages:
    """Pieces with little of a book between the notes: half with few that are told often, half with many."""
    room = int(length * 0.8) // NOTE
    most = min(LETTERS, room // 2)
    few = int(torch.randint(2, max(3, most // 3), (1,), generator=generator))
    many = int(torch.randint(max(2, most // 3), most + 1, (1,), generator=generator))
    halves = [
        with_notes(book, rows, length, count, generator, room // count)
        for rows, count in ((batch // 2, few), (batch - batch // 2, many))
        if rows
    ]
    return Pages(torch.cat([half.ids for half in halves]), torch.cat([half.known for half in halves]))


def needles(book: Tensor, batch: int, length: int, others: int, generator: torch.Generator) -> Tensor:
    """Pieces of a book that end with a note told in their first eighth, others in between, [batch, length]."""
    text = slices(book, batch, length - (others + 2) * NOTE, generator)
    told = notes(batch, others + 1, generator)
    rows = []
    for row in range(batch):
        early = torch.randint(length // 8 - NOTE + 1, (1,), generator=generator)
        later = torch.randint(length // 8, text.shape[1] + 1, (others,), generator=generator).sort().values
        pieces = torch.tensor_split(text[row], [*early.tolist(), *later.tolist()])
        parts = [part for number, piece in enumerate(pieces[:-1]) for part in (piece, told[row, number])]
        rows.append(torch.cat([*parts, pieces[-1], told[row, 0]]))
    return torch.stack(rows)
