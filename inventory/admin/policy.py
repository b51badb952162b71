"""How each channel takes part in stock, and where it sells from. Every change has all of its listings looked at again."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from channels.models import Channel
from inventory import availability
from inventory.admin import cells
from inventory.models import ChannelLocation, StockPolicy
from salessync.core.forms import Alone
from salessync.core.screens import AuditedAdmin, ListAdmin, moment, quantity

LONGEST = 60  # of a location's name


class OfChannelAdmin(Alone, AuditedAdmin, ListAdmin):
    """A setting of a channel, which stays the one it was made for."""

    list_select_related = ("channel",)
    formfield_overrides = cells.UNITS

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return (*self.readonly_fields, *(("channel",) if obj else ()))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        availability.look_again(channel_id=obj.channel_id)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        channel_id = obj.channel_id
        super().delete_model(request, obj)
        availability.look_again(channel_id=channel_id)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        channels = set(queryset.values_list("channel_id", flat=True))
        super().delete_queryset(request, queryset)
        for channel_id in channels:
            availability.look_again(channel_id=channel_id)


class PolicyForm(forms.ModelForm):
    """Nothing is less than nothing."""

    def clean_buffer(self) -> Decimal:
        if self.cleaned_data["buffer"] < 0:
            raise forms.ValidationError("nothing or more is kept back")
        return self.cleaned_data["buffer"]

    def clean_audit_hours(self) -> int:
        if not 0 <= self.cleaned_data["audit_hours"] <= 8760:
            raise forms.ValidationError("from 0 (never) to 8760 (once a year)")
        return self.cleaned_data["audit_hours"]


@admin.register(StockPolicy)
class StockPolicyAdmin(OfChannelAdmin):
    """A channel without one is told every level, keeps nothing back, and its own edits are asked about."""

    form = PolicyForm
    list_display = ("channel", "is_pushed", "kept_back", "edits_label", "read_back", "audited")
    ordering = ("channel__slug",)
    readonly_fields = ("audited",)
    fields = ("channel", "is_pushed", "buffer", "edits", "audit_hours", "audited")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "channel":
            kwargs["queryset"] = Channel.objects.filter(stock_policy=None).exclude(adapter="books").order_by("slug")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    @admin.display(description="kept back")
    def kept_back(self, policy: StockPolicy) -> str:
        return quantity(policy.buffer)

    @display(description="edits made there", label={"ask": "", "adopt": "info", "overwrite": "warning"})
    def edits_label(self, policy: StockPolicy) -> tuple[str, str]:
        return policy.edits, policy.get_edits_display()

    @admin.display(description="read back")
    def read_back(self, policy: StockPolicy) -> str:
        return f"every {policy.audit_hours} h" if policy.audit_hours else "never"

    @admin.display(description="last read back (UTC)")
    def audited(self, policy: StockPolicy) -> str:
        return moment(policy.audited_at) or "never"


class LinesField(forms.CharField):
    """Names, one a line."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 4, "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial or []), "\n".join(_names(data or "")))

    def clean(self, value: Any) -> list[str]:
        names = _names(super().clean(value))
        if any(len(name) > LONGEST for name in names):
            raise forms.ValidationError(f"a location's name has at most {LONGEST} characters")
        return names


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


class ChannelLocationForm(forms.ModelForm):
    """Which of our locations a place of the channel sells from."""

    locations = LinesField(
        required=False, label="Sells from", help_text="our locations, one a line; empty: from all of them"
    )


@admin.register(ChannelLocation)
class ChannelLocationAdmin(OfChannelAdmin):
    """A channel without one counts stock at one place, which sells from the channel's own location, or from all."""

    form = ChannelLocationForm
    list_display = ("place", "channel", "sells_from")
    list_filter = (("channel", RelatedDropdownFilter),)
    ordering = ("channel__slug", "remote_id")
    fields = ("channel", "remote_id", "locations")

    def save_model(self, request: HttpRequest, obj: ChannelLocation, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        unknown = [name for name in obj.locations if name not in cells.places()]
        if unknown:
            messages.warning(request, f"Nothing is kept at {', '.join(unknown)} yet: is that how it is written?")

    @admin.display(description="place there")
    def place(self, row: ChannelLocation) -> str:
        return row.remote_id or "its only place"

    @admin.display(description="sells from")
    def sells_from(self, row: ChannelLocation) -> str:
        return ", ".join(row.locations) or "every location"
