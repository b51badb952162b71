"""The tax of a sale: what the channel charged beside what is due, and why. Never changed."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import DropdownFilter, RangeDateFilter, TextFilter
from unfold.decorators import display

from channels.admin.sales import ChannelFilter, with_sales
from salessync.core.screens import PageAdmin, link, money
from tax.admin import days, side_by_side
from tax.admin.verdicts import COLOURS, VERDICTS, treatment, verdict
from tax.models import Assessment


class VerdictFilter(DropdownFilter):
    """What came of the comparison."""

    title = "verdict"
    parameter_name = "verdict"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(code or "none", word.text) for code, word in VERDICTS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        known = value in dict(self.lookup_choices)
        return queryset.filter(verdict="" if value == "none" else value) if known else queryset


class PlaceFilter(TextFilter):
    """US, or US-NY."""

    title = "place, as US or US-NY"
    parameter_name = "place"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        text = (self.value() or "").strip()
        country, _, region = text.partition("-")
        if country:
            queryset = queryset.filter(country=country.upper())
        return queryset.filter(region__iexact=region) if region else queryset


def channel_name(row: Any) -> str:
    return str(row.sale.channel) if row.sale else ""


def sale_name(row: Any) -> str:
    sale = row.sale
    return f"{sale.type} {sale.number or sale.source_id}" if sale else f"transaction {row.transaction_id}"


def sale_link(row: Any) -> SafeString | str:
    return link("channels_transaction", row.transaction_id, sale_name(row)) if row.sale else sale_name(row)


@admin.register(Assessment)
class AssessmentAdmin(PageAdmin):
    """The newest first; a version of a sale has one more whenever its tax comes out otherwise."""

    list_display = ("label", "verdict_label", "charged_told", "computed_told", "difference_told", "where", "channel_label",
                    "day", "treatment_label")  # fmt: skip
    list_filter = (VerdictFilter, ChannelFilter, PlaceFilter, ("date", RangeDateFilter))
    ordering = ("-id",)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.of_view)
        return [path("of/<int:transaction_id>/", view, name="tax_assessment_of"), *super().get_urls()]

    def of_view(self, request: HttpRequest, transaction_id: int) -> HttpResponse:
        """The latest of a transaction: where other pages lead to."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        latest = (
            Assessment.objects.filter(transaction_id=transaction_id)
            .order_by("-pk")
            .values_list("pk", flat=True)
            .first()
        )
        if latest is None:
            messages.warning(request, "Its tax has not been computed.")
            return redirect("admin:tax_assessment_changelist")
        return redirect("admin:tax_assessment_change", latest)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Assessment]:
        rows = super().get_queryset(request)
        is_one = request.resolver_match is not None and "object_id" in request.resolver_match.kwargs
        return rows if is_one else rows.defer("lines", "warnings")

    def page(self, request: HttpRequest, obj: Assessment) -> dict[str, Any]:
        return side_by_side.of(obj)

    def enrich(self, rows: list[Assessment]) -> None:
        with_sales(rows)

    @admin.display(description="sale")
    def label(self, row: Assessment) -> str:
        return sale_name(row)

    @admin.display(description="channel")
    def channel_label(self, row: Assessment) -> str:
        return channel_name(row)

    @admin.display(description="date")
    def day(self, row: Assessment) -> str:
        return days.unbroken(row.date)

    @admin.display(description="place")
    def where(self, row: Assessment) -> str:
        return side_by_side.where(row)

    @admin.display(description="treatment")
    def treatment_label(self, row: Assessment) -> str:
        return treatment(row.treatment)

    @display(description="verdict", label=COLOURS)
    def verdict_label(self, row: Assessment) -> tuple[str, str]:
        return row.verdict, verdict(row.verdict).text

    @admin.display(description="charged")
    def charged_told(self, row: Assessment) -> str:
        return days.unbroken(money(row.charged, row.currency))

    @admin.display(description="computed")
    def computed_told(self, row: Assessment) -> str:
        return days.unbroken(money(row.computed, row.currency))

    @admin.display(description="difference")
    def difference_told(self, row: Assessment) -> str:
        return days.unbroken(side_by_side.difference(row) if row.computed != row.charged else "")
