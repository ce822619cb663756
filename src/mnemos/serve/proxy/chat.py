"""A chat request as OpenAI's API has it: what is asked in it, what it says already, and how memories are put in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnemos.events import MAX_TEXT
from mnemos.quoting import CLOSING, own_parts

LONGEST_QUESTION = 2000
"""Characters of a message that memory is asked with; of a longer one its beginning and its end."""

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chat:
    """A request whose last word, tools aside, is a user's."""

    body: Body
    place: int
    """Of the user's last message among the messages."""
    asked: str
    """What it says, without what it quotes from memory; empty where it holds no text."""

    @property
    def messages(self) -> Sequence[Any]:
        """The messages of the request."""
        found: Sequence[Any] = self.body["messages"]
        return found

    @property
    def name(self) -> str | None:
        """What the user is called in the message."""
        name = self.messages[self.place].get("name")
        return name if isinstance(name, str) and 0 < len(name.strip()) <= 64 and "\x00" not in name else None

    @property
    def is_first(self) -> bool:
        """Whether nobody has answered yet: it may be the beginning of a conversation."""
        return all(_role(message) in ("user", "system", "developer") for message in self.messages)

    @property
    def has_one_answer(self) -> bool:
        """Whether one answer is asked for. Which of several was used is not known, and none of them is learnt."""
        return self.body.get("n") in (None, 1)

    @property
    def question(self) -> str:
        """What memory is asked."""
        if len(self.asked) <= LONGEST_QUESTION:
            return self.asked
        half = LONGEST_QUESTION // 2
        return f"{self.asked[:half]}\n{self.asked[-half:]}"

    def told(self) -> frozenset[str]:
        """The texts that the prompt holds already."""
        texts = (own_text(message.get("content")) for message in self.messages if isinstance(message, Mapping))
        return frozenset(text for text in texts if text)

    def said(self) -> bytes:
        """The conversation up to the user's last message, by which it is known again; instructions do not count."""
        spoken = [one for one in self.messages[: self.place + 1] if _role(one) not in ("system", "developer")]
        return json.dumps(spoken, sort_keys=True).encode()

    def begins_with(self) -> bytes:
        """The first message of the user."""
        first = next(one for one in self.messages if _role(one) == "user")
        return json.dumps(first, sort_keys=True).encode()

    def with_memory(self, context: str) -> bytes:
        """The request with a context quoted before what the user says last.

        Everything before that message stays as it was, so that a provider finds in its cache what it has read before,
        and instructions stay first. The memories speak with no more authority than the user.
        """
        message = self.messages[self.place]
        content, quoted = message["content"], f"{context}\n{CLOSING}"
        if isinstance(content, str):
            new: object = f"{quoted}\n\n{content}"
        else:
            new = [{"type": "text", "text": quoted}, *content]
        messages = list(self.messages)
        messages[self.place] = {**message, "content": new}
        return json.dumps({**self.body, "messages": messages}, separators=(",", ":")).encode()


def read_chat(raw: bytes) -> Chat | None:
    """The chat of a request's body; None where it is none, or no user speaks in it."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    messages = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(messages, list):
        return None
    place = next((at for at in range(len(messages) - 1, -1, -1) if _role(messages[at]) == "user"), None)
    if place is None or not isinstance(messages[place].get("content"), str | list):
        return None
    return Chat(body, place, own_text(messages[place]["content"]))


def own_text(content: object) -> str:
    """The text of a message's content, without what it quotes from memory, as it can be remembered."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        text = "\n".join(part for part in parts if isinstance(part, str))
    else:
        text = content if isinstance(content, str) else ""
    own = "\n".join(text[start:end] for start, end in own_parts(text))
    return own[:MAX_TEXT].replace("\x00", " ").encode("utf-8", "replace").decode().strip()


def _role(message: object) -> object:
    return message.get("role") if isinstance(message, dict) else None
