"""Episodes: turns of one session that belong together, told by their most central sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mnemos.levels import segment
from mnemos.levels.central import Voice, central, shortened_sentences
from mnemos.levels.segment import Cutter, Said
from mnemos.levels.sentences import content, prose
from mnemos.levels.vectors import embed
from mnemos.recall.words import split
from mnemos.records import Memory
from mnemos.store.levels import Ended
from mnemos.times import from_micros, to_micros

SENTENCES = 4
"""Sentences that tell an episode."""
ASSISTANTS = frozenset({"assistant", "tool", "system"})
"""Roles that answer; what people say themselves counts more."""
_PLAIN = 2
"""Words beside what has ended up to which a sentence states nothing else."""
_BEGINNING = 1_200
"""Characters of a turn that tell what it is about."""


def prepare(turns: Sequence[Memory]) -> None:
    """Embed, all together, what dividing and telling these turns will ask for."""
    embed([_opening(turn) for turn in turns] + [shown for turn in turns for shown in shortened_sentences(turn.text)])


def divided(turns: Sequence[Memory], known: int = 0) -> Iterator[Sequence[Memory]]:
    """The episodes that some turns of one session fall into, in order; the last may still go on.

    The first `known` turns have been looked at before, when each was the last, and begin an episode.
    """
    said = [_said(turn) for turn in turns]
    vectors = embed([_opening(turn) for turn in turns])
    cutter = Cutter(said, vectors)
    for count in range(known + 1, len(turns) + 1):
        ended = cutter.ended(count)
        if ended:
            yield turns[cutter.start : cutter.start + ended]
            cutter.go_on(ended)
    yield turns[cutter.start :]


def told(turns: Sequence[Memory], ended: Iterable[Ended] = ()) -> str | None:
    """What an episode says: its most central sentences, a line a turn, each with its speaker; None for nothing.

    A sentence that states what has `ended` since says until when it held.
    """
    voices = [Voice(turn.text, name_of(turn), turn.role not in ASSISTANTS) for turn in turns]
    over = list(ended)
    lines: list[str] = []
    place = -1
    for line in central(voices, embed, SENTENCES):
        said = _with_end(line.text, [one for one in over if one.turn == turns[line.place].id])
        if line.place == place:
            lines[-1] += f" {said}"
        else:
            lines.append(f"{line.speaker}: {said}" if line.speaker else said)
        place = line.place
    return "\n".join(lines) or None


def _with_end(sentence: str, ended: Iterable[Ended]) -> str:
    """A sentence, with the day until which it held where it states what no longer does."""
    words = set(split(sentence))
    for one in ended:
        stated = set(split(one.object))
        if stated and stated <= words:
            what = f"{one.object} " if len(content(sentence)) > len(content(one.object)) + _PLAIN else ""
            stop = "." if sentence.endswith(".") else ""
            return f"{sentence.removesuffix('.')} ({what}until {from_micros(one.until).date().isoformat()}){stop}"
    return sentence


def name_of(memory: Memory) -> str:
    """Who said it, as far as it is known."""
    return memory.speaker or memory.role or ""


def _opening(turn: Memory) -> str:
    return prose(turn.text[:_BEGINNING])


def _said(turn: Memory) -> Said:
    return Said(
        words=frozenset(content(_opening(turn))),
        speaker=name_of(turn),
        role=turn.role or "",
        at=None if turn.happened_at is None else to_micros(turn.happened_at),
        greets=segment.greets(turn.text),
    )


__all__ = ("ASSISTANTS", "SENTENCES", "divided", "name_of", "prepare", "told")
