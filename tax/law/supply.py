"""Whether the sale bears tax at all, and at which place's rates: place of supply, registrations, exemption, collector. Pure."""

from datetime import date

import msgspec

from salessync.core.problems import Problem
from tax.law import tax_numbers
from tax.law.imports import ImportLimit, limit_into
from tax.law.places import Place, Site, UnknownPlace, country_code, is_northern_ireland, site_of
from tax.law.ratebook import RateBook

_DUE_AT_ONCE = frozenset(
    {"eu", "GB", "IN"}
)  # digital services from abroad are taxed from the first sale, not above a turnover


class Supply(msgspec.Struct, frozen=True):
    """`treatment` of the whole sale, or None where its lines decide; `site` is None where no rate is needed.

    `sourcing` is intra within a state or country, else inter. `limit`: of goods worth more than that customs collects the tax instead.
    """

    site: Site | None
    treatment: str | None = None
    sourcing: str = "intra"
    warnings: tuple[Problem, ...] = ()
    limit: ImportLimit | None = None


class Parties(msgspec.Struct, frozen=True):
    """What of a request decides the place of supply. `registrations` None: registered wherever tax is due, but in no optional scheme."""

    place: Place
    ship_from: Place | None
    tax_id: str
    is_exempt: bool
    collector: str
    registrations: frozenset[str] | None
    is_digital: bool = False  # nothing is sent, all of it is delivered electronically


def supply(parties: Parties, book: RateBook, on: date) -> Supply:
    """UnknownPlace where the destination is not known, unless the goods leave a country that is; remembered by the book."""
    key = (parties, on)
    known: Supply | None = book.recall(key)
    return known or book.keep(key, _supply(parties, book, on))


def _supply(parties: Parties, book: RateBook, on: date) -> Supply:
    origin = _origin(parties.ship_from, book, on)
    try:
        site = site_of(parties.place, book, on)
    except UnknownPlace:
        if origin is None or not parties.place.country or country_code(parties.place.country, book) in book.countries:
            raise
        return _export(None, parties.place.country, is_digital=parties.is_digital)
    found = _between(parties, origin, site, on)
    if found.treatment is None and parties.is_exempt:
        found = msgspec.structs.replace(found, treatment="exempt")
    if parties.collector == "marketplace" and found.treatment is None:
        found = msgspec.structs.replace(found, treatment="marketplace_collected")
    elif found.treatment is None and found.site and not found.limit and not _is_registered(found.site, parties):
        found = msgspec.structs.replace(found, treatment="not_registered")
    return found


def _origin(ship_from: Place | None, book: RateBook, on: date) -> Site | None:
    if ship_from is None or not ship_from.country:
        return None
    try:
        return site_of(ship_from, book, on, "ship_from.")
    except UnknownPlace:
        return None


def _between(parties: Parties, origin: Site | None, site: Site, on: date) -> Supply:
    ship_from = parties.ship_from
    abroad = ship_from is not None and ship_from.country and (origin is None or _is_apart(origin, site))
    if site.is_outside and site.territory is not None:
        if origin is not None and origin.territory == site.territory:
            raise UnknownPlace(
                Problem("UNKNOWN_PLACE", "postcode", f"the own tax of {site.territory.name} is not known")
            )
        return _export(site, site.territory.name)
    if not abroad:
        return _within(parties, origin, site)
    if _in_eu(parties.place, site) and origin is not None and ship_from is not None and _in_eu(ship_from, origin):
        return _within_eu(parties, origin, site)
    return _digital_from_abroad(parties, site) if parties.is_digital else _import(parties, site, on)


def _is_apart(origin: Site, site: Site) -> bool:
    return origin.country.code != site.country.code or (origin.is_outside and not site.is_outside)


def _import(parties: Parties, site: Site, on: date) -> Supply:
    """Goods into a country or the EU: its tax by the seller or the marketplace up to a limit, else at the border."""
    limit = limit_into(site.country.code, site.country.zone, on)
    charged = Supply(site, sourcing="inter", warnings=site.warnings, limit=limit)
    if limit is not None:
        is_due = limit.into in _DUE_AT_ONCE - {"eu"} and parties.registrations is None
        if parties.collector == "marketplace":
            return charged
        if is_due or limit.registrations & (parties.registrations or frozenset()):
            return _to_business(parties, site, limit, charged)
    is_importer = limit is None or limit.into == "eu"  # elsewhere the registration is for what stays within the limit
    if is_importer and {site.country.code, site.code} & (parties.registrations or frozenset()):
        return msgspec.structs.replace(charged, limit=None)
    return _export(site, site.country.name)


def _to_business(parties: Parties, site: Site, limit: ImportLimit, charged: Supply) -> Supply:
    if not parties.tax_id or not limit.to_business:
        return charged
    number = tax_numbers.business_number(parties.tax_id, site.country.code)
    if number.is_valid:
        told = _not_confirmed(number.number)
        return msgspec.structs.replace(charged, treatment=limit.to_business, warnings=(*charged.warnings, told))
    told = Problem("TAX_ID_INVALID", "customer.tax_id", f"{number.number[:40]} is no tax number of {site.country.name}: taxed as to a consumer")  # fmt: skip
    return msgspec.structs.replace(charged, warnings=(*charged.warnings, told))


def _digital_from_abroad(parties: Parties, site: Site) -> Supply:
    """Electronic services are taxed where the consumer is; a business owes the tax itself."""
    if site.country.system == "sales":
        if parties.registrations is None or not _is_registered(site, parties):
            return _export(site, site.country.name, is_digital=True)
        return Supply(site, sourcing="inter", warnings=site.warnings)
    if parties.tax_id:
        number = tax_numbers.business_number(parties.tax_id, site.country.code)
        if number.is_valid:
            return Supply(site, "reverse_charge", "inter", (*site.warnings, _not_confirmed(number.number)))
    is_due = bool(_DUE_AT_ONCE & {site.country.zone, site.country.code})
    if _is_registered(site, parties) if parties.registrations is not None else is_due:
        return Supply(site, sourcing="inter", warnings=site.warnings)
    return _export(site, site.country.name, is_digital=True)


def _within(parties: Parties, origin: Site | None, site: Site) -> Supply:
    """A sale inside one country."""
    warnings = list(site.warnings)
    if site.country.zone == "eu" and parties.tax_id and parties.ship_from is None:
        warnings.append(
            Problem(
                "ORIGIN_UNKNOWN",
                "ship_from",
                "from where it is sent is unknown: it was taken for a sale within the country",
            )
        )
    same_region = origin is None or origin.region == site.region
    if same_region and origin is not None and site.region is not None and site.region.is_origin_sourced:
        return Supply(origin, warnings=origin.warnings)
    return Supply(site, sourcing="intra" if same_region else "inter", warnings=tuple(warnings))


def _within_eu(parties: Parties, origin: Site, site: Site) -> Supply:
    """Between two states of the EU: a business owes the tax itself; a consumer pays his own country's."""
    warnings = list(site.warnings)
    if parties.tax_id:
        number = tax_numbers.eu_number(parties.tax_id, site.country.code)
        if number.is_valid and number.prefix != origin.country.code:
            warnings.append(_not_confirmed(number.number))
            return Supply(site, "reverse_charge", "inter", tuple(warnings))
        warnings.append(
            Problem(
                "TAX_ID_INVALID" if not number.is_valid else "TAX_ID_OF_ORIGIN",
                "customer.tax_id",
                f"{number.number[:40]} does not make the sale one to a business of another state: taxed as to a consumer",
            )
        )
    if _is_registered(site, parties):
        return Supply(site, sourcing="inter", warnings=tuple(warnings))
    warnings.append(
        Problem(
            "TAXED_AT_ORIGIN",
            "registrations",
            f"without a registration for {site.country.name} it bears the tax of {origin.country.name}",
        )
    )
    return Supply(origin, warnings=tuple(warnings))


def _not_confirmed(number: str) -> Problem:
    said = f"{number} has a right check digit; keep the register's confirmation (in the EU: VIES) as proof"
    return Problem("TAX_ID_NOT_CONFIRMED", "customer.tax_id", said)


def at_the_border(decided: Supply) -> Supply:
    """The same supply where the goods are worth more than its limit."""
    assert decided.site is not None
    return _export(decided.site, decided.site.country.name)


def _export(site: Site | None, where: str, *, is_digital: bool = False) -> Supply:
    if is_digital:
        told = Problem("TAXED_ABROAD", "country", f"a service abroad: what {where} asks of it is not computed")
    else:
        told = Problem("TAX_AT_IMPORT", "country", f"an export: what {where} asks at its border is not computed")
    return Supply(site, "export_zero", "inter", (told,))


def _in_eu(place: Place, site: Site) -> bool:
    return (site.country.zone == "eu" or is_northern_ireland(place)) and not site.is_outside


def _is_registered(site: Site, parties: Parties) -> bool:
    """A registration of a country holds for all of it, except in the United States, where there is none of the country."""
    registrations = parties.registrations
    if registrations is None:
        return True
    if site.country.code == "US":
        return site.code in registrations
    if site.country.zone == "eu" or is_northern_ireland(parties.place):
        one_stop = "OSS" in registrations
        return one_stop or site.country.code in registrations or (site.country.code == "GB" and "XI" in registrations)
    return site.country.code in registrations or site.code in registrations
