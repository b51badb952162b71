"""What the pages of stock share: units and causes as people read them, and filters by channel, place, product and day."""

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from django import forms
from django.db.models import DecimalField, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.contrib.filters.admin import AutocompleteSelectFilter, DropdownFilter, RangeDateFilter
from unfold.utils import parse_date_str

from channels.admin.sales import ChannelFilter
from inventory.models import Level, Movement, Product, Reservation
from inventory.shown import plain
from salessync.core.screens import link, moment, money, quantity, remembered

PRODUCT = ("product", AutocompleteSelectFilter)
PLACES = 200  # that a filter proposes


def units(value: Decimal | None) -> str:
    """Red below zero; "?" where it is not known."""
    if value is None:
        return "?"
    if value < 0:
        return format_html('<span class="font-semibold text-red-600 dark:text-red-400">{}</span>', quantity(value))
    return quantity(value)


def change(value: Decimal) -> str:
    """With its sign; nothing where nothing moved."""
    return "" if not value else f"{'+' if value > 0 else ''}{quantity(value)}"


def instant(at: datetime | None) -> str:
    """In UTC, to the second, on one line."""
    return format_html('<span class="whitespace-nowrap">{}</span>', moment(at)) if at else ""


def product_link(product: Product) -> str:
    """To its stock."""
    return link("inventory_product", product.pk, product.sku)


def unit_cost(product: Product) -> tuple[Decimal | int | None, str]:
    """What one unit costs today in minor units, and of which currency: the moving average, else what the catalogue says."""
    if product.average_cost is not None:
        return product.average_cost, product.company.base_currency
    return product.cost, product.currency or product.company.base_currency


def worth(product: Product, on_hand: Decimal) -> str:
    """So many units at today's cost."""
    cost, currency = unit_cost(product)
    if cost is None:
        return ""
    return money(int((on_hand * cost).to_integral_value(ROUND_HALF_EVEN)), currency)


# --- fields


class UnitsField(forms.DecimalField):
    """Without the zeros that only its column has."""

    def prepare_value(self, value: Any) -> Any:
        return plain(value) if isinstance(value, Decimal) else value


UNITS = {DecimalField: {"form_class": UnitsField}}


# --- causes


def with_causes(movements: Iterable[Movement]) -> None:
    """Attach the reservations; sales and documents come with the query."""
    rows = list(movements)
    found = Reservation.objects.in_bulk({row.reservation_id for row in rows if row.reservation_id})
    for row in rows:
        row.reservation = found.get(row.reservation_id)


def cause(movement: Movement) -> str:
    """The sale, the document or the reservation that moved it."""
    if movement.transaction_id:
        return link("channels_transaction", movement.transaction_id, movement.transaction)
    if movement.document_id:
        return link("inventory_stockdocument", movement.document_id, movement.document)
    if movement.reservation is not None:
        return link("inventory_reservation", movement.reservation.pk, f"reservation {movement.reservation}")
    return "opening stock" if movement.kind == Movement.Kind.OPENING else ""


def sale_link(row: Any) -> str:
    """The sale with its channel."""
    return link("channels_transaction", row.sale.pk, f"{row.sale.channel}: {row.sale}") if row.sale else ""


# --- filters


class ListingChannelFilter(ChannelFilter):
    """Of rows that belong to a listing."""

    column = "listing__channel_id"


class PlaceFilter(DropdownFilter):
    """Where stock is kept."""

    title = "location"
    parameter_name = "location"
    column = "location"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(place, place) for place in places()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.column: self.value()}) if self.value() else queryset


def places() -> list[str]:
    """Every location that there is stock at, or was."""
    known = Level.objects.order_by("location").values_list("location", flat=True).distinct()
    return remembered("inventory-places", lambda: list(known[:PLACES]))


class DaysFilter(RangeDateFilter):
    """Days in UTC, both included."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "day (UTC)"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        name = self.parameter_name
        first, last = (parse_date_str(self.used_parameters.get(f"{name}_{end}") or "") for end in ("from", "to"))
        if first:
            queryset = queryset.filter(**{f"{name}__gte": datetime.combine(first, time(), UTC)})
        if last and last.year < 9999:
            queryset = queryset.filter(**{f"{name}__lt": datetime.combine(last + timedelta(days=1), time(), UTC)})
        return queryset
