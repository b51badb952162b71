"""Who computes tax for a company. A service's key goes in and never comes out."""

from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminPasswordToggleWidget, UnfoldAdminSelectWidget, UnfoldBooleanWidget

from channels.credentials import NotCredentials, check_address
from salessync.core.crypto import UnableToDecrypt
from tax import providers
from tax.admin.of_company import OfCompanyAdmin
from tax.models import TaxSetting


class SettingForm(forms.ModelForm):
    """The provider, and a key for it."""

    provider = forms.ChoiceField(label="Computed by", widget=UnfoldAdminSelectWidget)
    new_key = forms.CharField(
        required=False, strip=True, max_length=500, label="New key",
        widget=UnfoldAdminPasswordToggleWidget(attrs={"autocomplete": "new-password"}),
        help_text="takes the place of the one before, and is never shown again",
    )  # fmt: skip
    forget_key = forms.BooleanField(required=False, label="Forget the key", widget=UnfoldBooleanWidget)

    class Meta:
        model = TaxSetting
        fields = ("company", "provider", "address", "tolerance")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["provider"].choices = list(providers.LABELS.items())

    def clean_address(self) -> str:
        address = self.cleaned_data["address"].strip()
        try:
            return check_address(address) if address else ""
        except NotCredentials as error:
            raise forms.ValidationError(str(error)) from None

    def clean_tolerance(self) -> int:
        tolerance = self.cleaned_data["tolerance"]
        if tolerance < 0:
            raise forms.ValidationError("nothing is nearer than equal")
        return tolerance

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        before = TaxSetting.objects.filter(pk=self.instance.pk).first() if self.instance.pk else None
        moved = before and _host(before.address) != _host(cleaned.get("address", ""))
        if before and before.sealed_key and moved and not (cleaned.get("new_key") or cleaned.get("forget_key")):
            self.add_error(
                "new_key", "Another host would be sent the key that was given for this one: enter it again as well."
            )
        return cleaned


def _host(address: str) -> str:
    return urlsplit(address).netloc.lower() if address else ""


@admin.register(TaxSetting)
class TaxSettingAdmin(OfCompanyAdmin):
    """A company without one is computed by our own rates."""

    form = SettingForm
    list_display = ("company", "provider_label", "key_now", "address", "tolerance")
    list_filter = ()
    ordering = ("company",)
    readonly_fields = ("key_now",)
    fieldsets = (
        (None, {"fields": ("company", "provider", "tolerance")}),
        ("An outside service", {"fields": ("address", "key_now", "new_key", "forget_key")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: TaxSetting | None = None) -> tuple[str, ...]:
        return (*self.readonly_fields, *super().get_readonly_fields(request, obj))

    def get_fieldsets(self, request: HttpRequest, obj: TaxSetting | None = None) -> Any:
        if self.has_change_permission(request, obj) or self.has_add_permission(request):
            return self.fieldsets
        return ((None, {"fields": ("company", "provider_label", "tolerance", "address", "key_now")}),)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        writes = self.has_change_permission(request, obj) or self.has_add_permission(request)
        return super().get_form(request, obj, change, **kwargs | ({} if writes else {"form": forms.ModelForm}))

    def save_model(self, request: HttpRequest, obj: TaxSetting, form: SettingForm, change: bool) -> None:
        if form.cleaned_data["new_key"]:
            obj.key = form.cleaned_data["new_key"]
        elif form.cleaned_data["forget_key"]:
            obj.key = ""
        super().save_model(request, obj, form, change)

    @admin.display(description="computed by")
    def provider_label(self, setting: TaxSetting) -> str:
        return providers.LABELS.get(setting.provider, setting.provider)

    @admin.display(description="key")
    def key_now(self, setting: TaxSetting) -> str:
        if not setting.sealed_key:
            return "none"
        try:
            key = setting.key
        except UnableToDecrypt:
            return "stored, and not readable with today's encryption keys"
        return f"stored; it ends in {key[-4:]}" if len(key) >= 12 else "stored"
