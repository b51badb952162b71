"""A channel's settings and condition; its secrets go in and never come out."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminPasswordToggleWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from channels import adapter as adapters
from channels import coverage, credentials, poll
from channels.condition import State
from channels.models import Channel, Reading
from salessync.core import dates
from salessync.core.crypto import UnableToDecrypt
from salessync.core.forms import only_company
from salessync.core.screens import AuditedAdmin, ListAdmin, actor, between, moment, note

CONDITION_COLOURS = {
    State.LIVE: "success", State.SILENT: "danger", State.STALE: "warning", State.BROKEN: "danger", State.PAUSED: "",
}  # fmt: skip
EARLIEST = date(2000, 1, 1)
READINGS_SHOWN = 20


class WriteOnlyTextarea(UnfoldAdminTextareaWidget):
    """What was typed is not sent back, not even beside an error in another field."""

    def format_value(self, value: Any) -> str:
        return ""


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
    api_credentials = forms.CharField(
        required=False,
        label="New API credentials",
        widget=WriteOnlyTextarea(attrs={"rows": 4, "autocomplete": "off", "spellcheck": "false"}),
        help_text="key=value, one a line, or a JSON object. Keys that are not named stay; key= removes one. Never shown again.",
    )
    base_url = forms.CharField(
        required=False,
        max_length=500,
        label="Base URL",
        widget=UnfoldAdminTextInputWidget,
        help_text="of the vendor's API, where the merchant has a host of his own",
    )
    notification_url = forms.CharField(
        required=False,
        max_length=500,
        label="Notification URL",
        widget=UnfoldAdminTextInputWidget,
        help_text="the webhook address as the vendor knows it, where a proxy makes it differ",
    )

    class Meta:
        model = Channel
        fields = "__all__"

    def clean_country(self) -> str:
        country = self.cleaned_data["country"].strip().upper()
        if country and not (len(country) == 2 and country.isascii() and country.isalpha()):
            raise forms.ValidationError("two letters, as in ISO 3166 (US, DE)")
        return country

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in credentials.ADDRESSES:
            self.initial[name] = credentials.address(self.instance, name) if self.instance.pk else ""

    def clean_api_credentials(self) -> dict[str, Any]:
        try:
            return credentials.parse(self.cleaned_data["api_credentials"])
        except credentials.NotCredentials as error:
            raise forms.ValidationError(str(error)) from None

    def clean_base_url(self) -> str:
        return _clean_address(self.cleaned_data["base_url"])

    def clean_notification_url(self) -> str:
        return _clean_address(self.cleaned_data["notification_url"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.errors or not self.credential_changes() or not self.instance.pk:
            return cleaned
        try:
            kept_back = credentials.astray(self.instance, self.credential_changes())
        except UnableToDecrypt:
            if not self.rotated():
                self.add_error("api_credentials", "What is stored cannot be read; a new webhook secret begins it anew.")
            return cleaned
        if kept_back:
            told = (
                f"Another host would be sent what was given for this one: enter {', '.join(kept_back)} again as well."
            )
            self.add_error("api_credentials", told)
        return cleaned

    def credential_changes(self) -> dict[str, Any]:
        """Keys to set, and with an empty value to remove."""
        typed = {name: self.cleaned_data[name] for name in credentials.ADDRESSES if name in self.changed_data}
        return (self.cleaned_data.get("api_credentials") or {}) | typed

    def rotated(self) -> list[str] | None:
        """The live secrets after this form, newest first; None where they stay as they are."""
        new, before = self.cleaned_data.get("new_secret"), live_secrets(self.instance)
        after = [new, *(s for s in before if s != new)] if new else before
        if self.cleaned_data.get("only_newest"):
            after = after[:1]
        return after if after != before else None


class PastForm(forms.Form):
    """Since which day the past is to be read."""

    since = forms.DateField(widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}))

    def clean_since(self) -> date:
        since = self.cleaned_data["since"]
        if not EARLIEST <= since <= timezone.now().date():
            raise forms.ValidationError(f"a day between {EARLIEST:%Y-%m-%d} and today")
        return since


def _clean_address(text: str) -> str:
    try:
        return credentials.check_address(text.strip()) if text.strip() else ""
    except credentials.NotCredentials as error:
        raise forms.ValidationError(str(error)) from None


def kept(channel: Channel) -> dict[str, Any] | None:
    """Its credentials; None where today's encryption keys do not open them."""
    try:
        return channel.credentials
    except UnableToDecrypt:
        return None


def live_secrets(channel: Channel) -> list[str]:
    """Newest first."""
    return [s for s in (kept(channel) or {}).get("secrets", []) if s]


WRITTEN = {"new_secret", "only_newest", "notification_url", "api_credentials", "base_url"}


@admin.register(Channel)
class ChannelAdmin(AuditedAdmin, ListAdmin):
    """One connected account."""

    form = ChannelForm
    list_display = (
        "slug",
        "adapter_label",
        "state",
        "why",
        "last_event",
        "lists",
        "fetches",
        "depth",
        "attention",
    )
    list_filter = ("status",)
    list_select_related = ("company",)
    search_fields = ("slug",)
    ordering = ("slug",)
    readonly_fields = ("secrets_now", "webhook_address", "api_keys_now")
    fieldsets = (
        (None, {"fields": ("company", "slug", "adapter", "status", "webhook_address")}),
        ("Webhooks", {"fields": ("secrets_now", "new_secret", "only_newest", "notification_url")}),
        ("API", {"fields": ("api_keys_now", "api_credentials", "base_url")}),
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
        if obj is not None and not coverage.expected(obj):
            return ((None, {"fields": ("company", "slug", "adapter", "status")}),)
        if self.has_change_permission(request, obj) or self.has_add_permission(request):
            return self.fieldsets
        return [(n, {**o, "fields": _without(o["fields"], WRITTEN)}) for n, o in self.fieldsets]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return only_company()

    def has_delete_permission(self, request: HttpRequest, obj: Channel | None = None) -> bool:
        return False  # its sales and postings name it for ever

    def save_model(self, request: HttpRequest, obj: Channel, form: ChannelForm, change: bool) -> None:
        if change:  # a token may have been renewed since the row was read
            locked = Channel.objects.select_for_update(no_key=True)
            obj.refresh_from_db(fields=["sealed_credentials", "greeting"], from_queryset=locked)
        secrets = form.rotated()
        if secrets is not None:
            obj.credentials = {**(kept(obj) or {}), "secrets": secrets}
        super().save_model(request, obj, form, change)
        changes = form.credential_changes()
        if changes:
            credentials.change(channel=obj, changes=changes, actor=actor(request))
        if change and {"live_from", "posting_mode"} & set(form.changed_data):
            page = reverse("admin:ledger_goinglive", args=[obj.pk])
            told = f"{obj} posts otherwise from now on. What stands in the books already was not changed:"
            messages.warning(
                request, format_html('{} <a class="text-link" href="{}">see what differs</a>.', told, page)
            )

    # --- asking the vendor

    def get_urls(self) -> list[URLPattern]:
        views = (("read_now", self.read_now_view), ("read_past", self.read_past_view))
        return [
            path(f"<int:pk>/{name}/", self.admin_site.admin_view(require_POST(view)), name=f"channels_channel_{name}")
            for name, view in views
        ] + super().get_urls()

    def read_now_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The live lists at the next opportunity."""
        channel = self._asking(request, pk)
        if _may_be_asked(request, channel):
            with transaction.atomic():
                lists = poll.ensure_live(channel)
                poll.wish_now(channel)
                note(request, "read_now", channel, [one.stream for one in lists])
            messages.success(request, f"{channel} is read at the next opportunity, within a minute.")
        return redirect("admin:channels_channel_change", pk)

    def read_past_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A backfill from a day on; one that runs from that day already goes on."""
        channel, form = self._asking(request, pk), PastForm(request.POST)
        if not form.is_valid():
            messages.error(request, f"The past is read from {form.errors['since'][0].rstrip('.')}.")
        elif _may_be_asked(request, channel):
            self._read_past(request, channel, form.cleaned_data["since"])
        return redirect("admin:channels_channel_change", pk)

    def _read_past(self, request: HttpRequest, channel: Channel, day: date) -> None:
        since = _midnight(day, channel)
        try:
            with transaction.atomic():
                readings = poll.begin_backfill(channel, since, _until(channel, since))
                note(request, "read_past", channel, {"since": since.isoformat(), "lists": [r.stream for r in readings]})
        except poll.NotReadable as error:
            messages.error(request, f"The past cannot be read: {error}.")
        else:
            messages.success(request, f"The past since {day:%Y-%m-%d} is read, after what is new.")

    def _asking(self, request: HttpRequest, pk: int) -> Channel:
        if not self.has_change_permission(request):
            raise PermissionDenied
        return get_object_or_404(Channel, pk=pk)

    # --- what the pages show

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Channel | None = None, **kwargs: Any
    ) -> HttpResponse:
        if obj is not None:
            context |= self._standing(request, obj)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def _standing(self, request: HttpRequest, channel: Channel) -> dict[str, Any]:
        now = timezone.now()
        stored = Channel.objects.get(pk=channel.pk)  # without what a form that was refused has put into it
        stand = coverage.stands([stored], now)[channel.pk]
        last = stand.facts.rhythm.last
        readings = stored.readings.order_by("-purpose", "-id")[:READINGS_SHOWN]
        return {
            "stand": stand,
            "colour": CONDITION_COLOURS[stand.condition.state],
            "last": f"{moment(last)} ({between(last, now)} ago)" if last else "",
            "asks": kept(stored) is not None and stored.asks,
            "has_lists": bool(_streams(stored)),
            "readings": [(reading, read_up_to(reading, now), window(reading)) for reading in readings],
            "may_ask": self.has_change_permission(request, channel),
            "past": PastForm(),
            "today": now.date(),
            "posting": _posting(stored) if coverage.expected(stored) else "",
            "urls": {
                name: reverse(f"admin:channels_channel_{name}", args=[channel.pk]) for name in ("read_now", "read_past")
            },
        }

    def enrich(self, rows: list[Channel]) -> None:
        depths, now = _depths(), timezone.now()
        found = coverage.stands(rows, now)
        for channel in rows:
            channel.depths = depths[channel.pk]
            channel.stand, channel.now = found[channel.pk], now

    @admin.display(description="adapter")
    def adapter_label(self, channel: Channel) -> str:
        return adapters.get(channel.adapter).label if channel.adapter in adapters.adapter_names() else channel.adapter

    @display(description="condition", label=CONDITION_COLOURS)
    def state(self, channel: Channel) -> tuple[str, str]:
        return channel.stand.condition.state, channel.stand.condition.state

    @admin.display(description="why")
    def why(self, channel: Channel) -> str:
        return channel.stand.condition.sentence

    @admin.display(description="last event (UTC)")
    def last_event(self, channel: Channel) -> str:
        rhythm = channel.stand.facts.rhythm
        if rhythm.last:
            return whole(rhythm.last)
        return "never" if rhythm.since <= channel.created_at else f"before {moment(rhythm.since)}"

    @admin.display(description="lists read")
    def lists(self, channel: Channel) -> str:
        lists = channel.stand.facts.lists
        return f"{between(min(one.read for one in lists), channel.now)} ago" if lists else ""

    @display(description="fetches", label={"some": "danger", "due": "info"})
    def fetches(self, channel: Channel) -> tuple[str, str] | None:
        due, given_up = channel.stand.due, channel.stand.facts.given_up
        if given_up:
            return "some", f"{given_up} given up"
        return ("due", f"{due} due") if due else None

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

    @admin.display(description="Stored keys")
    def api_keys_now(self, channel: Channel) -> str:
        names = credentials.names(channel) if channel.pk else []
        if names is None:
            return "stored, and not readable with today's encryption keys"
        return ", ".join(names) or "none: its vendor cannot be asked"

    @admin.display(description="Webhook address")
    def webhook_address(self, channel: Channel) -> str:
        return f"/webhooks/{channel.slug}" if channel.slug else "follows from the slug"


def _posting(channel: Channel) -> str:
    """From when on it posts, and how, in a sentence."""
    if channel.posting_mode == Channel.PostingMode.NONE:
        return "Posts nothing: what comes is kept for refunds and matching."
    how = channel.get_posting_mode_display()
    if channel.live_from is None:
        return f"Posts every business day. {how}."
    return f"Posts the business days from {channel.live_from} on; what was sold before is kept for refunds and matching. {how}."


def read_up_to(reading: Reading, now: datetime) -> str:
    """How far a list is read, in words."""
    if reading.purpose == Reading.Purpose.LIVE:
        return f"up to {between(reading.reached, now)} ago"
    if reading.state == Reading.State.DONE:
        return f"all of it, {between(reading.read_at, now)} ago"
    return f"{reading.pages} page{'' if reading.pages == 1 else 's'} so far" if reading.pages else "not begun"


def window(reading: Reading) -> SafeString | str:
    """What is being read, on two lines."""
    if not (reading.since and reading.until):
        return ""
    return format_html("{}<br>{}", whole(reading.since), whole(reading.until, "to "))


def whole(at: datetime, before: str = "") -> SafeString:
    """An instant in UTC, to the minute, that is not broken over two lines."""
    return format_html('<span style="white-space: nowrap">{}{}</span>', before, f"{at.astimezone(UTC):%Y-%m-%d %H:%M}")


def _streams(channel: Channel) -> Sequence[Any]:
    return adapters.get(channel.adapter).streams if channel.adapter in adapters.adapter_names() else ()


def _may_be_asked(request: HttpRequest, channel: Channel) -> bool:
    """Whether there is a list and somebody who may read it; otherwise the person is told why not."""
    if channel.status != Channel.Status.LIVE:
        messages.error(request, f"{channel} is paused: nothing is read.")
    elif not _streams(channel):
        messages.error(request, f"{channel} has no list that could be read.")
    elif kept(channel) is None or not channel.asks:
        messages.error(request, f"{channel} has no API credentials to ask its vendor with.")
    else:
        return True
    return False


def _midnight(day: date, channel: Channel) -> datetime:
    """When the day begins in the channel's own time, UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=dates.zone(channel.timezone)).astimezone(UTC)


def _until(channel: Channel, since: datetime) -> datetime:
    """The end of the backfill that runs from there already; otherwise now."""
    running = channel.readings.filter(purpose=Reading.Purpose.BACKFILL, reached=since).exclude(state=Reading.State.DONE)
    found = running.order_by("-until").values_list("until", flat=True).first()
    return found or timezone.now()


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
