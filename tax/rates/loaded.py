"""What a file of rates says, whatever its format: facts, jurisdictions, and where postcodes lie. Pure."""

from collections.abc import Iterable
from datetime import date

import msgspec

from salessync.core.problems import Problem
from tax.law.ratebook import DeliveryRule, Rate, Rule


class LoadedJurisdiction(msgspec.Struct, frozen=True):
    """`parent` is a code as well; a jurisdiction that is known already keeps its name where this one has none."""

    code: str
    parent: str
    country: str
    level: str  # country, state, county, city, district, territory
    name: str = ""
    fips: str = ""


class LoadedBoundary(msgspec.Struct, frozen=True, gc=False):
    """ZIP+4 codes `low` to `high` of one ZIP lie in `jurisdictions` (below the state); a row that is not exact is the whole ZIP's.

    In force on [starts, ends).
    """

    zip5: int
    low: int
    high: int
    is_exact: bool
    jurisdictions: tuple[str, ...]
    has_state: bool = True  # the state's own rate holds there
    starts: date | None = None
    ends: date | None = None


class Loaded(msgspec.Struct, kw_only=True):
    """One file, read. `code` names what it is a version of; `covers` the states whose local rates or boundaries are complete in it."""

    code: str
    format: str
    version: str
    publisher: str
    licence: str = ""
    attribution: str = ""
    rank: int = 10
    covers: tuple[str, ...] = ()
    jurisdictions: list[LoadedJurisdiction] = []
    rates: list[Rate] = []
    rules: list[Rule] = []
    deliveries: list[DeliveryRule] = []
    boundaries: Iterable[LoadedBoundary] = ()  # may be read while it is stored: there are millions
    left_out: dict[str, int] = {}  # reason → rows
    problems: list[Problem] = []  # rows that could not be taken; the path is the line
