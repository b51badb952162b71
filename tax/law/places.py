"""Where a sale is taxed: a place to its jurisdictions, and which of two places counts. Pure.

Place of supply: a sale within a country at its destination, but in states that say so at its origin; between states of the EU at the
destination for consumers (one-stop shop), by the customer for businesses (reverse charge); out of the area it is an export.
"""

import unicodedata
from datetime import date

import msgspec

from salessync.core.problems import Problem
from tax.law.ratebook import Country, Locality, RateBook, Region, Territory

# who shares a VAT area (Directive 2006/112/EC, art. 7; treaty of Switzerland and Liechtenstein of 28 October 1994), and other codes in use
_SAME_COUNTRY = {"UK": "GB", "XI": "GB", "EL": "GR", "MC": "FR", "IM": "GB", "PR": "US", "LI": "CH"}
_COUNTRY_NAMES = {
    "UNITED STATES OF AMERICA": "US", "GREAT BRITAIN": "GB", "ENGLAND": "GB", "SCOTLAND": "GB", "WALES": "GB", "NORTHERN IRELAND": "XI",
    "HOLLAND": "NL", "THE NETHERLANDS": "NL", "CZECH REPUBLIC": "CZ", "SLOVAK REPUBLIC": "SK", "MONACO": "MC", "ISLE OF MAN": "IM",
    "PUERTO RICO": "PR", "LIECHTENSTEIN": "LI",
}  # fmt: skip
# codes of regions that were replaced and are still written (ISO 3166-2; Canada Post)
_OLD_CODES = {
    "IN": {"or": "OD", "tg": "TS", "ct": "CG", "ut": "UK", "dd": "DN", "dh": "DN"},
    "CA": {"pq": "QC", "nf": "NL"},
}
# parts of a country outside its VAT area for goods that have a country code of their own
_TERRITORY_OF = {
    "GP": "FR-DOM", "MQ": "FR-DOM", "RE": "FR-DOM", "GF": "FR-DOM", "YT": "FR-DOM", "IC": "ES-CN", "EA": "ES-CE", "AX": "FI-01",
}  # fmt: skip


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


class _Directory(msgspec.Struct, frozen=True):
    """The regions of a country by whatever an address calls them, and by the beginning of their postcodes."""

    names: dict[str, Region]
    postcodes: dict[str, Region]


def country_code(given: str, book: RateBook) -> str:
    """The ISO code of a country given by code, by its three letters or by name; what nobody knows stays as it is."""
    if len(given) <= 2:
        return given
    key = ("country", given)
    known: str | None = book.recall(key)
    return known or book.keep(key, _country_code(" ".join(given.replace(".", "").upper().split()), given, book))


def _country_code(wanted: str, given: str, book: RateBook) -> str:
    for country in book.countries.values():
        if wanted in (country.alpha3, country.name.upper()):
            return country.code
    return _COUNTRY_NAMES.get(wanted, given)


def site_of(place: Place, book: RateBook, on: date, path: str = "") -> Site:
    """The site of a place; UnknownPlace where its country or state is not known. Remembered by the book."""
    key = (place, on, path)
    known: Site | None = book.recall(key)
    return known or book.keep(key, _site_of(place, book, on, path))


def _site_of(place: Place, book: RateBook, on: date, path: str) -> Site:
    given = country_code(place.country, book)
    code = _SAME_COUNTRY.get(given, given)
    if code in _TERRITORY_OF:
        territory = next(t for t in book.territories if t.code == _TERRITORY_OF[code])
        return Site(book.countries[territory.country], None, territory, ())
    country_or_none = book.countries.get(code)
    if country_or_none is None:
        raise UnknownPlace(_no_country(place, path))
    if (
        code == "US" and place.postcode.isdigit() and len(place.postcode) in (3, 4)
    ):  # read as a number, its zeros are gone
        place = msgspec.structs.replace(place, postcode=place.postcode.zfill(5))
    warnings: list[Problem] = []
    region = _region("PR" if given == "PR" else place.region, place, code, book, path, warnings)
    territory_or_none = _territory(code, place.postcode, book)
    jurisdictions = _jurisdictions(country_or_none, region, territory_or_none)
    if region is not None and code == "US":
        local = _local(region, place, book, on, path, warnings)
        jurisdictions = (jurisdictions if local.has_state else jurisdictions[:-1]) + local.jurisdictions
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
    known = _directory(country, book)
    if not known.names:
        return None
    by_name = _by_name(given, country, known)
    by_postcode = known.postcodes.get(place.postcode[: 3 if country == "US" else 1])
    found = by_name or by_postcode
    if by_name and by_postcode and by_name != by_postcode:
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


def _directory(country: str, book: RateBook) -> _Directory:
    key = ("regions", country)
    known: _Directory | None = book.recall(key)
    return known or book.keep(key, _listed(country, book))


def _listed(country: str, book: RateBook) -> _Directory:
    names: dict[str, Region] = {}
    postcodes: dict[str, Region] = {}
    for (of, code), region in book.regions.items():
        if of != country:
            continue
        names[code.casefold()] = names[region.name.casefold()] = region
        if country == "IN":
            names[region.postcodes[0]] = region  # the first digits of its tax numbers
        else:
            postcodes |= dict.fromkeys(_prefixes(region), region)
    for old, code in _OLD_CODES.get(country, {}).items():
        names[old] = book.regions[country, code]
    return _Directory(names, postcodes)


def _prefixes(region: Region) -> list[str]:
    """The first three digits of a ZIP, the first letter of a Canadian postcode."""
    found: list[str] = []
    for low, _, high in (part.partition("-") for part in region.postcodes):
        found += [f"{n:03}" for n in range(int(low), int(high) + 1)] if high else [low]
    return found


def _by_name(given: str, country: str, known: _Directory) -> Region | None:
    wanted = _plain(given).removeprefix(f"{country.casefold()}-")
    first, _, rest = wanted.partition(" ")
    return known.names.get(wanted) or (known.names.get(first) if rest else None)


def _plain(text: str) -> str:
    """Lower case without accents and points: Québec, N.Y."""
    stripped = text.strip().replace(".", "")
    return (stripped if stripped.isascii() else _unaccented(stripped)).casefold()


def _unaccented(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def _territory(country: str, postcode: str, book: RateBook) -> Territory | None:
    digits = postcode.removeprefix(country).strip(" -")
    return next(
        (t for t in book.territories if t.country == country and digits and digits.startswith(t.postcodes)), None
    )


def _local(region: Region, place: Place, book: RateBook, on: date, path: str, warnings: list[Problem]) -> Locality:
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
            return found
    if region.has_local_taxes:
        warnings.append(
            Problem(
                "LOCAL_RATES_MISSING",
                f"{path}region",
                f"the counties and cities of {region.name} have taxes of their own, which are not loaded: only the state's is computed",
            )
        )
    return Locality()


def is_northern_ireland(place: Place) -> bool:
    """For goods it belongs to the VAT area of the EU (Windsor Framework, art. 8)."""
    return (place.country in ("GB", "UK") and place.postcode.startswith("BT")) or place.country == "XI"
