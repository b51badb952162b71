"""What companies are to tax authorities, as a batch of sales needs it: registrations, places, certificates, settings."""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from salessync.core import bulk
from tax.law.places import Place

LOCAL = "local"  # who computes for a company that has no setting
_MEMO = 5_000  # days kept at a time


class Certificate(NamedTuple):
    """Why a customer need not pay tax in a jurisdiction and below it, on the days [starts, ends)."""

    jurisdiction: str
    reason: str
    number: str
    starts: date | None
    ends: date | None

    def holds(self, codes: Iterable[str], on: date) -> bool:
        """In one of the jurisdictions on that day."""
        if (self.starts and on < self.starts) or (self.ends and self.ends <= on):
            return False
        return any(code == self.jurisdiction or code.startswith(self.jurisdiction + "-") for code in codes)


class _Registered(NamedTuple):
    code: str
    starts: date | None
    ends: date | None


class _Company:
    """The facts of one company that change seldom. Built of `rows` of _FACTS, and the same as long as these are."""

    def __init__(self, rows: list[tuple[object, ...]]) -> None:
        self.rows = rows
        self.registrations: list[_Registered] = []
        self.places: dict[str, Place] = {}
        self.provider, self.tolerance = LOCAL, 0
        self.memo: dict[date, frozenset[str]] = {}
        for row in rows:
            self._take(*row)

    def _take(
        self, kind: str, name: str, country: str, region: str, postcode: str, city: str,
        starts: date | None, ends: date | None, number: int,
    ) -> None:  # fmt: skip
        if kind == "registration":
            self.registrations.append(_Registered(name.upper(), starts, ends))
        elif kind == "place":
            self.places[name.casefold()] = Place(country.upper(), region, postcode, city)
        else:
            self.provider, self.tolerance = name, number

    def registrations_on(self, on: date) -> frozenset[str] | None:
        if not self.registrations:
            return None
        found = self.memo.get(on)
        if found is None:
            if len(self.memo) >= _MEMO:
                self.memo.clear()
            found = self.memo[on] = frozenset(
                r.code
                for r in self.registrations
                if (r.starts is None or r.starts <= on) and (r.ends is None or on < r.ends)
            )
        return found


class SellerFacts:
    """One company's facts for one batch. `tolerance` in minor units of a sale's currency; `provider`: who computes."""

    def __init__(self, company: _Company, certificates: dict[str, list[Certificate]]) -> None:
        self._company = company
        self._certificates = certificates
        self.provider = company.provider
        self.tolerance = company.tolerance

    def registrations_on(self, on: date) -> frozenset[str] | None:
        """Where tax must be collected on that day: DE, US-NY, OSS, IOSS. None: the company recorded no registration at all."""
        return self._company.registrations_on(on)

    def place_of(self, location: str | None) -> Place | None:
        """From where a location's goods are sent; the place for anywhere else where it has none of its own."""
        places = self._company.places
        return places.get((location or "").casefold()) or places.get("")

    def has_certificates(self, customer: str | None) -> bool:
        """Whether any certificate of the customer is on file."""
        return customer in self._certificates

    def is_exempt(self, customer: str | None, codes: str | Iterable[str], on: date) -> Certificate | None:
        """The certificate that frees the customer (a record's `customer.ref`) of tax in a jurisdiction on that day, if there is one.

        `codes`: a site's code such as US-TX, or its jurisdictions.
        """
        if not customer or customer not in self._certificates:
            return None
        where = (codes,) if isinstance(codes, str) else tuple(codes)
        return next((c for c in self._certificates[customer] if c.holds(where, on)), None)


_companies: dict[int, _Company] = {}


def load(company_ids: Iterable[int], customers: Iterable[tuple[int, str]] = ()) -> dict[int, SellerFacts]:
    """The facts of each company, with the certificates of these customers, each (company, ref). One query, or two with customers.

    Nothing is believed from an earlier batch: these tables are small, and whoever records a registration expects it to hold at once.
    What was worked out of rows that are still the same is kept.
    """
    wanted = list(set(company_ids))
    rows = _facts(wanted)
    certificates = _certificates(set(customers))
    found = {}
    for id_ in wanted:
        known = _companies.get(id_)
        if known is None or known.rows != rows[id_]:
            known = _companies[id_] = _Company(rows[id_])
        found[id_] = SellerFacts(known, certificates.get(id_, {}))
    return found


_FACTS = """
    SELECT company_id, 'registration', CASE scheme WHEN 'domestic' THEN jurisdiction ELSE scheme END, '', '', '', '',
           lower(valid), upper(valid), 0::bigint
      FROM tax_registration WHERE company_id = ANY(%(companies)s::bigint[])
     UNION ALL
    SELECT company_id, 'place', location, country, region, postcode, city, NULL, NULL, 0
      FROM tax_sellerplace WHERE company_id = ANY(%(companies)s::bigint[])
     UNION ALL
    SELECT company_id, 'setting', provider, '', '', '', '', NULL, NULL, tolerance
      FROM tax_taxsetting WHERE company_id = ANY(%(companies)s::bigint[])
     ORDER BY 1, 2, 3, 8
"""
_CERTIFICATES = """
    SELECT company_id, customer, upper(jurisdiction), reason, number, lower(valid), upper(valid)
      FROM tax_certificate
      JOIN unnest(%s::bigint[], %s::text[]) AS asked (company_id, customer) USING (company_id, customer)
     ORDER BY company_id, customer, jurisdiction, id
"""


def _facts(company_ids: list[int]) -> dict[int, list[tuple[object, ...]]]:
    found: dict[int, list[tuple[object, ...]]] = {id_: [] for id_ in company_ids}
    with bulk.binary_cursor() as cursor:
        cursor.execute(_FACTS, {"companies": company_ids})
        for id_, *row in cursor.fetchall():
            found[id_].append(tuple(row))
    return found


def _certificates(customers: set[tuple[int, str]]) -> dict[int, dict[str, list[Certificate]]]:
    found: dict[int, dict[str, list[Certificate]]] = {}
    if not customers:
        return found
    with bulk.binary_cursor() as cursor:
        cursor.execute(_CERTIFICATES, [list(column) for column in zip(*customers, strict=True)])
        for id_, customer, *row in cursor.fetchall():
            found.setdefault(id_, {}).setdefault(customer, []).append(Certificate(*row))
    return found
