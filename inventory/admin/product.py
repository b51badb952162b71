"""The catalogue; and on each product's page everything that is known of its stock."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.widgets import UnfoldAdminTextInputWidget

from inventory import levels
from inventory.admin import stock_page
from inventory.admin.bundle import ComponentInline
from inventory.models import Component, Product
from salessync.core.forms import Alone
from salessync.core.money import MoneyError, to_major, to_minor
from salessync.core.screens import AuditedAdmin, ListAdmin, money


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
        exclude = ("cost", "average_cost")

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
        self._check_variant(cleaned.get("variant_of"), company)
        return cleaned

    def _check_variant(self, of: Product | None, company: Any) -> None:
        if of is None:
            return
        if company and of.company_id != company.pk:
            self.add_error("variant_of", f"{of} is another company's")
        elif of.pk == self.instance.pk or of.variant_of_id is not None:
            self.add_error("variant_of", f"{of} is a variant itself" if of.variant_of_id else "nothing varies itself")


@admin.register(Product)
class ProductAdmin(Alone, AuditedAdmin, ListAdmin):
    """The catalogue."""

    form = ProductForm
    inlines = (ComponentInline,)
    list_display = ("sku", "name", "category", "barcode", "unit_cost")
    list_select_related = ("company",)
    search_fields = ("sku", "name", "barcode")
    ordering = ("sku",)
    autocomplete_fields = ("variant_of",)
    fields = (
        "company", "sku", "name", "barcode", "category", "tax_category", "variant_of", ("cost_in_words", "currency"),
    )  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Product | None = None) -> tuple[str, ...]:
        return ("company", "sku") if obj else ()

    def get_fields(self, request: HttpRequest, obj: Product | None = None) -> Any:
        if self.has_change_permission(request, obj) or self.has_add_permission(request):
            return self.fields
        return ("company", "sku", "name", "barcode", "category", "tax_category", "variant_of", "unit_cost")

    def has_delete_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:
        return False  # its movements name it for ever

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        if obj is not None:
            context |= {"stock": stock_page.of(obj), "may_move": request.user.has_perm("inventory.add_stockdocument")}
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def get_formset_kwargs(self, request: HttpRequest, obj: Product, inline: Any, prefix: str) -> dict[str, Any]:
        found = super().get_formset_kwargs(request, obj, inline, prefix)
        if "data" in found and f"{prefix}-TOTAL_FORMS" not in found["data"]:  # what says nothing of parts leaves them
            found["data"] = found["data"].copy()
            found["data"].update({f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"})
        return found

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if any(formset.model is Component and formset.has_changed() for formset in formsets):
            levels.mark({(form.instance.pk, None): levels.ZERO})  # its listings are to show what its new parts give

    @admin.display(description="cost")
    def unit_cost(self, product: Product) -> str:
        return money(product.cost, product.currency or product.company.base_currency)
