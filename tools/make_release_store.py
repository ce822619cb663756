"""Write the store file of this release that the migration test keeps: `python tools/make_release_store.py`.

Run once for each release, before its schema changes again; the files of earlier releases are never written anew. Beside
the file stands a JSON of what every later release must still find in it.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mnemos import Mnemos, __version__, writing_as
from mnemos.records import KINDS

FOLDER = Path(__file__).parent.parent / "tests" / "data" / "stores"
TURNS: list[dict[str, Any]] = [
    {"role": "user", "name": "Ana", "content": "My sister Rita is vegan, so no cheese on Friday."},
    {"role": "assistant", "content": "Noted: a vegan dinner for Rita on Friday."},
    {
        "role": "user",
        "name": "Ana",
        "content": "We moved from Porto to Lisbon in May.",
        "metadata": {"turn": 7, "tags": ["a"]},
    },
    {"role": "user", "name": "Ana", "content": "next"},
    {"role": "user", "name": "Ana", "content": "next"},
    {"role": "user", "name": "Bram", "content": "我昨天去了北京，吃了烤鸭。"},
    {"role": "user", "name": "Ana", "content": "A long letter. " + "The garden needs water twice a week. " * 120},
]
QUESTIONS = {
    "What can Rita eat?": "My sister Rita is vegan, so no cheese on Friday.",
    "Where does the tram stop?": "The tram stops at the market since July.",
    "北京": "我昨天去了北京，吃了烤鸭。",
}
EMBEDDER = ("by-hand", 2)
"""The name and the width of vectors of items that another embedder made."""


def fill(memory: Mnemos, begin: datetime) -> None:
    """Something of everything that a store can hold."""
    dated = [{**turn, "happened_at": begin + timedelta(minutes=n)} for n, turn in enumerate(TURNS)]
    turns = memory.add(dated, user_id="ana", session_id="s1", agent_id="helper")
    (tram,) = memory.add("The tram stops at the station.", user_id="ana", kind="note")
    memory.update(tram.id, text="The tram stops at the market since July.", metadata={"seen": True})
    (gone,) = memory.add("These words were deleted.", user_id="ana")
    memory.delete(gone.id)
    fact = memory.derive("Rita is vegan.", sources=[turns[0].id, turns[1].id], recipe="sample", topic="rita")
    memory.link(turns[0].id, turns[1].id, "answered by", weight=0.5)
    memory.link(fact.id, turns[0].id, "from")
    memory.put("settings", {"language": "pt", "units": ["metric"]}, namespace=("org", "team"))
    with writing_as("mail", "newsletter", trust=0.3):
        memory.add("Rita lives in Faro.", user_id="ana", happened_at=begin + timedelta(days=1))
        memory.put_many([{"key": key, "value": {"title": key}} for key in ("one", "two")], namespace=("org", "team"))
    vectors = memory.item_vectors(*EMBEDDER)
    vectors.keep((item, [bytes(8)] * len(item.texts)) for item in vectors.missing((), 10))
    memory.add("The team meets on Mondays.", namespace=("org", "team"), kind="document")
    memory.add("I live in Braga now.", user_id="ana", name="Ana", happened_at=begin + timedelta(days=40))
    memory.add("Thanks!", user_id="ana", name="Ana", happened_at=begin + timedelta(days=40, minutes=1))
    memory.maintain()
    memory.promote([turns[0].id, turns[2].id], to="parametric")
    memory._store.record_uses({turns[0].id: 2}, 1_770_000_000_000_000)


def held(memory: Mnemos) -> dict[str, Any]:
    """What a later release must still find."""
    return {
        "memories": [
            {
                "namespace": list(namespace), "id": m.id, "kind": m.kind, "text": m.text, "speaker": m.speaker,
                "happened_at": m.happened_at and m.happened_at.isoformat(), "version": m.version, "uses": m.uses,
                "metadata": dict(m.metadata), "value": m.value, "sources": list(m.sources),
                "trust": m.trust, "channel": m.channel, "writer": m.writer,
                "history": [change.text for change in memory.history(m.id)],
                "links": [[link.source, link.target, link.relation, link.weight] for link in memory.links(m.id)],
            }
            for namespace in memory.namespaces()
            for m in memory.list(namespace=namespace, kinds=KINDS)
        ],
        "questions": QUESTIONS,
        "wanted": sorted(one.memory for one in memory.artifacts.wanted(form="parametric")),
        "item_vectors": len(memory.item_vectors(*EMBEDDER).all(())),
    }  # fmt: skip


def main() -> None:
    """Write `<version>.db` and `<version>.json`."""
    path = FOLDER / f"{__version__}.db"
    if path.exists() and "--again" not in sys.argv:
        sys.exit(f"{path} exists; a store that has been released stays as it is (--again before the release)")
    FOLDER.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    begin = datetime(2026, 3, 2, 18, 40, tzinfo=UTC)
    with Mnemos(path, clock=lambda: begin + timedelta(days=1)) as memory:
        fill(memory, begin)
        path.with_suffix(".json").write_text(json.dumps(held(memory), ensure_ascii=False, indent=1) + "\n")
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
