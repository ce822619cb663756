"""Draws docs/forget.svg: what forgetting does to a day of the sample history. python tools/draw_forgetting.py"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from html import escape
from pathlib import Path

from mnemos import Memory, Mnemos
from mnemos.sample import ASKED_AT, history_file

TARGET = Path(__file__).resolve().parent.parent / "docs" / "forget.svg"
OPENING = "so, not a cat. greyhound."
"""How the session begins that is shown."""
SHARES = (0.5, 0.25, 0.12)
WORDS = 78
WIDTH, ROW, TOP = 940, 30, 84
TEXT, BAR, STAY = 90, 640, 790
STYLE = """text{font:13px system-ui,sans-serif;fill:#343a40}.title{font-size:15px;font-weight:600}.small{font-size:12px}
.gone{fill-opacity:.45}.bar{fill:#1971c2}.stays{fill:#2f9e44}.leaves{fill:none;stroke:#adb5bd}.rule{stroke:#adb5bd;stroke-opacity:.5}
@media(prefers-color-scheme:dark){text{fill:#dee2e6}}"""


def main() -> None:
    """Import the sample, forget in it, and draw one session."""
    kept: dict[float, set[str]] = {}
    with tempfile.TemporaryDirectory() as folder, Mnemos(Path(folder, "sample.db")) as memory:
        memory.import_file(history_file(), user_id="maeve")
        memory.maintain()
        turns = memory.list(user_id="maeve", kinds=["turn"], limit=10_000)
        for share in SHARES:
            memory.forget(share=share, user_id="maeve", now=ASKED_AT)
            left = memory.list(user_id="maeve", kinds=["turn"], limit=10_000)
            kept[share] = {one.id for one in left if one.resting is None}
    session = next(one.session_id for one in turns if one.text.startswith(OPENING))
    TARGET.write_text(draw([one for one in turns if one.session_id == session], kept), encoding="utf-8")


def draw(turns: Sequence[Memory], kept: dict[float, set[str]]) -> str:
    """One line a turn: who, what, how salient, and at which shares it stays in the index."""
    title = "A greyhound arrives: what stays in the index as less of a year is kept"
    height = TOP + ROW * len(turns) + 14
    parts = [_text(16, 26, title, "title"), _text(BAR, 58, "salience", "small")]
    parts += [_text(STAY + 48 * n, 58, f"{share:.0%}", "small") for n, share in enumerate(kept)]
    for place, turn in enumerate(turns):
        y = TOP + ROW * place
        shade = "" if any(turn.id in left for left in kept.values()) else "gone"
        who = "Maeve" if turn.role == "user" else "assistant"
        parts += [
            f'<line class="rule" x1="16" x2="{WIDTH - 16}" y1="{y - 20}" y2="{y - 20}"/>',
            _text(16, y, who, f"small {shade}"),
            _text(TEXT, y, _short(turn.text), shade),
            f'<rect class="bar" x="{BAR}" y="{y - 10}" width="{100 * (turn.salience or 0):.1f}" height="10" rx="2"/>',
            _text(BAR + 106, y, f"{turn.salience or 0:.2f}", "small"),
        ]
        for n, left in enumerate(kept.values()):
            name = "stays" if turn.id in left else "leaves"
            parts.append(f'<circle class="{name}" cx="{STAY + 48 * n + 14}" cy="{y - 5}" r="6"/>')
    body = "\n".join(parts)
    box = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" aria-label="{escape(title)}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box}>\n<style>{STYLE}</style>\n{body}\n</svg>\n'


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= WORDS else line[: WORDS - 1].rsplit(" ", 1)[0] + " …"


def _text(x: float, y: float, text: str, name: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" class="{name.strip()}">{escape(text)}</text>'


if __name__ == "__main__":
    main()
