"""A session: while it is open, a model sees a namespace's memories, each in the form that it has, and none in two.

    with memory.attach(model, tokenizer, user_id="ana") as session:
        print(session.generate("What can Rita eat?", max_new_tokens=40))
        print(session.seen.forms)

What is seen is chosen anew for every question (`choosing`), so that a memory that was deleted or changed since is not
seen any more, nor is any form of it.

**Blocks are read by the model without the adapter; the adapter serves what is read as text, the question and the
answer.** Keys and values that the adapted model would make differ from these, so it attends to a context that it would
have read a little differently, as every LoRA does that is put on behind a shared prefix. Blocks made anew for each
adapter would be exact, and wrong for a memory: they would carry traces of everything that the adapter was taught, so
that deleting one of its memories would have to delete every block of the namespace, and each training would throw all
blocks away. As it is, a block is made of its own memory and of nothing else, and both forms can be kept, changed and
deleted apart. Nor would it help: of 40 facts in blocks beside 40 in an adapter, the benchmark's small language model
answers 57% and 12% with blocks as they are here, 7% and 5% with blocks that the adapted model has read. (Without the
adapter the blocks answer all, without blocks the adapter does: it was taught bare questions, and behind a context this
model looks things up. Where that matters, keep forms apart by namespace.)
"""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor

from mnemos.activation.assembled import Assembled
from mnemos.activation.kv import KVMemory
from mnemos.activation.shelf import opening_mark
from mnemos.errors import InvalidInput, NotFound
from mnemos.forms.bound import Bound
from mnemos.forms.choosing import Chooser, Chosen, Room
from mnemos.forms.prompting import Prompter
from mnemos.forms.seen import Seen
from mnemos.forms.system import System
from mnemos.namespaces import Scope
from mnemos.parametric.mounting import quiet
from mnemos.store.artifact_rows import BLOCK

ANSWER = 256
"""Tokens of an answer, at most, where neither the caller nor the model's own settings say how many."""
TRIES = 4
"""How often it is looked again where something goes while it is being read."""


class Session:
    """A model that sees memories, to be used in a `with` statement; `memory.attach` makes it.

    Within the block the model is the session's own: an adapter may be on it, and it is in evaluation mode. When the
    block is left, also by an exception, it is what it was before, bit for bit. Do not change its weights meanwhile.

    Args:
        memory: the store.
        bound: the model.
        scope: whose memories.
        budget: tokens of memories that are read as text, at most.
        bytes: of the cache of blocks, at most; None: any number. What is least relevant is left to text.
        repair: the share of joined blocks that is read again, 0 to 1.
    """

    def __init__(
        self, memory: System, bound: Bound, scope: Scope, *, budget: int, bytes: int | None, repair: float
    ) -> None:
        self._memory = memory
        self._bound = bound
        self._scope = scope
        self._budget = budget
        self._bytes = bytes
        self._repair = repair
        self._prompter = Prompter(bound.tokenizer)
        self._stack: ExitStack | None = None
        self._chooser: Chooser | None = None
        self._cache: Assembled | None = None
        self._cached: tuple[str, ...] = ()
        self._readers: dict[str, KVMemory] = {}
        self._seen = Seen()

    def __enter__(self) -> Self:
        """Take the model.

        Raises:
            InvalidInput: a session of this thread has it already, or an adapter of somebody else's is on it.
        """
        with ExitStack() as stack:
            stack.enter_context(self._bound.lock.taken())
            stack.enter_context(self._bound.weights.active(None))
            stack.enter_context(quiet(self._bound.model))
            own = self._bound.fingerprint.digest
            mark = opening_mark(self._prompter.opening)
            self._chooser = Chooser(self._memory, self._scope, own, self._prompter, mark)
            self._stack = stack.pop_all()
        self._bound.count_session(self._scope.namespace)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the model back as it was, and let go of what was held in memory."""
        stack, self._stack, self._chooser = self._stack, None, None
        self._cache, self._cached = None, ()
        self._readers.clear()
        if stack is not None:
            stack.close()

    @property
    def seen(self) -> Seen:
        """What the last question was answered with."""
        return self._seen

    def generate(self, question: str, **settings: Any) -> str:
        """Answer a question.

        What is deleted or changed while the answer is made is not in it: then it is made again.

        Args:
            question: in words; it is put into the tokenizer's chat template where it has one.
            settings: as for `model.generate`, such as `max_new_tokens` and `do_sample`.

        Raises:
            InvalidInput: the session is not open, or the question is blank.
        """
        chosen, inputs = self._read(question, self._longest(settings))
        while True:
            answer = self._answer(inputs, settings)
            if self._open.is_still(chosen):
                return answer
            chosen, inputs = self._read(question, self._longest(settings))

    def inputs(self, question: str, *, answer: int = ANSWER) -> dict[str, Any]:
        """What to give to `model.generate(**inputs)` within the block, the cache included where there is one.

        Args:
            question: in words.
            answer: tokens to leave room for.

        Raises:
            InvalidInput: the session is not open, or the question is blank.
        """
        return self._read(question, answer)[1]

    @property
    def _open(self) -> Chooser:
        if self._chooser is None:
            raise InvalidInput("session", "is not open", "use it within `with memory.attach(…) as session:`")
        return self._chooser

    def _longest(self, settings: dict[str, Any]) -> int:
        """Tokens that the answer may have; written into the settings where nothing else says it."""
        config = settings.get("generation_config") or self._bound.model.generation_config
        if "max_length" not in settings and getattr(config, "max_new_tokens", None) is None:
            settings.setdefault("max_new_tokens", ANSWER)
        longest = settings.get("max_new_tokens") or getattr(config, "max_new_tokens", None)
        return longest if isinstance(longest, int) else ANSWER

    def _answer(self, inputs: dict[str, Any], settings: dict[str, Any]) -> str:
        tokenizer = self._bound.tokenizer
        if self._bound.model.generation_config.pad_token_id is None and tokenizer.eos_token_id is not None:
            settings.setdefault("pad_token_id", tokenizer.eos_token_id)
        model: Any = self._bound.model
        made = model.generate(**inputs, **settings)
        ids: Tensor = made if isinstance(made, Tensor) else made.sequences
        return str(tokenizer.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)).strip()

    def _read(self, question: str, answer: int) -> tuple[Chosen, dict[str, Any]]:
        """What is seen for a question, ready to be generated from, with the adapter on."""
        if not isinstance(question, str) or not question.strip():
            raise InvalidInput("question", "is not a question in words", "ask something")
        room = self._room(question, answer)
        for left in reversed(range(TRIES)):
            chosen = self._open.choose(question, room)
            try:
                cache = self._joined(question, chosen)
                self._switch(chosen)
            except (NotFound, InvalidInput):
                if not left:
                    raise
                continue
            break
        self._note(chosen, cache)
        return chosen, self._inputs(question, chosen, cache)

    def _switch(self, chosen: Chosen) -> None:
        if chosen.adapter is None:
            self._bound.weights.switch(None)
        else:
            self._bound.put_on(chosen.adapter)

    def _joined(self, question: str, chosen: Chosen) -> Assembled | None:
        """The blocks as one cache, read without the adapter; the one of the last question where it is the same."""
        if not chosen.blocks:
            self._cache, self._cached = None, ()
            return None
        artifacts = tuple(sorted(one.artifact.id for one in chosen.blocks))
        if self._cache is not None and self._cache.stands_before and artifacts == self._cached:
            self._cache.rewind()
            return self._cache
        self._cache, self._cached = None, ()
        self._bound.weights.switch(None)
        reader = self._reader(chosen.blocks[0].artifact.recipe)
        memories = [one.memory for one in chosen.blocks]
        following = len(self._prompter.prompt(question, chosen.lines, after_blocks=True))
        self._cache = reader.assemble(memories, repair=self._repair, following=following, encode=False, count=False)
        self._cached = artifacts
        return self._cache

    def _reader(self, recipe: str) -> KVMemory:
        """Who reads blocks of a type."""
        storage: Any = recipe.removeprefix(BLOCK)
        if storage == self._bound.storage:
            return self._bound.kv
        if storage not in self._readers:
            model, tokenizer = self._bound.model, self._bound.tokenizer
            self._readers[storage] = KVMemory(self._memory, model, tokenizer, storage=storage, quota=self._bound.quota)
        return self._readers[storage]

    def _room(self, question: str, answer: int) -> Room:
        longest = getattr(self._bound.model.config.get_text_config(), "max_position_embeddings", None)
        window = None
        if isinstance(longest, int):
            window = max(0, longest - answer - len(self._prompter.prompt(question, after_blocks=True)))
        cache = None
        if self._bytes is not None:
            has_blocks = bool(self._bytes and self._open.blocks())
            cache = self._bytes // self._bound.kv.token_bytes if has_blocks else 0
        return Room(self._budget, cache, window)

    def _inputs(self, question: str, chosen: Chosen, cache: Assembled | None) -> dict[str, Any]:
        ids = self._prompter.prompt(question, chosen.lines, after_blocks=cache is not None)
        if cache is not None:
            return {**cache.following([ids], self._bound.model.device), "past_key_values": cache}
        read = torch.tensor([ids], device=self._bound.model.device)
        return {"input_ids": read, "attention_mask": torch.ones_like(read)}

    def _note(self, chosen: Chosen, cache: Assembled | None) -> None:
        """Remember what is seen, and count its uses: of what is read as text as `context` does, of blocks beside it."""
        self._memory._count_uses([one.id for one in chosen.text])
        self._bound.count_question(self._scope.namespace)
        self._memory.artifacts.used(chosen.used)
        tokens = sum(map(len, chosen.lines))
        self._seen = Seen(
            text=tuple(one.id for one in chosen.text),
            activation=() if cache is None else cache.memory_ids,
            parametric=() if chosen.adapter is None else chosen.adapter.sources,
            adapter=None if chosen.adapter is None else chosen.adapter.id,
            tokens=tokens + self._prompter.frame(after_blocks=cache is not None) if tokens else 0,
            bytes=0 if cache is None else cache.bytes,
            cost=0.0 if cache is None else cache.cost,
        )
