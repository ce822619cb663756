"""How much a model relies on its context and how much on its weights, where the two disagree.

    with Reliance(model, tokenizer(questions, padding=True, return_tensors="pt"), alpha=0.2) as reliance:
        model.generate(**prompts_with_context, logits_processor=[reliance])

CK-PLUG, after Bi et al. 2025, "Parameters vs. Context: Fine-Grained Control of Knowledge Reliance in Language Models".
At each token two distributions are at hand: p, after context, question and what was said, and p₀, after the question
and what was said alone. Confidence gain is how much surer the context makes the model, CG = H(p₀) − H(p), in bits.
Where it falls below ε·H(p₀) (ε = 0, or negative: −1 to −3 for 7B models) context and weights disagree, and only there
the next token is drawn from softmax(α·log p₀ + (1 − α)·log (p / p₀)) over the k best of log p₀ and the k best of
log (p / p₀); elsewhere from p, untouched. α goes from 0 (context) to 1 (weights); without one it is
H(p) / (H(p₀) + H(p)).

The paper does not say what k is, and writes its k best as those above the k-th; here they are k. Its second k best are
of log (p / p₀) over the whole vocabulary, where a token counts much that both hold impossible, if only p less so. Its
ε is printed as one of H(p), but H(p₀) − H(p) < −H(p) never holds, and so could none of its own settings: here it is
one of H(p₀), by which −2 says that the context has made the model's entropy more than three times what it was.

Ours: `head="plausible"` takes the k best of p in their place, which keeps those out; tokens that other
processors have forbidden count in neither distribution; and the second reading goes on with a cache of its own, through
beams, several answers to a prompt, and candidates that are taken back.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from types import TracebackType
from typing import Any, Literal, Self, get_args

import torch
from torch import Tensor
from transformers import LogitsProcessor, PreTrainedModel

from mnemos.activation.steering.second import SecondReading
from mnemos.activation.steering.stack import read_number, stack_of
from mnemos.errors import InvalidInput

Head = Literal["published", "plausible"]
HEADS: tuple[Head, ...] = get_args(Head)


def confidence_gain(with_context: Tensor, without: Tensor) -> Tensor:
    """How much surer the context makes a model, in bits; below 0 where it disagrees with the weights.

    Args:
        with_context: scores of the next token, [rows, vocabulary], logits or log-probabilities.
        without: the same without the context.

    Returns:
        [rows], float32.
    """
    log_p, log_p0 = _logs(with_context, without)
    return _entropy(log_p0) - _entropy(log_p)


def modulated(
    with_context: Tensor,
    without: Tensor,
    alpha: float | None = None,
    *,
    top: int = 10,
    threshold: float = 0.0,
    head: Head = "published",
) -> Tensor:
    """Scores of the next token, changed in the rows where context and weights disagree.

    Args:
        with_context: scores after context and question, [rows, vocabulary]. What is −∞ stays so, and counts nowhere.
        without: scores after the question alone.
        alpha: reliance on the weights, 0 to 1; None: by how sure each is.
        top: how many tokens of either kind may be drawn (k).
        threshold: ε, in H(p₀): how far confidence has to fall.
        head: which tokens may be drawn.

    Returns:
        [rows, vocabulary]: log-probabilities where they disagree, and the very scores that were given elsewhere.
    """
    log_p, log_p0 = _logs(with_context, without)
    entropy, entropy0 = _entropy(log_p), _entropy(log_p0)
    clash = entropy0 - entropy < threshold * entropy0
    weight = entropy / (entropy0 + entropy).clamp_min(1e-12) if alpha is None else torch.full_like(entropy, alpha)
    log_ratio = log_p - log_p0
    mixed = weight[:, None] * log_p0 + (1 - weight[:, None]) * log_ratio
    out = ~(_best(log_p0, top) | _best(log_ratio if head == "published" else log_p, top))
    mixed = torch.log_softmax(mixed.masked_fill(out | log_p.isneginf(), -torch.inf), -1)
    return torch.where(clash[:, None], mixed.to(with_context.dtype), with_context)


class Reliance(LogitsProcessor):
    """Brings CK-PLUG into `generate`, as one of its `logits_processor`, within a block.

    Args:
        model: the model that generates; it is read a second time for each token, and left as it is.
        questions: what stands in the prompts without the context, as `input_ids` and `attention_mask`, padded on
            either side; a row for each prompt, in their order.
        alpha: reliance on the weights, 0 to 1; None: by how sure the model is with the context and without.
        top: how many tokens of either kind may be drawn where they disagree.
        threshold: ε, 0 or negative: how far confidence has to fall, in entropies without the context.
        head: `published` or `plausible`.

    Raises:
        InvalidInput: an argument cannot be accepted.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        questions: Mapping[str, Tensor],
        *,
        alpha: float | None = None,
        top: int = 10,
        threshold: float = 0.0,
        head: Head = "published",
    ) -> None:
        if alpha is not None and (isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0 <= alpha <= 1):
            raise InvalidInput("alpha", f"{str(alpha)[:40]!r} is no share", "give a number from 0 to 1, or None")
        if isinstance(top, bool) or not isinstance(top, int) or top < 1:
            raise InvalidInput("top", f"{str(top)[:40]!r} is no number of tokens", "give 1 or more")
        threshold = read_number("threshold", threshold, "give 0 or less")
        if head not in HEADS:
            raise InvalidInput("head", f"{str(head)[:20]!r} is unknown", f"use {' or '.join(HEADS)}")
        self._second = SecondReading(stack_of(model), questions)
        self._alpha, self._top, self._threshold, self._head = alpha, top, threshold, head
        self._prompt: Tensor | None = None
        self._is_on = False
        self.gains: list[Tensor] = []
        """The confidence gain of each token of each row that was decided within the block, [rows], in bits."""

    def __enter__(self) -> Self:
        self._is_on, self._prompt, self.gains = True, None, []
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_on, self._prompt = False, None
        self._second.forget()

    def __call__(self, input_ids: Any, scores: Tensor) -> Tensor:
        """The scores to go on with, [rows, vocabulary].

        Raises:
            InvalidInput: it is used outside its block, or the batch is no multiple of the questions.
        """
        if not self._is_on:
            raise InvalidInput("logits_processor", "is used outside its block", "generate within `with Reliance(…)`")
        if self._prompt is None or not _begins(input_ids, self._prompt):
            self._prompt = input_ids.clone()
            self._second.forget()
        without = self._second.scores(input_ids[:, self._prompt.shape[1] :]).to(scores.device)
        self.gains.append(confidence_gain(scores, without).cpu())
        return modulated(scores, without, self._alpha, top=self._top, threshold=self._threshold, head=self._head)


def _begins(ids: Tensor, prompt: Tensor) -> bool:
    return ids.shape[0] == prompt.shape[0] and torch.equal(ids[:, : prompt.shape[1]], prompt)


def _logs(with_context: Tensor, without: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probabilities over the tokens that may come: what is forbidden in the one is so in the other."""
    both = with_context.float(), without.float().masked_fill(with_context.isneginf(), -torch.inf)
    return torch.log_softmax(both[0], -1), torch.log_softmax(both[1], -1)


def _entropy(log_p: Tensor) -> Tensor:
    """In bits, [rows]."""
    found: Tensor = torch.special.entr(log_p.exp()).sum(-1) / log(2)
    return found


def _best(scores: Tensor, top: int) -> Tensor:
    """Which tokens are among the best of their row, as many as are wanted, [rows, vocabulary], bool."""
    found = scores.nan_to_num(nan=-torch.inf, neginf=-torch.inf).topk(min(top, scores.shape[-1]), -1).indices
    return torch.zeros_like(scores, dtype=torch.bool).scatter(-1, found, True)
