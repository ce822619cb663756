"""Build the sample history: turn the dialogues in `tools/sample` into a ChatGPT export, always the same bytes.

    python tools/build_sample.py            # writes src/mnemos/sample/conversations.json

A dialogue file holds sessions. Each begins with `## YYYY-MM-DD HH:MM | title` (UTC) and is followed by turns:

    U: what the user says             A: what the assistant answers
    C: code that it ran               O: what that printed             R: its reasoning, hidden in the app

Brackets give options: `U [mark=new-phone, wait=3d]: ...`. `mark` names a turn, `wait` lets time pass before it
(m, h or d), `image` attaches a picture (`IMG_1.jpeg 3024x4032`), and `dropped` says that the turn was regenerated or
edited away afterwards, so that it stays in the export on a branch of its own.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from mnemos.sample import IDS, history_file, turn_id

SOURCES = Path(__file__).with_name("sample")
SESSION = re.compile(r"^## (\d{4}-\d\d-\d\d \d\d:\d\d) \| (.+)$")
TURN = re.compile(r"^([UACOR])(?: \[([^\]]+)\])?: ?(.*)$")
OPTIONS = frozenset({"mark", "wait", "image", "dropped"})
SECONDS = {"m": 60, "h": 3600, "d": 86400}
ROOT = "client-created-root"
NEW_MODEL = datetime(2025, 8, 8, tzinfo=UTC).timestamp()


@dataclass
class Turn:
    """One turn of the source: who (`U`, `A`, `C`, `O`, `R`), its options and its words."""

    who: str
    options: dict[str, str]
    lines: list[str]

    @property
    def text(self) -> str:
        """The words, without blank lines around them."""
        return "\n".join(self.lines).strip()


@dataclass
class Session:
    """One conversation of the source."""

    start: float
    title: str
    turns: list[Turn] = field(default_factory=list)

    @property
    def key(self) -> str:
        """What its ids are made from."""
        return f"{self.start:.0f}/{self.title}"


def read_sessions(folder: Path) -> Iterator[Session]:
    """The sessions of all dialogue files, in the order of their names."""
    for path in sorted(folder.glob("*.md")):
        yield from read_file(path)


def read_file(path: Path) -> list[Session]:
    """The sessions of one dialogue file."""
    sessions: list[Session] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if match := SESSION.match(line):
            start = datetime.strptime(match[1], "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
            sessions.append(Session(start.timestamp(), match[2]))
        elif match := TURN.match(line):
            sessions[-1].turns.append(Turn(match[1], read_options(match[2], f"{path.name}:{number}"), [match[3]]))
        elif sessions and sessions[-1].turns:
            sessions[-1].turns[-1].lines.append(line)
        elif line.strip():
            raise SystemExit(f"{path.name}:{number}: words before the first turn of a session")
    return sessions


def read_options(text: str | None, where: str) -> dict[str, str]:
    """`mark=a, dropped` as a dict."""
    pairs = [part.strip().partition("=") for part in (text or "").split(",") if part.strip()]
    options = {name: value for name, _, value in pairs}
    if unknown := options.keys() - OPTIONS:
        raise SystemExit(f"{where}: unknown option {sorted(unknown)}; known are {sorted(OPTIONS)}")
    return options


class Builder:
    """Builds the mapping of one conversation, turn by turn."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.clock = session.start
        self.read = 0  # characters of the turn before
        self.mapping: dict[str, dict[str, Any]] = {}
        self.live = ROOT  # the node that the next turn answers
        self.beside: tuple[str, str] | None = None  # the last dropped turn: its node and its speaker
        self.add_node(ROOT, None, None)
        self.add_system()

    def build(self) -> dict[str, Any]:
        """The conversation as the export has it."""
        for ordinal, turn in enumerate(self.session.turns):
            self.add_turn(turn, ordinal)
        key = str(uuid5(IDS, f"conversation/{self.session.key}"))
        return {
            "title": self.session.title,
            "create_time": self.session.start,
            "update_time": self.clock,
            "mapping": self.mapping,
            "moderation_results": [],
            "current_node": self.live,
            "plugin_ids": None,
            "conversation_id": key,
            "gizmo_id": None,
            "is_archived": False,
            "safe_urls": [],
            "default_model_slug": "auto",
            "id": key,
        }

    def add_system(self) -> None:
        """The empty, hidden message that every conversation begins with."""
        key = self.id_of("system")
        hidden = {"is_visually_hidden_from_conversation": True}
        content = {"content_type": "text", "parts": [""]}
        self.add_node(key, self.live, message(key, "system", None, content, hidden, weight=0.0))
        self.live = key

    def add_turn(self, turn: Turn, ordinal: int) -> None:
        """One turn of the source, with the nodes that the app puts around it."""
        mark = turn.options.get("mark")
        key = turn_id(mark) if mark else self.id_of(str(ordinal))
        self.pass_time(turn, key)
        dropped = "dropped" in turn.options
        chained = dropped and self.beside is not None and self.beside[1] != turn.who
        parent = self.beside[0] if chained and self.beside else self.live
        self.add_node(key, parent, self.message_of(turn, key))
        if dropped:
            self.beside = (key, turn.who)
        else:
            self.live, self.beside = key, None

    def message_of(self, turn: Turn, key: str) -> dict[str, Any]:
        """The message of one turn, in the shape that its speaker has."""
        said = {"content_type": "text", "parts": [turn.text]}
        meta = {"model_slug": "gpt-5" if self.clock > NEW_MODEL else "gpt-4o", "default_model_slug": "auto"}
        if turn.who == "U":
            content = picture(turn, key) if "image" in turn.options else said
            return message(key, "user", self.clock, content, {"timestamp_": "absolute", "message_type": None})
        if turn.who == "C":
            content = {"content_type": "code", "language": "unknown", "text": turn.text}
            return message(key, "assistant", self.clock, content, meta, recipient="python")
        if turn.who == "O":
            content = {"content_type": "execution_output", "text": turn.text}
            return message(key, "tool", self.clock, content, meta, name="python")
        if turn.who == "R":
            thought = {"summary": turn.text.split(".")[0], "content": turn.text}
            return message(key, "assistant", self.clock, {"content_type": "thoughts", "thoughts": [thought]}, meta)
        stop = {"type": "stop", "stop_tokens": [200002]}
        meta |= {"finish_details": stop, "is_complete": True, "citations": [], "timestamp_": "absolute"}
        return message(key, "assistant", self.clock, said, meta)

    def pass_time(self, turn: Turn, key: str) -> None:
        """Let the clock run for as long as it took to read, think and type; never twice the same moment."""
        noise = UUID(key).int % 9_999_991 / 9_999_991
        wait = turn.options.get("wait")
        if wait:
            self.clock += int(wait[:-1]) * SECONDS[wait[-1]]
        if turn.who != "U":
            self.clock += 1.5 + 4 * noise + len(turn.text) / 220
        elif len(self.mapping) > 2:
            self.clock += 14 + 70 * noise + self.read / 25 + len(turn.text) / 4
        self.clock = round(self.clock + noise / 10, 6)
        self.read = len(turn.text)

    def add_node(self, key: str, parent: str | None, said: dict[str, Any] | None) -> None:
        """Hang a node under its parent."""
        self.mapping[key] = {"id": key, "message": said, "parent": parent, "children": []}
        if parent is not None:
            self.mapping[parent]["children"].append(key)

    def id_of(self, name: str) -> str:
        """The id of an unmarked node."""
        return str(uuid5(IDS, f"node/{self.session.key}/{name}"))


def message(
    key: str,
    role: str,
    created: float | None,
    content: dict[str, Any],
    metadata: dict[str, Any],
    *,
    name: str | None = None,
    recipient: str = "all",
    weight: float = 1.0,
) -> dict[str, Any]:
    """A message with all the fields that the app writes."""
    return {
        "id": key,
        "author": {"role": role, "name": name, "metadata": {}},
        "create_time": created,
        "update_time": None,
        "content": content,
        "status": "finished_successfully",
        "end_turn": True if role in ("assistant", "system") and recipient == "all" else None,
        "weight": weight,
        "metadata": metadata,
        "recipient": recipient,
        "channel": None,
    }


def picture(turn: Turn, key: str) -> dict[str, Any]:
    """Content with an uploaded picture before the words."""
    _, _, size = turn.options["image"].partition(" ")
    width, height = map(int, size.split("x"))
    asset = {
        "content_type": "image_asset_pointer",
        "asset_pointer": f"file-service://file-{key.replace('-', '')[:24]}",
        "size_bytes": width * height // 5,
        "width": width,
        "height": height,
        "fovea": None,
        "metadata": {"sanitized": True},
    }
    return {"content_type": "multimodal_text", "parts": [asset, turn.text]}


def build(folder: Path = SOURCES) -> str:
    """The export: newest conversation first, as the app writes it, and one a line, so that changes can be read."""
    sessions = sorted(read_sessions(folder), key=lambda session: -session.start)
    conversations = [Builder(session).build() for session in sessions]
    lines = [json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in conversations]
    return "[" + ",\n".join(lines) + "]\n"


def main() -> None:
    """Write the export, or to the path that was given."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else history_file()
    text = build()
    target.write_text(text, encoding="utf-8", newline="\n")
    print(f"{target}: {len(text.encode()) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
