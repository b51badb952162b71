"""Instants and business days. Pure: the clock is an argument, never read here."""

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[T ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:?[0-9]{2})"
)


class DateError(ValueError):
    """A time or zone that cannot be read with certainty."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def parse_instant(value: object) -> datetime:
    """RFC 3339 with a zone → aware UTC datetime. A naive, partial or impossible time is a DateError, never a guess."""
    if type(value) is str:
        return _parse(value)
    raise DateError("BAD_TIME", f"{str(value)[:40]!r} is not a time with its zone (RFC 3339)")


@lru_cache(maxsize=4096)  # one record names the same instants several times
def _parse(value: str) -> datetime:
    if _ISO.fullmatch(value) is None:
        raise DateError("BAD_TIME", f"{value[:40]!r} is not a time with its zone (RFC 3339)")
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise DateError("BAD_TIME", f"{value[:40]!r} is not a time that exists") from None


def format_instant(value: datetime) -> str:
    """UTC, RFC 3339 with `Z`; microseconds only where there are any."""
    text = (
        value.astimezone(UTC)
        .replace(tzinfo=None)
        .isoformat(timespec="microseconds" if value.microsecond else "seconds")
    )
    return text + "Z"


@lru_cache(maxsize=512)
def zone(name: str) -> ZoneInfo:
    """The IANA zone of that name; DateError where there is none."""
    try:
        return ZoneInfo(name)
    except Exception:
        raise DateError("UNKNOWN_TIMEZONE", f"{name[:60]!r} is not an IANA time zone") from None


def business_date(at: datetime, timezone: str, day_cut_hour: int = 0) -> date:
    """The store's own day: before `day_cut_hour` o'clock local time, a sale still belongs to the day before."""
    local = at.astimezone(zone(timezone))
    return (local - timedelta(days=1)).date() if local.hour < day_cut_hour else local.date()


@lru_cache(maxsize=4096)
def version_key(version: str) -> str:
    """A text that sorts versions of one object: numbers by value, instants by time, anything else as it is."""
    if version.isascii() and version.isdigit():
        return "0" + version.zfill(24)
    try:
        return "1" + parse_instant(version).isoformat(timespec="microseconds")[:26]
    except DateError:
        return "2" + version
