"""WhatsApp chats: the `.txt` of "Export chat" on Android or iOS, alone or in its .zip.

The text names no zone and no order of day and month. The zone has to be given; the order is found from the dates
where they tell. The people in a chat are people: nobody gets the role of a machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import NamedTuple

from mnemos.errors import InvalidInput
from mnemos.events import MAX_TEXT
from mnemos.io.reading import Item, Message, Options, Ordinals, Skipped
from mnemos.io.source import Bundle, lines
from mnemos.io.whatsapp_lines import Clock, Opening, Stamp, detect_order, read_opening

NAME = "whatsapp"
TITLE = "WhatsApp chat (.txt, or the .zip with _chat.txt)"

SILENCE = timedelta(hours=4)
"""A longer silence ends a session."""

SYSTEM = "notice of the app"
MEDIA = "photo, video or other media"
DELETED = "deleted message"
UNDATED = "line with an impossible date"
STRAY = "line before the first message"
LONG_LINE = "line that is too long"

_TITLE = re.compile(
    r"(?:WhatsApp[ -]Chat (?:with|mit|met|-)|Chat (?:de|do) WhatsApp (?:con|com)|Conversa do WhatsApp com"
    r"|Discussion WhatsApp avec|Chat WhatsApp con)\s+(?P<chat>.+)",
    re.IGNORECASE,
)
_COPY = re.compile(r"\s*\(\d+\)$")
_MARKS = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_STRIP = " \u00a0\u202f~" + _MARKS
_MENTION = re.compile("@\u2068([^\u2069\n]*)\u2069")
_EDITED = re.compile(
    "[ \u200e]*<[^<>\n]*(?:edited|bearbeitet|editó|editad|modifi|bewerkt|düzenlendi|изменено)[^<>\n]*>$", re.IGNORECASE
)
_ATTACHED = re.compile(
    "\u200e?<(?:attached|Anhang|adjunto|anexado|pièce jointe|allegato|bijgevoegd)[^<>\n]*>"
    "|^\u200e?[^\n]{1,200}\\.\\w{2,4} \\((?:file attached|Datei angehängt|archivo adjunto|arquivo anexado|fichier joint"
    "|file allegato|bestand bijgevoegd)\\)$",
    re.IGNORECASE | re.MULTILINE,
)
_OMITTED_ANDROID = re.compile(r"<[^<>\n]{3,40} [^<>\n]{2,40}>")
_OMITTED_IOS = re.compile(
    r"(?:.* )?(?:image|photo|video|video note|audio|sticker|gif|document|contact card|bild|dokument|kontaktkarte|imagen"
    r"|documento|imagem|figurinha|vidéo|immagine|afbeelding) "
    r"(?:omitted|weggelassen|omitid[oa]|ocultad[oa]|absente?|omis|omess[oa]|weggelaten)",
    re.IGNORECASE,
)
_DELETED = re.compile(
    r"(?:This message was deleted|You deleted this message|This message was deleted by admin .*|"
    r"Diese Nachricht wurde gelöscht|Du hast diese Nachricht gelöscht|Este mensaje fue eliminado|"
    r"Se eliminó este mensaje|Eliminaste este mensaje|Ce message a été supprimé|Vous avez supprimé ce message|"
    r"Questo messaggio è stato eliminato|Hai eliminato questo messaggio|(?:Essa )?[Mm]ensagem (?:foi )?apagada|"
    r"Você apagou esta mensagem|Dit bericht is verwijderd|(?:U|Je) h(?:ebt|eb) dit bericht verwijderd)\.?"
)
_NOTICE = re.compile(
    r"(?:Missed (?:group )?(?:voice|video) call|(?:Voice|Video) call,.*|Waiting for this message.*|"
    r"Messages and calls are end-to-end encrypted.*|Messages to this (?:chat|group).* end-to-end encrypt.*|"
    r"Nachrichten und Anrufe sind Ende-zu-Ende-verschlüsselt.*|Los mensajes y las llamadas están cifrados.*|"
    r"As mensagens e (?:as )?(?:ligações|chamadas) são protegidas.*|Les messages et les appels sont chiffrés.*|"
    r"I messaggi e le chiamate sono crittografati.*|Berichten en oproepen worden end-to-end versleuteld.*)",
    re.DOTALL,
)
_NOTICE_NAME = re.compile(
    # a quotation that opens and does not close: the colon stands inside a group's new name
    r"^[^\"]*(?:\"[^\"]*\"[^\"]*)*\"[^\"]*$|[“„«][^”“»]*$"
    r"|changed (?:the|this|their|to)|created (?:the )?group|security code|added|turned (?:on|off)|pinned a message",
    re.IGNORECASE,
)
_KEPT_IOS = ("POLL:", "Location:", "OPTION:")


class _Draft(NamedTuple):
    """A message whose last line has not been seen yet."""

    stamp: Stamp
    lines: list[str]
    line: int


def find(bundle: Bundle, *, asked: bool = False) -> list[str]:
    """The files of this format."""
    names = [name for name in bundle.files if bundle.single or name.lower().endswith(".txt")]
    return sorted(name for name in names if not name.lower().endswith((".md", ".json")) and _is_chat(bundle.head(name)))


def _is_chat(head: str) -> bool:
    first = [line for line in head.splitlines()[:30] if line.strip()]
    return any(read_opening(line) for line in first[:5])


def read(bundle: Bundle, names: list[str], options: Options) -> Iterator[Item]:
    """The messages of each chat, in the order of the file."""
    if options.zone is None:
        raise InvalidInput(
            "timezone",
            "WhatsApp writes times without a zone",
            "give timezone= (--timezone), the zone of the phone that exported the chat: 'Europe/Lisbon'",
        )
    for name in names:
        order = options.date_order or detect_order(_openings(bundle, name), name)
        yield from _read_chat(bundle, name, Clock(options.zone, order))


def _openings(bundle: Bundle, name: str) -> Iterator[Opening]:
    with bundle.text(name, share=0) as text:
        for _, line in lines(text):
            if line and (opening := read_opening(line)):
                yield opening


def chat_name(bundle: Bundle, name: str) -> str:
    """Whom the chat is with, as the export's file name says."""
    stem = PurePosixPath(name).stem
    if stem == "_chat":
        folder = PurePosixPath(name).parent.name
        stem = folder or (bundle.path.resolve().parent.name if bundle.single else bundle.title)
    stem = _COPY.sub("", stem)
    found = _TITLE.fullmatch(stem)
    return found["chat"].strip() if found else stem


def _read_chat(bundle: Bundle, name: str, clock: Clock) -> Iterator[Item]:
    chat = chat_name(bundle, name)
    ids = Ordinals(NAME)
    last: datetime | None = None
    session = ""
    for draft in _drafts(bundle, name):
        if isinstance(draft, Skipped):
            yield draft
            continue
        where = f"{name}, line {draft.line}"
        local = clock.local(draft.stamp)
        if local is None:
            yield Skipped(UNDATED, where)
            continue
        moment = clock.utc(local)
        item = _read_message("\n".join(draft.lines), where)
        if isinstance(item, Skipped):
            yield item
            continue
        if last is None or moment - last > SILENCE:
            session = f"{NAME}:{chat}:{local:%Y-%m-%dT%H:%M}"
        last = moment
        if "metadata" in item:
            yield Skipped(MEDIA, where)
        item["happened_at"] = moment
        item["session_id"] = session
        item["metadata"] = {**item.get("metadata", {}), "chat": chat}
        item["source_id"] = ids.source_id(local.isoformat(), item["name"], item["content"])
        yield item


def _drafts(bundle: Bundle, name: str) -> Iterator[_Draft | Skipped]:
    """Messages with all their lines."""
    draft: _Draft | None = None
    size = 0
    with bundle.text(name) as text:
        for number, line in lines(text):
            if line is None:
                yield Skipped(LONG_LINE, f"{name}, line {number}")
            elif opening := read_opening(line):
                if draft is not None:
                    yield draft
                draft = _Draft(opening.stamp, [opening.rest], number)
                size = 0
            elif draft is not None:
                # what is too long to be kept is not collected to its end either
                if size <= MAX_TEXT:
                    draft.lines.append(line)
                size += len(line) + 1
            elif line.strip(_STRIP + "\ufeff"):
                yield Skipped(STRAY, f"{name}, line {number}")
    if draft is not None:
        yield draft


def _read_message(rest: str, where: str) -> Message | Skipped:
    """Who said what, or why it is nothing that a person said."""
    name, colon, text = rest.partition(": ")
    if not colon and rest.partition("\n")[0].endswith(":"):
        # nothing on the first line: the text begins on the next one
        name, _, text = rest.partition(":")
    name = name.strip(_STRIP).replace("\u00a0", " ")
    if not name or "\n" in name or len(name) > 100 or not text or _NOTICE_NAME.search(name):
        return Skipped(SYSTEM, where)
    text = _EDITED.sub("", text).rstrip()
    plain = text.strip(_MARKS + " \n")
    if _DELETED.fullmatch(plain):
        return Skipped(DELETED, where)
    if _OMITTED_ANDROID.fullmatch(plain) or plain in ("null", "<Media omitted>"):
        return Skipped(MEDIA, where)
    if _NOTICE.fullmatch(plain):
        return Skipped(SYSTEM, where)
    if text.startswith("\u200e") and not plain.startswith(_KEPT_IOS) and not _ATTACHED.search(text):
        return Skipped(MEDIA if _OMITTED_IOS.fullmatch(plain.replace("\u200e", "")) else SYSTEM, where)
    message: Message = {"name": name}
    if _ATTACHED.search(text):
        text = _ATTACHED.sub("", text)
        message["metadata"] = {"attachments": 1}
        if not text.strip(_MARKS + " \n"):
            return Skipped(MEDIA, where)
    message["content"] = _MENTION.sub(r"@\1", text).strip("\u200e \n")
    return message
