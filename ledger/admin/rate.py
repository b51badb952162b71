"""Exchange rates by day."""

from typing import Any

from django import forms
from django.contrib import admin
from unfold.contrib.filters.admin import RangeDateFilter

from ledger.models import Rate
from salessync.core.money import MoneyError, minor_digits
from salessync.core.screens import AuditedAdmin, ListAdmin, quantity


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
