"""`MemoryLM`: a small causal language model, every layer of which has the memory that its configuration names.

It is a `transformers` model: `save_pretrained`, `from_pretrained` and `generate` are theirs. What it has read is a
`MemoryLMCache`, passed on under their name `past_key_values`, of constant size where no layer's state grows.

What other parts of Mnemos do with it, and what not: text goes in as everywhere. Adapters (`mnemos.parametric`) are
trained on its linear maps. Blocks of keys and values (`mnemos.activation`) do not apply: they are joined and rotated as
attention's, and a state of a memory cannot be joined with another; it is kept whole, by `state.keep`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModelForCausalLM, GenerationMixin, PreTrainedModel
from transformers.utils.generic import ModelOutput

from mnemos.errors import InvalidInput
from mnemos.neural.block import Block, BlockState
from mnemos.neural.config import MemoryLMConfig
from mnemos.neural.mixture import balance
from mnemos.neural.recurrence import MatrixRecurrence, VectorRecurrence
from mnemos.neural.tree import mapped

IGNORED = -100
"""The label of tokens that do not count."""


class MemoryLMCache:
    """What a model has read. `forward` returns a new one, so that whoever keeps this one goes on from it again."""

    is_compileable = False

    def __init__(self, states: Sequence[BlockState], seen: int) -> None:
        self.states = tuple(states)
        """One for each layer."""
        self.seen = seen
        """Tokens that were read, padding included."""

    def get_seq_length(self, layer: int = 0) -> int:
        """Tokens that were read."""
        return self.seen

    def reorder_cache(self, rows: Tensor) -> None:
        """Take these sequences of the batch, for beam search."""
        self.states = mapped(lambda one: one.index_select(0, rows.to(one.device)), self.states)


@dataclass
class MemoryLMOutput(ModelOutput):
    """What a model says."""

    loss: Tensor | None = None
    """Mean cross-entropy in nats, and what mixtures add to it in training; None without labels."""
    logits: Tensor | None = None
    """[batch, tokens or those that are kept, vocabulary]."""
    past_key_values: MemoryLMCache | None = None
    """What was read until now."""


class MemoryLM(PreTrainedModel, GenerationMixin):  # type: ignore[no-untyped-call]
    """Embeddings, blocks, a norm and a linear map to logits; there are no positions but what the mixers tell.

    `generate` reads the prompt in parallel and goes on step by step. Both are one function, but for memories that are
    trained at test time by chunks (titans, moneta, yaad, memora, omega-net, atlas, hope): their parallel form freezes
    gradients at the start of each chunk, `step` takes each where it stands. Their choice `chunk: 1` makes both one.
    Batches are padded on either side; memories that are written once a segment count padding as tokens.
    """

    config_class = MemoryLMConfig
    base_model_prefix = "model"
    _is_stateful = True
    _tied_weights_keys = {"say.weight": "read.weight"}  # noqa: RUF012 (named and typed by transformers)
    config: MemoryLMConfig

    def __init__(self, config: MemoryLMConfig) -> None:
        super().__init__(config)
        width, words = config.hidden_size, config.vocab_size
        self.read = nn.Embedding(words, width)
        nn.init.normal_(self.read.weight, std=config.initializer_range)
        blocks: list[Block] = []
        for number, layer in enumerate(config.layers):
            blocks.append(Block(layer, number, width, words, blocks))
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.RMSNorm(width, eps=1e-6)
        self.say = nn.Linear(width, words, bias=False)
        self.post_init()  # type: ignore[no-untyped-call]

    def start(self, batch: int) -> tuple[BlockState, ...]:
        """Fresh states of all layers."""
        return tuple(block.start(batch) for block in self._each())

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        past_key_values: MemoryLMCache | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        return_dict: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs: Any,
    ) -> MemoryLMOutput | tuple[Any, ...]:
        """Read tokens, and say what comes next after each.

        Args:
            input_ids: [batch, tokens], below `vocab_size`.
            attention_mask: [batch, tokens], or with those read before; 0 for padding. None: all are read.
            past_key_values: what was read before; it is left as it is. None: nothing.
            labels: [batch, tokens], compared with what is said of them before they are read; −100 does not count.
            use_cache: whether to return what was read; None: yes.
            return_dict: False for a tuple of what is not None.
            logits_to_keep: of the last so many tokens, or of those at these places [kept], logits are made; 0: of all.
            kwargs: what `transformers` passes on to every model; it is not used.

        Raises:
            InvalidInput: what was read before is no `MemoryLMCache`, or labels are given and not all logits are made.
        """
        if labels is not None and not (isinstance(logits_to_keep, int) and logits_to_keep == 0):
            raise InvalidInput("logits_to_keep", "leaves out what labels are compared with", "give one of the two")
        _check_cache(past_key_values)
        tokens = input_ids.shape[1]
        write = None if attention_mask is None else attention_mask[:, -tokens:].to(self.read.weight.dtype)
        states = self.start(input_ids.shape[0]) if past_key_values is None else past_key_values.states
        x = self.read(input_ids) if write is None else self.read(input_ids) * write.unsqueeze(-1)
        after: list[BlockState] = []
        said: dict[int, Tensor] = {}
        for number, (block, state) in enumerate(zip(self._each(), states, strict=True)):
            x, now = block(x, input_ids, state, said, number, write)
            after.append(now)
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.say(self.norm(x[:, kept]))
        seen = tokens + (0 if past_key_values is None else past_key_values.seen)
        found = MemoryLMOutput(
            loss=None if labels is None else self._loss(logits, labels),
            logits=logits,
            past_key_values=None if use_cache is False else MemoryLMCache(after, seen),
        )
        return found.to_tuple() if return_dict is False else found

    def prepare_inputs_for_generation(  # type: ignore[override]
        self,
        input_ids: Tensor,
        past_key_values: MemoryLMCache | None = None,
        attention_mask: Tensor | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """For `generate`: what was not read yet."""
        _check_cache(past_key_values)
        if past_key_values is not None:
            input_ids = input_ids[:, past_key_values.seen :]
        use_cache = kwargs.get("use_cache", True)
        return {
            "input_ids": input_ids,
            "past_key_values": past_key_values,
            "attention_mask": attention_mask,
            "use_cache": use_cache,
            "logits_to_keep": 1,
        }

    def get_input_embeddings(self) -> nn.Module:
        """The vectors with which tokens are read."""
        return self.read

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Read tokens with others."""
        self.read = value  # type: ignore[assignment]

    def get_output_embeddings(self) -> nn.Module:
        """The vectors with which tokens are said."""
        return self.say

    def set_output_embeddings(self, new_embeddings: nn.Module) -> None:
        """Say tokens with others."""
        self.say = new_embeddings  # type: ignore[assignment]

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        loss = cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED)
        return loss + self.config.balance * balance(self) if self.training else loss

    def _init_weights(self, module: nn.Module) -> None:
        """Every layer begins as its own module says; only what files leave out is made again, fresh states' zeros."""
        if isinstance(module, MatrixRecurrence | VectorRecurrence):
            module.empty.zero_()

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False

    def _each(self) -> list[Block]:
        return [block for block in self.blocks if isinstance(block, Block)]


def _check_cache(cache: object) -> None:
    """Refuse what another kind of model has read."""
    if cache is not None and not isinstance(cache, MemoryLMCache):
        kind = type(cache).__name__
        raise InvalidInput("past_key_values", f"is a {kind}", "give what this model returned, or nothing")


AutoConfig.register(MemoryLMConfig.model_type, MemoryLMConfig, exist_ok=True)
AutoModelForCausalLM.register(MemoryLMConfig, MemoryLM, exist_ok=True)
