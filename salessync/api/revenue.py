"""GET revenue: what was earned, as the ledger has it."""

from datetime import date
from typing import Annotated, Literal

from django.db import connection
from msgspec import Meta, Struct, field
from rest_framework.request import Request

from salessync.api.problems import ApiProblem
from salessync.api.resource import Resource
from salessync.api.schema import operation
from salessync.core.models import ApiClient, Company
from salessync.core.problems import Problem

GROUPS = {"channel": "c.slug", "location": "p.location", "category": "p.category", "day": "e.date::text"}


class RevenueQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """Of which days, and what the sums are of."""

    first: Annotated[date, Meta(description="the first day, YYYY-MM-DD, on which entries are booked")] = field(
        name="from"
    )
    last: Annotated[date, Meta(description="the last day")] = field(name="to")
    by: Annotated[Literal["channel", "location", "category", "day"], Meta(description="one sum for each")] = "channel"


class RevenueRow(Struct, kw_only=True):
    """`key`: the channel, location, category or day; null where a posting names none. Minor units; what was given back is taken off."""

    key: str | None
    currency: str
    amount: int
    base_amount: int


class Revenue(Struct, kw_only=True):
    """Sums of the Income accounts, credit positive. `base_total` is in minor units of the base currency."""

    first: date = field(name="from")
    last: date = field(name="to")
    by: Literal["channel", "location", "category", "day"]
    base_currency: str
    base_total: int
    results: list[RevenueRow]


class RevenueSums(Resource):
    @operation(scope=ApiClient.Scope.BOOKS, name="revenue", query=RevenueQuery, answer=Revenue)
    def get(self, request: Request, query: RevenueQuery) -> Revenue:
        """Revenue of some days: what stands on the Income accounts, discounts, returns and allowances taken off.

        The sums are of the journal's own postings, so that they are equal to the trial balance's.
        """
        if query.last < query.first:
            problem = Problem("BAD_DAYS", "to", "the last day is before the first")
            raise ApiProblem(422, "invalid", "These are no days in a row.", errors=[problem])
        rows = _sums(self.company, query)
        return Revenue(
            first=query.first,
            last=query.last,
            by=query.by,
            base_currency=self.company.base_currency,
            base_total=sum(row.base_amount for row in rows),
            results=rows,
        )


def _sums(company: Company, query: RevenueQuery) -> list[RevenueRow]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {GROUPS[query.by]}, p.currency, -sum(p.amount), -sum(p.base_amount)"  # noqa: S608 -- our own columns
            "  FROM ledger_journalentry e JOIN ledger_posting p ON p.entry_id = e.id"
            "  JOIN ledger_account a ON a.id = p.account_id JOIN channels_channel c ON c.id = p.channel_id"
            " WHERE e.company_id = %s AND e.date BETWEEN %s AND %s AND a.kind = 'income'"
            " GROUP BY 1, 2 ORDER BY 1, 2",
            [company.pk, query.first, query.last],
        )
        return [
            RevenueRow(key=key, currency=currency, amount=int(amount), base_amount=int(base))
            for key, currency, amount, base in cursor.fetchall()
        ]
