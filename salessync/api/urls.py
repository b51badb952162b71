"""Every address under /api/. With a slash at the end each is the same."""

from typing import Any

from django.urls import URLPattern, path, re_path, register_converter
from django.views.decorators.cache import cache_page
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerView
from rest_framework.views import APIView

from salessync.api import (
    accounts,
    acknowledgements,
    bookkeeper,
    journal,
    metrics,
    payouts,
    reservations,
    revenue,
    sales,
    stock,
    transactions,
)
from salessync.api.resource import NotHere


class Number:
    """The id of a row; what is beyond any id names nothing."""

    regex = "[0-9]{1,18}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


class EntryId:
    """A journal entry as Bookkeeper knows it: the company's slug and a number."""

    regex = "[A-Za-z0-9_-]{1,50}:[0-9]{1,18}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class Reference:
    """What Bookkeeper calls an entry of its own."""

    regex = "[^/]{1,200}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(Number, "number")
register_converter(Reference, "reference")
register_converter(EntryId, "entry")

RESOURCES: dict[str, type[APIView]] = {
    "accounts": accounts.Accounts,
    "acknowledgements": acknowledgements.AcknowledgementsReceived,
    "bookkeeper/accounts": bookkeeper.BookkeeperAccounts,
    "bookkeeper/corrections": bookkeeper.Corrections,
    "bookkeeper/corrections/<reference:id>": bookkeeper.OneCorrection,
    "bookkeeper/period-locks": bookkeeper.PeriodLocks,
    "cash-sessions": sales.CashSessions,
    "cash-sessions/<number:id>": sales.CashSessionReceipt,
    "journal-entries": journal.JournalEntries,
    "journal-entries/<entry:id>": journal.JournalEntry,
    "metrics": metrics.Metrics,
    "payouts": payouts.Payouts,
    "refunds": sales.Refunds,
    "refunds/<number:id>": sales.RefundReceipt,
    "reservations": reservations.Reservations,
    "reservations/<uuid:id>": reservations.OneReservation,
    "reservations/<uuid:id>/extend": reservations.Extension,
    "revenue": revenue.RevenueSums,
    "sales": sales.Sales,
    "sales/<number:id>": sales.SaleReceipt,
    "stock": stock.Stock,
    "transactions": transactions.Transactions,
    "transactions/<number:id>": transactions.OneTransaction,
}

OPEN: dict[str, Any] = {"throttle_classes": []}  # to everybody: they tell what can be asked, and hold no data
SCHEMA_IS_KEPT = 60 * 60  # seconds: it costs a fifth of one to make, and changes only with the program


def _both(address: str, view: type[APIView]) -> list[URLPattern]:
    return [path(f"v1/{address}", view.as_view()), path(f"v1/{address}/", view.as_view())]


urlpatterns = [
    *(pattern for address, view in RESOURCES.items() for pattern in _both(address, view)),
    re_path("^schema/?$", cache_page(SCHEMA_IS_KEPT)(SpectacularJSONAPIView.as_view(**OPEN)), name="api-schema"),
    re_path("^docs/?$", SpectacularSwaggerView.as_view(url_name="api-schema", **OPEN), name="api-docs"),
    re_path("", NotHere.as_view()),
]
