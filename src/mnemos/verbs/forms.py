"""The verbs of forms: what a model reads as text, as keys and values or as weights, and one way to read it all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from mnemos.aio import in_thread
from mnemos.errors import InvalidInput
from mnemos.keeping import Keeper

if TYPE_CHECKING:
    from mnemos.forms.bound import Bound
    from mnemos.forms.session import Session

EXTRA = ("torch", "transformers", "peft", "safetensors")
"""What forms need beside the core."""


class FormVerbs(Keeper):
    """What `Mnemos` does about forms. Only what a model is given for needs torch."""

    _bound: Bound | None = None

    def bind(
        self,
        model: Any,
        tokenizer: Any = None,
        *,
        storage: Literal["full", "int8", "int4"] = "full",
        quota: int | None = None,
    ) -> None:
        """Name the model that `maintain()` makes forms for in this process; None lets go of it.

        Args:
            model: a causal model of `transformers`; it is left as it is.
            tokenizer: the model's own.
            storage: in which type keys and values are stored: as the model made them, or smaller, with an error.
            quota: bytes that stored keys and values may take; what saves least for its bytes goes first.

        Raises:
            InvalidInput: an argument cannot be accepted, or `mnemos[torch]` is not installed.
        """
        self._bound = None if model is None else self._bound_to(model, tokenizer, storage=storage, quota=quota)

    def attach(
        self,
        model: Any,
        tokenizer: Any,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        namespace: Sequence[str] | None = None,
        budget: int = 1000,
        bytes: int | None = None,
        repair: float = 0.15,
    ) -> Session:
        """Let a model see a namespace's memories, each in the form that it has, for the length of a `with` block.

            with memory.attach(model, tokenizer, user_id="ana") as session:
                print(session.generate("What can Rita eat?", max_new_tokens=40))

        The namespace's adapter is on the model, fresh blocks stand before the question as keys and values, and what
        else search finds for the question is read as text; nothing is read in two forms. When the block is left, also
        by an exception, the model is what it was, bit for bit.

        Args:
            model: a causal model of `transformers`.
            tokenizer: the model's own.
            budget: tokens of memories that are read as text, at most.
            bytes: of the cache of keys and values, at most; None: as many as there are.
            repair: the share of joined blocks that is read again, 0 to 1; see `KVMemory.assemble`.

        Raises:
            InvalidInput: an argument cannot be accepted, or `mnemos[torch]` is not installed.
        """
        bound = self._bound
        if bound is None or not bound.is_for(model, tokenizer):
            bound = self._bound_to(model, tokenizer)
        from mnemos.forms.attach import attach

        where = {"user_id": user_id, "agent_id": agent_id, "namespace": namespace}
        return attach(self, bound, where, budget=budget, bytes=bytes, repair=repair)

    def _bound_to(self, model: Any, tokenizer: Any, **how: Any) -> Bound:
        try:
            from mnemos.forms.bound import Bound
        except ModuleNotFoundError as error:
            if error.name not in EXTRA:
                raise
            problem = f"needs {error.name}, which is not installed"
            raise InvalidInput("model", problem, "install it with: pip install 'mnemos[torch]'") from error
        return Bound(self, model, tokenizer, **how)  # type: ignore[arg-type]  # what is missing here, Mnemos has

    abind = in_thread(bind)
    aattach = in_thread(attach)
