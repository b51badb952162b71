"""What is on the shelf, by product and location."""

from typing import Any

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from inventory.admin import cells
from inventory.models import Level
from salessync.core.screens import ReadOnlyAdmin, quantity

NEAR = 5  # units available, and fewer: near zero


class LevelFilter(DropdownFilter):
    """Levels that need a person."""

    title = "level"
    parameter_name = "level"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("negative", "below zero"),
            ("zero", "nothing on hand"),
            ("near", f"near zero: at most {NEAR} available"),
            ("reserved", "something reserved"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Level]) -> QuerySet[Level]:
        wanted = self.value()
        if wanted == "near":
            return queryset.annotate(free=F("on_hand") - F("reserved")).filter(free__gte=0, free__lte=NEAR)
        named: dict[str, dict[str, Any]] = {
            "negative": {"on_hand__lt": 0},
            "zero": {"on_hand": 0},
            "reserved": {"reserved__gt": 0},
        }
        return queryset.filter(**named.get(wanted or "", {}))


@admin.register(Level)
class LevelAdmin(ReadOnlyAdmin):
    """A row leads to all that is known of its product's stock."""

    list_display = ("sku", "title", "location", "units_on_hand", "units_reserved", "units_available", "worth")
    list_display_links = None
    list_filter = (LevelFilter, cells.PlaceFilter)
    list_select_related = ("product__company",)
    search_fields = ("product__sku", "product__name")
    ordering = ("product__sku", "location")
    fields = ("sku", "title", "location", "units_on_hand", "units_reserved", "units_available", "worth")

    @admin.display(description="product")
    def sku(self, level: Level) -> str:
        return cells.product_link(level.product)

    @admin.display(description="name")
    def title(self, level: Level) -> str:
        return level.product.name

    @admin.display(description="on hand")
    def units_on_hand(self, level: Level) -> str:
        return cells.units(level.on_hand)

    @admin.display(description="reserved")
    def units_reserved(self, level: Level) -> str:
        return quantity(level.reserved)

    @admin.display(description="available")
    def units_available(self, level: Level) -> str:
        return cells.units(level.available)

    @admin.display(description="on hand, at today's cost")
    def worth(self, level: Level) -> str:
        return cells.worth(level.product, level.on_hand)
