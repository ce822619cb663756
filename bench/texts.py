"""Texts for speed: chat turns, questions and documents made from a seed, so that anyone can run the benchmark.

Words are the whole words of the bundled tokenizer's vocabulary, which stands in order of frequency, drawn by
Zipf's law.
Turns are as long as LoCoMo's: median 125 characters, 10% under 56, 10% over 250.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

import mnemos.embed

MEDIAN, SPREAD, LONGEST = 116, 0.6, 430
SESSION = 20
NAMES = ("Ana", "Rita", "Tomas", "Ines", "Jonas", "Vera", "Lukas", "Nadia")
START = datetime(2024, 1, 2, 9, 0, tzinfo=UTC)


class Writer:
    """Writes the same texts for the same seed."""

    def __init__(self, seed: int = 0) -> None:
        path = Path(mnemos.embed.__file__).parent / "data" / "tokenizer.json"
        vocabulary = json.loads(path.read_text(encoding="utf-8"))["model"]["vocab"]
        ordered = sorted(vocabulary, key=vocabulary.__getitem__)
        self._words = [word for word in ordered if len(word) > 1 and word.isascii() and word.isalpha()]
        self._weights = list(accumulate(1 / (rank + 3) for rank in range(len(self._words))))
        self._random = random.Random(seed)

    def text(self, length: int) -> str:
        """Sentences of about `length` characters in all."""
        sentences: list[str] = []
        while sum(map(len, sentences)) + len(sentences) < length:
            rest = length - sum(map(len, sentences)) - len(sentences)
            words = self._random.choices(self._words, cum_weights=self._weights, k=self._random.randint(5, 12))
            while len(words) > 2 and sum(map(len, words)) + len(words) > max(rest, 20):
                words.pop()
            if len(words) > 3 and self._random.random() < 0.15:
                words.insert(self._random.randrange(len(words)), self._random.choice(NAMES))
            sentences.append(" ".join(words).capitalize() + self._random.choice("...!?"))
        return " ".join(sentences)

    def messages(self, count: int) -> list[dict[str, Any]]:
        """Turns of a long chat between two people, as `add` and the JSONL importer take them."""
        found = []
        for number in range(count):
            session, turn = divmod(number, SESSION)
            length = self._random.lognormvariate(0, SPREAD) * MEDIAN
            found.append(
                {
                    "role": ("user", "assistant")[number % 2],
                    "name": NAMES[number % 2],
                    "content": self.text(min(LONGEST, max(8, int(length)))),
                    "happened_at": (START + timedelta(hours=7 * session, minutes=2 * turn)).isoformat(),
                    "session_id": f"s{session}",
                    "metadata": {"turn_id": str(number)},
                }
            )
        return found

    def questions(self, count: int) -> list[str]:
        """Questions of about 53 characters."""
        heads = ("When did {} talk of", "What does {} think of", "Where did {} go for", "Who told {} about")
        found = []
        for _ in range(count):
            words = self._random.choices(self._words, cum_weights=self._weights, k=5)
            head = self._random.choice(heads).format(self._random.choice(NAMES))
            found.append(f"{head} {' '.join(words)}?")
        return found

    def documents(self, count: int, length: int) -> list[str]:
        """Long texts in paragraphs."""
        return ["\n\n".join(self.text(800) for _ in range(max(1, length // 800))) for _ in range(count)]
