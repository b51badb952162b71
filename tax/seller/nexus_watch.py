"""How near each company's sales come to the thresholds of states and of the EU: counted by night from the assessments.

What counts is the latest assessment by local rates of each sale's current version: its country and region, and its net amount without tax.
Sales in another currency than a threshold's are counted as transactions only, and `period` of the row says how many they are.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple

from django.db import connection, transaction
from django.utils import timezone

from salessync.core import audit, bulk
from salessync.core.models import Company
from tax.law.places import Place
from tax.law.seed import seed
from tax.models import NexusWatch
from tax.seller import nexus, sellers
from tax.seller.nexus import Day, Standing, Threshold

# Sales that are no taxable sale there, whoever made them. What is not registered cannot be told apart: it counts.
_NOT_TAXABLE = frozenset({"exempt", "zero", "out_of_scope", "export_zero", "reverse_charge"})
_MARKETPLACE = "marketplace_collected"
_COLUMNS = ("jurisdiction", "period", "sales", "transactions", "currency", "share", "state", "passed_on")


class _Sold(NamedTuple):
    """One day's sales of one kind to one place, as _SOLD adds them up."""

    country: str
    region: str
    on: date
    currency: str
    treatment: str
    sales: int
    transactions: int


class _Counted(NamedTuple):
    threshold: Threshold
    standing: Standing
    elsewhere: int  # sales in other currencies, in the window
    is_registered: bool

    @property
    def state(self) -> str:
        return NexusWatch.State.REGISTERED if self.is_registered else self.standing.state

    def row(self) -> tuple[object, ...]:
        """In the order of _COLUMNS."""
        period = str(self.standing.window)
        if self.elsewhere:
            period += f", {min(self.elsewhere, 999_999)} not in {self.threshold.currency}"
        s = self.standing
        return (
            self.threshold.jurisdiction, period, s.sales, s.transactions, self.threshold.currency, s.share, self.state,
            s.passed_on,
        )  # fmt: skip


def count(company: Company, on: date | None = None) -> list[NexusWatch]:
    """Bring the company's rows up to `on` (today); returns those that are passed now and were not before, for somebody to be told."""
    day = on or timezone.localdate()
    with transaction.atomic():
        with connection.cursor() as cursor:  # two counts at once would both find the same thresholds newly passed
            cursor.execute("SELECT pg_advisory_xact_lock(7241, %s)", [company.pk])
        before = dict(NexusWatch.objects.filter(company=company).values_list("jurisdiction", "state"))
        counted = [one for one in _counted(company, day) if _is_worth_a_row(one, before)]
        _save(company, counted)
        passed = [c for c in counted if c.state == "passed" and before.get(c.threshold.jurisdiction) != "passed"]
        rows = list(
            NexusWatch.objects.filter(company=company, jurisdiction__in=[c.threshold.jurisdiction for c in passed])
            .order_by("jurisdiction")
        )  # fmt: skip
        audit.record((company.pk, "nexus", "passed", "nexus_watch", row.pk, _told(row)) for row in rows)
    return rows


def count_all() -> list[NexusWatch]:
    """Every company's."""
    return [row for company in Company.objects.order_by("pk") for row in count(company)]


def _is_worth_a_row(one: _Counted, before: dict[str, str]) -> bool:
    return bool(one.standing.transactions or one.is_registered or one.threshold.jurisdiction in before)


def _told(row: NexusWatch) -> dict[str, object]:
    return {
        "jurisdiction": row.jurisdiction, "period": row.period, "sales": row.sales, "currency": row.currency,
        "transactions": row.transactions, "passed_on": row.passed_on and row.passed_on.isoformat(),
    }  # fmt: skip


def _counted(company: Company, on: date) -> Iterator[_Counted]:
    facts = sellers.load([company.pk])[company.pk]
    registrations = facts.registrations_on(on) or frozenset()
    by_place = defaultdict(list)
    for sold in _sold(company, on):
        by_place[_jurisdiction(sold, facts.place_of(""))].append(sold)
    for jurisdiction, threshold in nexus.thresholds(on).items():
        found = [sold for sold in by_place[jurisdiction] if _counts(threshold, sold)]
        standing = nexus.standing(threshold, _days(threshold, found), on)
        window = standing.window
        elsewhere = sum(
            s.transactions for s in found if s.currency != threshold.currency and window.starts <= s.on < window.ends
        )
        name = "OSS" if jurisdiction == nexus.EU else jurisdiction
        yield _Counted(threshold, standing, elsewhere, name in registrations)


def _jurisdiction(sold: _Sold, home: Place | None) -> str:
    """Whose threshold a sale counts for; empty where it is nobody's. The EU's asks from which of its states the seller sends."""
    if sold.country == "US":
        return f"US-{sold.region}"
    countries = seed().countries
    is_between = home is not None and home.country != sold.country
    if is_between and all(code in countries and countries[code].zone == "eu" for code in (sold.country, home.country)):
        return nexus.EU
    return ""


def _counts(threshold: Threshold, sold: _Sold) -> bool:
    if sold.treatment == _MARKETPLACE and not threshold.does_count_marketplaces:
        return False
    if threshold.counts == "cross_border":
        return sold.treatment != "reverse_charge"  # to consumers only
    return threshold.counts != "taxable" or sold.treatment not in _NOT_TAXABLE


def _days(threshold: Threshold, found: Sequence[_Sold]) -> Iterator[Day]:
    for sold in found:
        yield Day(sold.on, sold.sales if sold.currency == threshold.currency else 0, sold.transactions)


# By sorting, and joined by one column: the planner takes two for independent, expects one row, and loops over the table for each.
_SOLD = """
    SELECT country, region, day, currency, treatment, sum(net)::bigint, count(*)
      FROM (SELECT DISTINCT ON (a.version_id) a.country, a.region, t.business_date AS day, a.currency, a.treatment, a.net
              FROM tax_assessment a
              JOIN channels_transaction t ON t.version_id = a.version_id
             WHERE a.company_id = %(company)s AND a.provider = 'local' AND t.company_id = %(company)s
               AND t.type = 'sale' AND t.status NOT IN ('cancelled', 'voided')
               AND t.business_date BETWEEN %(since)s AND %(until)s
             ORDER BY a.version_id, a.id DESC) latest
     WHERE net > 0
     GROUP BY 1, 2, 3, 4, 5
"""


def _sold(company: Company, on: date) -> list[_Sold]:
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "SET LOCAL work_mem = '128MB'"
        )  # a million sales are sorted in memory; ends with the transaction
        cursor.execute(_SOLD, {"company": company.pk, "since": nexus.earliest(on), "until": on})
        return [_Sold(*row) for row in cursor.fetchall()]


_SAVE = f"""
    INSERT INTO tax_nexuswatch (company_id, {", ".join(_COLUMNS)})
    SELECT %s::bigint, * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::int[], %s::text[], %s::numeric[], %s::text[], %s::date[])
    ON CONFLICT (company_id, jurisdiction) DO UPDATE
       SET ({", ".join(_COLUMNS[1:])}, counted_at) = ({", ".join(f"excluded.{c}" for c in _COLUMNS[1:])}, now())
"""  # noqa: S608


def _save(company: Company, counted: Sequence[_Counted]) -> None:
    if counted:
        with bulk.binary_cursor() as cursor:
            columns = [list(column) for column in zip(*(one.row() for one in counted), strict=True)]
            cursor.execute(_SAVE, [company.pk, *columns])
