"""GET revenue: what was earned, as the ledger has it."""

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct, field
from rest_framework.request import Request

from ledger.balances import Period
from ledger.reports import revenue
from salessync.api.problems import ApiProblem
from salessync.api.resource import Resource
from salessync.api.schema import operation
from salessync.core.models import ApiClient
from salessync.core.problems import Problem


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
        sums = revenue.revenue(company=self.company, period=Period(query.first, query.last), by=[query.by])
        rows = [_row(getattr(one, query.by), one) for one in sums]
        rows.sort(key=lambda row: (row.key is None, row.key or "", row.currency))
        return Revenue(
            first=query.first,
            last=query.last,
            by=query.by,
            base_currency=self.company.base_currency,
            base_total=sum(row.base_amount for row in rows),
            results=rows,
        )


def _row(key: object, one: revenue.RevenueRow) -> RevenueRow:
    assert one.currency is not None and one.net is not None
    return RevenueRow(
        key=None if key is None else str(key), currency=one.currency, amount=one.net, base_amount=one.base_net
    )
