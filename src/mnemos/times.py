"""Times: aware UTC datetimes outside, integer microseconds since 1970 inside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import overload
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mnemos.errors import InvalidInput

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST = (datetime.min.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND
_LAST = (datetime.max.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND

TimeLike = datetime | str
Zone = str | tzinfo


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC of an aware datetime."""
    return (moment - EPOCH) // _MICROSECOND


@overload
def from_micros(micros: int) -> datetime: ...
@overload
def from_micros(micros: None) -> None: ...
def from_micros(micros: int | None) -> datetime | None:
    """The aware UTC datetime of a stored time; None stays None."""
    return None if micros is None else EPOCH + timedelta(microseconds=micros)


def utc_now() -> datetime:
    """The system's clock."""
    return datetime.now(UTC)


def read_zone(zone: Zone | None, field: str = "timezone") -> tzinfo | None:
    """A time zone from its IANA name (`Europe/Lisbon`) or a tzinfo."""
    if zone is None or isinstance(zone, tzinfo):
        return zone
    if not isinstance(zone, str):
        raise InvalidInput(field, f"is a {type(zone).__name__}", "give an IANA name such as 'Europe/Lisbon'")
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput(
            field, f"unknown time zone {zone[:60]!r}", "give an IANA name such as 'Europe/Lisbon'"
        ) from error


def read_time(value: object, field: str, zone: tzinfo | None = None) -> int:
    """A user's time (datetime, or ISO 8601 text) as microseconds; naive times need `zone`."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            raise InvalidInput(
                field, f"{value[:60]!r} is not a time", "write ISO 8601 with a zone: '2026-03-02T18:40:00Z'"
            ) from None
    elif isinstance(value, datetime):
        moment = value
    else:
        raise InvalidInput(field, f"is a {type(value).__name__}, not a time", "give an aware datetime or ISO 8601 text")
    if moment.utcoffset() is None:
        if zone is None:
            raise InvalidInput(field, "has no time zone", "add one ('…Z', '+02:00') or pass timezone=")
        moment = moment.replace(tzinfo=zone)
    micros = to_micros(moment)
    if not _FIRST <= micros <= _LAST:
        raise InvalidInput(field, "is out of range", "use years 1 to 9999 in UTC")
    return micros


def read_optional_time(value: object, field: str, zone: tzinfo | None = None) -> int | None:
    """Like `read_time`, but None stays None."""
    return None if value is None else read_time(value, field, zone)
