"""Rates as they were loaded, and the page that says which of them hold at a place on a day. Nothing of it is edited."""

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import URLPattern
from unfold.contrib.filters.admin import BooleanRadioFilter, RelatedDropdownFilter, TextFilter
from unfold.decorators import display

from salessync.core.screens import ReadOnlyAdmin, link, quantity
from tax.admin import days, rate_browser
from tax.admin.days import OnFilter
from tax.models import RateFact

CONFIDENCE_COLOURS = {"high": "success", "medium": "info", "low": "warning", "unresolved": "danger"}


class _Below(TextFilter):
    """A code, with all that lies below it."""

    column, separator = "", ""

    def queryset(self, request: HttpRequest, queryset: QuerySet[RateFact]) -> QuerySet[RateFact]:
        value = (self.value() or "").strip()
        if not value:
            return queryset
        return queryset.filter(
            Q(**{f"{self.column}__iexact": value}) | Q(**{f"{self.column}__istartswith": value + self.separator})
        )


class JurisdictionFilter(_Below):
    title, parameter_name, column, separator = "jurisdiction, with those below", "of", "jurisdiction__code", "-"


class CategoryFilter(_Below):
    title, parameter_name, column, separator = "category, with those below", "category", "category", "."


class TaxFilter(TextFilter):
    """Its whole name, in any case."""

    title, parameter_name = "tax", "tax"

    def queryset(self, request: HttpRequest, queryset: QuerySet[RateFact]) -> QuerySet[RateFact]:
        value = (self.value() or "").strip()
        return queryset.filter(tax__iexact=value) if value else queryset


@admin.register(RateFact)
class RateFactAdmin(ReadOnlyAdmin):
    """By jurisdiction; what is not active was superseded or is not yet."""

    list_display = (
        "place",
        "tax",
        "category",
        "rate_told",
        "days",
        "sourcing",
        "confidence_label",
        "verified",
        "dataset_link",
        "active",
    )
    list_filter = (
        JurisdictionFilter,
        TaxFilter,
        CategoryFilter,
        ("dataset", RelatedDropdownFilter),
        ("is_active", BooleanRadioFilter),
        OnFilter,
    )
    list_select_related = ("jurisdiction", "dataset")
    search_fields = ("=jurisdiction__code", "jurisdiction__name")
    search_help_text = "jurisdiction: its code or a part of its name"
    ordering = ("jurisdiction", "tax", "category", "-id")
    fields = ("place", "tax", "category", "rate_told", "treatment", "days", "sourcing", "scope", "source", "verified",
              "confidence_label", "note", "dataset_link", "active")  # fmt: skip

    def get_urls(self) -> list[URLPattern]:
        return [*rate_browser.urls(self.admin_site), *super().get_urls()]

    @admin.display(description="jurisdiction")
    def place(self, fact: RateFact) -> str:
        return str(fact.jurisdiction)

    @admin.display(description="rate")
    def rate_told(self, fact: RateFact) -> str:
        rate = f"{quantity(fact.rate)} %"
        return rate if fact.treatment == "taxable" else f"{rate} ({fact.treatment})"

    @admin.display(description="in force")
    def days(self, fact: RateFact) -> str:
        return days.told(fact.valid)

    @display(description="confidence", label=CONFIDENCE_COLOURS)
    def confidence_label(self, fact: RateFact) -> str:
        return fact.confidence

    @admin.display(description="verified")
    def verified(self, fact: RateFact) -> str:
        return days.unbroken(fact.verified_on)

    @admin.display(description="file")
    def dataset_link(self, fact: RateFact) -> str:
        return link("tax_dataset", fact.dataset_id, fact.dataset)

    @display(description="active", boolean=True)
    def active(self, fact: RateFact) -> bool:
        return fact.is_active
