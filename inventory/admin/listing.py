"""A product as one channel knows it, and what of its level the channel is told."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.contrib.filters.admin import RelatedDropdownFilter

from inventory import levels
from inventory.admin import cells
from inventory.models import Listing
from salessync.core.screens import AuditedAdmin, ListAdmin, quantity


class ListingForm(forms.ModelForm):
    """Of one company, and nothing kept back that is less than nothing."""

    def clean_buffer(self) -> Decimal | None:
        buffer = self.cleaned_data["buffer"]
        if buffer is not None and buffer < 0:
            raise forms.ValidationError("nothing or more is kept back; empty: what the channel keeps back")
        return buffer

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        channel, product = cleaned.get("channel"), cleaned.get("product")
        if channel and product and channel.company_id != product.company_id:
            self.add_error("product", f"{product} is another company's than {channel}")
        return cleaned


@admin.register(Listing)
class ListingAdmin(AuditedAdmin, ListAdmin):
    """Whatever of it changes, its product is looked at by the next push."""

    form = ListingForm
    formfield_overrides = cells.UNITS
    list_display = ("item_id", "channel", "sku", "name", "kept_back", "is_pushed")
    list_filter = (("channel", RelatedDropdownFilter), "is_pushed")
    list_select_related = ("channel", "product")
    search_fields = ("item_id", "product__sku")
    autocomplete_fields = ("product",)
    ordering = ("channel", "item_id")
    fields = ("channel", "item_id", "stock_id", "name", "product", "buffer", "is_pushed")

    def save_model(self, request: HttpRequest, obj: Listing, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        before = form.initial.get("product") if change else None
        levels.mark({(product, None): levels.ZERO for product in {obj.product_id, before} - {None}})

    @admin.display(description="product")
    def sku(self, listing: Listing) -> str:
        return cells.product_link(listing.product)

    @admin.display(description="kept back")
    def kept_back(self, listing: Listing) -> str:
        return "" if listing.buffer is None else quantity(listing.buffer)
