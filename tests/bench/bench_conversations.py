"""A small conversation of our own in the benchmark's format."""

import gzip
import json
from pathlib import Path
from typing import Any

SAID = [
    ("1", "2024-05-01T09:00:00", "Ana", "I adopted a grey cat and called her Pixel."),
    ("1", "2024-05-01T09:00:00", "Ben", "Lovely! Mine would chase her all day."),
    ("1", "2024-05-01T09:00:00", "Ana", "She sleeps on the printer."),
    ("2", "2024-06-11T18:30:00", "Ben", "I started to learn the cello with a teacher in Porto."),
    ("2", "2024-06-11T18:30:00", "Ana", "How often do you practise?"),
    ("2", "2024-06-11T18:30:00", "Ben", "Twenty minutes every morning before work."),
    ("3", "2024-07-20T12:00:00", "Ana", "My sister Rita is vegan, so dinner needs care."),
    ("3", "2024-07-20T12:00:00", "Ben", "ok"),
    ("3", "2024-07-20T12:00:00", "Ben", "ok"),
    ("3", "2024-07-20T12:00:00", "Ana", ""),
]


def question(number: int, text: str, category: str, evidence: list[int]) -> dict[str, Any]:
    """A question whose evidence is turns by number."""
    return {
        "id": f"q{number}",
        "text": text,
        "asked_at": None,
        "category": category,
        "answer": "never read",
        "evidence": [f"t{turn}" for turn in evidence],
        "evidence_sessions": sorted({SAID[turn][0] for turn in evidence}),
    }


def conversation() -> dict[str, Any]:
    """Ten turns in three sessions; equal turns with one time, and one that says nothing."""
    return {
        "dataset": "tiny",
        "id": "ana-ben",
        "language": "en",
        "turns": [
            {
                "id": f"t{number}",
                "session": session,
                "happened_at": time,
                "speaker": speaker,
                "role": "user" if speaker == "Ana" else "assistant",
                "text": text,
            }
            for number, (session, time, speaker, text) in enumerate(SAID)
        ],
        "questions": [
            question(0, "What did Ana call her grey cat?", "single-hop", [0]),
            question(1, "Which instrument does Ben learn, and how often does he practise?", "multi-hop", [3, 5]),
            question(2, "What is the vegan sister of Ana called?", "single-hop", [6]),
            question(3, "What did Ben call his grey cat?", "adversarial", [0]),
            question(4, "Which submarine did Zoltan repaint in Antarctica?", "abstention", []),
        ],
    }


def write(path: Path, *conversations: dict[str, Any]) -> Path:
    """Conversations as a file, compressed where its name ends in .gz."""
    lines = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in conversations).encode()
    path.write_bytes(gzip.compress(lines, mtime=0) if path.suffix == ".gz" else lines)
    return path
