"""What is wrong with a file that was read, before any of it is stored. Pure.

Each problem names the jurisdiction. What the database would refuse without a word, or take as something else, has its sentence here:
a rate of seven decimals would be rounded, a fact without any day would hold on all of them.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import Any

from salessync.core.problems import Problem
from tax.engine.thresholds import KINDS
from tax.law.categories import categories
from tax.law.ratebook import DeliveryRule, Fact, Rate, Rule
from tax.quoting.answer import rate_text
from tax.rates import wording
from tax.rates.loaded import Loaded, LoadedBoundary, LoadedJurisdiction

DELIVERIES = ("follows_goods", "follows_rates", "always", "exempt_if_separately_stated")
LEVELS = ("country", "state", "county", "city", "district", "territory")
_FACT = {"scope": ("own", "below", "all"), "confidence": ("high", "medium", "low", "unresolved")}
_RATE = _FACT | {"treatment": ("taxable", "zero", "exempt"), "sourcing": ("any", "intra", "inter")}
_RULE = _FACT | {"semantic": KINDS}
_DELIVERY = _FACT | {"rule": DELIVERIES}
_LENGTHS = {
    "code": 60, "parent": 60, "jurisdiction": 60, "country": 2, "name": 200, "fips": 10, "tax": 100, "category": 100, "source": 500,
    "note": 500, "currency": 3, "holiday": 200,
}  # fmt: skip
_HEADER = {"code": 100, "format": 30, "version": 100, "publisher": 200, "licence": 200, "attribution": 500}


def problems_of(loaded: Loaded) -> Iterator[Problem]:
    """Everything but the boundaries, which are looked at while they are stored, and what only the database knows."""
    yield from _too_long(loaded, "file", _HEADER)
    if not loaded.code:
        yield Problem("MISSING_CODE", "code", "the file does not say what it is a version of")
    for place in loaded.jurisdictions:
        yield from _jurisdiction(place)
    for rate in loaded.rates:
        yield from _fact(rate, _RATE)
        yield from _number(rate, "rate", rate.rate, 6, 1000)
    for rule in loaded.rules:
        yield from _fact(rule, _RULE)
        for name, places, most in (("lower", 4, 10**12), ("upper", 4, 10**12), ("rate", 6, 1000)):
            yield from _number(rule, name, getattr(rule, name), places, most)
    for delivery in loaded.deliveries:
        yield from _fact(delivery, _DELIVERY)
    yield from _twice(loaded)


def boundary_problem(boundary: LoadedBoundary, number: int) -> Problem | None:
    """What is wrong with the boundary that stands at that place of the file, from 1."""
    fits = 0 <= boundary.zip5 <= 99999 and 0 <= boundary.low <= boundary.high <= 9999
    if not fits:
        said = f"{boundary.zip5:05} {boundary.low:04} to {boundary.high:04} is no range of ZIP+4 codes"
        return Problem("BAD_ZIP", f"boundary {number}", said)
    if boundary.starts and boundary.ends and boundary.starts >= boundary.ends:
        said = f"ZIP {boundary.zip5:05} ends on {boundary.ends}, before it begins"
        return Problem("BAD_DAYS", f"boundary {number}", said)
    return None


def combination_problem(codes: Iterable[str]) -> Problem | None:
    """What is wrong with the jurisdictions that boundaries name."""
    for code in codes:
        if not 0 < len(code) <= _LENGTHS["code"] or "\0" in code:
            said = f"a boundary names the jurisdiction {code[:100]!r}: a code has 1 to {_LENGTHS['code']} characters"
            return Problem("BAD_JURISDICTION", code[:100], said)
    return None


def unplaced(loaded: Loaded, known: Iterable[str]) -> Iterator[Problem]:
    """Jurisdictions that the file does not bring and that are not among the `known`, where one belongs to them or a fact is theirs."""
    placed = set(known)
    waiting = [place for place in loaded.jurisdictions if place.code not in placed]
    while ready := {place.code for place in waiting if not place.parent or place.parent in placed}:
        placed |= ready
        waiting = [place for place in waiting if place.code not in placed]
    brought = {place.code for place in waiting}
    for place in waiting:
        why = "belongs to itself in the end" if place.parent in brought else "is neither in the file nor known"
        yield Problem("UNKNOWN_JURISDICTION", place.code, f"{place.code} belongs to {place.parent}, which {why}")
    for code in dict.fromkeys(fact.jurisdiction for fact in facts(loaded)):
        if code not in placed and code not in brought:
            yield Problem(
                "UNKNOWN_JURISDICTION", code, f"the file has facts of {code}, which is neither in it nor known"
            )


def facts(loaded: Loaded) -> Iterator[Fact]:
    """All facts of the file."""
    yield from loaded.rates
    yield from loaded.rules
    yield from loaded.deliveries


def _jurisdiction(place: LoadedJurisdiction) -> Iterator[Problem]:
    yield from _too_long(place, place.code, _LENGTHS)
    if not place.code:
        yield Problem("BAD_JURISDICTION", "code", f"a jurisdiction called {place.name!r} has no code")
    if place.level not in LEVELS:
        yield Problem("BAD_LEVEL", place.code, f"{place.code} is a {place.level!r}; there are {', '.join(LEVELS)}")


def _fact(fact: Fact, words: Mapping[str, tuple[str, ...]]) -> Iterator[Problem]:
    at = fact.jurisdiction
    yield from _too_long(fact, at, _LENGTHS)
    if fact.starts and fact.ends and fact.starts >= fact.ends:
        yield Problem("BAD_DAYS", at, f"{_subject(fact)} ends on {fact.ends}, before it begins on {fact.starts}")
    for field, allowed in words.items():
        given = getattr(fact, field)
        if given not in allowed:
            yield Problem("BAD_VALUE", at, f"{_subject(fact)}: {field} is {given!r}; there are {', '.join(allowed)}")
    category = getattr(fact, "category", None)
    if category is not None and category not in _branches():
        yield Problem("UNKNOWN_CATEGORY", at, f"{_subject(fact)}: no category is called {category!r}")
    if isinstance(fact, Rate) and not fact.tax:
        yield Problem("BAD_VALUE", at, f"a rate of {at} does not say of which tax")


@cache
def _branches() -> frozenset[str]:
    """Every category, and whatever others belong to: food of food.grocery."""
    parts = (code.split(".") for code in categories())
    return frozenset(".".join(path[:n]) for path in parts for n in range(1, len(path) + 1))


def _number(fact: Fact, field: str, value: Decimal | None, places: int, most: int) -> Iterator[Problem]:
    if value is None:
        return
    if not value.is_finite() or not 0 <= value <= most:
        yield Problem(
            "BAD_NUMBER", fact.jurisdiction, f"{_subject(fact)}: {field} is {value}, which is not from 0 to {most}"
        )
    elif value != round(value, places):
        said = f"{_subject(fact)}: {field} is {rate_text(value)}, which has more than {places} decimals"
        yield Problem("BAD_NUMBER", fact.jurisdiction, said)


def _too_long(of: Any, at: str, lengths: Mapping[str, int]) -> Iterator[Problem]:
    for field in of.__struct_fields__:
        value, most = getattr(of, field), lengths.get(field)
        if most is not None and isinstance(value, str) and (len(value) > most or "\0" in value):
            yield Problem(
                "TOO_LONG", at[:100], f"the {field} {value[:60]!r} has more than {most} characters, or a zero byte"
            )


def _twice(loaded: Loaded) -> Iterator[Problem]:
    """Two facts of one kind that hold on the same days; the tables' exclusion constraints say which are of one kind."""
    found: dict[tuple[Any, ...], list[Fact]] = {}
    for fact in facts(loaded):
        found.setdefault(_key(fact), []).append(fact)
    for rows in found.values():
        rows.sort(key=lambda fact: fact.starts or date.min)
        for one, other in pairwise(rows):
            if (other.starts or date.min) < (one.ends or date.max):
                said = f"{_subject(one)}: {_says(one)} and {_says(other)} hold on the same days"
                yield Problem("TWO_AT_ONCE", one.jurisdiction, said)


def _key(fact: Fact) -> tuple[Any, ...]:
    if isinstance(fact, Rate):
        return Rate, fact.jurisdiction, fact.tax, fact.category, fact.sourcing
    if isinstance(fact, Rule):
        return Rule, fact.jurisdiction, fact.tax, fact.category, fact.semantic, fact.lower, fact.holiday
    return DeliveryRule, fact.jurisdiction


def _subject(fact: Fact) -> str:
    if isinstance(fact, Rate):
        return f"{fact.jurisdiction} {fact.tax} on {fact.category}"
    if isinstance(fact, Rule):
        return wording.rule_subject(fact.jurisdiction, fact.tax, fact.category, fact.holiday)
    return wording.delivery_subject(fact.jurisdiction)


def _says(fact: Fact) -> str:
    what = ""
    if isinstance(fact, Rate):
        what = f"{rate_text(fact.rate)} % "
    elif isinstance(fact, DeliveryRule):
        what = f"{fact.rule} "
    return what + (wording.days(fact.starts, fact.ends) or "on every day")
