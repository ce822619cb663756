"""The tokenizer of the benchmark's small language model: one token for each word that its world has."""

from __future__ import annotations

import re
from functools import cache
from itertools import chain

from tokenizers import Regex, Tokenizer, pre_tokenizers
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from mnemos.bench.forms.people import DAYS, NAMES, RELATIONS, SPEAKERS, Fact, day
from mnemos.rendering import OPENING_LINE

UNKNOWN, BEGINNING, END = "[UNK]", "[BOS]", "[EOS]"
HEADS = (*SPEAKERS, "user", "assistant", "fact", "note")
"""What stands before what was said."""
OTHERS = "Who Until until say did on What do you know about ( ) - , 's"
WORD = r"\[\d{4}-\d{2}-\d{2}\]|\n|\w+|[^\w\s]"
"""A date as it is rendered, the end of a line, a word, or a mark."""


def pieces(text: str) -> list[str]:
    """The words of a text, of which each is a token."""
    return re.findall(WORD, text)


@cache
def vocabulary() -> dict[str, int]:
    """Every word and its token id; the three special tokens first."""
    texts = [OPENING_LINE, OTHERS, *HEADS]
    for relation in RELATIONS:
        texts += [*Fact(SPEAKERS[0], relation, "").questions, relation.says, relation.article, *relation.values]
    dates = [f"[{day(number):%Y-%m-%d}] {day(number):%Y-%m-%d}" for number in range(DAYS)]
    words = chain.from_iterable(map(pieces, [*texts, ".", *NAMES, *dates]))
    return {word: number for number, word in enumerate(dict.fromkeys([UNKNOWN, BEGINNING, END, *words]))}


def ids_of(text: str) -> list[int]:
    """The token ids of a text, as the tokenizer gives them.

    Raises:
        KeyError: a word of it is none of this world's.
    """
    known = vocabulary()
    return [known[word] for word in pieces(text)]


def tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer of `transformers`; what it does not know is `[UNK]`, and it puts nothing around a text."""
    backend = Tokenizer(WordLevel(vocabulary(), unk_token=UNKNOWN))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(WORD), "removed", invert=True)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, unk_token=UNKNOWN, bos_token=BEGINNING, eos_token=END, pad_token=END
    )
