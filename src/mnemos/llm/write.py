"""The words of a level, written by a language model: every sentence cites its members and is held to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from mnemos.llm.grounding import Ground
from mnemos.llm.lines import Line, quoted
from mnemos.llm.prompts import SHAPES, WRITE
from mnemos.llm.question import Ask, Question
from mnemos.llm.schema import SENTENCES, Refused, Unfounded, items_of, read_sentence

MOST_SENTENCES = 10


class Written(NamedTuple):
    """Sentences, each with the numbers of the memories that it cites; those that did not hold up are counted."""

    sentences: list[tuple[str, tuple[int, ...]]]
    malformed: Counter[str]
    unfounded: Counter[str]

    @property
    def text(self) -> str:
        """The sentences, a line each, as derivation without a model writes them."""
        return "\n".join(text for text, _ in self.sentences)


def write(ask: Ask, kind: str, members: Sequence[Line]) -> Written:
    """A text about members, for a level of this kind; without sentences where none of the model's held up.

    Raises:
        LanguageModelError: no usable answer.
    """
    answer = ask(question(kind, members))
    malformed: Counter[str] = Counter()
    unfounded: Counter[str] = Counter()
    sentences: list[tuple[str, tuple[int, ...]]] = []
    speakers = {line.speaker for line in members if line.speaker}
    for item in items_of(answer, "sentences", malformed):
        try:
            sentence = read_sentence(item, {line.label for line in members})
            cited = [line for line in members if line.label in sentence.members]
            if not Ground(cited, speakers).holds(sentence.text):
                raise Unfounded("a sentence that its members do not bear out")
        except Refused as reason:
            (unfounded if isinstance(reason, Unfounded) else malformed)[str(reason)] += 1
            continue
        sentences.append((sentence.text, tuple(dict.fromkeys(line.num for line in cited))))
    return Written(sentences[:MOST_SENTENCES], malformed, unfounded)


def question(kind: str, members: Sequence[Line]) -> Question:
    """What is asked about the members of a level."""
    return Question("sentences", f"{WRITE}\n\n{SHAPES[kind]}", f"lines:\n{quoted(members)}", SENTENCES)
