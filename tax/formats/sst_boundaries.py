"""Boundary files of the Streamlined Sales Tax states (Technology Guide, chapter 5): which jurisdictions a ZIP or ZIP+4 lies in. Pure.

No header, 29 columns and then groups of three (prefix, code, type), one a district. Records are of a whole ZIP (Z), of ZIP+4 ranges (4),
or of addresses (A). Read as a stream: a file has hundreds of thousands of lines.

Streets are not kept: a sale's record has none, and its look-up is by postcode. Of a ZIP's address records each combination of
jurisdictions is kept once as lying somewhere in that ZIP (neither exact nor whole: 0 to 0). Such a row never decides alone; it makes the
ZIP ambiguous where it differs from the others.
"""

from collections.abc import Iterator, Sequence
from datetime import date

from tax.formats import american
from tax.formats.american import first_day, first_day_after
from tax.formats.source import Findings, Source, Unusable
from tax.formats.sst_names import LICENCE, PUBLISHER, file_name
from tax.rates.loaded import Loaded, LoadedBoundary

_FEWEST = 26  # up to the place; what follows may be cut off
_DISTRICTS = 29
_MOST_ZIPS = 5_000  # of one line: no state has more
STREETS = "street addresses: kept as a possibility of their ZIP"
_UNCLEAR = "address records without a ZIP"


def looks_like(row: list[str]) -> bool:
    """By its first line."""
    return len(row) >= _FEWEST and row[0].strip().upper() in ("Z", "4", "A") and row[1].strip().isdigit()


def read(source: Source, state: str = "") -> Loaded:
    """The lines are read, and judged, while the boundaries are taken; Refused at the end where any was wrong."""
    named = file_name(source.stem)
    if not state:
        first = next((row for _, row in source.rows()), [])
        fips = first[22].strip().zfill(2) if len(first) >= _FEWEST else ""
        state = american.FIPS.get(fips, named.state)
    findings = Findings()
    if state not in american.FIPS_OF:
        findings.add("UNKNOWN_STATE", 1, "neither the first line nor the name of the file says the state")
    findings.refuse()
    left_out: dict[str, int] = {}
    return Loaded(
        code=f"sst-{state.lower()}-boundaries", format="sst-boundaries", version=named.version, publisher=PUBLISHER, licence=LICENCE,
        covers=(f"US-{state}",), jurisdictions=[american.state_jurisdiction(state)], left_out=left_out,
        boundaries=_Boundaries(source, state, left_out),
    )  # fmt: skip


class _Boundaries:
    """May be gone through again; `left_out` is of the last time."""

    def __init__(self, source: Source, state: str, left_out: dict[str, int]) -> None:
        self.source = source
        self.state = state
        self.left_out = left_out

    def __iter__(self) -> Iterator[LoadedBoundary]:
        self.left_out.clear()
        findings = Findings()
        reader = _Lines(self.state, self.left_out)
        count = 0
        for line, fields in self.source.rows():
            try:
                found = reader.boundaries(fields)
            except Unusable as wrong:
                findings.add(wrong.code, line, str(wrong))
                continue
            count += len(found)
            yield from found
        if not count:
            findings.add("EMPTY", 1, "the file holds no boundaries")
        findings.refuse()


class _Lines:
    """Each combination of jurisdictions is made once and shared by its rows."""

    def __init__(self, state: str, left_out: dict[str, int]) -> None:
        self.state = state
        self.left_out = left_out
        self.known: dict[str, tuple[tuple[str, ...], bool]] = {}
        self.streets: set[LoadedBoundary] = set()

    def boundaries(self, fields: list[str]) -> Sequence[LoadedBoundary]:
        """Of one line: usually one."""
        if len(fields) < _FEWEST:
            raise Unusable("WRONG_COLUMNS", f"the line has {len(fields)} columns, a boundary has at least {_FEWEST}")
        kind = fields[0].strip().upper()
        days = first_day(fields[1].strip()), first_day_after(fields[2].strip())
        if days[1] is not None and days[1] <= days[0]:
            self._count("never in force: ends before it begins")
            return ()
        key = ",".join(fields[22:])
        known = self.known.get(key)
        if known is None:
            known = self.known[key] = self._combination(fields)
        if kind == "A":
            return self._street(fields, *known, *days)
        if kind not in ("Z", "4"):
            raise Unusable("UNKNOWN_RECORD", f"{fields[0][:10]!r} is no type of record: Z, 4 or A")
        first = zip5(fields[17])
        last = zip5(fields[19]) if fields[19].strip() else first
        if not first <= last < first + _MOST_ZIPS:
            raise Unusable("BAD_RANGE", f"{fields[17]} to {fields[19]} is no range of ZIPs")
        is_exact = kind == "4"
        low, high = (_plus4(fields[18], 0), _plus4(fields[20], 9999)) if is_exact else (0, 9999)
        if first == last:
            if low > high:
                raise Unusable("BAD_RANGE", f"{fields[18]} to {fields[20]} is no range of ZIP+4")
            return (LoadedBoundary(first, low, high, is_exact, *known, *days),)
        return [  # a range of ZIP+4 over several ZIPs runs on through them
            LoadedBoundary(one, low if one == first else 0, high if one == last else 9999, is_exact, *known, *days)
            for one in range(first, last + 1)
        ]

    def _street(
        self, fields: list[str], jurisdictions: tuple[str, ...], has_state: bool, starts: date, ends: date | None
    ) -> Sequence[LoadedBoundary]:
        if not fields[15].strip():
            self._count(_UNCLEAR)
            return ()
        self._count(STREETS)
        one = LoadedBoundary(zip5(fields[15]), 0, 0, False, jurisdictions, has_state, starts, ends)
        if one in self.streets:
            return ()
        self.streets.add(one)
        return (one,)

    def _combination(self, fields: list[str]) -> tuple[tuple[str, ...], bool]:
        fips, indicator, county, place = (field.strip() for field in fields[22:26])
        if american.FIPS.get(fips.zfill(2)) != self.state:
            raise Unusable("OTHER_STATE", f"{fips[:10]!r} is not the FIPS code of {self.state}")
        found: list[str] = []
        if county.strip("0"):
            found.append(american.county(self.state, county))
        if place.strip("0"):
            found.append(american.city(self.state, place))
        for at in range(_DISTRICTS, len(fields) - 2, 3):
            code, kind = fields[at + 1].strip(), fields[at + 2].strip()
            if code:
                found.append(american.district(self.state, kind, code))
        # Without local tax the state stands for itself, so that one knows in which the place lies.
        return tuple(dict.fromkeys(found)) or (f"US-{self.state}",), bool(indicator)

    def _count(self, reason: str) -> None:
        self.left_out[reason] = self.left_out.get(reason, 0) + 1


def zip5(text: str) -> int:
    """Five digits; a zero in front may be lost."""
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and 3 <= len(digits) <= 5):
        raise Unusable("BAD_ZIP", f"{text[:20]!r} is no ZIP of five digits")
    return int(digits)


def _plus4(text: str, otherwise: int) -> int:
    digits = text.strip()
    if not digits:
        return otherwise
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 4):
        raise Unusable("BAD_ZIP", f"{text[:20]!r} is no ZIP+4 of four digits")
    return int(digits)
