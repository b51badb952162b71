"""Rate files of the Streamlined Sales Tax states (Technology Guide, chapter 5): one state's own and local rates by their days. Pure.

Nine columns without a header: state FIPS, type of jurisdiction, its code, general rate within the state and from outside it, rate of
food and drugs likewise, first day, last day. Rates are fractions.

- Where a row ends after the next one of its jurisdiction begins, the later begin wins.
- Rates of food and drugs are taken for food alone: prescriptions are exempt by each state's taxability matrix, whatever rate its food has.
- A blank rate of food (old rows) is not known: the general one holds.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from itertools import zip_longest

import msgspec

from tax.formats import american
from tax.formats.source import Findings, Source, Unusable
from tax.formats.sst_names import LICENCE, PUBLISHER, file_name
from tax.law.ratebook import ROOT, Rate
from tax.rates.loaded import Loaded, LoadedJurisdiction

_COLUMNS = 9
_FOOD = "food.grocery"
_Pair = tuple[Decimal, Decimal]  # within the state, from outside


class _Row(msgspec.Struct, frozen=True):
    line: int
    jurisdiction: LoadedJurisdiction
    general: _Pair
    food: _Pair | None
    starts: date
    ends: date | None

    @property
    def says(self) -> tuple[object, ...]:
        return self.general, self.food, self.starts, self.ends


def looks_like(row: list[str]) -> bool:
    """By its first line."""
    return len(row) in (_COLUMNS, _COLUMNS + 1) and row[0].strip() in american.FIPS and row[7].strip().isdigit()


def read(source: Source, state: str = "") -> Loaded:
    """Refused with every wrong line; `state` is what the file must be of."""
    named = file_name(source.stem)
    findings = Findings()
    rows: dict[str, list[_Row]] = {}
    left_out: dict[str, int] = {}
    for line, fields in source.rows():
        try:
            row, of = _row(line, [field.strip() for field in fields])
        except Unusable as wrong:
            findings.add(wrong.code, line, str(wrong))
            continue
        state = state or of
        if of != state:
            findings.add("OTHER_STATE", line, f"the line is of {of}, the file of {state}")
        elif row.ends is not None and row.ends <= row.starts:
            _count(left_out, "never in force: ends before it begins")
        else:
            rows.setdefault(row.jurisdiction.code, []).append(row)
    if not rows:
        findings.add("EMPTY", 1, "the file holds no rates")
    source_text = f"{PUBLISHER}, rate file {source.stem}"
    rates: list[Rate] = []
    for of_one in rows.values():
        for row in _in_order(of_one, findings, left_out):
            rates += _rates(row, state, source_text, named.made_on, left_out)
    findings.refuse()
    states = [american.state_jurisdiction(state)]
    return Loaded(
        code=f"sst-{state.lower()}-rates", format="sst-rates", version=named.version, publisher=PUBLISHER, licence=LICENCE,
        covers=(f"US-{state}",), rates=rates, left_out=left_out,
        jurisdictions=states + [of[0].jurisdiction for code, of in rows.items() if code != f"US-{state}"],
    )  # fmt: skip


def _count(left_out: dict[str, int], reason: str) -> None:
    left_out[reason] = left_out.get(reason, 0) + 1


def _row(line: int, fields: list[str]) -> tuple[_Row, str]:
    if len(fields) != _COLUMNS:
        raise Unusable("WRONG_COLUMNS", f"the line has {len(fields)} columns, a rate has {_COLUMNS}")
    fips, kind, code = fields[0].zfill(2), fields[1].zfill(2), fields[2]
    if fips not in american.FIPS:
        raise Unusable("UNKNOWN_STATE", f"{fields[0][:10]!r} is no FIPS code of a state")
    state = american.FIPS[fips]
    general = american.percent(fields[3]), american.percent(fields[4])
    food = (american.percent(fields[5]), american.percent(fields[6])) if fields[5] and fields[6] else None
    ends = american.first_day_after(fields[8])
    return _Row(line, _jurisdiction(state, kind, code), general, food, american.first_day(fields[7]), ends), state


def _jurisdiction(state: str, kind: str, code: str) -> LoadedJurisdiction:
    fips = american.FIPS_OF[state]
    if kind == "45":
        return american.state_jurisdiction(state)
    if kind == "00":
        return LoadedJurisdiction(
            american.county(state, code), f"US-{state}", "US", "county", fips=fips + code.zfill(3)
        )
    if kind == "01":
        return LoadedJurisdiction(american.city(state, code), f"US-{state}", "US", "city", fips=fips + code.zfill(5))
    return LoadedJurisdiction(american.district(state, kind, code), f"US-{state}", "US", "district")


def _in_order(rows: list[_Row], findings: Findings, left_out: dict[str, int]) -> list[_Row]:
    """One jurisdiction's rows by their days, none over another."""
    unique: dict[tuple[object, ...], _Row] = {}
    for row in rows:
        if unique.setdefault(row.says, row) is not row:
            _count(left_out, "said twice")
    ordered = sorted(unique.values(), key=lambda row: (row.starts, row.line))
    found: list[_Row] = []
    for row, after in zip_longest(ordered, ordered[1:]):
        if after is None or (row.ends is not None and row.ends <= after.starts):
            found.append(row)
        elif row.starts == after.starts:
            findings.add(
                "TWO_RATES",
                after.line,
                f"{row.jurisdiction.code} has another rate from the same day in line {row.line}",
            )
        elif after.ends is not None and (row.ends is None or after.ends < row.ends):
            findings.add(
                "OVERLAP",
                after.line,
                f"what holds after it is not clear: line {row.line} of {row.jurisdiction.code} goes on",
            )
        else:
            _count(left_out, "cut: the next rate began before its last day")
            found.append(msgspec.structs.replace(row, ends=after.starts))
    return found


def _rates(row: _Row, state: str, source: str, made_on: date | None, left_out: dict[str, int]) -> Iterator[Rate]:
    level = row.jurisdiction.level
    tax = american.TAX[level] if level in american.TAX else american.state_tax(state)

    def rates(category: str, pair: _Pair) -> Iterator[Rate]:
        for sourcing, rate in (("any", pair[0]),) if pair[0] == pair[1] else zip(("intra", "inter"), pair, strict=True):
            treatment = "taxable" if rate or category == ROOT else "exempt"
            yield Rate(
                jurisdiction=row.jurisdiction.code, tax=tax, category=category, rate=rate, treatment=treatment, sourcing=sourcing,
                starts=row.starts, ends=row.ends, source=source, verified_on=made_on,
            )  # fmt: skip

    yield from rates(ROOT, row.general)
    if row.food is None:
        _count(left_out, "rate of food not given: the general rate holds")
    elif (
        level == "state" or row.food != row.general
    ):  # the state's stands in for the seed's, even where it is the general one
        if row.food != row.general:
            _count(left_out, "rate of food and drugs: taken for food alone")
        yield from rates(_FOOD, row.food)
