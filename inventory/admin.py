"""Stock: products, how channels know them, levels and their movements. Levels and movements are read-only."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AutocompleteSelect
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from inventory import listings
from inventory.models import Level, Listing, Movement, Oversell, Product, UnmappedItem
from inventory.stock import cost_of
from salessync.core.money import MoneyError, to_major, to_minor
from salessync.core.screens import (
    AuditedAdmin,
    ListAdmin,
    ReadOnlyAdmin,
    actor,
    between,
    link,
    moment,
    money,
    quantity,
)


class ProductForm(forms.ModelForm):
    """The cost in major units, as people write it."""

    cost_in_words = forms.CharField(
        required=False,
        label="Cost",
        widget=UnfoldAdminTextInputWidget,
        help_text="of one unit: 4.50; in the base currency where none is named",
    )

    class Meta:
        model = Product
        exclude = ("cost",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.cost is not None:
            currency = self.instance.currency or self.instance.company.base_currency
            self.fields["cost_in_words"].initial = to_major(self.instance.cost, currency)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        words, currency = cleaned.get("cost_in_words"), (cleaned.get("currency") or "").upper()
        company = cleaned.get("company") or (self.instance.company if self.instance.pk else None)
        cleaned["currency"] = currency
        self.instance.cost = None
        if words and company:
            try:
                self.instance.cost = to_minor(words.strip(), currency or company.base_currency)
            except MoneyError as error:
                self.add_error("cost_in_words", str(error))
            else:
                if self.instance.cost < 0:
                    self.add_error("cost_in_words", "nothing costs less than nothing")
        return cleaned


@admin.register(Product)
class ProductAdmin(AuditedAdmin, ListAdmin):
    """The catalogue."""

    form = ProductForm
    list_display = ("sku", "name", "category", "barcode", "unit_cost")
    list_select_related = ("company",)
    search_fields = ("sku", "name", "barcode")
    ordering = ("sku",)
    fields = ("company", "sku", "name", "barcode", "category", "tax_category", ("cost_in_words", "currency"))

    def get_readonly_fields(self, request: HttpRequest, obj: Product | None = None) -> tuple[str, ...]:
        return ("company", "sku") if obj else ()

    def get_fields(self, request: HttpRequest, obj: Product | None = None) -> Any:
        if self.has_change_permission(request, obj) or self.has_add_permission(request):
            return self.fields
        return ("company", "sku", "name", "barcode", "category", "tax_category", "unit_cost")

    def has_delete_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:
        return False  # its movements name it for ever

    @admin.display(description="cost")
    def unit_cost(self, product: Product) -> str:
        return money(product.cost, product.currency or product.company.base_currency)


@admin.register(Listing)
class ListingAdmin(AuditedAdmin, ListAdmin):
    """A product as one channel knows it."""

    list_display = ("channel", "item_id", "product")
    list_filter = (("channel", RelatedDropdownFilter),)
    list_select_related = ("channel", "product")
    search_fields = ("item_id", "product__sku")
    autocomplete_fields = ("product",)
    ordering = ("channel", "item_id")


class LevelFilter(DropdownFilter):
    """Levels that need a person."""

    title = "level"
    parameter_name = "level"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("negative", "below zero"), ("zero", "nothing on hand")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Level]) -> QuerySet[Level]:
        if self.value() == "negative":
            return queryset.filter(on_hand__lt=0)
        return queryset.filter(on_hand=0) if self.value() == "zero" else queryset


def _units(value: Any) -> str:
    if value < 0:
        return format_html('<span class="font-semibold text-red-600">{}</span>', quantity(value))
    return quantity(value)


@admin.register(Level)
class LevelAdmin(ReadOnlyAdmin):
    """What is on the shelf."""

    list_display = ("product", "title", "location", "units_on_hand", "units_reserved", "units_available", "worth")
    list_filter = (LevelFilter,)
    list_select_related = ("product", "company")
    search_fields = ("product__sku", "product__name", "=location")
    ordering = ("product__sku", "location")
    fields = ("product", "location", "units_on_hand", "units_reserved", "units_available", "worth")

    @admin.display(description="name")
    def title(self, level: Level) -> str:
        return level.product.name

    @admin.display(description="on hand")
    def units_on_hand(self, level: Level) -> str:
        return _units(level.on_hand)

    @admin.display(description="reserved")
    def units_reserved(self, level: Level) -> str:
        return quantity(level.reserved)

    @admin.display(description="available")
    def units_available(self, level: Level) -> str:
        return _units(level.available)

    @admin.display(description="on hand, at today's cost")
    def worth(self, level: Level) -> str:
        product = level.product
        if product.cost is None:
            return ""
        return money(cost_of(level.on_hand, product.cost), product.currency or level.company.base_currency)


@admin.register(Movement)
class MovementAdmin(ReadOnlyAdmin):
    """Why each level is what it is."""

    list_display = ("id", "at", "product", "location", "kind", "units_on_hand", "units_reserved", "value", "cause")
    list_filter = (("kind", ChoicesDropdownFilter),)
    list_select_related = ("product__company", "transaction")
    search_fields = ("=product__sku",)
    search_help_text = "SKU, exactly"
    ordering = ("-id",)

    @admin.display(description="at (UTC)")
    def at(self, movement: Movement) -> str:
        return moment(movement.created_at)

    @admin.display(description="on hand")
    def units_on_hand(self, movement: Movement) -> str:
        return _units(movement.on_hand)

    @admin.display(description="reserved")
    def units_reserved(self, movement: Movement) -> str:
        return _units(movement.reserved)

    @admin.display(description="cost")
    def value(self, movement: Movement) -> str:
        return money(movement.cost, movement.product.company.base_currency)

    @admin.display(description="because of")
    def cause(self, movement: Movement) -> str:
        return (
            link("channels_transaction", movement.transaction_id, movement.transaction)
            if movement.transaction_id
            else ""
        )


class OpenFilter(DropdownFilter):
    """Open or over."""

    title = "state"
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "open"), ("no", "resolved")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Oversell]) -> QuerySet[Oversell]:
        return queryset.filter(resolved_at__isnull=self.value() == "yes") if self.value() else queryset


@admin.register(Oversell)
class OversellAdmin(ReadOnlyAdmin):
    """Sales that took more than there was; resolved when the level is back at zero."""

    list_display = ("product", "location", "units_short", "sale", "opened", "state")
    list_filter = (OpenFilter,)
    list_select_related = ("level__product", "transaction")
    ordering = ("-id",)

    @admin.display(description="product")
    def product(self, oversell: Oversell) -> str:
        return str(oversell.level.product)

    @admin.display(description="location")
    def location(self, oversell: Oversell) -> str:
        return oversell.level.location

    @admin.display(description="short by")
    def units_short(self, oversell: Oversell) -> str:
        return quantity(oversell.short)

    @admin.display(description="sale")
    def sale(self, oversell: Oversell) -> str:
        return link("channels_transaction", oversell.transaction_id, oversell.transaction)

    @admin.display(description="since (UTC)")
    def opened(self, oversell: Oversell) -> str:
        return moment(oversell.opened_at)

    @display(description="state", label={"open": "danger", "resolved": "success"})
    def state(self, oversell: Oversell) -> tuple[str, str]:
        if oversell.resolved_at is None:
            return "open", "open"
        return "resolved", f"resolved after {between(oversell.opened_at, oversell.resolved_at)}"


class MappingForm(forms.ModelForm):
    """Which product the channel's item is."""

    product = forms.ModelChoiceField(Product.objects.none(), help_text="of the item's company; by SKU, name or barcode")

    class Meta:
        model = UnmappedItem
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["product"].queryset = Product.objects.filter(company=self.instance.channel.company_id)


@admin.register(UnmappedItem)
class UnmappedItemAdmin(ListAdmin):
    """Items that are sold and have no product: mapping one moves the stock of the sales that came before."""

    form = MappingForm
    list_display = ("item_id", "name", "channel", "waiting")
    list_filter = (("channel", RelatedDropdownFilter),)
    list_select_related = ("channel",)
    search_fields = ("item_id", "name")
    ordering = ("id",)
    readonly_fields = ("channel", "item_id", "name", "waiting")
    fields = ("channel", "item_id", "name", "waiting", "product")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: UnmappedItem | None = None) -> bool:
        return False  # it goes by being mapped

    def get_fields(self, request: HttpRequest, obj: UnmappedItem | None = None) -> tuple[str, ...]:
        return self.fields if self.has_change_permission(request, obj) else self.readonly_fields

    def get_form(self, request: HttpRequest, obj: UnmappedItem | None = None, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, **kwargs)
        if "product" in form.base_fields:
            form.base_fields["product"].widget = AutocompleteSelect(Listing._meta.get_field("product"), self.admin_site)
        return form

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> Any:
        context |= {
            "suggestions": listings.suggestions(item=obj),
            "may_map": self.has_change_permission(request, obj),
        }
        context |= {"show_save_and_continue": False, "show_save_and_add_another": False}
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def save_model(self, request: HttpRequest, obj: UnmappedItem, form: MappingForm, change: bool) -> None:
        product = form.cleaned_data["product"]
        count = listings.map_item(channel=obj.channel, item_id=obj.item_id, product=product, actor=actor(request))
        messages.success(
            request,
            f"{obj.item_id} is {product} from now on; {count} earlier messages go again for their stock.",
        )

    def log_change(self, request: HttpRequest, obj: UnmappedItem, message: Any) -> None:
        """The mapping leaves an audit row of its own."""

    def response_change(self, request: HttpRequest, obj: UnmappedItem) -> HttpResponse:
        return redirect("admin:inventory_unmappeditem_changelist")

    @admin.display(description="waiting for")
    def waiting(self, item: UnmappedItem) -> str:
        return between(item.first_seen_at, timezone.now())
