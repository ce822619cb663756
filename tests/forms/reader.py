"""A small Llama that looks things up in what it reads, and knows nothing by itself; it can be taught.

Its two layers are wired as an induction head (Olsson et al. 2022, "In-context Learning and Induction Heads"): the first
writes beside every token which one stood before it, the second looks for the tokens that followed the present one, and
looks at the first token of all where there are none. So nothing has to be trained, and what it says of a text it can
only have read there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, pre_tokenizers
from tokenizers.models import WordLevel
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from mnemos import Mnemos
from mnemos.rendering import OPENING_LINE

NAMES = [a + b for a in ("Bel", "Dor", "Fen", "Gal", "Hir", "Kas") for b in ("an", "eth", "ik", "oma")]
PLACES = [a + b for a in ("Tar", "Ves", "Zol", "Pem") for b in ("ford", "holm", "mere", "wick")]
MARKS = ["<unk>", "<s>", "</s>", "<user>", "<model>"]
WORD = r"\w+|[^\w\s]|\n"
HEAD = 256
"""Dimensions of the one head; its first pairs turn fast and tell places, its last turn slowly and tell tokens."""
FAST = 12
SHARP = 40.0
"""By how much, as a logit, a place or a token that is looked for stands out."""


class Reader:
    """The tokenizer, and models that are all the same.

    A memory is a note of a name and a place, `Belan Tarford`; asked `Belan`, it says the place that it has read.
    """

    def __init__(self) -> None:
        splitter = pre_tokenizers.Split(Regex(WORD), "removed", invert=True)
        said = [word for word, _ in splitter.pre_tokenize_str(f"{OPENING_LINE}note: End of what is quoted (until).")]
        self.ids = {word: number for number, word in enumerate(dict.fromkeys([*MARKS, *said, *NAMES, *PLACES]))}
        backend = Tokenizer(WordLevel(self.ids, unk_token="<unk>"))
        backend.pre_tokenizer = splitter
        self.tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=backend,
            unk_token="<unk>",
            bos_token="<s>",
            eos_token="</s>",
            additional_special_tokens=["<user>", "<model>"],
        )
        self._weights = _wired(_config(len(self.ids))).state_dict()

    def model(self) -> LlamaForCausalLM:
        """A copy of the model."""
        copy = LlamaForCausalLM(_config(len(self.ids))).eval()
        copy.load_state_dict(self._weights)
        return copy


def _config(words: int) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=words,
        hidden_size=3 * words + 1,
        intermediate_size=words,
        num_hidden_layers=2,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=HEAD,
        max_position_embeddings=512,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
        tie_word_embeddings=False,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )


@torch.no_grad()
def _wired(config: LlamaConfig) -> LlamaForCausalLM:
    """The hidden state is: the token, the token before it, what is to be said, and a one."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
    words, size = config.vocab_size, config.hidden_size
    own, before, said = (slice(part * words, (part + 1) * words) for part in range(3))
    eye, first = torch.eye(words), config.bos_token_id
    model.model.embed_tokens.weight.zero_()
    model.model.embed_tokens.weight[:, own] = eye
    model.model.embed_tokens.weight[:, -1] = 1
    model.lm_head.weight.zero_()
    model.lm_head.weight[:, said] = 4 * eye
    for layer, parts in zip(model.model.layers, (2, 3), strict=True):
        scale = math.sqrt(size / parts)
        attention = layer.self_attn
        for weight in (attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj, layer.mlp.down_proj):
            weight.weight.zero_()
        for weight in (layer.mlp.gate_proj, layer.mlp.up_proj):
            weight.weight.zero_()
            weight.weight[:, own] = eye / 4
        attention.v_proj.weight[:words, own] = eye / scale
        strength = math.sqrt(SHARP * math.sqrt(HEAD)) / scale
        if parts == 2:
            attention.o_proj.weight[before, :words] = eye
            _one_back(attention.q_proj.weight, attention.k_proj.weight, strength)
        else:
            attention.o_proj.weight[said, :words] = 3 * eye
            slow = slice(HEAD // 2 - words, HEAD // 2)
            attention.q_proj.weight[slow, own] = strength * eye
            attention.k_proj.weight[slow, before] = strength * eye
            attention.q_proj.weight[slow.start - 1, -1] = strength
            attention.k_proj.weight[slow.start - 1, first] = strength / 2
            attention.v_proj.weight[:, first] = 0
    return model


def _one_back(query: Tensor, key: Tensor, strength: float) -> None:
    """What is asked for stands one place back: the query is turned back by one place of each fast pair."""
    angles = 1e6 ** (-torch.arange(FAST) / (HEAD // 2))
    key[:FAST, -1] = strength
    query[:FAST, -1] = strength * angles.cos()
    query[HEAD // 2 : HEAD // 2 + FAST, -1] = -strength * angles.sin()


COURSE: dict[str, Any] = {"lr": 1e-2, "rank": 64, "targets": ("down_proj",)}
"""By which it learns a few notes in a second, and reads as before."""
PEOPLE = list(zip(NAMES[:12], PLACES[:12], strict=True))
"""Names and places, all different."""


def noted(memory: Mnemos, people: Sequence[tuple[str, str]], user: str = "ana", **more: Any) -> list[str]:
    """The ids of notes of who lives where."""
    return [memory.add(f"{name} {place}", kind="note", user_id=user, **more)[0].id for name, place in people]


def told(session: Any, people: Sequence[tuple[str, str]]) -> list[str]:
    """What a session says of each, by free generation."""
    return [session.generate(name, max_new_tokens=2, do_sample=False) for name, _ in people]


def places(people: Sequence[tuple[str, str]]) -> list[str]:
    """What is right."""
    return [place for _, place in people]
