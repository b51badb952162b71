"""One sale on one page, and the company. At the top, since they show and set up what every package makes of them."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter, RangeDateFilter, RelatedDropdownFilter
from unfold.decorators import display

from channels.models import Channel, Transaction
from salessync import setup, timeline
from salessync.core.models import Company
from salessync.core.money import MoneyError, minor_digits
from salessync.core.screens import AuditedAdmin, PageAdmin, actor, money

TYPES = ("sale", "refund", "charge", "payout", "dispute", "cash_session", "manual", "summary")
PAYMENT_STATUSES = (
    "pending", "authorized", "partially_paid", "paid", "partially_refunded", "refunded", "voided", "failed",
)  # fmt: skip
STATUSES = (
    "open", "completed", "cancelled", "voided", "pending", "authorized", "captured", "succeeded", "failed", "in_transit", "paid",
    "returned", "needs_response", "under_review", "won", "lost", "closed", "counted", "posted",
)  # fmt: skip
COLOURS = {
    "completed": "success", "succeeded": "success", "captured": "success", "paid": "success", "won": "success",
    "counted": "success", "posted": "success",
    "open": "info", "authorized": "info", "in_transit": "info", "under_review": "info", "partially_paid": "info",
    "pending": "warning", "partially_refunded": "warning", "refunded": "warning", "needs_response": "warning",
    "cancelled": "danger", "voided": "danger", "failed": "danger", "lost": "danger", "returned": "danger",
}  # fmt: skip

WORDS = {word: word.replace("_", " ") for word in (*STATUSES, *PAYMENT_STATUSES, "unknown", "settled")}


class WordFilter(DropdownFilter):
    """One of a column's fixed words."""

    words: tuple[str, ...] = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(word, word.replace("_", " ")) for word in self.words]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Transaction]) -> QuerySet[Transaction]:
        return queryset.filter(**{self.parameter_name: self.value()}) if self.value() else queryset


class TypeFilter(WordFilter):
    title, parameter_name, words = "type", "type", TYPES


class StatusFilter(WordFilter):
    title, parameter_name, words = "status", "status", STATUSES


class PaymentStatusFilter(WordFilter):
    title, parameter_name, words = "payment status", "payment_status", PAYMENT_STATUSES


@admin.register(Transaction)
class TransactionAdmin(PageAdmin):
    """Sales, refunds, charges, payouts and disputes; each leads to the page of the whole sale."""

    list_display = ("label", "kind", "channel", "state", "payment", "amount", "day", "version")
    list_filter = (
        TypeFilter,
        ("channel", RelatedDropdownFilter),
        StatusFilter,
        PaymentStatusFilter,
        ("business_date", RangeDateFilter),
    )
    list_select_related = ("channel",)
    search_fields = ("number", "source_id")
    search_help_text = "number or source id, exactly"
    ordering = ("-id",)
    change_form_template = "admin/channels/transaction/change_form.html"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Transaction], search_term: str
    ) -> tuple[QuerySet[Transaction], bool]:
        return search(queryset, search_term), False

    def page(self, request: HttpRequest, obj: Transaction) -> dict[str, Any]:
        return {
            "sale": obj,
            "total": money(obj.total, obj.currency),
            "story": timeline.of(obj),
            "colours": COLOURS,
            "words": WORDS,
        }

    @admin.display(description="number")
    def label(self, t: Transaction) -> str:
        return t.number or t.source_id

    @admin.display(description="type")
    def kind(self, t: Transaction) -> str:
        return t.type

    @display(description="status", label=COLOURS)
    def state(self, t: Transaction) -> tuple[str, str]:
        return t.status, t.status.replace("_", " ")

    @display(description="payment", label=COLOURS)
    def payment(self, t: Transaction) -> tuple[str, str] | None:
        return (t.payment_status, t.payment_status.replace("_", " ")) if t.payment_status else None

    @admin.display(description="business date")
    def day(self, t: Transaction) -> str:
        return t.business_date.isoformat()

    @admin.display(description="total")
    def amount(self, t: Transaction) -> str:
        return money(t.total, t.currency)


def search(transactions: QuerySet[Transaction], term: str) -> QuerySet[Transaction]:
    """By number or source id; the channels are named, so that the source id is found by its unique index."""
    term = term.strip().replace("\x00", "")
    if not term:
        return transactions
    channels = list(Channel.objects.values_list("id", flat=True))
    numbers = [term, f"#{term}"] if not term.startswith("#") else [term]
    return transactions.filter(Q(channel__in=channels, type__in=TYPES, source_id=term) | Q(number__in=numbers))


class CompanyForm(forms.ModelForm):
    """A currency that ISO 4217 knows, since it stays."""

    class Meta:
        model = Company
        fields = ("name", "slug", "base_currency")

    def clean_base_currency(self) -> str:
        code = self.cleaned_data["base_currency"].strip().upper()
        try:
            minor_digits(code)
        except MoneyError as error:
            raise forms.ValidationError(str(error)) from None
        return code


@admin.register(Company)
class CompanyAdmin(AuditedAdmin):
    """A set of books; its currency and slug are fixed once there are books."""

    form = CompanyForm
    list_display = ("name", "slug", "base_currency", "feed_seq", "closed_through")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug", "base_currency") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Company, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change:
            return
        setup.open_accounts(obj)
        try:
            setup.open_books(obj, actor=actor(request))
        except setup.UnableToSetUp as error:
            messages.error(request, f"Entries by hand cannot be made for it: {error}.")
