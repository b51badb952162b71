"""Where a ZIP or ZIP+4 lies: the county, city and districts of a place in the United States, or the possibilities. Pure.

The finest row in force decides: one of the ZIP+4, else one of the whole ZIP; of equals the latest begin. A ZIP without its +4 decides
only where all its rows say the same; else nothing is guessed: what is common to all holds, and the possibilities are named.
"""

import re
from array import array
from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from sys import intern
from typing import NamedTuple

import msgspec

from tax.law.categories import GOODS
from tax.law.ratebook import Locality, RateBook
from tax.law.rules import applicable
from tax.rates.loaded import LoadedBoundary

_WIDTH = 4  # numbers of a row: where in the ZIP and how exactly, first day, first day after, combination
_ZIP_4 = 14  # bits of a +4
_LAST = (1 << _ZIP_4) - 1
_OPEN = 2**31 - 1
_PART, _WHOLE, _EXACT = 0, 1, 2
_ZIP = re.compile(r"\s*([0-9]{5})(?:[\s-]*([0-9]{4}))?\s*")
_DISTRICT = re.compile(r"(US-[A-Z]{2})-[0-9]{2}-([0-9A-Z]{5})")

Label = Callable[[tuple[str, ...], date], str]  # of the jurisdictions from the state down, on a day


class Combination(msgspec.Struct, frozen=True, gc=False):
    """Jurisdictions of one state that places share: county, city, districts."""

    state: str
    jurisdictions: tuple[str, ...]
    has_state: bool = True


def parse_zip(postcode: str) -> tuple[int, int | None] | None:
    """The ZIP and its +4 of 55401, 55401-1024, 554011024; None where it is none."""
    found = _ZIP.fullmatch(postcode)
    if not found:
        return None
    return int(found[1]), int(found[2]) if found[2] else None


def combination(jurisdictions: Iterable[str], has_state: bool, districts: "Districts") -> Combination:
    """Of the codes of a boundary row; one without local tax bears its state's code alone."""
    codes = tuple(jurisdictions)
    state = codes[0][:5] if codes else ""
    return Combination(
        intern(state), tuple(intern(districts.known(code)) for code in codes if code != state), has_state
    )


class Districts:
    """Boundary files sometimes list a district under another type than the rate file: its code tells, where it is unique."""

    def __init__(self, rated: Iterable[str] = ()) -> None:
        self._codes: set[str] = set()
        self._by_number: dict[tuple[str, str], list[str]] = {}
        for code in rated:
            if found := _DISTRICT.fullmatch(code):
                self._codes.add(code)
                self._by_number.setdefault((found[1], found[2]), []).append(code)

    def known(self, code: str) -> str:
        """The code under which the rate stands; itself where there is none."""
        if code in self._codes or not (found := _DISTRICT.fullmatch(code)):
            return code
        same = self._by_number.get((found[1], found[2]), [])
        return same[0] if len(same) == 1 else code


def packed(low: int, high: int, is_exact: bool, starts: date | None, ends: date | None, combination: int) -> list[int]:
    """A row as numbers of 32 bits. One that is neither exact nor whole lies somewhere in the ZIP."""
    kind = _EXACT if is_exact else _WHOLE if high else _PART
    where = (low << _ZIP_4 | high) << 2 | kind
    return [where, starts.toordinal() if starts else 0, ends.toordinal() if ends else _OPEN, combination]


def locate(
    rows: "array[int]",
    plus4: int | None,
    on: date,
    state: str,
    combinations: Callable[[int], Combination],
    label: Label,
) -> Locality | None:
    """`rows` of one ZIP; None where none of the state is in force."""
    day = on.toordinal()
    live = [
        _Row(where >> _ZIP_4 + 2, where >> 2 & _LAST, where & 3, starts, number)
        for where, starts, ends, number in zip(*[iter(rows)] * _WIDTH, strict=True)
        if starts <= day < ends and combinations(number).state == state
    ]
    if not live:
        return None
    possible = {combinations(row.combination) for row in _possible(live, plus4)}
    if len(possible) == 1:
        one = possible.pop()
        return Locality(one.jurisdictions, has_state=one.has_state)
    every = sorted(possible, key=lambda one: (one.jurisdictions, one.has_state))
    common = tuple(code for code in every[0].jurisdictions if all(code in one.jurisdictions for one in every))
    return Locality(
        common,
        tuple(
            dict.fromkeys(
                label((state, *one.jurisdictions) if one.has_state else one.jurisdictions, on) for one in every
            )
        ),
        has_state=any(one.has_state for one in every),
    )


class _Row(NamedTuple):
    low: int
    high: int
    kind: int
    starts: int
    combination: int


def _possible(live: list[_Row], plus4: int | None) -> list[_Row]:
    exact = [row for row in live if row.kind == _EXACT]
    whole = _latest([row for row in live if row.kind == _WHOLE])
    parts = [row for row in live if row.kind == _PART]
    if plus4 is not None:
        here = _latest([row for row in exact if row.low <= plus4 <= row.high])
        if here:
            return here
        if whole:
            return whole + parts
    by_range: dict[tuple[int, int], list[_Row]] = {}
    for row in exact:
        by_range.setdefault((row.low, row.high), []).append(row)
    return [row for same in by_range.values() for row in _latest(same)] + whole + parts


def _latest(rows: list[_Row]) -> list[_Row]:
    """Those that came into force last: several, where they contradict each other."""
    last = max((row.starts for row in rows), default=0)
    return [row for row in rows if row.starts == last]


def codes_label(jurisdictions: tuple[str, ...], on: date) -> str:
    """US-GA-121 + US-GA-04000."""
    local = [code for code in jurisdictions if len(code) > 5]
    return " + ".join(local) or "no local tax"


def rates_label(book: RateBook) -> Label:
    """8.9 % (US-GA-121 + US-GA-04000): the general rate of the place, without taxes that begin at some price."""

    def label(jurisdictions: tuple[str, ...], on: date) -> str:
        taxes = applicable(book, jurisdictions, GOODS, on).taxes
        rate = sum((tax.rate for tax in taxes if not tax.thresholds), Decimal(0))
        return f"{rate.normalize():f} % ({codes_label(jurisdictions, on)})"

    return label


class BoundaryIndex:
    """All of it in memory, sixteen bytes a row; tax.rates.localities has the database's.

    Only states of `rated` are answered for: where no local rate is known, knowing the place is no help.
    """

    def __init__(
        self, boundaries: Iterable[LoadedBoundary], rated: Iterable[str] = (), label: Label = codes_label
    ) -> None:
        rated = list(rated)
        self.label = label
        self._states = {code[:5] for code in rated if len(code) > 5}
        self._zips: dict[int, array[int]] = {}
        self._combinations: list[Combination] = []
        districts = Districts(rated)
        numbers: dict[tuple[tuple[str, ...], bool], int] = {}
        for row in boundaries:
            key = row.jurisdictions, row.has_state
            number = numbers.get(key)
            if number is None:
                number = numbers[key] = len(self._combinations)
                self._combinations.append(combination(*key, districts))
            rows = self._zips.get(row.zip5)
            if rows is None:
                rows = self._zips[row.zip5] = array("i")
            rows.extend(packed(row.low, row.high, row.is_exact, row.starts, row.ends, number))

    def prefetch(self, postcodes: Iterable[str]) -> None:
        """All are here."""

    def locate(self, country: str, region: str, postcode: str, city: str, on: date) -> Locality | None:
        """The city's name does not decide: places of one name lie in several jurisdictions."""
        state, found = f"US-{region}", parse_zip(postcode)
        if country != "US" or found is None or state not in self._states:
            return None
        rows = self._zips.get(found[0])
        return None if rows is None else locate(rows, found[1], on, state, self._combinations.__getitem__, self.label)
