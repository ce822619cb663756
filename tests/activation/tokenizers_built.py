"""Tokenizers made on the spot."""

from __future__ import annotations

from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import BPE, WordLevel
from transformers import PreTrainedTokenizerFast

WORDS = ("[UNK]", "[EOS]", "ana", "rita", "is", "vegan", "lives", "in", "paris", "rome", "now", "and", "her", "sister")


def words(*more: str, lower: bool = True) -> PreTrainedTokenizerFast:
    """A token for every word of a short list."""
    vocabulary = {word: number for number, word in enumerate((*WORDS, *more))}
    backend = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    if lower:
        backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", eos_token="[EOS]", pad_token="[EOS]")


def pairs(merges: list[tuple[str, str]]) -> PreTrainedTokenizerFast:
    """Letters, and pairs of them."""
    vocabulary = {letter: number for number, letter in enumerate(["a", "b", "c", "ab", "bc"])}
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(BPE(vocabulary, merges)))
