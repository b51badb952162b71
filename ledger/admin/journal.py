"""The journal: entries with their postings, never changed."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet, Sum
from django.http import HttpRequest
from django.urls import URLPattern
from unfold.contrib.filters.admin import RangeDateFilter, TextFilter
from unfold.decorators import display

from channels.models import Transaction
from ledger.admin import reports
from ledger.admin.delivery import DELIVERY_COLOURS
from ledger.models import Delivery, Detail, JournalEntry, Posting
from salessync.core.screens import PageAdmin, link, moment, money

DETAILS = 500  # of a summary on its page


class SequenceFilter(TextFilter):
    """The number in Bookkeeper's feed."""

    title = "number"
    parameter_name = "seq"

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        value = self.value() or ""
        return queryset.filter(seq=value) if value.isascii() and value.isdigit() and len(value) < 19 else queryset


@admin.register(JournalEntry)
class JournalEntryAdmin(PageAdmin):
    """Newest first; entries are never changed."""

    list_display = ("number", "day", "about", "amount", "legs", "delivery_state", "written")
    list_filter = (SequenceFilter, ("date", RangeDateFilter))
    list_select_related = ("transaction__channel", "company")
    ordering = ("-id",)

    def get_urls(self) -> list[URLPattern]:
        return [*reports.urls(self.admin_site), *super().get_urls()]

    def enrich(self, rows: list[JournalEntry]) -> None:
        ids = [e.pk for e in rows]
        states = dict(Delivery.objects.filter(entry__in=ids).values_list("entry_id", "state"))
        debits = dict(
            Posting.objects.filter(entry__in=ids, base_amount__gt=0)
            .values_list("entry_id")
            .annotate(n=Sum("base_amount"))
        )
        for entry in rows:
            entry.debit, entry.state = debits.get(entry.pk, 0), states.get(entry.pk)

    def page(self, request: HttpRequest, obj: JournalEntry) -> dict[str, Any]:
        base = obj.company.base_currency
        postings = list(Posting.objects.filter(entry=obj.pk).select_related("account", "channel").order_by("leg"))
        postings.sort(key=lambda p: p.amount < 0)  # debits first, as bookkeepers write them
        delivery = Delivery.objects.filter(entry=obj.pk).first()
        return {
            "entry": obj,
            "transaction": Transaction.objects.select_related("channel").filter(pk=obj.transaction_id).first(),
            "postings": [_shown(p, base) for p in postings],
            "base": base,
            "sum": money(sum(max(p.base_amount, 0) for p in postings), base),
            "foreign": any(p.currency != base for p in postings),
            "delivery": delivery,
            "colour": DELIVERY_COLOURS[delivery.state] if delivery else "",
            "details": [(d, money(d.debit, base)) for d in _details(obj)],
            "detail_count": obj.details.count(),
        }

    @admin.display(description="no.")
    def number(self, entry: JournalEntry) -> int:
        return entry.seq

    @admin.display(description="date")
    def day(self, entry: JournalEntry) -> str:
        return entry.date.isoformat()

    @admin.display(description="transaction")
    def about(self, entry: JournalEntry) -> str:
        return link("channels_transaction", entry.transaction_id, f"{entry.transaction.channel}: {entry.transaction}")

    @admin.display(description="amount")
    def amount(self, entry: JournalEntry) -> str:
        return money(entry.debit, entry.company.base_currency)

    @display(description="Bookkeeper", label=DELIVERY_COLOURS)
    def delivery_state(self, entry: JournalEntry) -> str | None:
        return entry.state

    @admin.display(description="written (UTC)")
    def written(self, entry: JournalEntry) -> str:
        return moment(entry.created_at)


def _details(entry: JournalEntry) -> QuerySet[Detail]:
    """The sales that a summary took in, each with what was debited for it in base currency."""
    found = entry.details.select_related("transaction__channel").order_by("business_date", "id")
    return found.annotate(debit=Sum("postings__base_amount", filter=Q(postings__base_amount__gt=0)))[:DETAILS]


def _shown(posting: Posting, base: str) -> dict[str, Any]:
    amount = money(abs(posting.amount), posting.currency)
    return {
        "account": posting.account,
        "debit": amount if posting.amount >= 0 else "",
        "credit": amount if posting.amount < 0 else "",
        "base": money(posting.base_amount, base),
        "channel": posting.channel,
        "dimensions": [x for x in (posting.location, posting.tax_code, posting.category) if x],
        "path": posting.path,
    }
