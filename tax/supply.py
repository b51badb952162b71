"""Whether the sale bears tax at all, and at which place's rates: place of supply, registrations, exemption, collector. Pure."""

from datetime import date

import msgspec

from salessync.core.problems import Problem
from tax import tax_numbers
from tax.places import Place, Site, UnknownPlace, is_northern_ireland, site_of
from tax.ratebook import RateBook

_ONE_STOP = frozenset({"OSS", "IOSS"})


class Supply(msgspec.Struct, frozen=True):
    """`treatment` of the whole sale, or None where its lines decide; `site` is None where no rate is needed.

    `sourcing` is intra within a state or country, else inter.
    """

    site: Site | None
    treatment: str | None = None
    sourcing: str = "intra"
    warnings: tuple[Problem, ...] = ()


class Parties(msgspec.Struct, frozen=True):
    """What of a request decides the place of supply. `registrations` None: registered wherever tax is due."""

    place: Place
    ship_from: Place | None
    tax_id: str
    is_exempt: bool
    collector: str
    registrations: frozenset[str] | None


def supply(parties: Parties, book: RateBook, on: date) -> Supply:
    """UnknownPlace where the destination is not known, unless the goods leave a country that is."""
    origin = _origin(parties.ship_from, book, on)
    try:
        site = site_of(parties.place, book, on)
    except UnknownPlace:
        if origin is None or not parties.place.country or parties.place.country in book.countries:
            raise
        return _export(None, parties.place.country)
    found = _between(parties, origin, site, book, on)
    if found.treatment is None and parties.is_exempt:
        found = msgspec.structs.replace(found, treatment="exempt")
    if parties.collector == "marketplace" and found.treatment is None:
        found = msgspec.structs.replace(found, treatment="marketplace_collected")
    elif found.treatment is None and found.site is not None and not _is_registered(found.site, parties.registrations):
        found = msgspec.structs.replace(found, treatment="not_registered")
    return found


def _origin(ship_from: Place | None, book: RateBook, on: date) -> Site | None:
    if ship_from is None or not ship_from.country:
        return None
    try:
        return site_of(ship_from, book, on, "ship_from.")
    except UnknownPlace:
        return None


def _between(parties: Parties, origin: Site | None, site: Site, book: RateBook, on: date) -> Supply:
    ship_from = parties.ship_from
    abroad = (
        ship_from is not None and ship_from.country and (origin is None or origin.country.code != site.country.code)
    )
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
    if parties.registrations is not None and _is_registered(site, parties.registrations):
        return Supply(site, sourcing="inter", warnings=site.warnings)
    return _export(site, site.country.name)


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
            warnings.append(
                Problem(
                    "TAX_ID_NOT_CONFIRMED",
                    "customer.tax_id",
                    f"{number.number} has a right check digit; keep the register's confirmation (VIES) as proof",
                )
            )
            return Supply(site, "reverse_charge", "inter", tuple(warnings))
        warnings.append(
            Problem(
                "TAX_ID_INVALID" if not number.is_valid else "TAX_ID_OF_ORIGIN",
                "customer.tax_id",
                f"{number.number[:40]} does not make the sale one to a business of another state: taxed as to a consumer",
            )
        )
    if parties.registrations is None or _is_registered(site, parties.registrations):
        return Supply(site, sourcing="inter", warnings=tuple(warnings))
    warnings.append(
        Problem(
            "TAXED_AT_ORIGIN",
            "registrations",
            f"without a registration for {site.country.name} it bears the tax of {origin.country.name}",
        )
    )
    return Supply(origin, warnings=tuple(warnings))


def _export(site: Site | None, where: str) -> Supply:
    told = Problem("TAX_AT_IMPORT", "country", f"an export: what {where} asks at its border is not computed")
    return Supply(site, "export_zero", "inter", (told,))


def _in_eu(place: Place, site: Site) -> bool:
    return site.country.zone == "eu" or is_northern_ireland(place)


def _is_registered(site: Site, registrations: frozenset[str] | None) -> bool:
    """A registration of a country holds for all of it, except in the United States, where there is none of the country."""
    if registrations is None:
        return True
    if site.country.code == "US":
        return site.code in registrations
    return (
        site.country.code in registrations
        or site.code in registrations
        or (site.country.zone == "eu" and bool(_ONE_STOP & registrations))
    )
