"""A channel's settings; its secrets go in and never come out."""

from collections import defaultdict
from typing import Any

from django import forms
from django.contrib import admin
from django.db import connection
from django.http import HttpRequest
from unfold.decorators import display
from unfold.widgets import UnfoldAdminPasswordToggleWidget, UnfoldBooleanWidget

from channels import adapter as adapters
from channels import coverage
from channels.models import Channel
from salessync.core.crypto import UnableToDecrypt
from salessync.core.models import Company
from salessync.core.screens import AuditedAdmin, ListAdmin, moment


class ChannelForm(forms.ModelForm):
    """The channel, and a secret to add."""

    new_secret = forms.CharField(
        required=False,
        strip=True,
        label="New webhook secret",
        widget=UnfoldAdminPasswordToggleWidget(attrs={"autocomplete": "new-password"}),
        help_text="Tried first from then on. The ones before stay valid, so that the vendor can be switched without a gap.",
    )
    only_newest = forms.BooleanField(
        required=False,
        label="Accept only the newest secret",
        widget=UnfoldBooleanWidget,
        help_text="Ends a rotation: older secrets are forgotten.",
    )

    class Meta:
        model = Channel
        fields = "__all__"

    def clean_country(self) -> str:
        country = self.cleaned_data["country"].strip().upper()
        if country and not (len(country) == 2 and country.isascii() and country.isalpha()):
            raise forms.ValidationError("two letters, as in ISO 3166 (US, DE)")
        return country

    def rotated(self) -> list[str] | None:
        """The live secrets after this form, newest first; None where they stay as they are."""
        new, before = self.cleaned_data.get("new_secret"), live_secrets(self.instance)
        after = [new, *(s for s in before if s != new)] if new else before
        if self.cleaned_data.get("only_newest"):
            after = after[:1]
        return after if after != before else None


def kept(channel: Channel) -> dict[str, Any] | None:
    """Its credentials; None where today's encryption keys do not open them."""
    try:
        return channel.credentials
    except UnableToDecrypt:
        return None


def live_secrets(channel: Channel) -> list[str]:
    """Newest first."""
    return [s for s in (kept(channel) or {}).get("secrets", []) if s]


@admin.register(Channel)
class ChannelAdmin(AuditedAdmin, ListAdmin):
    """One connected account."""

    form = ChannelForm
    list_display = (
        "slug",
        "adapter_label",
        "state",
        "last_event",
        "depth",
        "attention",
        "currency",
        "timezone",
        "posting_mode",
    )
    list_filter = ("status",)
    list_select_related = ("company",)
    search_fields = ("slug",)
    ordering = ("slug",)
    readonly_fields = ("secrets_now", "webhook_address")
    fieldsets = (
        (None, {"fields": ("company", "slug", "adapter", "status", "webhook_address")}),
        ("Credentials", {"fields": ("secrets_now", "new_secret", "only_newest")}),
        (
            "What its messages lack",
            {"fields": (("country", "region"), ("timezone", "day_cut_hour"), "currency")},
        ),
        ("Books and stock", {"fields": ("posting_mode", "live_from", "refund_tax", "stock_location")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Channel | None = None) -> tuple[str, ...]:
        fixed = ("company", "slug", "adapter") if obj else ()  # stored events and sealed secrets depend on them
        return (*self.readonly_fields, *fixed)

    def get_fieldsets(self, request: HttpRequest, obj: Channel | None = None) -> Any:
        if self.has_change_permission(request, obj) or self.has_add_permission(request):
            return self.fieldsets
        return [(n, {**o, "fields": _without(o["fields"], {"new_secret", "only_newest"})}) for n, o in self.fieldsets]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        companies = list(Company.objects.values_list("pk", flat=True)[:2])
        return {"company": companies[0]} if len(companies) == 1 else {}

    def has_delete_permission(self, request: HttpRequest, obj: Channel | None = None) -> bool:
        return False  # its sales and postings name it for ever

    def save_model(self, request: HttpRequest, obj: Channel, form: ChannelForm, change: bool) -> None:
        secrets = form.rotated()
        if secrets is not None:
            obj.credentials = {**(kept(obj) or {}), "secrets": secrets}
        super().save_model(request, obj, form, change)

    def enrich(self, rows: list[Channel]) -> None:
        depths, lately = _depths(), coverage.lately()
        for channel in rows:
            channel.depths = depths[channel.pk]
            heard = lately.heard.get(channel.pk)
            earlier = f"before {moment(lately.since)}" if lately.since else "never"
            channel.last_heard = moment(heard.last) if heard else earlier

    @admin.display(description="adapter")
    def adapter_label(self, channel: Channel) -> str:
        return adapters.get(channel.adapter).label if channel.adapter in adapters.adapter_names() else channel.adapter

    @display(description="status", label={"live": "success", "paused": "warning"})
    def state(self, channel: Channel) -> tuple[str, str]:
        return channel.status, channel.status

    @admin.display(description="last event (UTC)")
    def last_event(self, channel: Channel) -> str:
        return channel.last_heard

    @admin.display(description="in the inbox")
    def depth(self, channel: Channel) -> int:
        return channel.depths.get("new", 0) + channel.depths.get("claimed", 0)

    @display(description="quarantine", label={"some": "danger"})
    def attention(self, channel: Channel) -> tuple[str, str] | None:
        count = channel.depths.get("quarantined", 0) + channel.depths.get("dead", 0)
        return ("some", str(count)) if count else None

    @admin.display(description="Live secrets")
    def secrets_now(self, channel: Channel) -> str:
        if kept(channel) is None:
            return "stored, and not readable with today's encryption keys"
        secrets = live_secrets(channel)
        if not secrets:
            return "none: every signature is refused"
        older = f"; {len(secrets) - 1} older still accepted" if len(secrets) > 1 else ""
        return f"the newest ends in {secrets[0][-4:] if len(secrets[0]) >= 12 else '…'}{older}"

    @admin.display(description="Webhook address")
    def webhook_address(self, channel: Channel) -> str:
        return f"/webhooks/{channel.slug}" if channel.slug else "follows from the slug"


def _without(fields: Any, names: set[str]) -> tuple[Any, ...]:
    return tuple(f for f in fields if f not in names)


def _depths() -> dict[int, dict[str, int]]:
    """Unfinished events by channel and state: each part by its own partial index."""
    found: dict[int, dict[str, int]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT channel_id, state, sum(n)::bigint FROM ("
            " SELECT channel_id, state, count(*) n FROM channels_event WHERE state = 'new' AND attempts = 0 GROUP BY 1, 2"
            " UNION ALL SELECT channel_id, state, count(*) FROM channels_event"
            "  WHERE state IN ('new', 'claimed') AND attempts > 0 GROUP BY 1, 2"
            " UNION ALL SELECT channel_id, state, count(*) FROM channels_event"
            "  WHERE state IN ('quarantined', 'dead', 'waiting') GROUP BY 1, 2) parts GROUP BY 1, 2"
        )
        for channel_id, state, count in cursor.fetchall():
            found[channel_id][state] = count
    return found
