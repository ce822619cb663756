"""WhatsApp chats of many phones: layouts, orders of the date, clocks, notices, media."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mnemos.errors import ImportFailed, InvalidInput
from mnemos.io.whatsapp_lines import OrderDetector, read_opening

BOOK_CLUB = "WhatsApp Chat with Book club.txt"


def write(folder: Path, *lines: str) -> Path:
    path = folder / "WhatsApp Chat with Ana.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_an_android_chat_with_a_twelve_hour_clock(read: Callable[..., Any], files: Path) -> None:
    got = read(files / "whatsapp" / BOOK_CLUB)
    assert got.format == "whatsapp"
    assert [(m["name"], m["content"]) for m in got.messages] == [
        ("Ana Marques", "Happy new year, all! 🎉\nWe start with three books:\n - The Sea\n - The Mountain: a life"),
        ("Rui", "Happy new year"),
        ("Rui", "Happy new year"),
        ("+351 912 000 111", "the view from our balcony"),
        ("נועה", "נתראה ביום שני!"),
        ("Ana Marques", "Time: 18:30 at mine"),
    ]
    assert [m["happened_at"] for m in got.messages[:2]] == [
        datetime(2023, 12, 31, 23, 59, tzinfo=UTC),
        datetime(2024, 1, 1, 0, 1, tzinfo=UTC),
    ]
    assert got.messages[1]["source_id"] != got.messages[2]["source_id"]
    assert not any("role" in message for message in got.messages)
    assert [m["session_id"] for m in got.messages] == ["whatsapp:Book club:2023-12-31T23:59"] * 3 + [
        "whatsapp:Book club:2024-01-01T09:30"
    ] * 3
    assert got.messages[3]["metadata"] == {"attachments": 1, "chat": "Book club"}
    assert got.skipped == {"notice of the app": 4, "photo, video or other media": 3, "deleted message": 1}


def test_an_ios_chat_in_german_with_direction_marks(read: Callable[..., Any], files: Path) -> None:
    got = read(files / "whatsapp" / "_chat.txt")
    assert [(m["name"], m["content"], m["happened_at"]) for m in got.messages] == [
        ("Jörg", "Kommt ihr am Samstag?", datetime(2024, 3, 5, 18, 40, 5, tzinfo=UTC)),
        ("Käthe", "Ja! @Jörg bringst du den Kuchen mit?", datetime(2024, 3, 5, 18, 42, tzinfo=UTC)),
        ("Käthe", "Rezept anbei", datetime(2024, 3, 17, 8, 0, tzinfo=UTC)),
    ]
    assert got.skipped == {"notice of the app": 2, "photo, video or other media": 2, "deleted message": 1}


@pytest.mark.parametrize(
    ("name", "chat"),
    [
        ("WhatsApp Chat - Ana Sá.zip", "Ana Sá"),
        ("WhatsApp Chat mit Ana Sá (2).zip", "Ana Sá"),
        ("Conversa do WhatsApp com Ana Sá.zip", "Ana Sá"),
        ("family.zip", "family"),
    ],
)
def test_the_zip_says_whom_the_chat_is_with(
    read: Callable[..., Any], files: Path, tmp_path: Path, name: str, chat: str
) -> None:
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.write(files / "whatsapp" / "_chat.txt", "_chat.txt")
        archive.writestr("00000012-kuchen.pdf", b"%PDF")
    got = read(tmp_path / name)
    assert {message["metadata"]["chat"] for message in got.messages} == {chat}


@pytest.mark.parametrize(
    ("line", "date", "time", "rest"),
    [
        ("12/03/2024, 18:40 - Ana: hi", (12, 3, 2024), (18, 40, 0), "Ana: hi"),
        ("12/03/24 18:40 - Ana: hi", (12, 3, 24), (18, 40, 0), "Ana: hi"),
        ("3/12/24, 6:40 PM - Ana: hi", (3, 12, 24), (18, 40, 0), "Ana: hi"),
        ("3/12/24, 12:40\u202fAM - Ana: hi", (3, 12, 24), (0, 40, 0), "Ana: hi"),
        ("3/12/24, 12:40 p.\u00a0m. - Ana: hi", (3, 12, 24), (12, 40, 0), "Ana: hi"),
        ("12.03.24, 18:40 - Ana: hi", (12, 3, 24), (18, 40, 0), "Ana: hi"),
        ("12.03.24, 18:40 – Ana: hi", (12, 3, 24), (18, 40, 0), "Ana: hi"),
        ("2024-03-12, 18:40 - Ana: hi", (2024, 3, 12), (18, 40, 0), "Ana: hi"),
        ("[2024-03-12, 6:40:05\u202fPM] Ana: hi", (2024, 3, 12), (18, 40, 5), "Ana: hi"),
        (
            "\u200e[12/03/2024, 18:40:05] Ana: \u200eimage omitted",
            (12, 3, 2024),
            (18, 40, 5),
            "Ana: \u200eimage omitted",
        ),
        ("[12.3.2024 klo 18.40.05] Ana: hei", (12, 3, 2024), (18, 40, 5), "Ana: hei"),
        ("[2024/3/12 下午6:40:05] 安娜: 你好", (2024, 3, 12), (18, 40, 5), "安娜: 你好"),
        ("2024. 3. 12. 오후 6:40 - 안나: 안녕", (2024, 3, 12), (18, 40, 0), "안나: 안녕"),
        ("\u200f12\u200f/3\u200f/2024، 6:40 م - آنا: مرحبا", (12, 3, 2024), (18, 40, 0), "آنا: مرحبا"),
        ("١٢/٣/٢٠٢٤، ٦:٤٠ م - آنا: مرحبا", (12, 3, 2024), (18, 40, 0), "آنا: مرحبا"),
        ("12/03/24 18:40:05: Ana: hi", (12, 3, 24), (18, 40, 5), "Ana: hi"),
    ],
)
def test_openings_of_many_phones(line: str, date: tuple[int, int, int], time: tuple[int, int, int], rest: str) -> None:
    opening = read_opening(line)
    assert opening is not None
    assert opening.stamp.date == date
    assert (opening.stamp.hour, opening.stamp.minute, opening.stamp.second) == time
    assert opening.rest == rest


@pytest.mark.parametrize(
    "line",
    ["", "hello", "12/03 we meet", "1. first: a thing", "12/03/2024, 25:00 - x: y", "10:30 - see you"],
)
def test_other_lines_continue_the_message_before(line: str) -> None:
    assert read_opening(line) is None


def order(*dates: tuple[int, int, int]) -> str:
    detector = OrderDetector()
    for date in dates:
        detector.see(date)
    return detector.order("chat.txt")


def test_the_order_of_the_date_is_found_where_the_file_tells() -> None:
    assert order((3, 4, 24), (13, 4, 24)) == "dmy"
    assert order((4, 3, 24), (4, 13, 24)) == "mdy"
    assert order((2024, 3, 4)) == "ymd"
    assert order((24, 3, 4), (24, 3, 5)) == "ymd"
    # never backwards: 5 March then 4 April, not May 3 then April 4
    assert order((5, 3, 24), (4, 4, 24)) == "dmy"
    assert order((3, 5, 24), (4, 4, 24)) == "mdy"


def test_an_order_that_the_file_does_not_tell_has_to_be_given(read: Callable[..., Any], tmp_path: Path) -> None:
    path = write(tmp_path, "01/02/24, 18:40 - Ana: one", "02/03/24, 18:40 - Ana: two")
    with pytest.raises(InvalidInput, match="--date-order") as caught:
        read(path)
    assert caught.value.field == "date_order"
    assert read(path, date_order="dmy").messages[0]["happened_at"] == datetime(2024, 2, 1, 18, 40, tzinfo=UTC)
    assert read(path, date_order="mdy").messages[0]["happened_at"] == datetime(2024, 1, 2, 18, 40, tzinfo=UTC)


def test_dates_of_two_orders_in_one_file_are_an_error() -> None:
    with pytest.raises(ImportFailed, match="no one order"):
        order((13, 4, 24), (4, 13, 24))


def test_the_time_zone_has_to_be_given(read: Callable[..., Any], files: Path) -> None:
    with pytest.raises(InvalidInput, match="--timezone") as caught:
        read(files / "whatsapp" / BOOK_CLUB, timezone=None)
    assert caught.value.field == "timezone"


def test_the_zone_and_its_repeated_hour_are_minded(read: Callable[..., Any], tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "13/07/24, 12:00 - Ana: summer",
        "27/10/24, 02:50 - Ana: before the clocks go back",
        "27/10/24, 02:10 - Ana: after",
        "27/10/24, 03:00 - Ana: winter",
    )
    got = read(path, timezone="Europe/Berlin")
    assert [m["happened_at"].strftime("%H:%M") for m in got.messages] == ["10:00", "00:50", "01:10", "02:00"]


def test_a_silence_begins_a_session_and_a_pause_does_not(read: Callable[..., Any], tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "13/07/24, 22:00 - Ana: a",
        "14/07/24, 01:30 - Ana: b",
        "14/07/24, 09:00 - Ana: c",
    )
    sessions = [message["session_id"] for message in read(path).messages]
    assert sessions == ["whatsapp:Ana:2024-07-13T22:00"] * 2 + ["whatsapp:Ana:2024-07-14T09:00"]


def test_a_later_export_of_the_chat_gives_earlier_messages_their_ids_again(
    read: Callable[..., Any], tmp_path: Path
) -> None:
    lines = [f"{day}/07/24, 22:00 - Ana: same words" for day in range(13, 16) for _ in range(2)]
    early = [message["source_id"] for message in read(write(tmp_path, *lines)).messages]
    renamed = write(tmp_path, *lines, "16/07/24, 08:00 - Rui: new").rename(tmp_path / "chat (1).txt")
    late = [message["source_id"] for message in read(renamed).messages]
    assert late[:-1] == early
    assert len(set(late)) == 7


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<Medien ausgeschlossen>", "photo, video or other media"),
        ("<Archivo omitido>", "photo, video or other media"),
        ("<Arquivo de mídia oculto>", "photo, video or other media"),
        ("Se eliminó este mensaje.", "deleted message"),
        ("Você apagou esta mensagem", "deleted message"),
        ("\u200eMissed voice call", "notice of the app"),
        ("\u200eaudio omitted", "photo, video or other media"),
        ("\u200ePlan.pdf • \u200e12 pages \u200edocument omitted", "photo, video or other media"),
    ],
)
def test_what_no_person_wrote_is_told_apart(read: Callable[..., Any], tmp_path: Path, text: str, reason: str) -> None:
    got = read(write(tmp_path, f"13/07/24, 22:00 - Ana: {text}", "13/07/24, 22:01 - Ana: real"))
    assert got.texts == ["real"]
    assert got.skipped == {reason: 1}


@pytest.mark.parametrize(
    "line", ["Ana änderte den Betreff zu „Kino: Freitag“", 'Ana cambió el asunto a "Cine: viernes"', "Ana left"]
)
def test_notices_with_a_colon_in_a_quotation_are_no_messages(
    read: Callable[..., Any], tmp_path: Path, line: str
) -> None:
    got = read(write(tmp_path, f"13/07/24, 22:00 - {line}", '13/07/24, 22:01 - Ana "Nina" Sá: real'))
    assert [message["name"] for message in got.messages] == ['Ana "Nina" Sá']
    assert got.skipped == {"notice of the app": 1}


def test_words_that_only_look_special_are_kept(read: Callable[..., Any], tmp_path: Path) -> None:
    texts = [
        "<3",
        "This message was deleted? Why?",
        "http://example.org: look",
        "null and void",
        "omitted",
        "note: <b>",
    ]
    got = read(write(tmp_path, *(f"13/07/24, 22:00 - Ana: {text}" for text in texts)))
    assert got.texts == texts


def test_stray_and_undated_lines_are_counted(read: Callable[..., Any], tmp_path: Path) -> None:
    path = write(tmp_path, "the tail of something", "13/07/24, 22:00 - Ana: kept", "31/06/24, 22:00 - Ana: no such day")
    got = read(path)
    assert got.texts == ["kept"]
    assert got.skipped == {"line before the first message": 1, "line with an impossible date": 1}
    assert got.places["line with an impossible date"].endswith("line 3")
