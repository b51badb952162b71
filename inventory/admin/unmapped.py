"""Items that channels sell and no product is known for."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AutocompleteSelect
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from unfold.contrib.filters.admin import RelatedDropdownFilter

from inventory import listings
from inventory.models import Listing, Product, UnmappedItem
from salessync.core.screens import ListAdmin, actor, between


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
