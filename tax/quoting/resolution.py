"""The taxes of a request's lines where it does not name them: place, registrations, category, rates in force. Pure."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache

import msgspec

from salessync.core.problems import Problem, Refused
from tax.engine.formula import Tax
from tax.engine.rounding import Rounding
from tax.engine.thresholds import Threshold
from tax.law.categories import GOODS, Category, categories, category_of
from tax.law.imports import ImportLimit
from tax.law.places import Site, UnknownPlace
from tax.law.ratebook import ROOT, Applicable, RateBook
from tax.law.rules import applicable, combined_rate
from tax.law.supply import Parties, Supply, at_the_border, supply
from tax.quoting.answer import rate_text
from tax.quoting.compare import KnownRate
from tax.quoting.request import Request, RequestLine

_NEVER_TAXED = frozenset({"gift_card", "nontaxable"})  # a voucher for any goods is money; the goods bear the tax
_UNEVEN = frozenset(
    {"service", "lodging", "transport", "digital", "fee"}
)  # American states differ in them without a common rule
_NEAR_DAYS = timedelta(days=730)
_HALF = Decimal(2)


class Found(msgspec.Struct, frozen=True, gc=False):
    """What was found for the request: taxes and treatment by line (None: the line names its own), and all that is doubtful."""

    supply: Supply
    taxes: tuple[tuple[Tax, ...] | None, ...]
    treatments: tuple[str | None, ...]
    warnings: tuple[Problem, ...]
    delivery_rule: str
    standard: tuple[Tax, ...]
    standard_rate: Decimal
    has_general_goods: bool  # and not only what the law may treat in a way of its own


class _Taxation(msgspec.Struct, frozen=True):
    """The taxes of a category at a place as a request has them: halved in India, in the price where prices include them."""

    taxes: tuple[Tax, ...]
    treatment: str
    rate: Decimal
    doubts: tuple[tuple[str, str], ...]  # code and message


def resolve(request: Request, book: RateBook) -> Found:
    """Refused where no rate can be found; what is uncertain becomes a warning."""
    if request.on is None:
        raise Refused(Problem("MISSING_DATE", "date", "the date is missing: rates are found by it"))
    parties = Parties(
        request.place, request.ship_from, request.tax_id, request.is_exempt, request.collector, request.registrations,
        request.ship_from is not None and all(_is_digital(line.category) for line in request.lines),
    )  # fmt: skip
    try:
        decided = supply(parties, book, request.on)
    except UnknownPlace as unknown:
        raise Refused(unknown.problem) from None
    if decided.limit is not None and decided.limit.per == "consignment":
        decided = _within_limit(request, decided, decided.limit, book)
    warnings = [w for w in decided.warnings if decided.treatment is None or w.code != "LOCAL_RATES_MISSING"]
    if request.price_mode == "mixed":
        warnings.append(
            Problem("PRICE_MODE_MIXED", "price_mode", "lines without taxes were taken as prices without tax")
        )
    finder = _Finder(request, decided, book, warnings)
    lines = [finder.line(line) for line in request.lines]
    standard = finder.taxes(categories()[GOODS], "date") if decided.treatment is None else None
    delivery_rule = _delivery_rule(request, decided, book, warnings)
    return Found(
        supply=decided, taxes=tuple([taxes for taxes, _ in lines]), treatments=tuple([treatment for _, treatment in lines]),
        warnings=tuple(dict.fromkeys(warnings)), delivery_rule=delivery_rule, standard=standard.taxes if standard else (),
        standard_rate=standard.rate if standard else Decimal(0), has_general_goods=finder.has_general_goods,
    )  # fmt: skip


def _is_digital(category: str) -> bool:
    found = category_of(category)
    return found is not None and (found.code.split(".")[0] == "digital" or found.code == "books.ebook")


def _within_limit(request: Request, decided: Supply, limit: ImportLimit, book: RateBook) -> Supply:
    """The supply as it is, or at the border where the consignment is worth too much or holds what bears excise."""
    finder = _Finder(request, decided, book, [])
    if any((category := category_of(line.category)) and limit.is_excluded(category.code) for line in request.lines):
        return at_the_border(decided)
    if request.currency not in ("", limit.currency):
        told = Problem(
            "IMPORT_VALUE_UNKNOWN", "currency",
            f"whether the goods are worth more than {rate_text(limit.amount)} {limit.currency} is not known: taken as worth less",
        )  # fmt: skip
        return msgspec.structs.replace(decided, warnings=(*decided.warnings, told))
    value = sum((finder.net(line) for line in request.lines), Decimal(0))
    if request.discount.funding == "seller":
        value = value * (1 - request.discount.percent / 100) - request.discount.amount
    return at_the_border(decided) if limit.is_above(value) else decided


class _Finder:
    """Finds the taxes of categories at the one place of the request."""

    def __init__(self, request: Request, decided: Supply, book: RateBook, warnings: list[Problem]) -> None:
        self.supply = decided
        self.book = book
        self.warnings = warnings
        self.has_general_goods = False
        self._on = request.on
        self._currency = request.currency
        self._is_inclusive = request.price_mode == "inclusive"
        self._period = book.period(request.on) if request.on else 0
        self._done: dict[str, _Taxation] = {}

    def line(self, line: RequestLine) -> tuple[tuple[Tax, ...] | None, str | None]:
        category = category_of(line.category)
        if category is None or category.code == GOODS:
            self.has_general_goods = True
        if line.taxes is not None:
            return None, None
        if category is None:
            category = categories()[GOODS]
            said = f"the category {line.category[:60]!r} is not known: taxed as any goods"
            self.warnings.append(Problem("UNKNOWN_CATEGORY", f"{line.path}category", said))
        if category.code in _NEVER_TAXED:
            return (), "out_of_scope"
        if self.supply.limit is not None and self._is_for_customs(line, category, self.supply.limit):
            return (), "export_zero"
        if self.supply.treatment is not None:
            return (), self.supply.treatment
        found = self.taxes(category, line.path)
        return found.taxes, found.treatment

    def _is_for_customs(self, line: RequestLine, category: Category, limit: ImportLimit) -> bool:
        """Of the goods of one line, where each piece counts for itself, customs collects the tax."""
        if limit.per != "piece" or not line.quantity:
            return False
        path = f"{line.path}amount"
        if self._currency not in ("", limit.currency):
            said = f"whether a piece is worth more than {rate_text(limit.amount)} {limit.currency} is not known: taken as worth less"
            self.warnings.append(Problem("IMPORT_VALUE_UNKNOWN", path, said))
            return limit.is_excluded(category.code)
        if not limit.is_excluded(category.code) and not limit.is_above(abs(self.net(line) / line.quantity)):
            return False
        self.warnings.append(
            Problem("TAX_AT_IMPORT", path, "the tax of these goods is asked at the border and not computed")
        )
        return True

    def net(self, line: RequestLine) -> Decimal:
        """The price of a line without the tax of the place, in major units, not rounded."""
        price = line.amount * line.quantity - line.discount
        if not self._is_inclusive:
            return price
        return price / (1 + self._recall(category_of(line.category) or categories()[GOODS]).rate / 100)

    def taxes(self, category: Category, path: str) -> _Taxation:
        known = self._done.get(category.code)
        if known is None:
            known = self._done[category.code] = self._recall(category)
            for code, message in known.doubts:
                self.warnings.append(Problem(code, f"{path}category" if path.endswith(".") else path, message))
        return known

    def _recall(self, category: Category) -> _Taxation:
        site = self.supply.site
        assert site is not None
        key = (
            site.jurisdictions, category.code, self._period, self.supply.sourcing, self._currency, self._is_inclusive,
            site.region.code if site.region else "", site.country.code,
        )  # fmt: skip
        known: _Taxation | None = self.book.recall(key)
        return known or self.book.keep(key, self._find(category, site))

    def _find(self, category: Category, site: Site) -> _Taxation:
        on, sourcing = self._on, self.supply.sourcing
        assert on is not None
        found = applicable(self.book, site.jurisdictions, category.code, on, sourcing=sourcing, currency=self._currency)
        if not found.taxes and _has_tax(site):
            raise Refused(Problem("NO_RATE_IN_FORCE", "date", f"no rate of {site.code} is known for {on.isoformat()}"))
        taxes = halved(found.taxes, site, sourcing) if site.country.system == "india" else found.taxes
        if self._is_inclusive:
            taxes = tuple(msgspec.structs.replace(tax, price_include=True) for tax in taxes)
        return _Taxation(taxes, found.treatment, combined_rate(found), tuple(_doubts(found, category, site)))


def _doubts(found: Applicable, category: Category, site: Site) -> Iterator[tuple[str, str]]:
    for doubt in found.doubts:
        yield "RATE_UNCERTAIN", doubt
    system = site.country.system
    uneven = system == "sales" and category.code.split(".")[0] in _UNEVEN
    reduced = category.is_often_reduced and system in ("vat", "gst") and site.country.code not in ("NZ", "SG")
    if found.taxes and not found.is_specific and (uneven or reduced):
        yield (
            "CATEGORY_RATE_UNKNOWN",
            f"whether {category.label.lower()} has a rate of its own in {site.code} is not known: the general rate was used",
        )


def _has_tax(site: Site) -> bool:
    return site.country.system != "sales" or (site.region is not None and site.region.has_own_tax)


def halved(taxes: Iterable[Tax], site: Site, sourcing: str) -> tuple[Tax, ...]:
    """India: one integrated tax between states; within a state one half for the union, one for the state or territory."""
    found: list[Tax] = []
    for tax in taxes:
        if sourcing == "inter":
            found.append(msgspec.structs.replace(tax, name="IGST"))
            continue
        is_territory = site.region is not None and site.region.note == "union territory"
        half = msgspec.structs.replace(
            tax, rate=tax.rate / _HALF, thresholds=tuple(_halved(threshold) for threshold in tax.thresholds)
        )
        own = f"IN-{site.region.code}" if site.region else "IN"
        found.append(msgspec.structs.replace(half, name="CGST"))
        found.append(msgspec.structs.replace(half, name="UTGST" if is_territory else "SGST", jurisdiction=own))
    return tuple(found)


def _halved(threshold: Threshold) -> Threshold:
    return threshold if threshold.rate is None else msgspec.structs.replace(threshold, rate=threshold.rate / _HALF)


def _delivery_rule(request: Request, decided: Supply, book: RateBook, warnings: list[Problem]) -> str:
    site = decided.site
    if not request.shipping or site is None or decided.treatment is not None or request.on is None:
        return "none"
    rule = book.delivery_rule(site.jurisdictions, request.on)
    if rule is None:
        if _has_tax(site) and any(s.taxable is None and s.taxes is None for s in request.shipping):
            warnings.append(
                Problem("DELIVERY_RULE_UNKNOWN", "shipping", f"how {site.code} taxes delivery is not known: untaxed")
            )
        return "none"
    return rule.rule


def rounding_of(request: Request, found: Found | None, book: RateBook) -> Rounding:
    """As the request says; else the country's custom: American states round a line's taxes as one, the EU each rate of a document."""
    if request.rounding.level:
        return request.rounding
    country = found.supply.site.country if found and found.supply.site else book.countries.get(request.place.country)
    return _at_level(request.rounding, country.rounding_level if country else "line")


@lru_cache(maxsize=256)
def _at_level(rounding: Rounding, level: str) -> Rounding:
    return msgspec.structs.replace(rounding, level=level)


def known_rates(request: Request, found: Found, book: RateBook) -> list[KnownRate]:
    """Combined rates that a channel may have used by mistake: of another day, of another category, of the origin."""
    site, on = found.supply.site, request.on
    if site is None or on is None:
        return []
    rates: list[KnownRate] = []
    for category in sorted({c.code for line in request.lines if (c := category_of(line.category))} | {GOODS}):
        rates += _of_other_days(book, site.jurisdictions, category, on, found.supply.sourcing)
    rates.append(KnownRate(found.standard_rate, "the general rate"))
    return rates + _of_other_categories(book, site.jurisdictions, on) + _origin_rate(request, site, book, on)


def _of_other_days(
    book: RateBook, jurisdictions: tuple[str, ...], category: str, on: date, sourcing: str
) -> list[KnownRate]:
    key = ("other days", jurisdictions, category, on, sourcing)
    known: list[KnownRate] | None = book.recall(key)
    if known is not None:
        return known
    rates: list[KnownRate] = []
    changes = book.changes(jurisdictions, on - _NEAR_DAYS, on + _NEAR_DAYS)
    for day in sorted(changes, key=lambda day: abs(day - on)):
        eve = day - timedelta(days=1)
        before = applicable(book, jurisdictions, category, eve, sourcing=sourcing)
        after = applicable(book, jurisdictions, category, day, sourcing=sourcing)
        rates.append(KnownRate(combined_rate(before), f"the rate until {eve}"))
        rates.append(KnownRate(combined_rate(after), f"the rate from {day}"))
    return book.keep(key, rates)


def _of_other_categories(book: RateBook, jurisdictions: tuple[str, ...], on: date) -> list[KnownRate]:
    key = ("other categories", jurisdictions, book.period(on))
    known: list[KnownRate] | None = book.recall(key)
    if known is not None:
        return known
    return book.keep(
        key,
        [
            KnownRate(row.rate, f"the rate for {row.category}")
            for jurisdiction in jurisdictions
            for row in book.rates.get(jurisdiction, ())
            if row.rate and row.is_in_force(on) and row.category != ROOT
        ],
    )


def _origin_rate(request: Request, site: Site, book: RateBook, on: date) -> list[KnownRate]:
    if request.ship_from is None:
        return []
    parties = Parties(request.ship_from, None, "", False, "merchant", None)
    try:
        origin = supply(parties, book, on).site
    except UnknownPlace:
        return []
    if origin is None or origin.jurisdictions == site.jurisdictions:
        return []
    rate = combined_rate(applicable(book, origin.jurisdictions, GOODS, on))
    said = f"it is the rate of {origin.code}, from where it was sent ({rate_text(rate)} %)"
    return [KnownRate(rate, said, "jurisdiction_mismatch")]
