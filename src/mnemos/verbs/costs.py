"""What the language model has cost."""

from __future__ import annotations

from mnemos.aio import in_thread
from mnemos.errors import InvalidInput
from mnemos.keeping import Keeper
from mnemos.llm.budget import Budget
from mnemos.llm.paying import Account, Costs, costs
from mnemos.llm.question import Ask


class CostVerbs(Keeper):
    """What `Mnemos` says about what was spent."""

    def costs(self, *, days: float | None = None) -> Costs:
        """What the calls of language models have cost this store, in all or in the last `days`."""
        if days is not None and (isinstance(days, bool) or not isinstance(days, int | float) or not days > 0):
            raise InvalidInput("days", f"{str(days)[:40]!r} is not a number of days", "give days above 0")
        return costs(self._store.db, Budget(days=days).since(self._now()))

    def asking(self, job: str) -> Ask | None:
        """How to ask the configured language model on this store's account; None where none is configured.

        The budget is looked at before each call, and `costs` lists what was spent under the name of the job.
        """
        return None if self._llm is None else Account(self._store.db, self._llm, job, self._now()).ask

    acosts = in_thread(costs)
