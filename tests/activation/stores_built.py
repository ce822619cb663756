"""A store of a few memories, a tokenizer that knows their words, and what a model makes of them as one text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from models_built import VOCAB
from tokenizers import Regex, Tokenizer, pre_tokenizers
from tokenizers.models import WordLevel
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from mnemos import Memory, Mnemos
from mnemos.activation import Assembled
from mnemos.rendering import OPENING_LINE, render

TEXTS = ("My sister Rita is vegan.", "The dog is called Rex.", "Rex lives in Paris now, and Rita in Rome.")
QUESTION = "Where is the dog of Rita now?"
WORD = r"\w+|[^\w\s]|\n"


def tokenizer_of(*more: str) -> PreTrainedTokenizerFast:
    """A token for every word and mark of the memories, the opening and the question; a first token `<s>`."""
    said = "\n".join((OPENING_LINE, "[2026-03-01 02 03 04] Ana: (until)\nuser assistant", *TEXTS, QUESTION, *more))
    words = dict.fromkeys(["<s>", "</s>", "<pad>", "<unk>", *re.findall(WORD, said)])
    assert len(words) < VOCAB
    backend = Tokenizer(WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(WORD), "removed", invert=True)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )


def told(memory: Mnemos, *texts: str) -> list[Memory]:
    """Memories of Ana, a day apart."""
    return [
        memory.add(text, user_id="ana", name="Ana", happened_at=f"2026-03-0{day}T09:00:00Z")[0]
        for day, text in enumerate(texts or TEXTS, 1)
    ]


def tokens_of(tokenizer: Any, memories: list[Memory]) -> torch.Tensor:
    """The whole text that a model reads of memories, [tokens]."""
    words = OPENING_LINE + "".join(render(memory) for memory in memories)
    return torch.tensor([tokenizer.bos_token_id, *tokenizer(words, add_special_tokens=False)["input_ids"]])


def greedy(model: PreTrainedModel, count: int = 6, **inputs: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """The tokens that a model goes on with, [texts, count], and the scores of each, [count, texts, vocabulary]."""
    out = model.generate(
        **inputs,
        max_new_tokens=count,
        min_new_tokens=count,
        do_sample=False,
        return_dict_in_generate=True,
        output_logits=True,
    )
    return out.sequences[:, -count:], torch.stack(out.logits)


def files(path: Path) -> dict[str, bytes]:
    """What lies beside a store, by name."""
    return {file.name: file.read_bytes() for file in Path(f"{path}.d").iterdir() if file.is_file()}


def same(one: Assembled, other: Assembled) -> bool:
    """Whether two caches hold the same keys and values, bit by bit."""
    pairs = zip(one.layers, other.layers, strict=True)
    return all(torch.equal(a.keys, b.keys) and torch.equal(a.values, b.values) for a, b in pairs)
