"""The European Commission's "Taxes in Europe" database: VAT rates by category on a day. Pure.

Either the answer of its web service VatRetrievalService (retrieveVatRates, SOAP), or the same fields as a CSV: member_state, type,
rate_type, rate, situation_on, category, cn_codes, comment. Its categories are those of Annex III of Directive 2006/112/EC.

A rate is taken from `situation_on` on, until the next change that the seed knows (tax.formats.snapshots). A category is taken where one of
ours means the same goods; a rate whose customs codes are narrower than those goods, of imports alone, or of a region is left out, and so
is a category with several rates in one country: which of them holds for a product is not said, and is not guessed.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from itertools import groupby
from typing import Any
from xml.parsers import expat

import msgspec

from salessync.core.problems import Problem, Refused
from tax.formats import snapshots
from tax.formats.source import Findings, Source, Unusable
from tax.law.ratebook import ROOT, Rate
from tax.law.seed import seed
from tax.rates.loaded import Loaded

FIELDS = ("member_state", "type", "rate_type", "rate", "situation_on", "category", "cn_codes", "comment")
_DAIRY, _MEAT, _BREAD = {"04", "0401"}, {"02", "0201", "0203", "0207"}, {"10", "1001", "11", "1101", "19", "1905"}
_OURS: dict[
    str, tuple[str, list[set[str]]]
] = {  # TEDB's category → ours, and customs headings of each group of which one must be there whole
    "FOODSTUFFS": ("food.grocery", [_DAIRY, _MEAT, _BREAD]),
    "RESTAURANT": ("food.prepared", []),
    "LOAN_LIBRARIES": ("books.print", [{"49", "4901"}]),
    "BOOKS": ("books.print", [{"49", "4901"}]),
    "NEWSPAPERS": ("books.newspaper", [{"49", "4902"}]),
    "PERIODICALS": ("books.newspaper", [{"49", "4902"}]),
    "PHARMACEUTICAL_PRODUCTS": ("medicine", [{"30", "3004"}]),
    "MEDICAL_EQUIPMENT": ("medicine.device", [{"90", "9021"}]),
    "ACCOMMODATION": ("lodging", []),
    "TRANSPORT_PASSENGERS": ("transport.passenger", []),
}
_WITHOUT_RATE = {"NOT_APPLICABLE", "OUT_OF_SCOPE"}
_ISO = {"EL": "GR", "UK": "GB"}
_REGIONS = re.compile(
    r"canar|azores|madeira|corsica|jungholz|mittelberg|livigno|aegean|overseas|martinique", re.IGNORECASE
)
_IMPORTS = re.compile(r"vat - import|import only|importation", re.IGNORECASE)


class _Row(msgspec.Struct, frozen=True):
    line: int
    country: str
    category: str
    rate: Decimal
    is_exempt: bool
    on: date
    codes: frozenset[str]  # customs codes; none: all of the category
    headings: tuple[frozenset[str], ...]


def looks_like(row: list[str]) -> bool:
    """By the names of its columns."""
    return {"member_state", "rate_type", "situation_on"} <= set(row)


def read(source: Source, state: str = "") -> Loaded:
    """Refused with every wrong row; what is not taken is counted by its reason."""
    findings = Findings()
    left_out: dict[str, int] = {}
    rows: list[_Row] = []
    for line, fields in _fields(source):
        try:
            found = _row(line, fields)
        except Unusable as wrong:
            findings.add(wrong.code, line, str(wrong))
            continue
        if isinstance(found, _Row):
            rows.append(found)
        else:
            left_out[found] = left_out.get(found, 0) + 1
    rows = list(_broad(rows, left_out))
    if not rows:
        findings.add("EMPTY", 1, "the file holds no rate that could be taken")
    findings.refuse()
    version = max(row.on for row in rows).isoformat()
    problems: list[Problem] = []
    return Loaded(
        code="tedb", format="tedb", version=version, publisher="European Commission, TEDB", licence="CC BY 4.0",
        attribution="European Commission, Taxes in Europe Database", left_out=left_out, problems=problems,
        rates=snapshots.with_later(list(_rates(rows, left_out, problems))),
    )  # fmt: skip


def _row(line: int, fields: dict[str, str]) -> _Row | str:
    """The row, or why it is left out."""
    country = _ISO.get(fields["member_state"], fields["member_state"])
    if not re.fullmatch(r"[A-Z]{2}", country):
        raise Unusable("UNKNOWN_COUNTRY", f"{country[:20]!r} is no member state")
    try:
        on = date.fromisoformat(fields["situation_on"][:10])
    except ValueError:
        raise Unusable("BAD_DATE", f"{fields['situation_on'][:20]!r} is no day") from None
    if country not in seed().rates:
        return "country without seed facts"
    if fields["rate_type"] in _WITHOUT_RATE:
        return "no rate: not applicable or out of scope"
    if fields["category"] == "REGION" or _REGIONS.search(fields["comment"]):
        return "of a region"
    if _IMPORTS.search(fields["comment"]):
        return "of imports alone"
    category, headings = (ROOT, []) if fields["type"] == "STANDARD" else _OURS.get(fields["category"], ("", []))
    if not category:
        return "a category that none of ours means"
    return _Row(
        line, country, category, _number(fields["rate"]), fields["rate_type"] == "EXEMPTED", on,
        frozenset(code.replace(" ", "") for code in fields["cn_codes"].split(";") if code.strip()), tuple(map(frozenset, headings)),
    )  # fmt: skip


def _broad(rows: Iterable[_Row], left_out: dict[str, int]) -> Iterator[_Row]:
    """Those whose rate holds for the whole category, be it in one row or in several."""
    ordered = sorted(rows, key=lambda row: (row.country, row.category, row.on, row.rate))
    for _, of_one in groupby(ordered, lambda row: (row.country, row.category, row.on, row.rate)):
        same = list(of_one)
        codes = frozenset[str]().union(*(row.codes for row in same))
        if all(row.codes for row in same) and not all(codes & wanted for row in same for wanted in row.headings):
            left_out["narrower than our category"] = left_out.get("narrower than our category", 0) + len(same)
        else:
            yield from same


def _number(text: str) -> Decimal:
    try:
        rate = Decimal(text)
    except InvalidOperation:
        raise Unusable("BAD_RATE", f"{text[:20]!r} is no rate") from None
    if not 0 <= rate <= 100:
        raise Unusable("BAD_RATE", f"{text[:20]} is no percentage")
    return rate


def _rates(rows: Iterable[_Row], left_out: dict[str, int], problems: list[Problem]) -> Iterator[Rate]:
    """Each category's rates one after another; a change of nothing begins nothing."""
    ordered = sorted(rows, key=lambda row: (row.country, row.category, row.on))
    for (country, category), of_one in groupby(ordered, lambda row: (row.country, row.category)):
        days = [list(of_day) for _, of_day in groupby(of_one, lambda row: row.on)]
        if any(len({row.rate for row in of_day}) > 1 for of_day in days):
            rates = sorted({row.rate for of_day in days for row in of_day})
            left_out["several rates for one category"] = left_out.get("several rates for one category", 0) + sum(
                map(len, days)
            )
            said = ", ".join(f"{rate.normalize():f}" for rate in rates)
            problems.append(
                Problem("SEVERAL_RATES", f"{country}.{category}", f"{said} %: which of them holds for what is not said")
            )
            continue
        steps = [of_day[0] for n, of_day in enumerate(days) if n == 0 or of_day[0].rate != days[n - 1][0].rate]
        for n, row in enumerate(steps):
            yield _rate(row, steps[n + 1].on if n + 1 < len(steps) else None)


def _rate(row: _Row, ends: date | None) -> Rate:
    treatment = "taxable" if row.rate else "exempt" if row.is_exempt else "zero"
    tax = next((rate.tax for rate in seed().rates[row.country] if rate.category == ROOT), "VAT")
    return Rate(
        jurisdiction=row.country, tax=tax, category=row.category, rate=row.rate, treatment=treatment, starts=row.on, ends=ends,
        source=f"European Commission, TEDB, https://ec.europa.eu/taxation_customs/tedb, as of {row.on}", verified_on=row.on,
        confidence="high" if row.category == ROOT else "medium",
    )  # fmt: skip


def _fields(source: Source) -> Iterator[tuple[int, dict[str, str]]]:
    rows = source.rows()
    line, header = next(rows, (1, [""]))
    if header[0].lstrip().startswith("<"):
        yield from _results(source.whole())
        return
    if not set(FIELDS) <= set(header):
        raise Refused(Problem("WRONG_COLUMNS", f"line {line}", f"the columns {','.join(FIELDS)} are needed"))
    for number, row in rows:
        yield number, dict.fromkeys(FIELDS, "") | dict(zip(header, (field.strip() for field in row), strict=False))


def _results(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Each vatRateResults of the answer, with the line it begins in."""
    reading = _Answer()
    try:
        reading.parser.Parse(text.encode(), True)
    except expat.ExpatError as error:
        raise Refused(
            Problem("NOT_XML", f"line {error.lineno}", f"the XML cannot be read: {expat.ErrorString(error.code)}")
        ) from None
    if reading.fault:
        raise Refused(Problem("FAULT", "line 1", f"the service answered with an error: {reading.fault[:300]}"))
    yield from reading.results


class _Answer:
    """A reader of XML that takes no document type, so that no entity can be defined."""

    def __init__(self) -> None:
        self.results: list[tuple[int, dict[str, str]]] = []
        self.fault = ""
        self.parser = expat.ParserCreate()
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self._path: list[str] = []
        self._said: list[str] = []
        self._fields: dict[str, str] = {}
        self._codes: list[str] = []
        self._line = 0

    def _refuse(self, *_: Any) -> None:
        raise Refused(Problem("NOT_XML", "line 1", "an XML with a document type is not read"))

    def _start(self, name: str, _: dict[str, str]) -> None:
        self._path.append(name.rpartition(":")[2])
        self._said.clear()
        if self._path[-1] == "vatRateResults":
            self._fields, self._codes, self._line = dict.fromkeys(FIELDS, ""), [], self.parser.CurrentLineNumber

    def _text(self, text: str) -> None:
        self._said.append(text)

    def _end(self, _: str) -> None:
        name, inside, said = self._path.pop(), tuple(self._path[-2:]), "".join(self._said).strip()
        self._said.clear()
        if name == "faultstring":
            self.fault = said or "without a reason"
        elif name == "vatRateResults":
            self.results.append((self._line, {**self._fields, "cn_codes": ";".join(self._codes)}))
        elif inside[-1:] == ("vatRateResults",):
            field = {
                "memberState": "member_state",
                "type": "type",
                "situationOn": "situation_on",
                "comment": "comment",
            }.get(name)
            if field:
                self._fields[field] = said
        elif inside == ("vatRateResults", "rate"):
            self._fields["rate_type" if name == "type" else "rate"] = said
        elif inside == ("vatRateResults", "category") and name == "identifier":
            self._fields["category"] = said
        elif inside == ("cnCodes", "code") and name == "value":
            self._codes.append(said)
