"""Where a sale is taxed: a place to its jurisdictions, and which of two places counts. Pure.

Place of supply: a sale within a country at its destination, but in states that say so at its origin; between states of the EU at the
destination for consumers (one-stop shop), by the customer for businesses (reverse charge); out of the area it is an export.
"""

from datetime import date

import msgspec

from salessync.core.problems import Problem
from tax.ratebook import Country, RateBook, Region, Territory

_SAME_COUNTRY = {
    "UK": "GB",
    "EL": "GR",
    "MC": "FR",
    "IM": "GB",
    "PR": "US",
}  # ISO's exceptions, and who shares a VAT area
_OVERSEAS = frozenset({"GP", "MQ", "RE", "GF", "YT"})  # departments of France outside the VAT area for goods


class Place(msgspec.Struct, frozen=True):
    """As it was given; country in capitals."""

    country: str = ""
    region: str = ""
    postcode: str = ""
    city: str = ""


class Site(msgspec.Struct, frozen=True):
    """A place that is understood: its jurisdictions from the country down, and what is doubtful about it."""

    country: Country
    region: Region | None
    territory: Territory | None
    jurisdictions: tuple[str, ...]
    warnings: tuple[Problem, ...] = ()

    @property
    def code(self) -> str:
        """US-NY, CA-ON, DE: what a registration names."""
        return (
            f"{self.country.code}-{self.region.code}"
            if self.region and self.country.system != "india"
            else self.country.code
        )

    @property
    def is_outside(self) -> bool:
        """Belongs to the country and not to its VAT area."""
        return self.territory is not None and self.territory.treatment == "outside"


class UnknownPlace(ValueError):
    """No tax can be found for the place; the problem says what is missing."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def site_of(place: Place, book: RateBook, on: date, path: str = "") -> Site:
    """The site of a place; UnknownPlace where its country or state is not known."""
    code = _SAME_COUNTRY.get(place.country, place.country)
    if code in _OVERSEAS:
        country = book.countries["FR"]
        territory = next(t for t in book.territories if t.code == "FR-DOM")
        return Site(country, None, territory, ())
    country_or_none = book.countries.get(code)
    if country_or_none is None:
        raise UnknownPlace(_no_country(place, path))
    warnings: list[Problem] = []
    region = _region("PR" if place.country == "PR" else place.region, place, code, book, path, warnings)
    territory_or_none = _territory(code, place.postcode, book)
    jurisdictions = _jurisdictions(country_or_none, region, territory_or_none)
    if region is not None and code == "US":
        jurisdictions += _local(region, place, book, on, path, warnings)
    if territory_or_none is not None and territory_or_none.treatment == "reduced":
        warnings.append(
            Problem(
                "TERRITORY_RATE_UNKNOWN",
                f"{path}postcode",
                f"{territory_or_none.name} may have lower rates than the mainland",
            )
        )
    return Site(country_or_none, region, territory_or_none, jurisdictions, tuple(warnings))


def _no_country(place: Place, path: str) -> Problem:
    if not place.country:
        return Problem("MISSING_COUNTRY", f"{path}country", "the country is missing: without it no tax can be found")
    return Problem("UNKNOWN_PLACE", f"{path}country", f"no tax rates are known for {place.country[:20]!r}")


def _jurisdictions(country: Country, region: Region | None, territory: Territory | None) -> tuple[str, ...]:
    if territory is not None and territory.treatment == "own":
        return (territory.code,)
    if region is None or country.system == "india" or not region.has_own_tax:
        return () if country.code == "US" and region is None else (country.code,)
    own = f"{country.code}-{region.code}"
    return (own,) if region.note == "replaces" else (country.code, own)


def _region(
    given: str, place: Place, country: str, book: RateBook, path: str, warnings: list[Problem]
) -> Region | None:
    """The state or province by its code, its name or its postcode; required where it decides the tax."""
    known = [region for (of, _), region in book.regions.items() if of == country]
    if not known:
        return None
    by_name = _by_name(given, country, known)
    by_postcode = next((region for region in known if _has_postcode(region, place.postcode)), None)
    found = by_name or by_postcode
    if by_name and by_postcode and by_name != by_postcode and country != "IN":
        warnings.append(
            Problem(
                "PLACE_CONFLICT",
                f"{path}postcode",
                f"the postcode {place.postcode} lies in {by_postcode.name}, the address says {by_name.name}: that was used",
            )
        )
    if found is None and country != "IN":
        said = f"{given[:40]!r} is no state or province of {country}" if given else "the state or province is missing"
        raise UnknownPlace(Problem("UNKNOWN_REGION" if given else "MISSING_REGION", f"{path}region", said))
    return found


def _by_name(given: str, country: str, known: list[Region]) -> Region | None:
    wanted = given.strip().casefold().removeprefix(f"{country.casefold()}-")
    for region in known:
        if wanted in (region.code.casefold(), region.name.casefold()) or (
            country == "IN" and wanted in region.postcodes
        ):
            return region
    first = wanted.split(" ")[0] if " " in wanted else ""
    return next((region for region in known if first and first == region.code.casefold()), None)


def _has_postcode(region: Region, postcode: str) -> bool:
    if region.country == "US":
        first = postcode[:3]
        if len(first) < 3 or not first.isdigit():
            return False
        return any(low <= first <= (high or low) for low, _, high in (p.partition("-") for p in region.postcodes))
    return region.country == "CA" and bool(postcode) and postcode[0] in region.postcodes


def _territory(country: str, postcode: str, book: RateBook) -> Territory | None:
    digits = postcode.removeprefix(country).strip(" -")
    return next(
        (t for t in book.territories if t.country == country and digits and digits.startswith(t.postcodes)), None
    )


def _local(
    region: Region, place: Place, book: RateBook, on: date, path: str, warnings: list[Problem]
) -> tuple[str, ...]:
    """The jurisdictions below the state, where they are loaded; never one that was guessed."""
    if book.localities is not None:
        found = book.localities.locate("US", region.code, place.postcode, place.city, on)
        if found is not None:
            if found.candidates:
                among = ", ".join(found.candidates[:10])
                warnings.append(
                    Problem(
                        "AMBIGUOUS_PLACE",
                        f"{path}postcode",
                        f"{place.postcode or place.city or region.name} has several rates: {among}; ZIP+4 or a full address decides",
                    )
                )
            return found.jurisdictions
    if region.has_local_taxes:
        warnings.append(
            Problem(
                "LOCAL_RATES_MISSING",
                f"{path}region",
                f"the counties and cities of {region.name} have taxes of their own, which are not loaded: only the state's is computed",
            )
        )
    return ()


def is_northern_ireland(place: Place) -> bool:
    """For goods it belongs to the VAT area of the EU."""
    return (place.country in ("GB", "UK") and place.postcode.startswith("BT")) or place.country == "XI"
