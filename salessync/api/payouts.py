"""GET payouts: what processors transfer to the bank."""

from datetime import date, datetime
from typing import Any

import msgspec
from msgspec import Struct
from rest_framework.request import Request

from channels.models import Transaction, TransactionVersion
from salessync.api import paging
from salessync.api.paging import Page
from salessync.api.resource import Resource
from salessync.api.schema import operation
from salessync.api.transactions import DaysQuery, of_days
from salessync.core.models import ApiClient


class PayoutRow(Struct, kw_only=True):
    """`amount` and `residual` in minor units of `currency`; `lines`: how many, null where they are not known. `id`: its transaction."""

    id: int
    channel: str
    source_id: str
    processor: str
    status: str
    method: str
    currency: str
    amount: int
    residual: int | None
    lines: int | None
    initiated_at: datetime | None
    arrival_date: date | None
    business_date: date
    descriptor: str | None
    trace_id: str | None


class PayoutPage(Page[PayoutRow]):
    """Payouts, the latest first."""


class _Told(Struct):
    """What only the record tells."""

    processor: str
    method: str
    residual: int | None = None
    lines: list[msgspec.Raw] | None = None
    initiated_at: datetime | None = None
    arrival_date: date | None = None
    descriptor: str | None = None
    trace_id: str | None = None


_read = msgspec.json.Decoder(_Told)


class Payouts(Resource):
    @operation(scope=ApiClient.Scope.BOOKS, name="payouts", query=DaysQuery, answer=PayoutPage)
    def get(self, request: Request, query: DaysQuery) -> Any:
        """Payouts, the latest first. The lines of one are in the record of its transaction."""
        rows = Transaction.objects.filter(company_id=self.company.pk, type="payout")
        columns = ("id", "channel__slug", "source_id", "status", "currency", "total", "business_date", "version_id")
        found = paging.page(
            request, query, of_days(rows, self.company, query).values(*columns), key="id", build=dict, newest_first=True
        )
        versions = TransactionVersion.objects.filter(pk__in=[row["version_id"] for row in found["results"]])
        records = dict(versions.values_list("pk", "record"))
        found["results"] = [_row(row, _read.decode(bytes(records[row["version_id"]]))) for row in found["results"]]
        return found


def _row(row: dict[str, Any], told: _Told) -> PayoutRow:
    return PayoutRow(
        id=row["id"], channel=row["channel__slug"], source_id=row["source_id"], processor=told.processor,
        status=row["status"], method=told.method, currency=row["currency"], amount=row["total"], residual=told.residual,
        lines=None if told.lines is None else len(told.lines), initiated_at=told.initiated_at,
        arrival_date=told.arrival_date, business_date=row["business_date"], descriptor=told.descriptor,
        trace_id=told.trace_id,
    )  # fmt: skip
