"""What is known of rates and rules, as one value that the calculation is given. Pure.

The seed facts (tax.law.seed) are one such book; another is built of the database's rows. Whoever builds it, a book never changes:
new facts are a new book, and `version` says which one a calculation used.
"""

from bisect import bisect_right
from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Protocol, TypeVar

import msgspec

from tax.engine.formula import Tax

ROOT = "standard"  # the category that every other one belongs to
_MEMO = 30_000  # answers kept at a time: taxes of a place and category, who owes what between two places


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """What every fact bears: the days on which it is in force, [starts, ends), and how far it can be trusted."""

    jurisdiction: str
    starts: date | None = None
    ends: date | None = None
    scope: str = "own"  # or below, or all: the jurisdiction, those below it, both
    source: str = ""
    verified_on: date | None = None
    confidence: str = "high"
    note: str = ""

    def is_in_force(self, on: date) -> bool:
        """On that day."""
        return (self.starts is None or self.starts <= on) and (self.ends is None or on < self.ends)


class Rate(Fact, frozen=True, kw_only=True):
    """`rate` in percent of one tax on a category and what belongs to it; treatment is taxable, zero or exempt.

    `sourcing`: any, or only within the state (intra), or only from outside it (inter).
    """

    tax: str
    category: str = ROOT
    rate: Decimal
    treatment: str = "taxable"
    sourcing: str = "any"


class Rule(Fact, frozen=True, kw_only=True):
    """A threshold on the price of one piece (tax.engine.thresholds), or a holiday; `tax` empty: for every tax in its scope."""

    category: str
    semantic: str
    tax: str = ""
    lower: Decimal = Decimal(0)
    upper: Decimal | None = None
    rate: Decimal | None = None
    currency: str = ""
    delivery_counts: bool = False
    holiday: str = ""


class DeliveryRule(Fact, frozen=True, kw_only=True):
    """How delivery that is charged apart is taxed: follows_goods, follows_rates, always, exempt_if_separately_stated."""

    rule: str


class Country(msgspec.Struct, frozen=True):
    """`system` is vat, gst, india or sales; `zone` the VAT area (eu, gb)."""

    code: str
    name: str
    zone: str
    system: str
    rounding_level: str
    alpha3: str = ""


class Region(msgspec.Struct, frozen=True):
    """A state or province. `postcodes` are prefixes, or ranges of three digits."""

    country: str
    code: str
    name: str
    postcodes: tuple[str, ...]
    has_local_taxes: bool
    is_origin_sourced: bool
    has_own_tax: bool
    note: str = ""


class Territory(msgspec.Struct, frozen=True):
    """A part of a country with another VAT: `outside` the area, with rates of its `own`, or `reduced` in a way not seeded."""

    country: str
    postcodes: tuple[str, ...]
    code: str
    name: str
    treatment: str
    source: str


class Locality(msgspec.Struct, frozen=True):
    """The jurisdictions below a state at a place, or the candidates where the place is not exact enough.

    `has_state` is false where the state's own rate does not hold.
    """

    jurisdictions: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    has_state: bool = True


class Localities(Protocol):
    """Finds the county, city and districts of a place; None where nothing is loaded for it."""

    def locate(self, country: str, region: str, postcode: str, city: str, on: date) -> Locality | None: ...

    def prefetch(self, postcodes: Iterable[str]) -> None:
        """Many at once, before they are asked for one by one; nothing where all is known already."""


class Applicable(msgspec.Struct, frozen=True):
    """What applies to a category at a place on a day. `treatment` of goods that bear no tax says why."""

    taxes: tuple[Tax, ...]
    treatment: str
    is_specific: bool  # some rate or rule names the category itself
    doubts: tuple[str, ...] = ()


_F = TypeVar("_F", bound=Fact)
_Kept = TypeVar("_Kept")


class RateBook:
    """All facts, by jurisdiction, with what was already looked up."""

    def __init__(
        self,
        *,
        version: str,
        rates: Iterable[Rate] = (),
        rules: Iterable[Rule] = (),
        deliveries: Iterable[DeliveryRule] = (),
        countries: Iterable[Country] = (),
        regions: Iterable[Region] = (),
        territories: Iterable[Territory] = (),
        localities: Localities | None = None,
    ) -> None:
        self.version = version
        self.rates = _by_jurisdiction(rates)
        self.rules = _by_jurisdiction(rules)
        self.deliveries = _by_jurisdiction(deliveries)
        self.countries = {country.code: country for country in countries}
        self.regions = {(region.country, region.code): region for region in regions}
        self.territories = tuple(territories)
        self.localities = localities
        self._turns = sorted(_turns(self.rates, self.rules, self.deliveries))
        self._memo: dict[Hashable, Any] = {}

    def period(self, on: date) -> int:
        """The number of the time around that day in which no fact of the book begins or ends: what holds on the day holds all of it."""
        return bisect_right(self._turns, on)

    def recall(self, key: Hashable) -> Any:
        """What `keep` was given for the key, or None."""
        return self._memo.get(key)

    def keep(self, key: Hashable, found: _Kept) -> _Kept:
        """Remember, and forget everything once there is too much."""
        if len(self._memo) >= _MEMO:
            self._memo.clear()
        self._memo[key] = found
        return found

    def delivery_rule(self, jurisdictions: Sequence[str], on: date) -> DeliveryRule | None:
        """The rule of the deepest jurisdiction that has one."""
        for jurisdiction in reversed(jurisdictions):
            for rule in self.deliveries.get(jurisdiction, ()):
                if rule.is_in_force(on):
                    return rule
        return None

    def changes(self, jurisdictions: Sequence[str], since: date, until: date) -> list[date]:
        """The days in between on which a rate of the jurisdictions begins or ends."""
        rows = (row for jurisdiction in jurisdictions for row in self.rates.get(jurisdiction, ()))
        days = {day for row in rows for day in (row.starts, row.ends) if day and since <= day <= until}
        return sorted(days)


def _by_jurisdiction(facts: Iterable[_F]) -> dict[str, tuple[_F, ...]]:
    found: dict[str, list[_F]] = {}
    for fact in facts:
        found.setdefault(fact.jurisdiction, []).append(fact)
    return {jurisdiction: tuple(rows) for jurisdiction, rows in found.items()}


def _turns(*kinds: Mapping[str, Sequence[Fact]]) -> set[date]:
    facts = (fact for of in kinds for rows in of.values() for fact in rows)
    return {day for fact in facts for day in (fact.starts, fact.ends) if day is not None}
