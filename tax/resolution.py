"""The taxes of a request's lines where it does not name them: place, registrations, category, rates in force. Pure."""

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal

import msgspec

from salessync.core.problems import Problem, Refused
from tax.answer import rate_text
from tax.categories import GOODS, Category, categories, category_of
from tax.compare import KnownRate
from tax.engine.formula import Tax
from tax.engine.rounding import Rounding
from tax.engine.thresholds import Threshold
from tax.places import Site, UnknownPlace
from tax.ratebook import Applicable, RateBook
from tax.request import Request, RequestLine
from tax.rules import applicable, combined_rate
from tax.supply import Parties, Supply, supply

_NEVER_TAXED = frozenset({"gift_card", "nontaxable"})  # a voucher for any goods is money; the goods bear the tax
_UNEVEN = frozenset(
    {"service", "lodging", "transport", "digital", "fee"}
)  # American states differ in them without a common rule
_NEAR_DAYS = timedelta(days=730)
_HALF = Decimal(2)


class Found(msgspec.Struct, frozen=True):
    """What was found for the request: taxes and treatment by line (None: the line names its own), and all that is doubtful."""

    supply: Supply
    taxes: tuple[tuple[Tax, ...] | None, ...]
    treatments: tuple[str | None, ...]
    warnings: tuple[Problem, ...]
    delivery_rule: str
    standard: tuple[Tax, ...]
    standard_rate: Decimal
    has_general_goods: bool  # and not only what the law may treat in a way of its own


def resolve(request: Request, book: RateBook) -> Found:
    """Refused where no rate can be found; what is uncertain becomes a warning."""
    if request.on is None:
        raise Refused(Problem("MISSING_DATE", "date", "the date is missing: rates are found by it"))
    parties = Parties(
        request.place, request.ship_from, request.tax_id, request.is_exempt, request.collector, request.registrations
    )
    try:
        decided = supply(parties, book, request.on)
    except UnknownPlace as unknown:
        raise Refused(unknown.problem) from None
    warnings = [w for w in decided.warnings if decided.treatment is None or w.code != "LOCAL_RATES_MISSING"]
    if request.price_mode == "mixed":
        warnings.append(
            Problem("PRICE_MODE_MIXED", "price_mode", "lines without taxes were taken as prices without tax")
        )
    finder = _Finder(request, decided, book, warnings)
    found = [finder.line(line) for line in request.lines]
    standard = finder.taxes(categories()[GOODS], "date") if decided.treatment is None else None
    return Found(
        supply=decided, taxes=tuple(taxes for taxes, _ in found), treatments=tuple(treatment for _, treatment in found),
        warnings=tuple(dict.fromkeys(warnings)), delivery_rule=_delivery_rule(request, decided, book, warnings),
        standard=standard.taxes if standard else (), standard_rate=combined_rate(standard) if standard else Decimal(0),
        has_general_goods=any(category_of(line.category) in (None, categories()[GOODS]) for line in request.lines),
    )  # fmt: skip


class _Finder:
    """Finds the taxes of categories at the one place of the request."""

    def __init__(self, request: Request, decided: Supply, book: RateBook, warnings: list[Problem]) -> None:
        self.request = request
        self.supply = decided
        self.book = book
        self.warnings = warnings
        self._done: dict[str, Applicable] = {}

    def line(self, line: RequestLine) -> tuple[tuple[Tax, ...] | None, str | None]:
        if line.taxes is not None:
            return None, None
        category = category_of(line.category)
        path = f"{line.path}category"
        if category is None:
            category = categories()[GOODS]
            self.warnings.append(
                Problem(
                    "UNKNOWN_CATEGORY", path, f"the category {line.category[:60]!r} is not known: taxed as any goods"
                )
            )
        if category.code in _NEVER_TAXED:
            return (), "out_of_scope"
        if self.supply.treatment is not None:
            return (), self.supply.treatment
        found = self.taxes(category, path)
        return found.taxes, found.treatment

    def taxes(self, category: Category, path: str) -> Applicable:
        known = self._done.get(category.code)
        if known is None:
            known = self._done[category.code] = self._find(category, path)
        return known

    def _find(self, category: Category, path: str) -> Applicable:
        site, on = self.supply.site, self.request.on
        assert site is not None and on is not None
        found = applicable(
            self.book,
            site.jurisdictions,
            category.code,
            on,
            sourcing=self.supply.sourcing,
            currency=self.request.currency or "",
        )
        self._doubt(found, category, site, path, on)
        taxes = halved(found.taxes, site, self.supply.sourcing) if site.country.system == "india" else found.taxes
        if self.request.price_mode == "inclusive":
            taxes = tuple(msgspec.structs.replace(tax, price_include=True) for tax in taxes)
        return msgspec.structs.replace(found, taxes=taxes)

    def _doubt(self, found: Applicable, category: Category, site: Site, path: str, on: date) -> None:
        for doubt in found.doubts:
            self.warnings.append(Problem("RATE_UNCERTAIN", path, doubt))
        if not found.taxes and _has_tax(site):
            raise Refused(Problem("NO_RATE_IN_FORCE", "date", f"no rate of {site.code} is known for {on.isoformat()}"))
        uneven = site.country.system == "sales" and category.code.split(".")[0] in _UNEVEN
        reduced = (
            category.is_often_reduced
            and site.country.system in ("vat", "gst")
            and site.country.code not in ("NZ", "SG")
        )
        if found.taxes and not found.is_specific and (uneven or reduced):
            self.warnings.append(
                Problem(
                    "CATEGORY_RATE_UNKNOWN",
                    path,
                    f"whether {category.label.lower()} has a rate of its own in {site.code} is not known: the general rate was used",
                )
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
    return msgspec.structs.replace(request.rounding, level=country.rounding_level if country else "line")


def known_rates(request: Request, found: Found, book: RateBook) -> list[KnownRate]:
    """Combined rates that a channel may have used by mistake: of another day, of another category, of the origin."""
    site, on = found.supply.site, request.on
    if site is None or on is None:
        return []
    sourcing = found.supply.sourcing
    rates: list[KnownRate] = []
    for category in {c.code for line in request.lines if (c := category_of(line.category))} | {GOODS}:
        changes = book.changes(site.jurisdictions, on - _NEAR_DAYS, on + _NEAR_DAYS)
        for day in sorted(changes, key=lambda day: abs(day - on)):
            before = applicable(book, site.jurisdictions, category, day - timedelta(days=1), sourcing=sourcing)
            after = applicable(book, site.jurisdictions, category, day, sourcing=sourcing)
            rates.append(KnownRate(combined_rate(before), f"the rate until {day - timedelta(days=1)}"))
            rates.append(KnownRate(combined_rate(after), f"the rate from {day}"))
    rates.append(KnownRate(found.standard_rate, "the general rate"))
    rates += [
        KnownRate(row.rate, f"the rate for {row.category}")
        for jurisdiction in site.jurisdictions for row in book.rates.get(jurisdiction, ())
        if row.rate and row.is_in_force(on) and row.category != "standard"
    ]  # fmt: skip
    return rates + _origin_rate(request, site, book, on)


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
