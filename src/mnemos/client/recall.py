"""Questions to a server: search, and a context for a prompt."""

from __future__ import annotations

from collections.abc import Collection
from typing import Unpack

from mnemos.arguments import Where
from mnemos.client.calls import Call, given, read
from mnemos.client.decoding import listed, named, record
from mnemos.client.verbs import Verb
from mnemos.records import Context, Hit, Page


class RecallVerbs:
    """What a client asks."""

    @Verb
    def search(self, query: str, *, limit: int = 10, offset: int = 0, **where: Unpack[Where]) -> Call[Page[Hit]]:
        """The memories that answer a question, best first; takes and returns what `Mnemos.search` does."""

        def page(data: object) -> Page[Hit]:
            return Page(listed(Hit, "hits")(data), total=named(data, "total"), offset=offset)

        return read("POST", "/v1/search", page, body=given(query=query, limit=limit, offset=offset, **where))

    @Verb
    def context(
        self, query: str, *, budget: int = 1000, beside: Collection[str] = (), **where: Unpack[Where]
    ) -> Call[Context]:
        """A block for a prompt, of at most `budget` tokens: dated, cited, in reading order.

        Empty, and false, where nothing is known about the question. Counts as a use of the memories that it shows.
        `beside` are texts that the prompt holds already; memories that say just those are left out.
        """
        body = given(query=query, budget=budget, beside=beside or None, **where)
        return read("POST", "/v1/context", record(Context), body=body)
