"""What a prompt says already is not quoted in it again."""

from __future__ import annotations

from collections.abc import Collection

from mnemos.store.candidates import Candidate


def unsaid(hits: list[Candidate], texts: Collection[str], least: float) -> list[Candidate]:
    """The hits without those that say one of the texts, and without what was derived from those alone.

    None of them where something went and the best of the rest scores below `least`: only the prompt itself knew.
    """
    gone = {hit.id for hit in hits if hit.text in texts}
    if not gone:
        return hits
    left = [hit for hit in hits if hit.id not in gone and not (hit.sources and gone.issuperset(hit.sources))]
    return left if any(hit.score >= least for hit in left) else []
