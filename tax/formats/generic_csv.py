"""Rates and boundaries as a plain table, of states whose authority publishes its own. Pure.

    # rate_unit=percent
    zip5,zip4_lo,zip4_hi,state,county,city,district,state_rate,county_rate,city_rate,district_rate,combined_rate,category,effective_from,effective_to

- `rate_unit` is percent or fraction, and must be said: 0.5 is a usual rate of a city, and a usual fraction of nothing.
- The three columns of the ZIP may be absent: then the file says rates, and not where they hold.
- A row without any rate says only where its ZIP lies. Where there are rates, combined_rate is their sum (to a millionth), or the file is refused.
- County, city and district are codes (121, 04000, 63-00123) or names; several districts are separated by ` | `, with their rates likewise.
- effective_to is the last day in force. An empty category means any goods.
- Further lines that begin with # may say code, publisher, licence, source; without code the file's name is it.

Several rows for one whole ZIP that hold at once are possibilities: none of them decides.
"""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

import msgspec

from salessync.core.problems import Problem, Refused
from tax.formats import american
from tax.formats.source import Findings, Source, Unusable
from tax.formats.sst_boundaries import zip5
from tax.law.categories import category_of
from tax.law.ratebook import ROOT, Rate
from tax.rates.loaded import Loaded, LoadedBoundary, LoadedJurisdiction

ZIP_COLUMNS = ("zip5", "zip4_lo", "zip4_hi")
COLUMNS = (
    "state", "county", "city", "district", "state_rate", "county_rate", "city_rate", "district_rate", "combined_rate",
    "category", "effective_from", "effective_to",
)  # fmt: skip
_UNITS = {"percent": Decimal(1), "fraction": Decimal(100)}
_EXACTNESS = Decimal("0.000001")
_SETTING = re.compile(r"#\s*([a-z_]+)\s*=\s*(.*)")
_RATE = re.compile(r"[0-9]{1,3}(\.[0-9]{1,10})?")
_DAY = timedelta(days=1)
_Key = tuple[str, str, str, date | None, date | None]


def looks_like(row: list[str]) -> bool:
    """By its first line: a setting, or the names of the columns."""
    return bool(_SETTING.match(row[0])) or {"state", "combined_rate"} <= {name.strip() for name in row}


def read(source: Source, state: str = "") -> Loaded:
    """Refused with every wrong line; `state` is that of rows which name none."""
    table = _Table(state)
    header: list[str] = []
    settings: dict[str, str] = {}
    for line, fields in source.rows():
        row = [field.strip() for field in fields]
        if row[0].startswith("#"):
            if found := _SETTING.match(",".join(row)):
                settings[found[1]] = found[2].strip().rstrip(",")
        elif not header:
            header = row
            _check_header(header, settings)
            table.unit = _UNITS[settings["rate_unit"]]
            table.source = settings.get("source") or settings.get("publisher") or source.stem
        elif any(row):
            table.add(line, dict(zip(header, row, strict=False)) if len(row) == len(header) else None)
    if not header:
        raise Refused(Problem("EMPTY", "line 1", "the file has no line that names its columns"))
    table.findings.refuse()
    if not table.rates and not table.places:
        raise Refused(Problem("EMPTY", "line 1", "the file holds neither rates nor places"))
    return Loaded(
        code=settings.get("code") or "csv-" + re.sub(r"[^a-z0-9]+", "-", source.stem.casefold()).strip("-")[:90], format="csv",
        version=settings.get("version", source.stem)[:100], publisher=settings.get("publisher", source.stem)[:200],
        licence=settings.get("licence", "")[:200], jurisdictions=list(table.jurisdictions.values()),
        rates=[rate for rate, _ in table.rates.values()], boundaries=list(table.boundaries()),
    )  # fmt: skip


def _check_header(header: list[str], settings: dict[str, str]) -> None:
    if settings.get("rate_unit") not in _UNITS:
        raise Refused(
            Problem(
                "MISSING_RATE_UNIT",
                "line 1",
                "the file must begin with `# rate_unit=percent` or `# rate_unit=fraction`: it is not guessed",
            )
        )
    if tuple(header) not in (COLUMNS, ZIP_COLUMNS + COLUMNS):
        wrong = sorted(set(ZIP_COLUMNS + COLUMNS) ^ set(header)) or ["their order"]
        raise Refused(
            Problem(
                "WRONG_COLUMNS", "header", f"the columns are not those of the format: look at {', '.join(wrong)[:300]}"
            )
        )


class _Place(msgspec.Struct, frozen=True):
    zip5: int
    low: int
    high: int
    is_exact: bool
    jurisdictions: tuple[str, ...]
    starts: date | None
    ends: date | None


class _Table:
    """What the rows say, each fact once."""

    def __init__(self, state: str) -> None:
        self.state = state
        self.unit = Decimal(1)
        self.source = ""
        self.findings = Findings()
        self.jurisdictions: dict[str, LoadedJurisdiction] = {}
        self.rates: dict[_Key, tuple[Rate, int]] = {}
        self.places: dict[_Place, int] = {}

    def add(self, line: int, row: dict[str, str] | None) -> None:
        try:
            if row is None:
                raise Unusable("WRONG_COLUMNS", "the line has not as many columns as the header")
            self._add(line, row)
        except Unusable as wrong:
            self.findings.add(wrong.code, line, str(wrong))

    def _add(self, line: int, row: dict[str, str]) -> None:
        state = american.state_of(row["state"] or self.state)
        starts, ends = _days(row)
        bearers = self._jurisdictions(state, row)
        for level, jurisdiction, rate in self._rated(row, bearers):
            tax = american.TAX[level] if level in american.TAX else american.state_tax(state)
            self._rate(line, jurisdiction, tax, _category(row["category"]), rate, starts, ends)
        if row.get("zip5"):
            local = tuple(dict.fromkeys(one.code for level, of in bearers if level != "state" for one in of))
            place = _Place(zip5(row["zip5"]), *_plus4(row), local or (f"US-{state}",), starts, ends)
            self.places.setdefault(place, line)

    def _jurisdictions(self, state: str, row: dict[str, str]) -> list[tuple[str, list[LoadedJurisdiction]]]:
        """By level; a district is known under the code that its name makes."""
        found = [("state", [american.state_jurisdiction(state)])]
        for level in american.LEVELS[1:]:
            names = [name.strip() for name in row[level].split("|")] if level == "district" else [row[level]]
            found.append((level, [american.named(state, level, name) for name in names if name]))
        self.jurisdictions |= {one.code: one for _, of in found for one in of}
        return found

    def _rated(
        self, row: dict[str, str], bearers: list[tuple[str, list[LoadedJurisdiction]]]
    ) -> Iterator[tuple[str, LoadedJurisdiction, Decimal]]:
        total = Decimal(0)
        is_rated = False
        found: list[tuple[str, LoadedJurisdiction, Decimal]] = []
        for level, of in bearers:
            texts = [text.strip() for text in row[f"{level}_rate"].split("|")] if row[f"{level}_rate"] else []
            if texts and len(texts) != len(of):
                raise Unusable("RATE_WITHOUT_NAME", f"{len(texts)} rates stand for {len(of)} names of a {level}")
            for text, one in zip(texts, of, strict=False):
                rate = self._number(text)
                total += rate
                is_rated = True
                found.append((level, one, rate * self.unit))
        if (is_rated or row["combined_rate"]) and abs(self._number(row["combined_rate"]) - total) > _EXACTNESS:
            raise Unusable("SUM_DIFFERS", f"combined_rate is {row['combined_rate']}, the rates add up to {total}")
        yield from found

    def _number(self, text: str) -> Decimal:
        if not _RATE.fullmatch(text):
            raise Unusable("BAD_RATE", f"{text[:20]!r} is no rate")
        rate = Decimal(text)
        if rate * self.unit > 100:
            raise Unusable("BAD_RATE", f"{text[:20]} is more than the whole price: is the rate_unit right?")
        return rate

    def _rate(
        self,
        line: int,
        of: LoadedJurisdiction,
        tax: str,
        category: str,
        rate: Decimal,
        starts: date | None,
        ends: date | None,
    ) -> None:
        treatment = "taxable" if rate or category == ROOT else "exempt"
        made = Rate(
            jurisdiction=of.code, tax=tax, category=category, rate=rate, treatment=treatment, starts=starts, ends=ends,
            source=self.source[:500],
        )  # fmt: skip
        known, at = self.rates.setdefault((of.code, tax, category, starts, ends), (made, line))
        if known.rate != rate:
            raise Unusable("TWO_RATES", f"{of.code} has another rate for the same days in line {at}")

    def boundaries(self) -> Iterator[LoadedBoundary]:
        """Rows for one whole ZIP that hold at once lie somewhere in it: 0 to 0."""
        whole: dict[int, list[_Place]] = {}
        for place in self.places:
            if not place.is_exact:
                whole.setdefault(place.zip5, []).append(place)
        for place in self.places:
            is_part = not place.is_exact and any(_overlap(place, other) for other in whole[place.zip5])
            yield LoadedBoundary(
                place.zip5, place.low, 0 if is_part else place.high, place.is_exact, place.jurisdictions,
                starts=place.starts, ends=place.ends,
            )  # fmt: skip


def _overlap(one: _Place, other: _Place) -> bool:
    return (
        one.jurisdictions != other.jurisdictions
        and (one.starts or date.min) < (other.ends or date.max)
        and (other.starts or date.min) < (one.ends or date.max)
    )


def _days(row: dict[str, str]) -> tuple[date | None, date | None]:
    try:
        starts = date.fromisoformat(row["effective_from"]) if row["effective_from"] else None
        last = date.fromisoformat(row["effective_to"]) if row["effective_to"] else None
    except ValueError as error:
        raise Unusable("BAD_DATE", f"a day is written YYYY-MM-DD: {error}") from None
    if starts and last and last < starts:
        raise Unusable("BAD_DATE", "effective_to lies before effective_from")
    return starts, last + _DAY if last and last < date.max else None


def _category(name: str) -> str:
    if name in ("", ROOT):
        return ROOT
    found = category_of(name)
    if found is None:
        raise Unusable("UNKNOWN_CATEGORY", f"{name[:60]!r} is no category")
    return found.code


def _plus4(row: dict[str, str]) -> tuple[int, int, bool]:
    low, high = row["zip4_lo"], row["zip4_hi"] or row["zip4_lo"]
    if not low and not high:
        return 0, 9999, False
    if not (re.fullmatch(r"[0-9]{1,4}", low) and re.fullmatch(r"[0-9]{1,4}", high)) or int(low) > int(high):
        raise Unusable("BAD_ZIP", f"{low[:10]} to {high[:10]} is no range of ZIP+4")
    return int(low), int(high), True
