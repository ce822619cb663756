"""What a model answers from what a cache keeps, and what that takes."""

from __future__ import annotations

import statistics

import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from mnemos.activation.cache import MemoryCache
from mnemos.activation.cache.held import Storing
from mnemos.activation.cache.policy import Policy
from mnemos.bench.caches.contenders import Contender
from mnemos.bench.caches.texts import Texts
from mnemos.bench.kv_report import Score


@torch.no_grad()
def answers(
    model: LlamaForCausalLM,
    task: str,
    texts: Texts,
    contender: Contender,
    share: float,
    storing: tuple[str, Storing] | None = None,
    policy: Policy | None = None,
) -> Score:
    """Read every prompt at once, then ask token by token.

    No answer comes from the reading of the prompt itself, when all of it is still there.

    Args:
        model: that has learned the tasks.
        task: what the texts are of.
        texts: prompts of one length, and questions.
        contender: what decides on what is kept.
        share: of the tokens seen so far that may be kept, 0 to 1.
        storing: how keys and values are kept, and what that is called; None: exactly.
        policy: the contender's for these texts, where it was made before.
    """
    spread = contender.spread() if contender.spread else None
    how = storing[1] if storing else None
    cache = MemoryCache(model, policy or contender.made_for(texts, model), share, spread=spread, quantise=how)
    model(input_ids=texts.prompt, past_key_values=cache, logits_to_keep=1)
    held = [cache.bytes]
    said = []
    for at in range(texts.questions[-1] + 1):
        logits: Tensor = model(input_ids=texts.asked[:, at : at + 1], past_key_values=cache).logits[:, -1]
        held.append(cache.bytes)
        if at in texts.questions:
            said.append(logits.argmax(-1))
    by_text = (torch.stack(said, 1) == texts.answers).double().mean(1)
    number = len(by_text)
    return Score(
        task,
        contender.name,
        share,
        storing[0] if storing else "",
        round(float(by_text.mean()), 5),
        round(float(by_text.std(correction=0)) / number**0.5, 5),
        round(statistics.mean(held) / number),
        round(max(held) / number),
    )
