"""Claude exports: `conversations.json` whose conversations hold `chat_messages`, alone or in the .zip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mnemos.io.chatgpt import BRANCH, REASONING, TOOL_CALL, UNREADABLE, conversation_files
from mnemos.io.chronology import oldest_first, read_conversations
from mnemos.io.reading import BAD_TIME, NO_TEXT, Item, Message, Options, Skipped, from_iso, list_of, mapping_of, text_of
from mnemos.io.source import Bundle

NAME = "claude"
TITLE = "Claude conversations.json, or the export's .zip"

_ROLES = {"human": "user", "user": "user", "assistant": "assistant"}
_BLOCKS = {
    "thinking": REASONING,
    "redacted_thinking": REASONING,
    "tool_use": TOOL_CALL,
    "tool_result": "answer of a tool",
    "token_budget": "notice of the app",
}
PLACEHOLDER = "This block is not supported on your current device yet."
"""What the export puts into `text` where a tool was called."""


def find(bundle: Bundle, *, asked: bool = False) -> list[str]:
    """The files of this format."""
    return conversation_files(bundle, "chat_messages")


def read(bundle: Bundle, names: list[str], options: Options) -> Iterator[Item]:
    """The messages, and the text of attached files as documents; the oldest conversation first."""
    found = read_conversations(bundle, names, lambda talk: from_iso(talk.get("created_at")), _read_conversation)
    yield from oldest_first(found, bundle.meter)


def _read_conversation(conversation: Mapping[str, Any], where: str) -> Iterator[Item]:
    messages = conversation.get("chat_messages")
    if not isinstance(messages, list):
        yield Skipped(UNREADABLE, where)
        return
    session = text_of(conversation.get("uuid")) or where
    title = text_of(conversation.get("name")).strip()
    shown = _shown(messages, conversation.get("current_leaf_message_uuid"))
    if len(shown) < len(messages):
        yield Skipped(BRANCH, where, len(messages) - len(shown))
    for number, message in enumerate(shown, 1):
        if isinstance(message, Mapping):
            yield from _read_message(message, number, session, title, where)
        else:
            yield Skipped("message that could not be read", where)


def _shown(messages: list[Any], leaf: object) -> list[Any]:
    """The messages on the way to the one last seen, where the export says which that is; else all."""
    by_id = {text_of(message.get("uuid")): message for message in messages if isinstance(message, Mapping)}
    place = text_of(leaf)
    if place not in by_id:
        return messages
    path: list[Any] = []
    while place in by_id:
        message = by_id.pop(place)
        path.append(message)
        place = text_of(message.get("parent_message_uuid"))
    return path[::-1]


def _read_message(message: Mapping[str, Any], number: int, session: str, title: str, where: str) -> Iterator[Item]:
    role = _ROLES.get(text_of(message.get("sender")))
    if role is None:
        yield Skipped(f"{text_of(message.get('sender'))[:40] or 'unknown'} message", where)
        return
    text, reasons = _words(message)
    for reason in reasons:
        yield Skipped(reason, where)
    base: Message = {"role": role, "session_id": session}
    if title:
        base["metadata"] = {"title": title}
    created = message.get("created_at")
    if moment := from_iso(created):
        base["happened_at"] = moment
    elif created is not None:
        yield Skipped(BAD_TIME, where)
    source = f"{NAME}:{session}:{text_of(message.get('uuid')) or number}"
    attachments = list(_attachments(message))
    if text.strip():
        yield {**base, "content": text, "source_id": source}
    elif not attachments and not reasons:
        yield Skipped(NO_TEXT, where)
    for place, (name, content) in enumerate(attachments, 1):
        if content.strip():
            metadata = {**base.get("metadata", {}), "file_name": name}
            document = {"content": content, "source_id": f"{source}:{place}", "kind": "document"}
            yield {**base, **document, "metadata": metadata}
        else:
            yield Skipped("attachment without text", where)


def _words(message: Mapping[str, Any]) -> tuple[str, list[str]]:
    """What was said, and why blocks beside it are left out."""
    blocks = list_of(message.get("content"))
    texts, reasons = [], []
    for block in map(mapping_of, blocks):
        kind = text_of(block.get("type"))
        if kind == "text":
            texts.append(text_of(block.get("text")))
        else:
            reasons.append(_BLOCKS.get(kind, f"{kind[:40] or 'unknown'} block"))
    text = "\n\n".join(part.strip("\n") for part in texts if part.strip())
    if text or reasons:
        return text, reasons
    return text_of(message.get("text")).replace(f"```\n{PLACEHOLDER}\n```", "").strip(), []


def _attachments(message: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names of attached files with their text; images and other binary files have none."""
    named = set()
    for attachment in map(mapping_of, list_of(message.get("attachments"))):
        name = text_of(attachment.get("file_name"))
        named.add(name)
        yield name, text_of(attachment.get("extracted_content"))
    for file in map(mapping_of, list_of(message.get("files"))):
        if (name := text_of(file.get("file_name"))) not in named:
            yield name, ""
