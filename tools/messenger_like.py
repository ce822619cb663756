"""Make a chat between people look like a messenger log: python tools/messenger_like.py IN.jsonl.gz OUT.jsonl.gz

Every sentence becomes a message of its own, of which most lose capitals and stops, some are abbreviated, and a few
words are mistyped. The evidence of a question becomes the sentence of each evidence turn that shares most with the
answer and the question. For fitting recall on talk that is shorter and sloppier than the data at hand; the output
holds the data's words and stays outside the repository.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import random
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mnemos.recall import words

SEED = 7
SLOPPY = 0.6
"""The share of messages that are written carelessly."""
MISTYPED = 0.08
"""The share of longer words with a letter dropped, doubled or swapped."""

_short = {
    "you": "u",
    "are": "r",
    "your": "ur",
    "because": "cuz",
    "though": "tho",
    "really": "rly",
    "please": "pls",
    "people": "ppl",
    "and": "n",
    "with": "w",
    "thanks": "thx",
    "okay": "ok",
}
_image = re.compile(r"\[image:.*?\]")
_sentence = re.compile(r"(?<=[.!?])\s+")


def sentences(text: str) -> list[str]:
    """The sentences of a turn, without its pictures; the turn itself where nothing else is left."""
    found = [part for part in _sentence.split(_image.sub("", text).strip()) if part.strip()]
    return found or [text]


def careless(text: str, chance: random.Random) -> str:
    """A message as people type it."""
    if chance.random() < SLOPPY:
        text = re.sub(r"[a-z]+", lambda match: _shortened(match.group(), chance), text.lower())
        text = re.sub(r"[.!,]+", "", text)
        if chance.random() < SLOPPY:
            text = text.replace("?", "")
    return " ".join(_mistyped(word, chance) for word in text.split(" ")).strip() or text


def _shortened(word: str, chance: random.Random) -> str:
    return _short[word] if word in _short and chance.random() < 0.4 else word


def _mistyped(word: str, chance: random.Random) -> str:
    if len(word) < 5 or chance.random() > MISTYPED:
        return word
    at = chance.randrange(1, len(word) - 1)
    kind = chance.randrange(3)
    if kind == 0:
        return word[:at] + word[at + 1 :]
    if kind == 1:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + word[at] + word[at:]


def converted(conversation: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """A conversation with a message for each sentence, and its questions."""
    turns: list[dict[str, Any]] = []
    places: dict[str, list[int]] = {}
    for turn in conversation["turns"]:
        parts = sentences(turn["text"])
        places[turn["id"]] = list(range(len(turns), len(turns) + len(parts)))
        turns += [{**turn, "id": f"{turn['id']}/{at}", "text": part} for at, part in enumerate(parts)]
    questions = [_question(asked, turns, places) for asked in conversation["questions"]]
    messages = [{**turn, "text": careless(turn["text"], chance)} for turn in turns]
    return {**conversation, "turns": messages, "questions": [asked for asked in questions if asked["evidence"]]}


def _question(asked: dict[str, Any], turns: Sequence[dict[str, Any]], places: dict[str, list[int]]) -> dict[str, Any]:
    answer, question = set(words.split(str(asked["answer"] or ""))), set(words.split(asked["text"]))
    said = {at: set(words.split(turns[at]["text"])) for turn in asked["evidence"] for at in places.get(turn, ())}
    common = Counter(word for held in said.values() for word in held)
    worth = {word: 1 / math.sqrt(count) for word, count in common.items()}
    evidence = []
    for turn in asked["evidence"]:
        scores = [
            (sum(worth[word] * ((word in answer) + 0.5 * (word in question)) for word in said[at]), at)
            for at in places.get(turn, ())
        ]
        best = max(scores, default=(0.0, 0))
        if best[0] > 0:
            evidence.append(turns[best[1]]["id"])
    return {**asked, "evidence": evidence if asked["category"] != "adversarial" else []}


def main() -> None:
    """Convert a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    options = parser.parse_args()
    chance = random.Random(SEED)
    with gzip.open(options.source, "rt", encoding="utf-8") as lines, gzip.open(options.target, "wt") as out:
        for line in lines:
            out.write(json.dumps(converted(json.loads(line), chance), ensure_ascii=True) + "\n")


if __name__ == "__main__":
    main()
