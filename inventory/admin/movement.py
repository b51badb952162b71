"""The ledger of stock: why each level is what it is. Never changed."""

from django.contrib import admin
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from inventory.admin import cells
from inventory.models import Movement
from salessync.core.screens import ReadOnlyAdmin, money


@admin.register(Movement)
class MovementAdmin(ReadOnlyAdmin):
    """The newest first."""

    list_display = ("id", "at", "sku", "location", "what", "units_on_hand", "units_reserved", "value", "because")
    list_filter = (("kind", ChoicesDropdownFilter), cells.PlaceFilter, cells.PRODUCT, ("created_at", cells.DaysFilter))
    list_select_related = ("product__company", "transaction", "document")
    search_fields = ("=product__sku",)
    search_help_text = "SKU, exactly"
    ordering = ("-id",)
    fields = ("at", "sku", "location", "what", "units_on_hand", "units_reserved", "value", "because")

    def enrich(self, rows: list[Movement]) -> None:
        cells.with_causes(rows)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Movement | None:
        found = super().get_object(request, object_id, from_field)
        cells.with_causes([found] if found else [])
        return found

    @admin.display(description="at (UTC)")
    def at(self, movement: Movement) -> str:
        return cells.instant(movement.created_at)

    @admin.display(description="product")
    def sku(self, movement: Movement) -> str:
        return cells.product_link(movement.product)

    @admin.display(description="kind")
    def what(self, movement: Movement) -> str:
        return movement.kind

    @admin.display(description="on hand")
    def units_on_hand(self, movement: Movement) -> str:
        return cells.change(movement.on_hand)

    @admin.display(description="reserved")
    def units_reserved(self, movement: Movement) -> str:
        return cells.change(movement.reserved)

    @admin.display(description="cost")
    def value(self, movement: Movement) -> str:
        return money(movement.cost, movement.product.company.base_currency)

    @admin.display(description="because of")
    def because(self, movement: Movement) -> str:
        return cells.cause(movement)
