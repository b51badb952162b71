"""Names of the files of the Streamlined Sales Tax Governing Board: GAR2026Q2FEB19.csv, of Georgia, for the quarter, made on that day. Pure."""

import re
from datetime import date

import msgspec

PUBLISHER = "Streamlined Sales Tax Governing Board"
LICENCE = "public domain (published by the states)"
_NAME = re.compile(r"([A-Z]{2})([RB])(\d{4})Q([1-4])([A-Z]{3})(\d{2})", re.IGNORECASE)
_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()


class FileName(msgspec.Struct, frozen=True):
    """What the name says; empty where it is another."""

    state: str = ""
    version: str = ""
    made_on: date | None = None


def file_name(stem: str) -> FileName:
    """Of a name without its ending; anything may follow it."""
    found = _NAME.match(stem)
    if not found:
        return FileName(version=stem[:100])
    state, _, year, quarter, month, day = found.groups()
    version = f"{year}Q{quarter}{month.upper()}{day}"
    if month.upper() not in _MONTHS:
        return FileName(state.upper(), version)
    number = _MONTHS.index(month.upper()) + 1
    is_of_year_before = number - (3 * int(quarter) - 2) >= 6  # the first quarter's file is made in November
    try:
        return FileName(state.upper(), version, date(int(year) - is_of_year_before, number, int(day)))
    except ValueError:
        return FileName(state.upper(), version)
