"""ChatGPT exports: `conversations.json`, or its numbered shards, alone, in a folder or in the .zip.

A conversation is a tree, because answers are regenerated and questions edited. What the user last saw is the path
from `current_node` up to the root; that is what is imported, and what lies beside it is counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from mnemos.io.chronology import oldest_first, read_conversations
from mnemos.io.reading import (
    BAD_TIME,
    NO_TEXT,
    Item,
    Message,
    Options,
    Skipped,
    first_key,
    from_epoch,
    list_of,
    mapping_of,
    text_of,
)
from mnemos.io.source import Bundle

NAME = "chatgpt"
TITLE = "ChatGPT conversations.json, or the export's .zip"

CONVERSATIONS = re.compile(r"conversations(-\d+)?\.json")
MARKS = frozenset({"mapping", "chat_messages", "memory"})
"""Keys that tell JSON exports apart: ChatGPT's, Claude's, mem0's."""

BRANCH = "on a branch that was regenerated or edited away"
HIDDEN = "hidden by the app"
TOOL_CALL = "call to a tool"
REASONING = "model's reasoning"
CONTEXT = "context added by the app"
UNREADABLE = "conversation that could not be read"
_SPOKEN = frozenset({"user", "assistant"})
_BY_TYPE = {
    "thoughts": REASONING,
    "reasoning_recap": REASONING,
    "user_editable_context": CONTEXT,
    "model_editable_context": CONTEXT,
    "system_error": "error message",
}
_CITATION = re.compile("\ue200[^\ue201]*\ue201")
"""Markers that the app draws as footnotes; they mean nothing outside it."""


def conversation_files(bundle: Bundle, mark: str) -> list[str]:
    """The JSON files that hold conversations of the kind that this key marks."""
    names = [name for name in bundle.files if name.lower().endswith(".json")]
    if bundle.single:
        names = [bundle.single]
    named = [name for name in names if CONVERSATIONS.fullmatch(PurePosixPath(name).name)]
    return sorted(name for name in named or names if _is_marked(bundle.head(name), mark))


def _is_marked(head: str, mark: str) -> bool:
    return head.lstrip()[:1] in ("[", "{") and first_key(head, MARKS) == mark


def find(bundle: Bundle, *, asked: bool = False) -> list[str]:
    """The files of this format."""
    return conversation_files(bundle, "mapping")


def read(bundle: Bundle, names: list[str], options: Options) -> Iterator[Item]:
    """The messages that the user last saw, conversation by conversation, the oldest first."""
    found = read_conversations(bundle, names, lambda talk: from_epoch(talk.get("create_time")), _read_conversation)
    yield from oldest_first(found, bundle.meter)


def _read_conversation(conversation: Mapping[str, Any], where: str) -> Iterator[Item]:
    nodes = conversation.get("mapping")
    if not isinstance(nodes, Mapping):
        yield Skipped(UNREADABLE, where)
        return
    session = text_of(conversation.get("conversation_id")) or text_of(conversation.get("id")) or where
    title = text_of(conversation.get("title")).strip()
    path = _path(nodes, conversation.get("current_node"))
    for place in path:
        message = mapping_of(nodes[place]).get("message")
        if isinstance(message, Mapping):
            yield from _read_message(message, place, session, title, where)
    on_path = set(path)
    beside = sum(1 for place, node in nodes.items() if place not in on_path and _is_spoken(node))
    if beside:
        yield Skipped(BRANCH, where, beside)


def _path(nodes: Mapping[str, Any], leaf: object) -> list[str]:
    """From the root to the node that the user last saw; to the newest end where the file does not say which."""
    if not isinstance(leaf, str) or leaf not in nodes:
        ends = [place for place, node in nodes.items() if not list_of(mapping_of(node).get("children"))]
        leaf = max(ends, key=lambda place: _created(nodes[place]), default=None)
    path: list[str] = []
    seen: set[object] = set()
    while isinstance(leaf, str) and leaf in nodes and leaf not in seen:
        seen.add(leaf)
        path.append(leaf)
        leaf = mapping_of(nodes[leaf]).get("parent")
    return path[::-1]


def _created(node: object) -> float:
    moment = from_epoch(mapping_of(mapping_of(node).get("message")).get("create_time"))
    return moment.timestamp() if moment else 0.0


def _role(message: Mapping[str, Any]) -> str:
    return text_of(mapping_of(message.get("author")).get("role"))


def _is_spoken(node: object) -> bool:
    message = mapping_of(mapping_of(node).get("message"))
    return _role(message) in _SPOKEN and bool(_parts(mapping_of(message.get("content")))[0].strip())


def _read_message(message: Mapping[str, Any], node: str, session: str, title: str, where: str) -> Iterator[Item]:
    role = _role(message)
    content = mapping_of(message.get("content"))
    text, media = _parts(content)
    if reason := _left_out(message, role, content):
        # every conversation begins with an empty system node; it is nothing that anybody would miss
        if text.strip() or role != "system":
            yield Skipped(reason, where)
        return
    for kind in media:
        yield Skipped(kind, where)
    text = _CITATION.sub("", text).strip() if "\ue200" in text else text
    if not text.strip():
        if not media:
            yield Skipped(NO_TEXT, where)
        return
    metadata: dict[str, Any] = {"title": title} if title else {}
    if media:
        metadata["attachments"] = len(media)
    source = text_of(message.get("id")) or node
    out: Message = {"role": role, "content": text, "session_id": session, "source_id": f"{NAME}:{session}:{source}"}
    if metadata:
        out["metadata"] = metadata
    created = message.get("create_time")
    if moment := from_epoch(created):
        out["happened_at"] = moment
    elif created is not None:
        yield Skipped(BAD_TIME, where)
    yield out


def _left_out(message: Mapping[str, Any], role: str, content: Mapping[str, Any]) -> str | None:
    """Why a message on the path is nothing that was said, or None."""
    if role not in _SPOKEN:
        return f"{role or 'unknown'} message"
    if mapping_of(message.get("metadata")).get("is_visually_hidden_from_conversation"):
        return _BY_TYPE.get(text_of(content.get("content_type")), HIDDEN)
    if (reason := _BY_TYPE.get(text_of(content.get("content_type")))) is not None:
        return reason
    return TOOL_CALL if text_of(message.get("recipient")) not in ("", "all") else None


def _parts(content: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The text of a message's content, and what kinds of media stand in it."""
    parts = content.get("parts")
    if not isinstance(parts, list):
        return text_of(content.get("text")), []
    if len(parts) == 1 and isinstance(parts[0], str):
        return parts[0], []
    texts, media = [], []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, Mapping):
            kind = text_of(part.get("content_type"))
            if spoken := text_of(part.get("text")):
                texts.append(spoken)
            elif "image" in kind:
                media.append("image")
            elif "audio" in kind or "video" in kind:
                media.append("audio or video")
            else:
                media.append("attachment")
    return "\n".join(text for text in texts if text.strip()), media
