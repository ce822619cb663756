"""How the benchmark's small language model is made, which knows 2,000 facts by heart and reads others in its context.

It begins with the layers of a model that has learned recall, with layers between them that do nothing at first, and
with words that are spread around the keys and values which that model knew. From there it goes by steps: pairs of all
words, bare sentences, sentences as Mnemos renders memories with questions of every kind, and longer and longer pages.
Read from the beginning, without these layers, it takes many times longer until it looks anything up.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM

from mnemos.bench.forms.pages import UNASKED, Batch, Teacher
from mnemos.bench.forms.people import NAMES, RELATIONS, learned
from mnemos.bench.forms.recipes import RECALL, Recipe
from mnemos.bench.forms.tasks import BOS, FIRST_KEY, FIRST_VALUE, KEYS, VALUES
from mnemos.bench.forms.training import MEMORY, UNKNOWN, WARM_UP, NotLearned, one_thread
from mnemos.bench.forms.words import BEGINNING, END, vocabulary

FORMAT = 1
"""Changes when the same school would give other weights."""
FORGOTTEN = 2.0
"""What the running loss is set to at the beginning of a stage."""

Tell = Callable[[int, str, float], None]
"""Told at every step: the step, the stage, and the running loss of what is read."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What is read, until the running loss is below `passed`."""

    facts: int
    """On a page."""
    passed: float
    sentences: bool = True
    """Whether they are sentences; else pairs of a person and a value."""
    bare: float = 0.1
    """The share of the pages without dates and speakers."""
    plain: float = 0.3
    """The share of the questions that are the beginning of a sentence of the page."""
    terse: float = 0.0
    """The share of the pages whose lines say nothing but a person and a value."""
    by_heart: int = 24
    """Facts that are learned by heart beside it, in each step."""

    @property
    def name(self) -> str:
        """What is read."""
        return f"{self.facts} {'facts' if self.sentences else 'pairs'}"


STAGES = (
    *(Stage(count, 0.3, sentences=False, by_heart=0) for count in (4, 8, 16)),
    *(Stage(count, 0.3, bare=1.0, plain=1.0, terse=0.5, by_heart=0) for count in (4, 8)),
    Stage(8, 0.3, bare=0.3, plain=0.5, terse=0.1),
    *(Stage(count, 0.15) for count in (16, 32)),
    *(Stage(count, 0.15, plain=0.2) for count in (64, 200)),
)


@dataclass(frozen=True, slots=True)
class School:
    """A stock Llama and what it is taught. Two equal schools make the same weights on the same machine."""

    width: int = 64
    layers: int = 4
    heads: int = 1
    start: Recipe = RECALL
    """Whose layers it begins with."""
    begins: tuple[int, ...] = (0, 2)
    """Where these stand among its own."""
    spread: float = 0.5
    """How far words lie from the keys and values that they begin as, in deviations of those."""
    stages: tuple[Stage, ...] = STAGES
    seed: int = 0
    tokens: int = 1800
    """Read in a step, about."""
    rate: float = 3e-3
    """Learning rate of AdamW, after a warm-up."""
    learned: float = 0.1
    """The running loss, of what is read and of what is known by heart, from which on the learning rate falls."""
    settling: int = 300
    """Steps over which it falls to nothing."""
    most: int = 6000
    """Steps before it is given up."""

    @property
    def name(self) -> str:
        """What it is called."""
        return "a small language model"

    @property
    def key(self) -> str:
        """16 hexadecimal digits: equal where school, words and versions are."""
        made: dict[str, Any] = {"format": FORMAT, "school": asdict(self), "words": list(vocabulary())}
        made |= {"start": self.start.key, "torch": torch.__version__, "transformers": transformers.__version__}
        return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()[:16]

    def config(self) -> LlamaConfig:
        """Of the model."""
        words = vocabulary()
        return LlamaConfig(
            vocab_size=len(words),
            hidden_size=self.width,
            intermediate_size=2 * self.width,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.heads,
            max_position_embeddings=4096,
            tie_word_embeddings=False,
            initializer_range=0.1,
            bos_token_id=words[BEGINNING],
            eos_token_id=words[END],
            pad_token_id=words[END],
        )


SCHOOL = School()
"""Four layers of 64, 385 thousand parameters."""


def learn(school: School, start: LlamaForCausalLM, tell: Tell | None = None) -> LlamaForCausalLM:
    """A model that has been to school, in evaluation mode. One thread; the caller's random state stays.

    Args:
        school: what is taught.
        start: made by the recipe that the school starts from; it is not changed.
        tell: told of every step.

    Raises:
        NotLearned: it took too long.
    """
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(school.seed)
        model = begun(school, start)
        _train(model, school, tell)
    model.train(False)
    return model


@torch.no_grad()
def begun(school: School, start: LlamaForCausalLM) -> LlamaForCausalLM:
    """A model that has the layers of another, and does at first what that one does."""
    model = LlamaForCausalLM(school.config())
    layers = model.model.layers
    for number, layer in enumerate(layers):
        if number in school.begins:
            layer.load_state_dict(start.model.layers[school.begins.index(number)].state_dict())
        else:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
    model.model.norm.load_state_dict(start.model.norm.state_dict())
    for own, old in (
        (model.model.embed_tokens.weight, start.model.embed_tokens.weight),
        (model.lm_head.weight, start.lm_head.weight),
    ):
        own[vocabulary()[BEGINNING]] = old[BOS]
        _spread(own, NAMES, old[FIRST_KEY : FIRST_KEY + KEYS], school.spread)
        values = [value for relation in RELATIONS for value in relation.values]
        _spread(own, values, old[FIRST_VALUE : FIRST_VALUE + VALUES], school.spread)
    return model


def _spread(own: Tensor, words: tuple[str, ...] | list[str], old: Tensor, spread: float) -> None:
    """Put words around old vectors, [old, width], in turn; a word lies in the same direction from both its vectors."""
    generator = torch.Generator().manual_seed(len(words))
    apart = spread * old.std() * torch.randn(len(words), old.shape[1], generator=generator)
    for number, word in enumerate(words):
        own[vocabulary()[word]] = old[number % len(old)] + apart[number]


def _train(model: LlamaForCausalLM, school: School, tell: Tell | None) -> None:
    teacher = Teacher(learned(school.seed), school.seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=school.rate, weight_decay=0.0)
    number, reading, knowing, falling = 0, UNKNOWN, UNKNOWN, 0
    for step in range(school.most):
        stage = school.stages[number]
        optimiser.param_groups[0]["lr"] = school.rate * min(1.0, (step + 1) / WARM_UP) * (1 - falling / school.settling)
        losses = [_loss(model, _read(teacher, stage, school.tokens))]
        if stage.by_heart:
            losses.append(_loss(model, teacher.by_heart(stage.by_heart)))
            knowing = MEMORY * knowing + (1 - MEMORY) * losses[1].item()
        reading = MEMORY * reading + (1 - MEMORY) * losses[0].item()
        optimiser.zero_grad()
        torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if tell:
            tell(step, stage.name, reading)
        last = number == len(school.stages) - 1
        if not last and reading < stage.passed:
            number, reading = number + 1, FORGOTTEN
        elif falling or (last and max(reading, knowing) < school.learned):
            falling += 1
        if falling == school.settling:
            return
    raise NotLearned(f"{school.name}: the loss is {reading:.2f} after {school.most} steps")


def _read(teacher: Teacher, stage: Stage, tokens: int) -> Batch:
    """As many texts of a stage as come to about so many tokens, with more questions than facts where these are few."""
    if not stage.sentences:
        return teacher.pairs(64, stage.facts, max(1, 16 // stage.facts))
    questions = min(4 * stage.facts, 32 if stage.facts < 64 else 64)
    texts = max(1, int(tokens / (12 + 9.3 * stage.facts + 8.5 * questions)))
    return teacher.pages(texts, stage.facts, questions, bare=stage.bare, plain=stage.plain, terse=stage.terse)


def _loss(model: LlamaForCausalLM, batch: Batch) -> Tensor:
    """Of what is to be said, in nats per token."""
    read = model.model(input_ids=batch.ids, attention_mask=batch.mask, position_ids=batch.places, use_cache=False)
    asked = batch.labels != UNASKED
    return cross_entropy(model.lm_head(read.last_hidden_state[asked]), batch.labels[asked])
