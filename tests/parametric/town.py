"""A town of invented people, and a small Llama that knows its citizens, but none of those who have just come."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import torch
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import WordLevel
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from mnemos import Mnemos
from mnemos.parametric.examples import IGNORED, batch, examples
from mnemos.parametric.paraphrase import by_rules
from mnemos.records import Memory

NAMES = [a + b for a in ("Bel", "Dor", "Fen", "Gal", "Hir", "Kas", "Lum", "Mir") for b in ("an", "eth", "ik", "oma")]
CITIZENS = [
    a + b for a in ("Ald", "Bro", "Cor", "Del", "Ess", "Ful", "Gor", "Hes") for b in ("ara", "ent", "is", "ulo")
]
PLACES = [a + b for a in ("Tar", "Ves", "Zol", "Pem", "Quil", "Rud") for b in ("ford", "holm", "mere", "wick")]
TRADES = ["baker", "miller", "potter", "weaver", "smith", "tanner", "cooper", "glazier"]
WORDS = """lives in works as a Where does live ? is ' s home what do for living What job Who Until : . -""".split()
STEPS = 250


def home(name: str, place: str) -> str:
    return f"{name} lives in {place}."


def trade(name: str, work: str) -> str:
    return f"{name} works as a {work}."


def asked_home(name: str) -> str:
    return f"Where does {name} live?"


def asked_trade(name: str) -> str:
    return f"What is {name}'s job?"


class Town:
    """The tokenizer, and models that are all the same to begin with."""

    def __init__(self) -> None:
        vocabulary = ["[UNK]", "[BOS]", "[EOS]", *WORDS, *NAMES, *CITIZENS, *PLACES, *TRADES]
        backend = Tokenizer(WordLevel({word: at for at, word in enumerate(vocabulary)}, unk_token="[UNK]"))
        backend.pre_tokenizer = pre_tokenizers.Whitespace()
        self.tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", eos_token="[EOS]")
        self.words = len(vocabulary)
        self._model = self._blank(0)
        self._school()

    def _blank(self, seed: int) -> LlamaForCausalLM:
        torch.manual_seed(seed)
        config = LlamaConfig(
            vocab_size=self.words,
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=64,
            initializer_range=0.1,
            tie_word_embeddings=False,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=2,
        )
        return LlamaForCausalLM(config).eval()

    def _school(self) -> None:
        """Teach who lives where and works as what, of the citizens only."""
        drawn = random.Random(0)
        told = [home(name, drawn.choice(PLACES)) for name in CITIZENS]
        told += [trade(name, drawn.choice(TRADES)) for name in CITIZENS]
        taught = by_rules([Memory(text, ("t",), "fact", text) for text in told], datetime(2026, 1, 1, tzinfo=UTC))
        known = [one for forms in examples(taught, self.tokenizer, 64) for one in forms]
        optimiser = torch.optim.AdamW(self._model.parameters(), lr=3e-3)
        for _ in range(STEPS):
            ids, mask, labels = batch(drawn.sample(known, 48), torch.device("cpu"))
            scores = self._model(input_ids=ids, attention_mask=mask).logits[:, :-1]
            asked = labels[:, 1:] != IGNORED
            loss = cross_entropy(scores[asked], labels[:, 1:][asked])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        self.loss = float(loss.detach())

    def model(self) -> LlamaForCausalLM:
        """A copy of the model."""
        copy = self._blank(0)
        copy.load_state_dict(self._model.state_dict())
        return copy

    @torch.no_grad()
    def says(self, model: Any, prompt: str, tokens: int = 6) -> str:
        """What a model generates freely after some words, greedily, up to the end of the text."""
        ids = self.tokenizer(prompt, return_tensors="pt")
        out = model.generate(**ids, max_new_tokens=tokens, do_sample=False, pad_token_id=2)
        return str(self.tokenizer.decode(out[0, ids["input_ids"].shape[1] :], skip_special_tokens=True))

    def knows(self, model: Any, asked: Sequence[tuple[str, str]]) -> float:
        """The share of questions that a model answers word for word by free generation."""
        return sum(self.says(model, question) == answer for question, answer in asked) / len(asked)


def homes(count: int, start: int = 0, seed: int = 1) -> list[tuple[str, str]]:
    """People and where they live: so many names from a place in the list on, each with a place by chance."""
    drawn = random.Random(seed)
    return [(name, drawn.choice(PLACES)) for name in NAMES[start : start + count]]


def told(memory: Mnemos, people: list[tuple[str, str]], user: str = "ana") -> list[str]:
    """The ids of facts that say where people live."""
    return [memory.add(home(*one), kind="fact", user_id=user)[0].id for one in people]


def bits(model: Any) -> str:
    """A hash of every weight's name and bytes."""
    digest = hashlib.sha256()
    for name, weight in model.state_dict().items():
        digest.update(name.encode() + weight.contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
