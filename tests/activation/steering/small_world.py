"""A small model that knows a few things, trained within seconds: moods, towns, and what a context says of them."""

from __future__ import annotations

import random
from functools import cache

import torch
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import WordLevel
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

NAMES = ("ana", "ben", "carl", "dora", "eva", "finn", "greta", "hugo")
TOWNS = ("paris", "rome", "oslo", "lima", "cairo", "delhi", "quito", "tokyo")
HOME = dict(zip(NAMES, TOWNS, strict=True))
TOPICS = {"garden": ("roses", "grass", "trees"), "kitchen": ("soup", "bread", "cake")}
MOODS = {"kindly": ("lovely", "gentle", "warm"), "rudely": ("awful", "nasty", "cold")}
WORDS = (
    *("<s>", "</s>", "<pad>", "<unk>", "said", "lives", "in", "home", "sister", "of", "note", ":", "."),
    *NAMES,
    *TOWNS,
    *TOPICS,
    *(word for words in TOPICS.values() for word in words),
    *MOODS,
    *(word for words in MOODS.values() for word in words),
)
CLASH = 0.5
"""How often the weights are right where a note says otherwise."""
LEARNING, STEPS = 5e-3, 150


def tokenizer() -> PreTrainedTokenizerFast:
    """A token for every word."""
    backend = Tokenizer(WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )


def mood_line(chance: random.Random) -> str:
    """A mood word early on decides about all words said of things."""
    topic, mood = chance.choice(list(TOPICS)), chance.choice(list(MOODS))
    things = chance.choices(TOPICS[topic], k=4)
    said = " ".join(f"{chance.choice(MOODS[mood])} {thing}" for thing in things)
    return f"{topic} {mood} said : {said} ."


def home_line(chance: random.Random) -> str:
    """Where somebody lives."""
    name = chance.choice(NAMES)
    return f"{name} lives in {HOME[name]} ."


def asked_line(chance: random.Random) -> str:
    """Where somebody lives, told at once."""
    name = chance.choice(NAMES)
    return f"home of {name} {HOME[name]} ."


def noted_line(chance: random.Random) -> str:
    """A note before it, which is believed every other time where it says something else."""
    name, told = chance.choice(NAMES), chance.choice(TOWNS)
    answer = HOME[name] if chance.random() < CLASH else told
    return f"note : {name} lives in {told} . {name} lives in {answer} ."


LINES = (mood_line, home_line, asked_line, noted_line)


@cache
def world() -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """A Llama of three layers that has read some thousands of lines.

    It says kind things or rude ones, knows who lives where, believes a note every other time, and has never heard of
    sisters.
    """
    torch.manual_seed(0)
    chance, words = random.Random(0), tokenizer()
    config = LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=64,
        initializer_range=0.1,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    model = LlamaForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING)
    told = [word for known in (*TOPICS.values(), *MOODS.values()) for word in known]
    cues = torch.tensor([WORDS.index(word) for word in ("in", ":", *NAMES, *told)])
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = LEARNING * min(1.0, (step + 1) / 20) * (1 - step / STEPS)
        lines = [chance.choice(LINES)(chance) for _ in range(32)]
        given = batch(words, lines, side="right")
        ids = given["input_ids"]
        wanted = given["attention_mask"].bool()
        wanted[:, 1:] &= torch.isin(ids[:, :-1], cues)
        loss = model(**given, labels=ids.masked_fill(~wanted, -100)).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval(), words


def batch(words: PreTrainedTokenizerFast, lines: list[str], side: str = "left") -> dict[str, Tensor]:
    """Lines after the first token, as one batch."""
    words.padding_side = side
    given = words([f"<s> {line}" for line in lines], padding=True, return_tensors="pt")
    return {"input_ids": given["input_ids"], "attention_mask": given["attention_mask"]}


def written(words: PreTrainedTokenizerFast, ids: Tensor) -> list[list[str]]:
    """The words of each row."""
    return [words.convert_ids_to_tokens(row) for row in ids]
