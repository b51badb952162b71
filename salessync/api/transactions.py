"""GET transactions: the stored business facts, and of one of them all that was made of it."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from django.db.models import QuerySet
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field
from rest_framework.request import Request

from channels.canonical import TYPES
from channels.models import Channel, Line, Tender, Transaction, TransactionVersion
from ledger import bookkeeper
from ledger.models import Posting
from salessync.api import paging
from salessync.api.inputs import NoQuery
from salessync.api.paging import Page, PageQuery
from salessync.api.problems import ApiProblem
from salessync.api.resource import Resource
from salessync.api.schema import RECORD, operation
from salessync.core.models import ApiClient, Company
from salessync.core.problems import Problem

Text = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]
Type = Literal[tuple(TYPES)]  # type: ignore[valid-type]


class DaysQuery(PageQuery):
    """Of one channel, of some business days."""

    channel: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{1,60}$", description="a channel's slug")] | UnsetType = UNSET
    first: Annotated[date, Meta(description="the first business day, YYYY-MM-DD")] | UnsetType = field(
        name="from", default=UNSET
    )
    last: Annotated[date, Meta(description="the last business day")] | UnsetType = field(name="to", default=UNSET)
    status: Annotated[str, Meta(pattern="^[a-z_]{1,30}$")] | UnsetType = UNSET


class TransactionQuery(DaysQuery):
    """Which transactions."""

    type: Type | UnsetType = UNSET
    source_id: Annotated[Text, Meta(description="the channel's own id of the object")] | UnsetType = UNSET


class TransactionRow(Struct, kw_only=True):
    """One sale, refund, charge, payout or other fact at its current version; `total` in minor units of `currency`."""

    id: int
    type: str
    channel: str
    source_id: str
    number: str | None
    version: str
    status: str
    payment_status: str | None
    currency: str
    total: int
    occurred_at: datetime
    business_date: date
    location: str | None


class TransactionPage(Page[TransactionRow]):
    """Transactions, the latest first."""


class TransactionLine(Struct, kw_only=True):
    """A line of the current version; amounts in minor units."""

    id: str
    type: str
    sku: str | None
    name: str
    quantity: str
    gross: int
    discount: int
    net: int
    tax: int


class TransactionTender(Struct, kw_only=True):
    """A payment of the current version; amounts in minor units."""

    id: str
    type: str
    status: str
    amount: int
    tip: int
    processor: str | None
    reference: str | None
    card: str | None


class TransactionPosting(Struct, kw_only=True):
    """A posting of one of the transaction's entries: debit positive, in its currency and in the company's base currency."""

    entry: str
    seq: int
    date: date
    account: str
    amount: int
    currency: str
    base_amount: int
    location: str | None
    tax_code: str | None
    category: str | None
    path: str


class RecordVersion(Struct, kw_only=True):
    """One state of the source object. `digest`: SHA-256 of the record as it was accepted, in hex; `event`: what brought it."""

    version: str
    digest: str
    event: int
    current: bool
    stored_at: datetime
    redacted_at: datetime | None


class TransactionDetail(TransactionRow, kw_only=True):
    """A transaction with the canonical record of its current version, and all that was made of it."""

    record: Annotated[Raw, Meta(extra_json_schema=RECORD)]
    lines: list[TransactionLine]
    tenders: list[TransactionTender]
    postings: list[TransactionPosting]
    versions: list[RecordVersion]


COLUMNS = [name for name in TransactionRow.__struct_fields__ if name != "channel"]


class Transactions(Resource):
    @operation(scope=ApiClient.Scope.BOOKS, name="transactions", query=TransactionQuery, answer=TransactionPage)
    def get(self, request: Request, query: TransactionQuery) -> Any:
        """Sales, refunds, charges, payouts and disputes, the latest first. For everything once and in order, follow the journal."""
        rows = of_days(Transaction.objects.filter(company_id=self.company.pk), self.company, query)
        if query.type is not UNSET:
            rows = rows.filter(type=query.type)
        if query.source_id is not UNSET:  # with the channels and types, one look into an index each
            rows = rows.filter(source_id=query.source_id)
            rows = rows.filter(
                channel__in=list(Channel.objects.filter(company=self.company).values_list("pk", flat=True))
            )
            rows = rows.filter(type__in=TYPES)
        return paging.page(
            request, query, rows.values(*COLUMNS, "channel__slug"), key="id", build=_row, newest_first=True
        )


class OneTransaction(Resource):
    @operation(scope=ApiClient.Scope.BOOKS, name="transaction", answer=TransactionDetail, conditional=True)
    def get(self, request: Request, query: NoQuery, id: int) -> object:
        """One transaction: its record, its versions, its postings."""
        rows = Transaction.objects.filter(company_id=self.company.pk, pk=id)
        row = rows.values(*COLUMNS, "channel__slug", "version_id").first()
        if row is None:
            raise ApiProblem(404, "not-found", "There is no such transaction.")
        return self.with_etag(_detail(self.company, row))


def of_days(rows: QuerySet[Transaction], company: Company, query: DaysQuery) -> QuerySet[Transaction]:
    """What the filters that all lists of transactions have leave of them."""
    if query.channel is not UNSET:
        channel = Channel.objects.filter(company=company, slug=query.channel).first()
        if channel is None:
            problem = Problem("UNKNOWN_CHANNEL", "channel", "the company has no channel of this name")
            raise ApiProblem(422, "invalid", "There is no such channel.", errors=[problem])
        rows = rows.filter(channel=channel)
    if query.first is not UNSET:
        rows = rows.filter(business_date__gte=query.first)
    if query.last is not UNSET:
        rows = rows.filter(business_date__lte=query.last)
    return rows.filter(status=query.status) if query.status is not UNSET else rows


def _row(row: dict[str, Any]) -> TransactionRow:
    return TransactionRow(channel=row["channel__slug"], **{name: row[name] for name in COLUMNS})


def _detail(company: Company, row: dict[str, Any]) -> TransactionDetail:
    versions = list(TransactionVersion.objects.filter(transaction=row["id"]).order_by("id"))
    current = next((v for v in versions if v.pk == row["version_id"]), None)
    return TransactionDetail(
        channel=row["channel__slug"],
        **{name: row[name] for name in COLUMNS},
        record=Raw(bytes(current.record) if current else b"null"),
        lines=[
            TransactionLine(
                id=line.line_id, type=line.type, sku=line.sku, name=line.name, quantity=f"{line.quantity.normalize():f}",
                gross=line.gross, discount=line.discount, net=line.net, tax=line.tax,
            )
            for line in Line.objects.filter(transaction=row["id"]).order_by("position")
        ],
        tenders=[
            TransactionTender(
                id=tender.tender_id, type=tender.type, status=tender.status, amount=tender.amount, tip=tender.tip,
                processor=tender.processor, reference=tender.reference, card=tender.card,
            )
            for tender in Tender.objects.filter(transaction=row["id"]).order_by("position")
        ],
        postings=_postings(company, row["id"]),
        versions=[
            RecordVersion(
                version=v.version, digest=bytes(v.digest).hex(), event=v.event_id, current=v is current,
                stored_at=v.created_at, redacted_at=v.redacted_at,
            )
            for v in versions
        ],
    )  # fmt: skip


def _postings(company: Company, transaction_id: int) -> list[TransactionPosting]:
    """Found by their entries, which an index knows."""
    rows = Posting.objects.filter(entry__transaction=transaction_id).order_by("entry__seq", "leg")
    names = ("amount", "currency", "base_amount", "location", "tax_code", "category", "path")
    return [
        TransactionPosting(
            entry=bookkeeper.entry_id(company=company.slug, entry=row["entry_id"]),
            seq=row["entry__seq"],
            date=row["entry__date"],
            account=row["account__code"],
            **{name: row[name] for name in names},
        )
        for row in rows.values("entry_id", "entry__seq", "entry__date", "account__code", *names)
    ]
