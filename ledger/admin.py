"""The books: the journal, accounts with balances, deliveries to Bookkeeper, rates. Only rates and names can be edited."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Sum
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, TextFilter
from unfold.decorators import display

from channels.models import Transaction
from ledger import running
from ledger.models import Account, Delivery, JournalEntry, Posting, Rate
from salessync.core.money import MoneyError, minor_digits
from salessync.core.screens import (
    AuditedAdmin,
    ListAdmin,
    PageAdmin,
    ReadOnlyAdmin,
    link,
    moment,
    money,
    quantity,
)

DELIVERY_COLOURS = {"due": "info", "acknowledged": "success", "refused": "danger"}


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


@admin.register(Account)
class AccountAdmin(AuditedAdmin, ListAdmin):
    """The chart; an account's code is fixed, since postings stand on it."""

    list_display = ("code", "name", "kind", "balance")
    list_filter = (("kind", ChoicesDropdownFilter),)
    list_select_related = ("company",)
    search_fields = ("code", "name")
    ordering = ("company", "code")
    list_per_page = 200
    readonly_fields = ("company", "code", "kind")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # accounts are made when they are first used

    def has_delete_permission(self, request: HttpRequest, obj: Account | None = None) -> bool:
        return False

    def enrich(self, rows: list[Account]) -> None:
        try:
            balances = running.sums("p.account_id")
        except running.StillReading:
            balances = None
        for account in rows:
            account.base_balance = None if balances is None else balances.get((account.pk,), (0, 0))[1]

    @admin.display(description="balance (debit positive)")
    def balance(self, account: Account) -> str:
        return money(account.base_balance, account.company.base_currency)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """What Bookkeeper has, lacks, or refuses, and why."""

    list_display = (
        "entry_number",
        "about",
        "status",
        "attempts",
        "next_try",
        "acknowledgement",
        "acknowledged",
        "error",
    )
    list_filter = (("state", ChoicesDropdownFilter),)
    list_select_related = ("entry__transaction__channel",)
    list_display_links = None  # the row says it all
    ordering = ("-entry_id",)
    search_fields = ("=acknowledgement",)
    search_help_text = "acknowledgement, exactly"

    @admin.display(description="entry")
    def entry_number(self, delivery: Delivery) -> str:
        return link("ledger_journalentry", delivery.entry_id, delivery.entry.seq)

    @admin.display(description="transaction")
    def about(self, delivery: Delivery) -> str:
        transaction = delivery.entry.transaction
        return link("channels_transaction", transaction.pk, f"{transaction.channel}: {transaction}")

    @display(description="state", label=DELIVERY_COLOURS)
    def status(self, delivery: Delivery) -> tuple[str, str]:
        return delivery.state, delivery.get_state_display()

    @admin.display(description="next try (UTC)")
    def next_try(self, delivery: Delivery) -> str:
        return moment(delivery.next_attempt_at) if delivery.state == Delivery.State.DUE else ""

    @admin.display(description="acknowledged (UTC)")
    def acknowledged(self, delivery: Delivery) -> str:
        return moment(delivery.acknowledged_at)


class RateForm(forms.ModelForm):
    """Between two currencies that ISO 4217 knows."""

    class Meta:
        model = Rate
        fields = ("date", "from_currency", "to_currency", "rate")

    def clean_from_currency(self) -> str:
        return known_currency(self.cleaned_data["from_currency"])

    def clean_to_currency(self) -> str:
        return known_currency(self.cleaned_data["to_currency"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("from_currency") and cleaned.get("from_currency") == cleaned.get("to_currency"):
            raise forms.ValidationError("a currency needs no rate to itself")
        return cleaned


def known_currency(code: str) -> str:
    """In capitals; a ValidationError for a code that is none."""
    code = code.strip().upper()
    try:
        minor_digits(code)
    except MoneyError as error:
        raise forms.ValidationError(str(error)) from None
    return code


@admin.register(Rate)
class RateAdmin(AuditedAdmin, ListAdmin):
    """In force from its date until the pair's next; an event that lacked one can be replayed after."""

    form = RateForm
    list_display = ("day", "from_currency", "to_currency", "factor")
    list_filter = (("date", RangeDateFilter),)
    search_fields = ("=from_currency", "=to_currency")
    ordering = ("-date", "from_currency", "to_currency")

    @admin.display(description="from")
    def day(self, rate: Rate) -> str:
        return rate.date.isoformat()

    @admin.display(description="rate")
    def factor(self, rate: Rate) -> str:
        return quantity(rate.rate)
