"""Instants, business days and versions."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salessync.core.dates import DateError, business_date, format_instant, parse_instant, version_key, zone

INSTANTS = st.integers(-(2**31), 2**32).map(lambda second: datetime.fromtimestamp(second, UTC))
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-08-31T23:12:09-04:00", "2026-09-01T03:12:09Z"),
        ("2026-09-01T03:12:09Z", "2026-09-01T03:12:09Z"),
        ("2026-09-01 03:12:09+0000", "2026-09-01T03:12:09Z"),
        ("2026-09-01T03:12:09.5+05:30", "2026-08-31T21:42:09.500000Z"),
        ("2026-09-01T03:12:09.123456789Z", "2026-09-01T03:12:09.123456Z"),
    ],
)
def test_times_with_a_zone_are_read(text, utc):
    assert format_instant(parse_instant(text)) == utc


@pytest.mark.parametrize(
    "value",
    ["", "10", "Jan", "5pm", "2026-09-01", "2026-09-01T10:00:00", "2026-02-30T10:00:00Z", "2026-09-01T10:00:60Z",
     "2026-09-01T24:00:00Z", "2026-09-01T10:00:00+99:99", "2026-W36-2T10:00:00Z", "٢٠٢٦-09-01T10:00:00Z", " 2026-09-01T10:00:00Z",
     "0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00", "2026-09-01T10:00:00 EST", 1788264000, None, True, [], {}],
)  # fmt: skip
def test_anything_else_is_no_time(value):
    with pytest.raises(DateError) as refused:
        parse_instant(value)
    assert refused.value.code == "BAD_TIME"


@given(INSTANTS, OFFSETS)
def test_an_instant_is_the_same_in_every_zone(at, offset):
    assert parse_instant(at.astimezone(offset).isoformat()) == at
    assert parse_instant(format_instant(at)) == at


def test_the_business_day_is_the_stores_own():
    at = datetime(2026, 9, 1, 3, 12, tzinfo=UTC)
    assert business_date(at, "America/New_York") == date(2026, 8, 31)
    assert business_date(at, "UTC") == date(2026, 9, 1)
    assert business_date(at, "UTC", 4) == date(2026, 8, 31)
    assert business_date(at, "UTC", 3) == date(2026, 9, 1)


def test_the_hours_of_a_clock_change_belong_to_their_day():
    for hour in range(5):
        assert business_date(datetime(2026, 3, 8, 5 + hour, 30, tzinfo=UTC), "America/New_York") == date(2026, 3, 8)
        assert business_date(datetime(2026, 11, 1, 4 + hour, 30, tzinfo=UTC), "America/New_York") == date(2026, 11, 1)


@pytest.mark.parametrize(
    "name", ["Mars/Olympus", "", "../../etc/passwd", "/etc/localtime", "EST5EDT4", "a\x00b", "x" * 5000]
)
def test_unknown_zones_are_refused(name):
    with pytest.raises(DateError) as refused:
        zone(name)
    assert refused.value.code == "UNKNOWN_TIMEZONE"


@given(st.integers(0, 10**20), st.integers(0, 10**20))
def test_numbers_of_versions_sort_by_value(one, other):
    assert (version_key(str(one)) < version_key(str(other))) == (one < other)


@given(INSTANTS, INSTANTS, OFFSETS)
def test_times_of_versions_sort_by_time(one, other, offset):
    keys = version_key(one.isoformat()), version_key(other.astimezone(offset).isoformat())
    assert (keys[0] < keys[1]) == (one < other)


@given(st.text(min_size=1))
def test_any_version_has_a_key(version):
    assert version_key(version) == version_key(version)
    assert version_key(version)[0] in "012"
