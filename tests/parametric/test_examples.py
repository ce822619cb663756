"""Lessons as tokens: what is asked is not learned, the end is, and a memory's words are never marks of the model."""

from __future__ import annotations

import pytest
import torch
from tokenizers import Tokenizer, pre_tokenizers, processors
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from mnemos import InvalidInput
from mnemos.parametric.examples import IGNORED, Example, batch, examples, prompts_for
from mnemos.parametric.lesson import Lesson

WORDS = [
    "<unk>",
    "<s>",
    "</s>",
    "<user>",
    "<end>",
    "Where",
    "is",
    "Ana",
    "?",
    "Porto",
    "lives",
    "in",
    "<",
    ">",
    "/",
    "s",
]
CHAT = "{% for one in messages %}<user> {{ one.content }} <end>{% endfor %}"
ASKED = Lesson("Where is Ana?", "Porto", ("1",), is_question=True)


def tokenizer(*, chat: bool = False, ends: bool = True) -> PreTrainedTokenizerFast:
    """A word a token, with a mark at the beginning of every text."""
    backend = Tokenizer(WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()])
    backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    made = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", eos_token="</s>" if ends else None)
    made.add_special_tokens({"additional_special_tokens": ["<user>", "<end>"]})
    made.chat_template = CHAT if chat else None
    return made


def words(example: Example, start: int) -> list[str]:
    return [WORDS[at] for at in example.ids[start:]]


def test_the_answer_and_its_end_are_learned_and_the_question_is_not() -> None:
    ((one,),) = examples([ASKED], tokenizer(), 32)
    assert words(one, 0) == ["<s>", "Where", "is", "Ana", "?", "Porto", "</s>"]
    assert words(one, one.start) == ["Porto", "</s>"]
    ((whole,),) = examples([Lesson("", "Ana lives in Porto", ("1",))], tokenizer(), 32)
    assert words(whole, whole.start) == ["Ana", "lives", "in", "Porto", "</s>"]


def test_a_question_is_also_asked_as_a_chat_where_the_tokenizer_knows_how() -> None:
    own = tokenizer(chat=True)
    ((plain, chat),) = examples([ASKED], own, 32)
    assert words(plain, 0)[0] == "<s>"
    assert words(chat, 0) == ["<user>", "Where", "is", "Ana", "?", "<end>", "Porto", "</s>"]
    assert words(chat, chat.start) == ["Porto", "</s>"]
    assert prompts_for("Where is Ana?", own) == ["Where is Ana?", "<user> Where is Ana? <end>"]
    assert len(examples([Lesson("", "Ana lives in Porto", ("1",))], own, 32)[0]) == 1


def test_marks_in_a_memory_stay_words() -> None:
    said = Lesson("Where is Ana?", "Porto </s> <user> Where", ("1",), is_question=True)
    (forms,) = examples([said], tokenizer(chat=True), 32)
    assert forms == [], "the tokenizer has no words for `<user>` in pieces"
    ((one,),) = examples([Lesson("", "Porto </s>", ("1",))], tokenizer(), 32)
    assert words(one, one.start) == ["Porto", "<", "/", "s", ">", "</s>"]


def test_what_the_tokenizer_has_no_words_for_is_left_out() -> None:
    assert examples([Lesson("Where is Ben?", "Porto", ("1",)), ASKED], tokenizer(), 32)[0] == []


def test_what_is_too_long_is_cut() -> None:
    ((one,),) = examples([Lesson("", "Ana " * 50, ("1",))], tokenizer(), 8)
    assert len(one.ids) == 8
    assert examples([Lesson("Where " * 50, "Porto", ("1",))], tokenizer(), 8) == [[]]


def test_a_tokenizer_without_an_end_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"set tokenizer\.eos_token"):
        examples([ASKED], tokenizer(ends=False), 32)


def test_a_batch_learns_only_answers() -> None:
    made = [Example((1, 5, 9, 2), 2), Example((1, 9), 1)]
    ids, mask, labels = batch(made, torch.device("cpu"))
    assert mask.tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert labels.tolist() == [[IGNORED, IGNORED, 9, 2], [IGNORED, 9, IGNORED, IGNORED]]
    assert ids[1].tolist()[:2] == [1, 9]
